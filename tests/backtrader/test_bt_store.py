"""One store for each exchange object, and stores that know nothing of each other."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import backtrader as bt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import SECOND, EventClock, Log, Scribe, cut, run

from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import Fault, FaultPlan
from tradeguard_backtrader import GuardedBroker, GuardedFeed, GuardedStore, InlineWorkers, StoreConfig

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]


def test_one_exchange_has_one_store(clock: EventClock) -> None:
    exchange = ScriptedExchange(clock)
    store = GuardedStore(exchange, clock=clock)
    assert GuardedStore(exchange, clock=clock) is store


def test_two_exchanges_have_two_stores(clock: EventClock) -> None:
    one, other = ScriptedExchange(clock), ScriptedExchange(clock)
    stores = GuardedStore(one), GuardedStore(other)
    assert stores[0] is not stores[1]
    assert [store.exchange for store in stores] == [one, other]


def test_settings_are_never_ignored_in_silence(clock: EventClock) -> None:
    exchange = ScriptedExchange(clock)
    store = GuardedStore(exchange, config=StoreConfig(patience=3.0))
    with pytest.raises(ConfigurationException, match="a store for this scripted object already"):
        GuardedStore(exchange, config=StoreConfig(patience=4.0))
    assert store.config.patience == 3.0


def test_asking_without_settings_returns_the_store_that_is_there(clock: EventClock) -> None:
    exchange = ScriptedExchange(clock)
    store = GuardedStore(exchange, config=StoreConfig(patience=3.0))
    assert GuardedStore(exchange) is store


def test_a_store_whose_run_is_over_can_be_replaced_by_one_with_other_settings(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    first = GuardedStore(scripted, clock=clock, workers=InlineWorkers(clock))
    run(first, history=2, bars=1)
    second = GuardedStore(
        scripted, clock=clock, workers=InlineWorkers(clock), config=StoreConfig(patience=4.0)
    )
    assert second is not first
    assert len(run(second, history=2, bars=1).bars) == 3


def test_a_store_that_nobody_uses_is_forgotten(clock: EventClock) -> None:
    exchange = ScriptedExchange(clock)
    GuardedStore(exchange, config=StoreConfig(patience=3.0))
    gc.collect()
    assert GuardedStore(exchange).config.patience == 10.0


def test_a_store_makes_its_own_feeds_and_its_own_broker(scripted: ScriptedExchange, store_of: Stores) -> None:
    store = store_of(scripted)
    feed, broker = store.getdata(dataname="ETH/BTC"), store.getbroker()
    assert (type(feed), type(broker)) == (GuardedFeed, GuardedBroker)
    assert (feed.p.store, broker.store) == (store, store)
    assert isinstance(store, bt.Store)


def test_two_exchanges_trade_side_by_side_in_one_cerebro(
    simulate: Simulate, guarded: Simulate, clock: EventClock
) -> None:
    """One of them is cut off for a while: its data waits, and the other's goes on."""
    workers = InlineWorkers(clock)
    here, there = (
        simulate(seed=1, balances={"ETH": 1, "BTC": 1}),
        simulate(seed=2, balances={"ETH": 7, "BTC": 9}),
    )
    stores = [GuardedStore(guarded(each), clock=clock, workers=workers) for each in (here, there)]
    cut(clock, here, after=6.5, seconds=12)
    statuses: dict[str, list[str]] = {"here": [], "there": []}
    bars: dict[str, list[tuple[Any, float]]] = {"here": [], "there": []}

    class Both(bt.Strategy):
        def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
            statuses[data._name].append(data._getstatusname(status))

        def next(self) -> None:
            for data in self.datas:
                stamp = data.datetime.datetime(0)
                if not bars[data._name] or bars[data._name][-1][0] != stamp:
                    bars[data._name].append((stamp, data.close[0]))

    cerebro = bt.Cerebro(stdstats=False)
    for store, name in zip(stores, ("here", "there"), strict=True):
        cerebro.adddata(store.getdata(dataname="ETH/BTC", history=3, bars=50, **SECOND), name=name)
    cerebro.setbroker(stores[1].getbroker())
    cerebro.addstrategy(Both)
    cerebro.run()
    assert statuses["there"] == ["DELAYED", "LIVE", "DISCONNECTED"]
    assert statuses["here"] == ["DELAYED", "LIVE", "CONNBROKEN", "DELAYED", "LIVE", "DISCONNECTED"]
    assert [stamp for stamp, _ in bars["here"]] == [stamp for stamp, _ in bars["there"]]
    assert [close for _, close in bars["here"]] != [close for _, close in bars["there"]]
    assert stores[1].getbroker().startingcash == 9.0


def test_rescues_are_told_to_the_strategy(simulate: Simulate, guarded: Simulate, store_of: Stores) -> None:
    faults = FaultPlan.script([Fault("server_error", on="GET /api/v3/klines", times=1, skip=2)])
    log = run(store_of(guarded(simulate(faults=faults))), history=3, bars=5)
    assert log.kinds() == ["retry"]
    assert log.store[0][1] == "retry: binance.market_data fetch_ohlcv, attempts 2"
    assert len(log.bars) == 8


def test_after_the_run_the_store_listens_to_the_monitor_no_more(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    monitor = ErrorMonitor()
    store = GuardedStore(scripted, clock=clock, workers=InlineWorkers(clock), monitor=monitor)
    run(store, history=2, bars=1)
    monitor.record_rescue("retry", "somebody else")
    assert store.get_notifications() == []


def test_a_notification_may_come_before_the_run(scripted: ScriptedExchange, store_of: Stores) -> None:
    store = store_of(scripted)
    store.notify("hello", "before the run")
    log = run(store, history=2, bars=1)
    assert log.store == [("hello", "before the run")]


@pytest.mark.parametrize(
    "settings",
    [
        {"patience": 0.0},
        {"patience": -1.0},
        {"order_poll": float("inf")},
        {"balance_refresh": "15"},
        {"time_sync": True},
        {"refetches": 1.5},
        {"retry_pause": 20.0, "max_retry_pause": 10.0},
    ],
)
def test_a_setting_out_of_its_bounds_is_named(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationException, match=f"StoreConfig.({'|'.join(settings)}) must be"):
        StoreConfig(**settings)


def test_markets_are_asked_for_by_one_thread_at_a_time(scripted: ScriptedExchange, store_of: Stores) -> None:
    store = store_of(scripted)
    assert store.load_markets() is scripted.markets


def test_a_cerebro_is_told_of_its_store_once(scripted: ScriptedExchange, store_of: Stores) -> None:
    store = store_of(scripted)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(store.getdata(dataname="ETH/BTC", history=1, bars=1, **SECOND))
    cerebro.adddata(store.getdata(dataname="ETH/BTC", history=1, bars=1, **SECOND), name="again")
    cerebro.setbroker(store.getbroker())
    assert cerebro.stores == [store]
    cerebro.addstrategy(Scribe, log=Log())
    cerebro.run()
