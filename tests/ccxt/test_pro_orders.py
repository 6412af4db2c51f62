"""Orders over a WebSocket, by the order protocol: whatever becomes of the answer, the book has each once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tests.ccxt.test_order_fault_matrix import AMBIGUOUS, UNAMBIGUOUS
from tests.simulator.streaming import until
from tradeguard.backoff import Backoff
from tradeguard.orders import IntentStatus
from tradeguard.simulator import Fault, SimulatedExchange, StreamFault
from tradeguard.testing import ManualClock
from tradeguard_ccxt import CircuitOpenError, OrderAbsentError
from tradeguard_ccxt.operations import operation_of
from tradeguard_ccxt.runtime import REQUEST, Request

Make = Callable[..., Any]
ORDER: tuple[Any, ...] = ("ETH/BTC", "limit", "buy", 0.1, 0.03)
PLACE = "WS order.place"
# An answer over a socket that is no JSON is none at all: the connection ends there.
FAULTS = AMBIGUOUS | UNAMBIGUOUS


def on_book(server: SimulatedExchange) -> list[str]:
    return [order.client_order_id for order in server.orders()]


def stray_tasks() -> list[Any]:
    """The tasks that are neither this one nor of an open connection."""
    of_connections = ("Client.ping_loop", "ClientWebSocketResponse.receive")
    others = asyncio.all_tasks() - {asyncio.current_task()}
    return [task for task in others if task.get_coro().__qualname__ not in of_connections]  # type: ignore[union-attr]


def over_http(server: SimulatedExchange, path: str = "/api/v3/order") -> int:
    return len(server.requests.select("POST", path))


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_order_is_placed_once_whatever_becomes_of_its_answer(
    server: SimulatedExchange, guarded_pro: Make, fault: str, phase: str
) -> None:
    exchange = guarded_pro()
    await exchange.load_markets()
    settings = FAULTS[fault]
    if fault in UNAMBIGUOUS and phase == "after":
        settings = {**settings, "times": 2}
        phase = "before"
    server.faults.add(Fault(**{**settings, "on": PLACE, "phase": phase}))
    order = await exchange.create_order_ws(*ORDER)
    [intent] = exchange.order_journal.intents()
    assert on_book(server) == [intent.client_order_id]
    assert (intent.status, intent.order_id) == (IntentStatus.PLACED, order["id"])
    assert over_http(server) == 0


async def test_a_socket_that_dies_after_the_send_leaves_an_order_to_look_up(
    server: SimulatedExchange, guarded_pro: Make
) -> None:
    exchange = guarded_pro()
    await exchange.load_markets()
    server.faults.add(StreamFault("dropped", on="reply"))
    await exchange.create_order_ws(*ORDER)
    assert len(on_book(server)) == 1
    assert exchange.guard_statistics()["orders"]["sends_ambiguous"] == 1
    assert exchange.guard_statistics()["orders"]["resent"] == 0


async def test_the_intent_is_on_disk_before_the_first_byte(
    server: SimulatedExchange, guarded_pro: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = guarded_pro()
    await exchange.load_markets()
    seen: list[Any] = []
    client = exchange.client(exchange.urls["api"]["ws"]["ws-api"]["spot"])
    send = type(client).send

    async def spy(self: Any, message: Any) -> Any:
        seen.extend(intent.status for intent in exchange.order_journal.intents())
        return await send(self, message)

    monkeypatch.setattr(type(client), "send", spy)
    await exchange.create_order_ws(*ORDER)
    assert seen == [IntentStatus.SENT]


async def test_a_refusal_is_known_at_once(server: SimulatedExchange, guarded_pro: Make) -> None:
    exchange = guarded_pro()
    await exchange.load_markets()
    with pytest.raises(ccxt.InsufficientFunds):
        await exchange.create_order_ws("ETH/BTC", "limit", "buy", 90_000.0, 0.03)
    [intent] = exchange.order_journal.intents()
    assert intent.status is IntentStatus.REJECTED
    assert server.requests.select("GET", "/api/v3/order") == []


async def test_an_order_that_could_not_be_sent_is_sent_once_when_it_can(
    server: SimulatedExchange, guarded_pro: Make
) -> None:
    exchange = guarded_pro()
    await exchange.load_markets()
    server.faults.add(StreamFault("refused", times=2))
    await exchange.create_order_ws(*ORDER)
    assert len(on_book(server)) == 1
    assert exchange.guard_statistics()["orders"]["sends_not_sent"] == 2
    assert exchange.guard_statistics()["orders"]["sends_ambiguous"] == 0


async def test_a_message_that_waits_for_a_hung_handshake_never_leaves_after_its_verdict(
    server: SimulatedExchange, guarded_pro: Make
) -> None:
    exchange = guarded_pro(timeout_ms=100)
    await exchange.load_markets()
    server.faults.add(StreamFault("hung", times=1))
    with pytest.raises(OrderAbsentError):
        await exchange.create_order_ws(*ORDER)
    assert on_book(server) == []
    url = exchange.urls["api"]["ws"]["ws-api"]["spot"]
    exchange.clients[url].drop(ccxt.NetworkError("given up"))
    await exchange.create_order_ws(*ORDER)
    assert len(on_book(server)) == 1


@pytest.mark.parametrize("is_closed", [True, False])
async def test_a_message_is_sent_only_until_its_verdict_is_given(
    server: SimulatedExchange, guarded_pro: Make, is_closed: bool
) -> None:
    """ccxt sends it as soon as the connection stands, however long that takes."""
    exchange = guarded_pro()
    await exchange.create_order_ws(*ORDER)
    [client] = exchange.clients.values()
    request = Request(operation_of("create_order_ws"), "create_order_ws", None, 0.0)
    request.wire.is_closed = is_closed
    token = REQUEST.set(request)
    await client.send({"id": "late", "method": "ping"})
    REQUEST.reset(token)
    assert request.wire.sent is not is_closed
    await exchange.fetch_open_orders_ws("ETH/BTC")
    assert server.requests.count("WS", "ping") == int(not is_closed)


async def test_an_edit_over_the_socket_happens_once(server: SimulatedExchange, guarded_pro: Make) -> None:
    exchange = guarded_pro()
    order = await exchange.create_order_ws(*ORDER)
    server.faults.add(Fault("dropped", on="WS order.cancelReplace", phase="after"))
    edited = await exchange.edit_order_ws(order["id"], "ETH/BTC", "limit", "buy", 0.2, 0.03)
    assert [record.status for record in server.orders()] == ["CANCELED", "NEW"]
    assert edited["amount"] == 0.2


@pytest.mark.parametrize("fault", ["dropped", "hung"])
async def test_a_cancel_is_repeated_until_it_is_answered(
    server: SimulatedExchange, guarded_pro: Make, fault: str
) -> None:
    exchange = guarded_pro()
    order = await exchange.create_order_ws(*ORDER)
    server.faults.add(Fault(fault, on="WS order.cancel", phase="after"))
    cancelled = await exchange.cancel_order_ws(order["id"], "ETH/BTC")
    assert cancelled["status"] == "canceled"


async def test_cancelling_all_over_the_socket(server: SimulatedExchange, guarded_pro: Make) -> None:
    exchange = guarded_pro()
    await exchange.create_order_ws(*ORDER)
    server.faults.add(Fault("dropped", on="WS openOrders.cancelAll", phase="after"))
    await exchange.cancel_all_orders_ws("ETH/BTC")
    assert [record.status for record in server.orders()] == ["CANCELED"]


async def test_no_circuit_keeps_a_cancel_back(server: SimulatedExchange, guarded_pro: Make) -> None:
    exchange = guarded_pro()
    order = await exchange.create_order_ws(*ORDER)
    exchange.guard_circuits["streams"].force_open()
    assert (await exchange.cancel_order_ws(order["id"], "ETH/BTC"))["status"] == "canceled"
    with pytest.raises(CircuitOpenError):
        await exchange.fetch_open_orders_ws("ETH/BTC")


async def test_a_read_over_the_socket_is_repeated(server: SimulatedExchange, guarded_pro: Make) -> None:
    exchange = guarded_pro()
    await exchange.create_order_ws(*ORDER)
    server.faults.add(StreamFault("dropped", on="reply"))
    [order] = await exchange.fetch_open_orders_ws("ETH/BTC")
    assert order["amount"] == 0.1
    assert exchange.guard_statistics()["retries"] == 1


async def test_a_helper_of_ccxt_places_by_the_protocol_too(
    server: SimulatedExchange, guarded_pro: Make
) -> None:
    exchange = guarded_pro()
    await exchange.load_markets()
    server.faults.add(Fault("dropped", on=PLACE, phase="after"))
    await exchange.create_limit_buy_order_ws("ETH/BTC", 0.1, 0.03)
    [intent] = exchange.order_journal.intents()
    assert on_book(server) == [intent.client_order_id]


async def test_a_cancelled_task_leaves_an_order_in_doubt_and_nothing_pending(
    server: SimulatedExchange, guarded_pro: Make, clock: ManualClock
) -> None:
    exchange = guarded_pro(timeout_ms=5000)
    await exchange.create_order_ws(*ORDER)
    server.faults.add(Fault("hung", on=PLACE, phase="after"))
    task = asyncio.create_task(exchange.create_order_ws(*ORDER))
    await until(lambda: len(on_book(server)) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stray_tasks() == []
    assert len(exchange.orders_in_doubt()) == 1
    clock.advance(10.0)
    [intent] = await exchange.recover_orders()
    assert intent.status is IntentStatus.PLACED


async def test_nothing_of_a_request_stays_behind(server: SimulatedExchange, guarded_pro: Make) -> None:
    exchange = guarded_pro(redial=Backoff(base_delay=0.0))
    for _ in range(5):
        order = await exchange.create_order_ws(*ORDER)
        await exchange.cancel_order_ws(order["id"], "ETH/BTC")
    [client] = exchange.clients.values()
    assert (client.requests, client.futures, client.subscriptions) == ({}, {}, {})
