"""Cancels are repeated until answered, and what they find gone is looked up before it is told."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard_ccxt import GuardedExchange, OutcomeUnknownError

FAULTS: dict[str, dict[str, Any]] = {
    "dropped": {"kind": "dropped"},
    "503": {"kind": "server_error", "status": 503},
    "500 -1007": {"kind": "server_error", "status": 500, "code": -1007},
    "empty": {"kind": "empty"},
    "html": {"kind": "html"},
    "truncated": {"kind": "truncated"},
}


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_cancel_survives_a_fault_before_and_after_it_took_effect(
    server: SimulatedExchange, guarded: Any, fault: str, phase: str
) -> None:
    exchange = guarded()
    placed = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.add(Fault(on="cancel", phase=phase, **FAULTS[fault]))  # type: ignore[arg-type]
    cancelled = exchange.cancel_order(placed["id"], "ETH/BTC")
    assert cancelled["id"] == placed["id"]
    assert cancelled["status"] == "canceled"
    [order] = server.orders()
    assert order.status == "CANCELED"
    assert exchange.guard_statistics()["failures"] == 0  # nobody was told of one


def test_a_cancel_that_finds_the_order_filled_says_so_and_invents_nothing(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    placed = exchange.create_order("ETH/BTC", "market", "sell", 0.1)
    server.faults.add(Fault(kind="dropped", on="cancel"))  # type: ignore[arg-type]
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order(placed["id"], "ETH/BTC")
    assert exchange.fetch_order(placed["id"], "ETH/BTC")["status"] == "closed"


def test_a_cancel_that_cannot_be_looked_up_is_unknown(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    placed = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.add(Fault(kind="dropped", on="cancel", phase="after"))  # type: ignore[arg-type]
    server.faults.add(Fault(kind="server_error", on="lookup", times=None))  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknownError) as raised:
        exchange.cancel_order(placed["id"], "ETH/BTC")
    assert isinstance(raised.value, ccxt.ExchangeError)
    assert not isinstance(raised.value, ccxt.OperationFailed)


def test_a_cancel_of_what_never_was_is_an_ordinary_refusal(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.load_markets()
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order("999", "ETH/BTC")
    assert server.requests.count("DELETE", "/api/v3/order") == 1


@pytest.mark.parametrize("way", ["in the params", "in a method of its own"])
def test_a_cancel_by_client_id_is_looked_up_by_client_id(
    server: SimulatedExchange, guarded: Any, way: str
) -> None:
    exchange = guarded()
    placed = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    client_id = placed["clientOrderId"]
    server.faults.add(Fault(kind="dropped", on="cancel", phase="after"))  # type: ignore[arg-type]
    if way == "in the params":
        cancelled = exchange.cancel_order(None, "ETH/BTC", {"clientOrderId": client_id})
    else:
        cancelled = exchange.cancel_order_with_client_order_id(client_id, "ETH/BTC")
    assert (cancelled["id"], cancelled["status"]) == (placed["id"], "canceled")


ALL = "DELETE /api/v3/openOrders"


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_cancel_of_all_survives_a_fault_before_and_after_it_took_effect(
    server: SimulatedExchange, guarded: Any, fault: str, phase: str
) -> None:
    exchange = guarded()
    for price in (0.03, 0.031):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, price)
    server.faults.add(Fault(on=ALL, phase=phase, **FAULTS[fault]))  # type: ignore[arg-type]
    cancelled = exchange.cancel_all_orders("ETH/BTC")
    assert [order.status for order in server.orders()] == ["CANCELED", "CANCELED"]
    assert len(cancelled) == (2 if phase == "before" else 0)


def test_a_cancel_of_all_that_leaves_something_open_is_not_believed(
    server: SimulatedExchange, guarded: Any, mocker: Any
) -> None:
    exchange = guarded()
    placed = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.add(Fault(kind="dropped", on=ALL, phase="after"))  # type: ignore[arg-type]
    mocker.patch.object(exchange, "fetch_open_orders", return_value=[placed])
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_all_orders("ETH/BTC")


def test_a_cancel_of_all_that_cannot_be_checked_is_unknown(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.add(Fault(kind="dropped", on=ALL, phase="after"))  # type: ignore[arg-type]
    server.faults.add(Fault(kind="server_error", on="lookup", times=None))  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknownError):
        exchange.cancel_all_orders("ETH/BTC")


def test_a_cancel_of_all_with_nothing_open_is_an_ordinary_refusal(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_all_orders("ETH/BTC")
    assert server.requests.count("DELETE", "/api/v3/openOrders") == 1


class Several(ccxt.binance):  # type: ignore[misc]
    """An exchange that cancels several orders in one request."""

    def cancel_orders(self, ids: Any, symbol: Any = None, params: Any = None) -> Any:
        return [self.parse_order(o) for o in self.private_delete_openorders({"symbol": "ETHBTC"})]


def test_a_cancel_of_several_looks_each_of_them_up(server: SimulatedExchange, guarded: Any) -> None:
    exchange: Any = GuardedExchange(Several, server.ccxt_config(), guard=guarded().guard_config)
    ids = [exchange.create_order("ETH/BTC", "limit", "buy", 1, price)["id"] for price in (0.03, 0.031)]
    server.faults.add(Fault(kind="dropped", on=ALL, phase="after"))  # type: ignore[arg-type]
    cancelled = exchange.cancel_orders(ids, "ETH/BTC")
    assert [(order["id"], order["status"]) for order in cancelled] == [(i, "canceled") for i in ids]
    filled = exchange.create_order("ETH/BTC", "market", "sell", 0.1)["id"]
    exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.add(Fault(kind="dropped", on=ALL, phase="after"))  # type: ignore[arg-type]
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_orders([filled], "ETH/BTC")
    exchange.close()


@pytest.mark.parametrize("fault", ["dropped", "503", "empty", "html", "truncated"])
def test_a_cancel_on_kraken_that_did_it_at_first_is_believed(
    kraken_server: SimulatedExchange, kraken: Any, fault: str
) -> None:
    placed = kraken.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    kraken_server.faults.add(Fault(on="cancel", phase="after", **FAULTS[fault]))  # type: ignore[arg-type]
    assert kraken.cancel_order(placed["id"], "ETH/BTC")["status"] == "canceled"


def test_what_else_failed_before_says_nothing_of_a_cancel(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.load_markets()
    server.faults.add(Fault(kind="server_error", on="lookup", times=None))  # type: ignore[arg-type]
    try:
        exchange.fetch_open_orders("ETH/BTC")
    except ccxt.NetworkError:
        with pytest.raises(ccxt.OrderNotFound):
            exchange.cancel_order("99", "ETH/BTC")
