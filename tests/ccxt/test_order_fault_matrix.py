"""Every fault, before and after acceptance, on every kind of order, with look-ups healthy, failing and lagging.

Each cell is run on a synchronous and on an asynchronous exchange.

What `create_order` returns or raises is held against the exchange's own book.
"""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from fault_cells import LOOK_UPS, LOST, trouble_look_ups

from tradeguard.orders import IntentStatus
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import OrderAbsentError, OrderUnknownError, TradingRestrictedError

# What surely did not arrive, or was refused for the moment: it is sent again, whatever look-ups say.
UNAMBIGUOUS: dict[str, dict[str, Any]] = {
    "limited": {"kind": "limited", "retry_after": 2.0},
    "clock skew": {"kind": "clock_skew", "skew": -5.0},
}
# What may or may not have arrived.
AMBIGUOUS: dict[str, dict[str, Any]] = {
    **LOST,
    "500 -1000": {"kind": "server_error", "status": 500, "code": -1000},
    "500 -1001": {"kind": "server_error", "status": 500, "code": -1001},
    "500 -1006": {"kind": "server_error", "status": 500, "code": -1006},
    "403 of a firewall": {"kind": "server_error", "status": 403},
    "404 of a firewall": {"kind": "server_error", "status": 404},
    "502": {"kind": "server_error", "status": 502},
    "503": {"kind": "server_error", "status": 503},
    "504 -1007": {"kind": "server_error", "status": 504, "code": -1007},
    "504": {"kind": "server_error", "status": 504},
}
ORDERS: dict[str, tuple[Any, ...]] = {
    "limit buy": ("limit", "buy", 0.1, 0.03),
    "market sell": ("market", "sell", 0.1),
}


def on_book(server: SimulatedExchange) -> list[str]:
    return [order.client_order_id for order in server.orders()]


@pytest.mark.parametrize("look_ups", LOOK_UPS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_an_ambiguous_send_ends_in_one_order_or_in_a_doubt_that_is_resolved(
    server: SimulatedExchange,
    clock: ManualClock,
    flavoured: Any,
    fault: str,
    phase: str,
    order: str,
    look_ups: str,
) -> None:
    exchange = flavoured(timeout_ms=150 if fault == "hung" else 2000)
    exchange.load_markets()
    server.faults.add(Fault(on="create", phase=phase, **AMBIGUOUS[fault]))  # type: ignore[arg-type]
    trouble_look_ups(server, look_ups, lag=0.8)
    if look_ups == "failing":
        with pytest.raises(OrderUnknownError) as raised:
            exchange.create_order("ETH/BTC", *ORDERS[order])
        assert not isinstance(raised.value, ccxt.OperationFailed)
        [doubt] = exchange.orders_in_doubt()
        assert doubt.status is IntentStatus.UNKNOWN
        with pytest.raises(TradingRestrictedError, match=r"may exist"):
            exchange.create_order("ETH/BTC", *ORDERS[order])
        assert server.requests.count("POST", "/api/v3/order") == 1
        server.faults.clear()
        clock.advance(30.0)  # the account's circuit closes again
        [resolved] = exchange.recover_orders()
        placed = phase == "after"
        assert resolved.status is (IntentStatus.PLACED if placed else IntentStatus.ABSENT)
        assert on_book(server) == ([doubt.client_order_id] if placed else [])
        assert exchange.interlock.status().state == "NORMAL"
    else:
        placed_order = exchange.create_order("ETH/BTC", *ORDERS[order])
        assert on_book(server) == [placed_order["clientOrderId"]]
        [intent] = exchange.order_journal.intents()
        assert intent.status is IntentStatus.PLACED
        assert intent.order_id == placed_order["id"]
        assert intent.attempts == (1 if phase == "after" else 2)
        assert server.requests.count("POST", "/api/v3/order") == intent.attempts
    assert server.audit(exchange.order_journal.intents()).clean


@pytest.mark.parametrize("look_ups", LOOK_UPS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("fault", UNAMBIGUOUS)
def test_what_is_refused_for_the_moment_is_sent_again_without_a_look_up(
    server: SimulatedExchange, flavoured: Any, fault: str, order: str, look_ups: str
) -> None:
    exchange = flavoured()
    exchange.load_markets()
    server.faults.add(Fault(on="create", **UNAMBIGUOUS[fault]))
    trouble_look_ups(server, look_ups, lag=0.8)
    placed = exchange.create_order("ETH/BTC", *ORDERS[order])
    assert on_book(server) == [placed["clientOrderId"]]
    assert server.requests.count("GET", "/api/v3/order") == 0
    assert server.audit(exchange.order_journal.intents()).clean


@pytest.mark.parametrize("kind", ["banned", "maintenance"])
def test_an_exchange_that_refuses_for_longer_than_the_deadline_has_no_order(
    server: SimulatedExchange, clock: ManualClock, flavoured: Any, kind: str
) -> None:
    exchange = flavoured(order_deadline=10.0)
    exchange.load_markets()
    server.faults.add(Fault(kind=kind, on="create", retry_after=60.0, times=None))  # type: ignore[arg-type]
    with pytest.raises(OrderAbsentError) as raised:
        exchange.create_order("ETH/BTC", "limit", "buy", 0.1, 0.03)
    assert isinstance(raised.value, ccxt.NetworkError)
    clock.advance(120.0)
    assert on_book(server) == []
    assert exchange.interlock.status().state == "NORMAL"


@pytest.mark.parametrize("look_ups", ["healthy", "lagging"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("code", [None, -1007])
@pytest.mark.parametrize("delay", [0.5, 2.0, 4.9])
def test_an_order_that_is_accepted_late_is_found_and_not_sent_again(
    server: SimulatedExchange, flavoured: Any, delay: float, code: int | None, order: str, look_ups: str
) -> None:
    exchange = flavoured()
    exchange.load_markets()
    server.faults.add(Fault(kind="late_acceptance", on="create", delay=delay, code=code))  # type: ignore[arg-type]
    trouble_look_ups(server, look_ups, lag=0.8)
    placed = exchange.create_order("ETH/BTC", *ORDERS[order])
    assert on_book(server) == [placed["clientOrderId"]]
    assert server.requests.count("POST", "/api/v3/order") == 1


def test_an_order_that_would_be_accepted_after_its_expiry_is_sent_again(
    server: SimulatedExchange, flavoured: Any
) -> None:
    exchange = flavoured()
    exchange.load_markets()
    server.faults.add(Fault(kind="late_acceptance", on="create", delay=8.0))  # type: ignore[arg-type]
    placed = exchange.create_order("ETH/BTC", *ORDERS["limit buy"])
    assert on_book(server) == [placed["clientOrderId"]]
    assert server.requests.count("POST", "/api/v3/order") == 2


def test_an_exchange_that_is_gone_before_the_connect_has_no_order(
    server: SimulatedExchange, clock: ManualClock, flavoured: Any
) -> None:
    connected = flavoured()
    connected.load_markets()
    exchange = flavoured(order_deadline=5.0)
    exchange.set_markets(connected.markets)
    server.pull_plug()  # on one that has a connection open, its order might have been on the way
    with pytest.raises(OrderAbsentError):
        exchange.create_order("ETH/BTC", "limit", "buy", 0.1, 0.03)
    [intent] = exchange.order_journal.intents()
    assert intent.status is IntentStatus.ABSENT
    server.plug_in()
    clock.advance(60.0)
    placed = exchange.create_order("ETH/BTC", "limit", "buy", 0.1, 0.03)
    assert on_book(server) == [placed["clientOrderId"]]
