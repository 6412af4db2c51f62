"""The fault matrix of orders on a second exchange: other ids, other errors, reads by POST, a deadline for an expiry."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from fault_cells import LOOK_UPS, LOST, trouble_look_ups

from tradeguard.orders import IntentStatus
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import OrderUnknownError

AMBIGUOUS: dict[str, dict[str, Any]] = {
    **LOST,
    "EService:Timeout": {"kind": "server_error", "code": "EService:Timeout"},
    "EGeneral:Internal error": {"kind": "server_error", "code": "EGeneral:Internal error"},
    "403 of a firewall": {"kind": "server_error", "status": 403},
    "502": {"kind": "server_error", "status": 502},
    "504": {"kind": "server_error", "status": 504},
}
ORDERS: dict[str, tuple[Any, ...]] = {
    "limit buy": ("limit", "buy", 0.1, 0.03),
    "market sell": ("market", "sell", 0.1),
}


@pytest.mark.parametrize("look_ups", LOOK_UPS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_an_ambiguous_send_ends_in_one_order_or_in_a_doubt_that_is_resolved(
    kraken_server: SimulatedExchange,
    kraken: Any,
    clock: ManualClock,
    fault: str,
    phase: str,
    order: str,
    look_ups: str,
) -> None:
    kraken.timeout = 150 if fault == "hung" else 2000
    kraken.load_markets()
    kraken_server.faults.add(Fault(on="create", phase=phase, **AMBIGUOUS[fault]))  # type: ignore[arg-type]
    trouble_look_ups(kraken_server, look_ups, lag=2.0)
    if look_ups == "failing":
        with pytest.raises(OrderUnknownError) as raised:
            kraken.create_order("ETH/BTC", *ORDERS[order])
        assert not isinstance(raised.value, ccxt.OperationFailed)
        kraken_server.faults.clear()
        clock.advance(60.0)
        [resolved] = kraken.recover_orders()
        assert resolved.status is (IntentStatus.PLACED if phase == "after" else IntentStatus.ABSENT)
        assert kraken.interlock.status().state == "NORMAL"
    else:
        placed = kraken.create_order("ETH/BTC", *ORDERS[order])
        [intent] = kraken.order_journal.intents()
        assert (intent.status, intent.order_id) == (IntentStatus.PLACED, placed["id"])
        assert intent.attempts == (1 if phase == "after" else 2)
    assert len(kraken_server.orders()) == (0 if look_ups == "failing" and phase == "before" else 1)
    assert kraken_server.audit(kraken.order_journal.intents()).clean


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("delay", [1.0, 10.0])
def test_an_order_that_is_accepted_late_is_found_and_not_sent_again(
    kraken_server: SimulatedExchange, kraken: Any, delay: float, order: str
) -> None:
    kraken.load_markets()
    kraken_server.faults.add(Fault(kind="late_acceptance", on="create", delay=delay))  # type: ignore[arg-type]
    placed = kraken.create_order("ETH/BTC", *ORDERS[order])
    [on_book] = kraken_server.orders()
    assert on_book.order_id == placed["id"]
    assert kraken_server.requests.count("POST", "/0/private/AddOrder") == 1
