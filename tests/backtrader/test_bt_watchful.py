"""Interlock and stale data, told to strategies, and the mixin that listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import SECOND, EventClock, run

from tradeguard.orders.interlock import Interlock, InterlockState
from tradeguard_backtrader import GuardedStore, Watchful

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]


class Listener(Watchful, bt.Strategy):
    """Writes down what it may do at each bar, and each change of it."""

    params = (("log", None), ("script", {}))

    def next(self) -> None:
        self.p.log.append((len(self.data), self.is_fresh(), self.may_enter()))
        action = self.p.script.get(len(self.data))
        if action is not None:
            action()

    def on_watch(self, data: Any, may_enter: bool, why: str) -> None:
        self.p.log.append((may_enter, why))


def listen(store: Any, script: Any = None, **feed: Any) -> list[Any]:
    log: list[Any] = []
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(store.getdata(dataname="ETH/BTC", **{**SECOND, **feed}))
    cerebro.addstrategy(Listener, log=log, script=script or {})
    cerebro.run()
    return log


def with_interlock(scripted: ScriptedExchange, clock: EventClock) -> Interlock:
    interlock = Interlock(clock=clock)
    scripted.interlock = interlock  # type: ignore[attr-defined]
    return interlock


def restrict(interlock: Interlock, symbol: str | None = "ETH/BTC", kind: str = "stale_data") -> None:
    interlock.restrict(
        kind, InterlockState.REDUCE_ONLY, symbol=symbol, reason="the price is old", lifted_by="a fresh one"
    )


def test_a_strategy_may_enter_between_live_and_the_end(scripted: ScriptedExchange, store_of: Stores) -> None:
    log = listen(store_of(scripted), history=2, bars=2)
    assert log == [
        (1, False, False), (2, False, False), (True, "LIVE"), (3, True, True), (4, True, True),
        (False, "DISCONNECTED"),
    ]  # fmt: skip


def test_an_outage_is_told_as_its_beginning_and_its_end(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.fail("fetch_ohlcv", None, None, ccxt.NetworkError("down"))
    log = [entry for entry in listen(store_of(scripted), history=1, bars=5) if len(entry) == 2]
    assert log == [(True, "LIVE"), (False, "CONNBROKEN"), (True, "LIVE"), (False, "DISCONNECTED")]


def test_a_restriction_keeps_entries_away_and_leaves_exits_alone(
    scripted: ScriptedExchange, store_of: Stores, clock: EventClock
) -> None:
    interlock = with_interlock(scripted, clock)
    script = {3: lambda: restrict(interlock), 5: lambda: interlock.lift("stale_data", "ETH/BTC")}
    log = listen(store_of(scripted), script, history=1, bars=6)
    told = "trading is REDUCE_ONLY: the price is old (lifted by a fresh one)"
    assert log[3:9] == [
        (3, True, True), (False, told), (4, True, False), (5, True, False), (True, "trading is NORMAL again"),
        (6, True, True),
    ]  # fmt: skip


def test_what_restricts_another_symbol_restricts_not_this_one(
    scripted: ScriptedExchange, store_of: Stores, clock: EventClock
) -> None:
    interlock = with_interlock(scripted, clock)
    log = listen(store_of(scripted), {3: lambda: restrict(interlock, "XRP/BTC")}, history=1, bars=4)
    assert all(may_enter for _, _, may_enter in [entry for entry in log if len(entry) == 3][2:])


def test_each_change_of_the_interlock_is_told_once(
    scripted: ScriptedExchange, store_of: Stores, clock: EventClock
) -> None:
    interlock = with_interlock(scripted, clock)
    restrict(interlock, None, "operator")  # before the run
    script = {
        2: lambda _: restrict(interlock, None, "operator"),  # stands already
        3: lambda _: restrict(interlock),
        4: lambda _: interlock.lift("operator"),
        5: lambda _: interlock.lift("stale_data", "ETH/BTC"),
    }
    log = run(store_of(scripted), history=1, bars=30, script=script)
    assert log.kinds() == ["interlock"] * 4
    assert [text.split(":")[0] for _, text in log.store] == [
        *["trading is REDUCE_ONLY"] * 3,
        "trading is NORMAL again",
    ]


def test_what_somebody_else_restricts_is_seen_without_an_order(
    scripted: ScriptedExchange, store_of: Stores, clock: EventClock
) -> None:
    """`follow` is how an operator's halt from outside arrives; nobody asks for it but the store."""
    interlock = with_interlock(scripted, clock)
    clock.at(7.0, lambda: setattr(interlock, "follow", lambda: restrict(interlock, None, "operator")))
    log = run(store_of(scripted), history=1, bars=20)
    assert log.kinds() == ["interlock"]


def test_after_the_run_nobody_listens_to_the_interlock(
    scripted: ScriptedExchange, store_of: Stores, clock: EventClock
) -> None:
    interlock, store = with_interlock(scripted, clock), store_of(scripted)
    run(store, history=1, bars=1)
    restrict(interlock)
    assert store.get_notifications() == []


def test_a_market_without_candles_is_told_as_stale_until_one_comes(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    """The exchange answers all the time; it may be frozen, or nobody trades."""
    scripted.skipped = {1_700_000_000_000 + second * 1000 for second in range(3, 30)}
    log: list[Any] = [e for e in listen(store_of(scripted), history=1, bars=6) if len(e) == 2]
    stale = "ETH/BTC: no candle since 2023-11-14 22:13:23, though one was due"
    assert log == [
        (True, "LIVE"), (False, stale), (True, "ETH/BTC: candles come again"), (False, "DISCONNECTED"),
    ]  # fmt: skip


def test_stale_market_data_of_a_guarded_exchange_reach_the_strategy(
    simulate: Simulate, guarded: Simulate, store_of: Stores, clock: EventClock
) -> None:
    """A ticker from the cache restricts its symbol, and a fresh one lifts that."""
    simulated = simulate()
    exchange = guarded(simulated)
    exchange.fetch_ticker("ETH/BTC")

    def ask(_: Any) -> None:
        simulated.pull_plug()
        assert exchange.fetch_ticker("ETH/BTC").is_stale
        simulated.plug_in()

    log = run(
        store_of(exchange),
        history=2,
        bars=40,
        script={4: ask, 30: lambda _: exchange.fetch_ticker("ETH/BTC")},
    )
    told = [text for kind, text in log.store if kind == "interlock"]
    assert told[0].startswith("trading is REDUCE_ONLY: market data of ETH/BTC is ")
    assert told[-1] == "trading is NORMAL again"


def test_a_resampled_data_is_as_fresh_as_what_it_is_made_of(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    fresh: list[tuple[bool, bool]] = []

    class Both(Watchful, bt.Strategy):
        def next(self) -> None:
            fresh.append((self.is_fresh(self.data0), self.may_enter(self.data1)))

    cerebro = bt.Cerebro(stdstats=False)
    feed = store_of(scripted).getdata(dataname="ETH/BTC", history=10, bars=10, **SECOND)
    cerebro.adddata(feed)
    cerebro.resampledata(feed, timeframe=bt.TimeFrame.Seconds, compression=5)
    cerebro.addstrategy(Both)
    cerebro.run()
    assert fresh[0] == (False, False)
    assert (True, True) in fresh
    assert all(short == long for short, long in fresh)


@pytest.mark.parametrize("way", ["adddata", "chaindata", "rolloverdata"])
def test_in_a_backtest_a_strategy_may_always_enter(way: str) -> None:
    import pandas as pd

    index = pd.date_range("2024-01-01", periods=5, freq="D")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0), index=index)
    log: list[Any] = []
    cerebro = bt.Cerebro(stdstats=False)
    getattr(cerebro, way)(bt.feeds.PandasData(dataname=frame, openinterest=None), name="bars")
    cerebro.addstrategy(Listener, log=log)
    cerebro.run()
    assert log == [(number, True, True) for number in range(1, 6)]
