"""Cancels: what comes after one on the same symbol waits for it, and nothing on another symbol does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import MARKET, ScriptedExchange
from bt_runs import SECOND, EventClock, Log, Scribe, run

from tradeguard.clock import SYSTEM_CLOCK
from tradeguard_backtrader import GuardedStore, StoreConfig

Stores = Callable[..., GuardedStore]
Limit = bt.Order.Limit


def limit(strategy: Any) -> None:
    strategy.kept = strategy.sell(size=1, exectype=Limit, price=9.0)


def cancel_and_close(strategy: Any) -> None:
    strategy.cancel(strategy.kept)
    strategy.sell(size=1)


def names(scripted: ScriptedExchange) -> list[str]:
    """The orders and cancels that were asked for, in order."""
    return [
        name if name == "cancel_order" else str(arguments[1])
        for name, arguments in scripted.calls
        if name in ("create_order", "cancel_order")
    ]


@pytest.fixture
def trade(scripted: ScriptedExchange, store_of: Stores) -> Callable[..., Log]:
    scripted.fills_markets = True

    def start(script: Any, *, bars: int = 12, **options: Any) -> Log:
        return run(store_of(scripted, **options), script=script, trading=True, history=2, bars=bars)

    return start


def test_an_order_waits_for_the_cancel_before_it(trade: Any, scripted: ScriptedExchange) -> None:
    """The cancel gets through at the third try; the coins are free only then."""
    scripted.fail("cancel_order", ccxt.NetworkError("down"), ccxt.NetworkError("down"))
    ends: list[str] = []
    scripted.on["create_order"] = lambda: (
        ends.append(scripted.orders["1"]["status"]) if scripted.orders else None
    )
    log = trade({4: limit, 6: cancel_and_close})
    assert names(scripted) == ["limit", "cancel_order", "cancel_order", "cancel_order", "market"]
    assert ends == ["canceled"]
    assert [state for _, state in log.orders][-1] == "Completed"


def test_an_order_waits_no_longer_than_patience(trade: Any, scripted: ScriptedExchange) -> None:
    scripted.fail("cancel_order", *[ccxt.NetworkError("down")] * 50)
    at: list[float] = []
    scripted.on["create_order"] = lambda: at.append(scripted.clock.monotonic())
    asked: list[float] = []

    def act(strategy: Any) -> None:
        asked.append(scripted.clock.monotonic())
        cancel_and_close(strategy)

    trade(
        {4: limit, 6: act, 12: lambda strategy: strategy.buy(size=1)},
        bars=20,
        config=StoreConfig(patience=3.0),
    )
    assert at[1] - asked[0] == pytest.approx(3.0, abs=0.1)
    assert len(at) == 3  # what comes later waits no more


def test_an_order_that_was_filled_before_its_cancel_is_waited_for_by_nobody(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    """Its end has come in, and the strategy has not been told yet."""
    filled_at: list[float] = []

    def act(strategy: Any) -> None:
        scripted.fill("1", 1.0)
        filled_at.append(clock.monotonic())
        cancel_and_close(strategy)

    at: list[float] = []
    scripted.on["create_order"] = lambda: at.append(clock.monotonic())
    log = trade({4: limit, 6: act})
    assert at[1] - filled_at[0] < 1.5
    assert [log.clones[-1].getstatusname(), len(scripted.orders)] == ["Completed", 2]


def test_an_order_that_waits_is_taken_back_without_a_request(trade: Any, scripted: ScriptedExchange) -> None:
    scripted.fail("cancel_order", *[ccxt.NetworkError("down")] * 50)

    def act(strategy: Any) -> None:
        strategy.cancel(strategy.kept)
        strategy.late = strategy.sell(size=1)

    log = trade({4: limit, 6: act, 7: lambda strategy: strategy.cancel(strategy.late)}, bars=25)
    assert [state for _, state in log.orders][-1] == "Canceled"
    assert names(scripted).count("market") == 0


def test_a_cancel_that_hangs_holds_up_nothing_on_another_symbol() -> None:
    exchange = ScriptedExchange(SYSTEM_CLOCK)
    exchange.markets = {"ETH/BTC": MARKET, "XRP/BTC": {**MARKET, "symbol": "XRP/BTC"}}
    hangs, second = threading.Event(), threading.Event()
    answer = exchange.cancel_order

    def cancel_order(order_id: str, symbol: str) -> Any:
        if symbol == "ETH/BTC":
            hangs.wait(20)
        else:
            second.set()
        return answer(order_id, symbol)

    exchange.cancel_order = cancel_order  # type: ignore[method-assign]
    store = GuardedStore(exchange, config=StoreConfig(stop_patience=5.0))
    orders: list[Any] = []
    came: list[bool] = []

    def two(strategy: Any) -> None:
        orders.extend(strategy.sell(data=data, size=1, exectype=Limit, price=9.0) for data in strategy.datas)

    def cancel(strategy: Any) -> None:
        for order in orders:
            strategy.cancel(order)
        came.append(second.wait(10))
        hangs.set()

    log = Log()
    env = bt.Cerebro(stdstats=False, quicknotify=True)
    for name in exchange.markets:
        env.adddata(store.getdata(dataname=name, history=2, bars=4, **SECOND))
    env.setbroker(store.getbroker())
    env.addstrategy(Scribe, log=log, script={3: two, 5: cancel})
    env.run()
    assert came == [True]
    assert [log.of(order)[-1] for order in orders] == ["Canceled", "Canceled"]
