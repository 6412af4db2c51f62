"""Trading through storms: every order once, every fill told, and the bot's belief the exchange's book."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from bt_runs import EventClock, Log, cut, run

from tradeguard.simulator import Fault, FaultKind, FaultPlan, SimulatedExchange
from tradeguard_backtrader import GuardedStore, InlineWorkers
from tradeguard_ccxt import GuardConfig, GuardedExchange

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]
FINAL = ("Completed", "Canceled", "Expired", "Margin", "Rejected")


class Busy:
    """Buys and sells all the time, in every way there is."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def __call__(self, strategy: Any) -> None:
        number, close = len(strategy.log.bars), strategy.data.close[0]
        if number < 5 or number % 4 or number > 130:
            return
        match number // 4 % 4:
            case 0:
                strategy.buy(size=0.05)
            case 1:
                strategy.sell(size=0.04)
            case 2:
                self.kept.append(strategy.buy(size=0.03, exectype=bt.Order.Limit, price=close * 0.9999))
            case 3:
                if self.kept:
                    strategy.cancel(self.kept.pop())


def check_belief(log: Log, store: GuardedStore, simulated: SimulatedExchange, guarded: Any) -> None:
    """The bot's orders, fills, position and cash are those of the exchange."""
    audit = simulated.audit(guarded.order_journal.intents())
    assert audit.clean, audit
    last = {clone.info.get("order_id"): clone for clone in log.clones if "order_id" in clone.info}
    book = simulated.orders()
    assert {order.order_id for order in book} == set(last)
    for order in book:
        told = last[order.order_id]
        assert abs(told.executed.size) == float(order.filled)
        if order.filled:
            assert told.executed.price == pytest.approx(
                float(order.cost / order.filled), rel=1e-5
            )  # the exchange rounds what a fill costs
        assert told.getstatusname() == _expected(order)
    balances, broker = simulated.balances(), store.getbroker()
    position = broker._executions.position("ETH/BTC").size
    assert Decimal(repr(position)) == pytest.approx(balances["ETH"].total, abs=Decimal("1e-8"))
    assert broker.get_cash() == pytest.approx(float(balances["BTC"].free), abs=1e-7)


def _expected(order: Any) -> str:
    names = {"NEW": "Accepted", "PARTIALLY_FILLED": "Partial", "FILLED": "Completed", "CANCELED": "Canceled"}
    return names[str(order.status)]


def check_notifications(log: Log) -> None:
    """Each change of an order is told once, and in an order in which it can happen."""
    for ref in {ref for ref, _ in log.orders}:
        states = [state for each, state in log.orders if each == ref]
        without_partials = [state for state in states if state != "Partial"]
        assert len(without_partials) == len(set(without_partials)), states
        assert states[0] == "Submitted"
        assert all(state not in FINAL for state in states[:-1]), states
        if "Accepted" in states:
            assert states[1] == "Accepted"
        counted = [clone.executed.size for clone in log.clones if clone.ref == ref]
        assert [abs(size) for size in counted] == sorted(abs(size) for size in counted)


@pytest.mark.parametrize(("profile", "seed"), [("calm", 1), ("stormy", 2), ("hostile", 3), ("hostile", 4)])
def test_in_every_storm_belief_and_book_agree(
    simulate: Simulate, guarded: Simulate, store_of: Stores, profile: str, seed: int
) -> None:
    simulated = simulate(
        seed=seed, faults=FaultPlan.profile(profile, seed=seed), balances={"ETH": 5, "BTC": 1}, visibility_lag=0.2
    )  # fmt: skip
    exchange = guarded(simulated, visibility_lag=0.3, order_expiry=2.0)
    store = store_of(exchange)
    log = run(store, each=Busy(), trading=True, history=3, bars=160)
    check_notifications(log)
    check_belief(log, store, simulated, exchange)
    assert len(log.bars) == 163


class Bracketing:
    """Always in a bracket whose exits are near."""

    def __init__(self) -> None:
        self.bracket: list[Any] = []

    def __call__(self, strategy: Any) -> None:
        number, close = len(strategy.log.bars), strategy.data.close[0]
        if not 5 <= number <= 130 or any(order.alive() for order in self.bracket):
            return
        self.bracket = strategy.buy_bracket(
            size=0.05, price=close * 1.0001, stopprice=close * 0.9998, limitprice=close * 1.0003
        )


@pytest.mark.parametrize(("profile", "seed"), [("calm", 1), ("stormy", 2), ("hostile", 3)])
def test_in_every_storm_brackets_sell_what_they_bought_and_no_more(
    simulate: Simulate, guarded: Simulate, store_of: Stores, profile: str, seed: int
) -> None:
    simulated = simulate(
        seed=seed, faults=FaultPlan.profile(profile, seed=seed), balances={"BTC": 1}, visibility_lag=0.2
    )
    exchange = guarded(simulated, visibility_lag=0.3, order_expiry=2.0)
    store = store_of(exchange)
    log = run(store, each=Bracketing(), trading=True, history=3, bars=160)
    check_notifications(log)
    check_belief(log, store, simulated, exchange)
    assert len([clone for clone in log.clones if clone.getstatusname() == "Completed"]) >= 4
    assert not any(clone.getstatusname() in ("Rejected", "Margin") for clone in log.clones)


def test_an_outage_while_orders_are_on_their_way_loses_and_doubles_none(
    simulate: Simulate, guarded: Simulate, store_of: Stores, clock: EventClock
) -> None:
    simulated = simulate(balances={"ETH": 5, "BTC": 1})
    for after in (10.2, 40.7, 70.1):
        cut(clock, simulated, after=after, seconds=7)
    exchange = guarded(simulated, order_expiry=2.0)
    store = store_of(exchange)
    log = run(store, each=Busy(), trading=True, history=3, bars=180)
    check_notifications(log)
    check_belief(log, store, simulated, exchange)
    assert len(simulated.orders()) > 10
    assert log.statuses.count("CONNBROKEN") == 3


@pytest.mark.parametrize("kind", [FaultKind.DROPPED, FaultKind.SERVER_ERROR, FaultKind.EMPTY])
def test_an_order_whose_answer_is_lost_is_found_and_filled_once(
    simulate: Simulate, guarded: Simulate, store_of: Stores, kind: FaultKind
) -> None:
    """The exchange carried it out, and the bot never got the answer."""
    faults = FaultPlan.script([Fault(kind, on="create", phase="after", times=1)])  # type: ignore[arg-type]
    simulated = simulate(faults=faults, balances={"ETH": 5, "BTC": 1})
    exchange = guarded(simulated)
    store = store_of(exchange)
    log = run(store, script={5: lambda strategy: strategy.buy(size=1)}, trading=True, history=3, bars=40)
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]
    assert "order_found" in log.kinds()
    assert len(simulated.orders()) == 1
    check_belief(log, store, simulated, exchange)


def test_an_order_in_doubt_restricts_its_symbol_until_it_is_found(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    """The answer is lost and no look-up succeeds for a while."""
    faults = FaultPlan.script(
        [
            Fault(FaultKind.DROPPED, on="create", phase="after", times=1),  # type: ignore[arg-type]
            Fault(FaultKind.DROPPED, on="lookup", times=12, skip=2),
        ]
    )
    simulated = simulate(faults=faults, balances={"ETH": 5, "BTC": 1})
    exchange = guarded(simulated, order_expiry=2.0, order_deadline=4.0)
    store = store_of(exchange)
    script = {5: lambda strategy: strategy.buy(size=1)}
    log = run(store, script=script, trading=True, history=3, bars=200, broker={"adopt_orders": False})
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]
    assert "order_in_doubt" in log.kinds()
    check_belief(log, store, simulated, exchange)


def test_a_refused_key_rejects_orders_and_the_bars_go_on(
    simulate: Simulate, clock: EventClock, tmp_path: Path
) -> None:
    simulated = simulate()
    guard = GuardConfig(clock=clock, journal=tmp_path / "orders.sqlite")
    exchange: Any = GuardedExchange("binance", simulated.ccxt_config(secret="wrong"), guard=guard)
    store = GuardedStore(exchange, clock=clock, workers=InlineWorkers(clock))
    script = {5: lambda strategy: strategy.buy(size=1)}
    log = run(store, script=script, trading=True, history=3, bars=20)
    assert [state for _, state in log.orders] == ["Rejected"]
    assert len(log.bars) == 23
    assert log.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]
    assert simulated.orders() == []
    exchange.close()


def test_an_operator_who_halts_trading_has_entries_rejected(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    exchange = guarded(simulate())
    store = store_of(exchange)
    script = {
        4: lambda _: exchange.interlock.halt("maintenance of the house"),
        5: lambda strategy: strategy.buy(size=1),
        7: lambda _: exchange.interlock.resume(),
        8: lambda strategy: strategy.buy(size=1),
    }
    log = run(store, script=script, trading=True, history=3, bars=12)
    assert [state for _, state in log.orders] == [
        "Submitted",
        "Rejected",
        "Submitted",
        "Accepted",
        "Completed",
    ]
    assert "maintenance of the house" in log.clones[1].info["reason"]


def test_ten_fills_of_a_large_order_add_up_to_what_the_exchange_says(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    """The book is thin: one order takes many of its levels."""
    simulated = simulate(balances={"ETH": 50_000, "BTC": 1})
    exchange = guarded(simulated)
    store = store_of(exchange)
    log = run(store, script={5: lambda strategy: strategy.sell(size=400)}, trading=True, history=3, bars=15)
    (order,) = simulated.orders()
    fills = simulated.trades()
    done = log.clones[-1]
    assert abs(done.executed.size) == float(order.filled) == float(sum(fill.quantity for fill in fills))
    assert len(done.executed.exbits) == len(fills)
    assert done.executed.comm == pytest.approx(float(sum(fill.fee for fill in fills)))
    check_belief(log, store, simulated, exchange)
