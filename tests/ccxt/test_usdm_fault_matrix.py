"""The fault matrix of orders on futures: a doubled order would be a doubled position, a lost one an open risk."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from fault_cells import LOOK_UPS, LOST, trouble_look_ups

from tradeguard.orders import IntentStatus
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import OrderUnknownError

SYMBOL = "ETH/USDT:USDT"
AMBIGUOUS: dict[str, dict[str, Any]] = {
    **LOST,
    "502": {"kind": "server_error", "status": 502},
    "503": {"kind": "server_error", "status": 503},
    "504 -1007": {"kind": "server_error", "status": 504, "code": -1007},
    "400 -1007": {"kind": "server_error", "status": 400, "code": -1007},
}
ORDERS: dict[str, tuple[Any, ...]] = {
    "limit buy": ("limit", "buy", 0.5, 1900),
    "market sell": ("market", "sell", 0.5),
    "reduce-only market sell": ("market", "sell", 0.5, None, {"reduceOnly": True}),
}


def traded(order: str, times: int) -> float:
    """Return what is held after so many executions of the order, by an account that was long by two."""
    return 2 - (0.5 * times if "sell" in order else 0)


@pytest.mark.parametrize("look_ups", LOOK_UPS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_an_ambiguous_send_ends_in_one_order_or_in_a_doubt_that_is_resolved(
    usdm_server: SimulatedExchange,
    usdm: Any,
    clock: ManualClock,
    fault: str,
    phase: str,
    order: str,
    look_ups: str,
) -> None:
    usdm.timeout = 150 if fault == "hung" else 2000
    usdm.create_order(SYMBOL, "market", "buy", 2)
    usdm_server.faults.add(Fault(on="create", phase=phase, **AMBIGUOUS[fault]))  # type: ignore[arg-type]
    trouble_look_ups(usdm_server, look_ups, lag=2.0)
    if look_ups == "failing":
        with pytest.raises(OrderUnknownError) as raised:
            usdm.create_order(SYMBOL, *ORDERS[order])
        assert not isinstance(raised.value, ccxt.OperationFailed)
        usdm_server.faults.clear()
        clock.advance(60.0)
        [resolved] = usdm.recover_orders()
        assert resolved.status is (IntentStatus.PLACED if phase == "after" else IntentStatus.ABSENT)
        assert usdm.interlock.status().state == "NORMAL"
        times = 1 if phase == "after" else 0
    else:
        placed = usdm.create_order(SYMBOL, *ORDERS[order])
        intent = usdm.order_journal.intents()[-1]
        assert (intent.status, intent.order_id) == (IntentStatus.PLACED, placed["id"])
        assert intent.attempts == (1 if phase == "after" else 2)
        times = 1
    assert len(usdm_server.orders()) == 1 + times
    belief = {SYMBOL: traded(order, times)}
    assert usdm_server.audit(usdm.order_journal.intents(), positions=belief).clean


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("code", [None, -1007])
@pytest.mark.parametrize("delay", [1.0, 9.0])
def test_an_order_that_is_accepted_late_is_found_and_not_sent_again(
    usdm_server: SimulatedExchange, usdm: Any, delay: float, code: int | None, order: str
) -> None:
    usdm.create_order(SYMBOL, "market", "buy", 2)
    usdm_server.faults.add(Fault(kind="late_acceptance", on="create", delay=delay, code=code))  # type: ignore[arg-type]
    placed = usdm.create_order(SYMBOL, *ORDERS[order])
    [_, on_book] = usdm_server.orders()
    assert on_book.order_id == placed["id"]
    assert usdm_server.requests.count("POST", "/fapi/v1/order") == 2
    assert float(usdm_server.positions()[SYMBOL].amount) == traded(order, 1)


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_a_cancel_survives_a_fault_before_and_after_it_took_effect(
    usdm_server: SimulatedExchange, usdm: Any, fault: str, phase: str
) -> None:
    usdm.timeout = 150 if fault == "hung" else 2000
    placed = usdm.create_order(SYMBOL, "limit", "buy", 1, 1900)
    usdm_server.faults.add(Fault(on="cancel", phase=phase, **AMBIGUOUS[fault]))  # type: ignore[arg-type]
    canceled = usdm.cancel_order(placed["id"], SYMBOL)
    assert (canceled["id"], canceled["status"]) == (placed["id"], "canceled")
    assert [order.status for order in usdm_server.orders()] == ["CANCELED"]


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_a_look_up_survives_a_fault(
    usdm_server: SimulatedExchange, usdm: Any, fault: str, phase: str
) -> None:
    usdm.timeout = 150 if fault == "hung" else 2000
    placed = usdm.create_order(SYMBOL, "limit", "buy", 1, 1900)
    usdm_server.faults.add(Fault(on="lookup", phase=phase, **AMBIGUOUS[fault]))  # type: ignore[arg-type]
    found = usdm.fetch_order(placed["id"], SYMBOL)
    assert (found["id"], found["status"]) == (placed["id"], "open")


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_a_batch_is_sent_once_and_each_of_its_orders_is_resolved(
    usdm_server: SimulatedExchange, usdm: Any, fault: str, phase: str
) -> None:
    usdm.timeout = 150 if fault == "hung" else 2000
    usdm.load_markets()
    usdm_server.faults.add(Fault(on="create", phase=phase, **AMBIGUOUS[fault]))  # type: ignore[arg-type]
    batch = [
        {"symbol": SYMBOL, "type": "limit", "side": side, "amount": 1.0, "price": price}
        for side, price in (("buy", 1900), ("sell", 2100))
    ]
    if phase == "after":
        orders = usdm.create_orders(batch)
        assert sorted(order["id"] for order in orders) == sorted(one.order_id for one in usdm_server.orders())
    else:
        with pytest.raises(ccxt.NetworkError):
            usdm.create_orders(batch)
    assert len(usdm_server.orders()) == (2 if phase == "after" else 0)
    assert usdm_server.requests.count("POST", "/fapi/v1/batchOrders") == 1
    assert usdm_server.audit(usdm.order_journal.intents()).clean
