"""The exits of a bracket are sent until they are placed, whatever is in the way when the entry is filled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_runs import EventClock, Log, path_of, run
from bt_swaps import SWAP

from tradeguard.orders.interlock import InterlockState
from tradeguard_backtrader import GuardedStore

Stores = Callable[..., GuardedStore]
HALTED, REDUCE_ONLY = InterlockState.HALTED, InterlockState.REDUCE_ONLY


class Scene:
    """A bracket whose entry is bought at bar 5; `in_the_way` happens the moment its fill is notified."""

    def __init__(self, simulated: Any, exchange: Any, clock: EventClock, symbol: str) -> None:
        self.simulated, self.exchange, self.clock, self.symbol = simulated, exchange, clock, symbol
        self.in_the_way: Callable[[], object] = lambda: None
        self.orders: list[Any] = []
        self.options: dict[str, float | None] = {"stop": 0.97, "limit": 1.05}

    def restrict(self, state: InterlockState, seconds: float) -> None:
        interlock = self.exchange.interlock
        interlock.restrict("drill", state, reason="a drill", lifted_by="its end")
        self.clock.at(seconds, lambda: interlock.lift("drill"))

    def cut(self, seconds: float) -> None:
        self.simulated.pull_plug()
        self.clock.at(seconds, self.simulated.plug_in)

    def enter(self, strategy: Any) -> None:
        price, stop, limit = strategy.data.close[0], self.options["stop"], self.options["limit"]
        self.orders = strategy.buy_bracket(
            size=1,
            exectype=bt.Order.Market,
            **({"stopexec": None} if stop is None else {"stopprice": price * stop}),
            **({"limitexec": None} if limit is None else {"limitprice": price * limit}),
        )

    def watch(self, strategy: Any) -> None:
        told = strategy.notify_order

        def notify_order(order: Any) -> None:
            told(order)
            if order.isbuy() and order.status == order.Completed:
                self.in_the_way()

        strategy.notify_order = notify_order

    def ends(self, log: Log) -> list[str]:
        return [log.of(order)[-1] for order in self.orders if order is not None]


@pytest.fixture
def scene(
    simulate: Any, guarded: Any, store_of: Stores, clock: EventClock
) -> Callable[..., tuple[Scene, Callable[..., Log]]]:
    """Makes a scene along shares of a price, and what runs it."""

    def make(*shares: float, swap: bool = False) -> tuple[Scene, Callable[..., Log]]:
        symbol, price = (SWAP, 2000.0) if swap else ("ETH/BTC", 0.05)
        path = [share * price for share in (*shares, *[shares[-1]] * 60)]
        kind = (
            {"dialect": "binanceusdm", "balances": {"USDT": 10000}}
            if swap
            else {"balances": {"ETH": 0, "BTC": 10}}
        )
        simulated = simulate(market=path_of(*path, history=20, symbol=symbol), **kind)
        exchange = guarded(
            simulated, "binanceusdm" if swap else "binance",
            order_deadline=2.0, order_expiry=0.5, visibility_lag=0.1,
        )  # fmt: skip
        acting = Scene(simulated, exchange, clock, symbol)

        def go(script: Any = None, bars: int = 60) -> Log:
            script = {4: acting.watch, 5: acting.enter, **(script or {})}
            log = run(store_of(exchange), symbol=symbol, script=script, trading=True, history=3, bars=bars)
            assert simulated.audit(exchange.order_journal.intents()).clean
            return log

        return acting, go

    return make


@pytest.mark.parametrize("obstacle", [HALTED, REDUCE_ONLY, "outage"])
@pytest.mark.parametrize("exit_", ["stop", "limit"])
def test_the_only_exit_of_a_bracket_is_sent_until_it_is_placed(scene: Any, obstacle: Any, exit_: str) -> None:
    acting, go = scene(*[1.0] * 60, 0.96 if exit_ == "stop" else 1.06)
    acting.options |= {"limit": None} if exit_ == "stop" else {"stop": None}
    acting.in_the_way = lambda: acting.cut(20.0) if obstacle == "outage" else acting.restrict(obstacle, 8.0)
    log = go(bars=70)
    assert acting.ends(log) == ["Completed", "Completed"]
    assert log.kinds().count("held_delayed") == 1
    assert [str(order.status) for order in acting.simulated.orders()] == ["FILLED", "FILLED"]


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize(
    ("then", "ends"), [(1.06, ["Canceled", "Completed"]), (0.96, ["Completed", "Canceled"])]
)
def test_both_exits_are_in_force_after_an_obstacle(
    scene: Any, swap: bool, then: float, ends: list[str]
) -> None:
    acting, go = scene(*[1.0] * 25, then, swap=swap)
    acting.in_the_way = lambda: acting.restrict(HALTED, 8.0)
    log = go(bars=45)
    assert acting.ends(log) == ["Completed", *ends]
    assert log.held[-1][1] == pytest.approx(0.0)


@pytest.mark.parametrize("swap", [False, True])
def test_a_stop_that_triggers_while_the_limit_waits_is_sent_first(scene: Any, swap: bool) -> None:
    """Both wait for the end of a halt; the limit goes with the stop."""
    acting, go = scene(*[1.0] * 5, 0.96, swap=swap)
    acting.in_the_way = lambda: acting.restrict(HALTED, 12.0)
    log = go(bars=40)
    assert acting.ends(log) == ["Completed", "Completed", "Canceled"]
    assert len(acting.simulated.orders()) == 2


def test_an_exit_that_waits_is_cancelled_by_its_owner(scene: Any) -> None:
    acting, go = scene(1.0)
    acting.options |= {"limit": None}
    acting.in_the_way = lambda: acting.restrict(HALTED, 12.0)
    log = go({10: lambda strategy: strategy.cancel(acting.orders[1])}, bars=30)
    assert acting.ends(log) == ["Completed", "Canceled"]
    assert len(acting.simulated.orders()) == 1


def test_a_key_that_is_refused_for_a_while_costs_no_exit(scene: Any) -> None:
    acting, go = scene(*[1.0] * 40, 0.96)
    acting.options |= {"limit": None}
    create = acting.exchange.create_order
    refused: list[str] = []

    def create_order(symbol: str, kind: str, side: str, *rest: Any) -> Any:
        if side == "sell" and len(refused) < 2:
            refused.append(side)
            raise ccxt.AuthenticationError("not now")
        return create(symbol, kind, side, *rest)

    acting.exchange.create_order = create_order
    log = go()
    assert acting.ends(log) == ["Completed", "Completed"]


def test_an_exit_that_is_refused_for_its_own_sake_is_over_and_told_loudly(
    scene: Any, caplog: pytest.LogCaptureFixture
) -> None:
    acting, go = scene(*[1.0] * 15, 0.96)
    create = acting.exchange.create_order

    def create_order(symbol: str, kind: str, side: str, *rest: Any) -> Any:
        if (kind, side) == ("limit", "sell"):
            raise ccxt.InvalidOrder("price out of band")
        return create(symbol, kind, side, *rest)

    acting.exchange.create_order = create_order
    log = go(bars=40)
    assert acting.ends(log) == ["Completed", "Completed", "Rejected"]
    assert log.kinds().count("held_refused") == 1
    assert [record.levelname for record in caplog.records if "price out of band" in record.message] == [
        "ERROR"
    ]
