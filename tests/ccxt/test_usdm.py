"""A guarded binanceusdm: what only futures have, and what the guard makes of it."""

from __future__ import annotations

import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tradeguard.orders import IntentStatus, InterlockState
from tradeguard.simulator import Fault, FaultPlan, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig, GuardedExchange, OrderUnknownError, TradingRestrictedError
from tradeguard_ccxt.operation_kinds import IDEMPOTENT_WRITES

SYMBOL = "ETH/USDT:USDT"


class Killed(BaseException):
    """What a test raises where a process would die."""


def test_where_only_reductions_are_allowed_reduce_only_orders_pass_and_entries_do_not(
    usdm_server: SimulatedExchange, usdm: Any
) -> None:
    usdm.create_order(SYMBOL, "market", "sell", 1)
    usdm.interlock.restrict("stale_data", InterlockState.REDUCE_ONLY, reason="stale", lifted_by="fresh data")
    with pytest.raises(TradingRestrictedError, match="stale"):
        usdm.create_order(SYMBOL, "market", "sell", 1)
    with pytest.raises(TradingRestrictedError, match="stale"):
        usdm.create_order(SYMBOL, "market", "buy", 1)  # the guard does not know which way the position is
    with pytest.raises(TradingRestrictedError, match="stale"):
        usdm.create_order(SYMBOL, "market", "buy", 2, None, {"reduceOnly": False})
    usdm.create_order(SYMBOL, "market", "buy", 2, None, {"reduceOnly": True})
    assert usdm_server.positions()[SYMBOL].amount == 0
    assert len(usdm_server.orders()) == len(usdm.order_journal.intents()) == 2


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("fault", ["dropped", "empty", "truncated"])
def test_a_leverage_is_set_again_until_it_is_answered(
    usdm_server: SimulatedExchange, usdm: Any, fault: str, phase: str
) -> None:
    usdm.load_markets()
    usdm_server.faults.add(Fault(kind=fault, on="POST /fapi/v1/leverage", phase=phase, times=2))  # type: ignore[arg-type]
    assert usdm.set_leverage(7, SYMBOL)["leverage"] in (7, "7")
    assert usdm_server.positions()[SYMBOL].leverage == 7
    assert usdm_server.requests.count("POST", "/fapi/v1/leverage") == 3


def test_positions_are_read_through_a_fault(usdm_server: SimulatedExchange, usdm: Any) -> None:
    usdm.create_order(SYMBOL, "market", "sell", 1)
    usdm_server.faults.add(Fault(kind="dropped", on="account", times=2))  # type: ignore[arg-type]
    assert [(one["side"], one["contracts"]) for one in usdm.fetch_positions()] == [("short", 1)]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("market", "buy", 5000), ccxt.InsufficientFunds),
        (("limit", "buy", 1, 1900, {"reduceOnly": True}), ccxt.InvalidOrder),
        (("limit", "sell", 1, 1900, {"postOnly": True}), ccxt.OrderNotFillable),
        (("limit", "buy", 0.002, 1900), ccxt.InvalidOrder),
    ],
)
def test_a_refusal_is_certain_and_is_not_looked_up(
    usdm_server: SimulatedExchange, usdm: Any, arguments: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        usdm.create_order(SYMBOL, *arguments)
    [intent] = usdm.order_journal.intents()
    assert intent.status is IntentStatus.REJECTED
    assert usdm_server.requests.count("GET", "/fapi/v1/order") == 0


@pytest.mark.parametrize("phase", ["before", "after"])
def test_an_order_in_flight_when_the_process_died_is_resolved_by_the_next(
    usdm_server: SimulatedExchange, clock: ManualClock, tmp_path: Path, phase: str
) -> None:
    def bot() -> Any:
        guard = GuardConfig(clock=clock, journal=tmp_path / "state.db")
        return GuardedExchange("binanceusdm", usdm_server.ccxt_config(timeout=300), guard=guard)

    def die(*arguments: Any) -> None:
        raise Killed

    first = bot()
    first.load_markets()
    if phase == "before":
        first.fetch = die
    else:
        first.handle_errors = die
    with pytest.raises(Killed):
        first.create_order(SYMBOL, "market", "sell", 1.5)
    first.session.close()
    clock.advance(60)
    second = bot()
    second.create_order(SYMBOL, "market", "buy", 0.5)
    resolved, _ = second.order_journal.intents()
    assert resolved.status is (IntentStatus.PLACED if phase == "after" else IntentStatus.ABSENT)
    held = -1.0 if phase == "after" else 0.5
    assert usdm_server.audit(second.order_journal.intents(), positions={SYMBOL: held}).clean
    second.close()


def test_a_conditional_order_is_sent_once_and_what_is_unclear_of_it_is_said(
    usdm_server: SimulatedExchange, usdm: Any
) -> None:
    """The algo service's orders are in no look-up of orders: one whose answer was lost stays in doubt."""
    stop = {"stopLossPrice": 1500, "reduceOnly": True}
    placed = usdm.create_order(SYMBOL, "market", "sell", 1, None, stop)
    assert usdm.cancel_order(placed["id"], SYMBOL, {"trigger": True})["id"] == placed["id"]
    usdm_server.faults.add(Fault(kind="dropped", on="create", phase="after"))  # type: ignore[arg-type]
    with pytest.raises(OrderUnknownError):
        usdm.create_order(SYMBOL, "market", "sell", 1, None, stop)
    assert usdm_server.requests.count("POST", "/fapi/v1/algoOrder") == 2
    [doubt] = usdm.orders_in_doubt()
    assert doubt.status is IntentStatus.UNKNOWN


def test_what_an_account_sets_is_a_write_that_may_be_repeated() -> None:
    assert {"set_leverage", "set_margin_mode", "set_position_mode"} <= IDEMPOTENT_WRITES


def test_a_configuration_can_be_handed_to_another_process() -> None:
    with SimulatedExchange(seed=1, dialect="binanceusdm") as server:
        exchange = ccxt.binanceusdm(pickle.loads(pickle.dumps(server.ccxt_config())))
        with pytest.raises(ccxt.InsufficientFunds):
            exchange.create_order(SYMBOL, "market", "buy", 9000)
        exchange.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_through_a_hostile_hour_the_book_is_what_the_bot_believes(
    clock: ManualClock, tmp_path: Path, seed: int
) -> None:
    plan = FaultPlan.profile("hostile")
    with SimulatedExchange(None, plan, seed, clock=clock, dialect="binanceusdm") as server:
        guard = GuardConfig(clock=clock, journal=tmp_path / "state.db")
        bot: Any = GuardedExchange("binanceusdm", server.ccxt_config(timeout=150), guard=guard)
        for number in range(40):
            side, reduces = "sell" if number % 3 else "buy", number % 5 == 4
            price = (
                None if number % 2 else float(server.last_price(SYMBOL)) * (1.01 if side == "sell" else 0.99)
            )
            kind = "market" if price is None else "limit"
            with suppress(ccxt.BaseError):
                bot.create_order(SYMBOL, kind, side, 0.5, price, {"reduceOnly": reduces})
            clock.advance(30.0)
        server.faults.clear()
        clock.advance(600.0)
        bot.recover_orders()
        intents = bot.order_journal.intents()
        fills = bot.fetch_my_trades(SYMBOL, limit=1000)
        held = sum(one["amount"] * (1 if one["side"] == "buy" else -1) for one in fills)
        assert len(server.orders()) > 15
        assert server.audit(intents, positions={SYMBOL: held}).clean
        assert {order.client_order_id for order in server.orders()} <= {
            one.client_order_id for one in intents
        }
        bot.close()
