"""Requests over a WebSocket, `create_order_ws` and kin: as guarded as those over HTTP, by the very same flows."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import ccxt

from tradeguard_ccxt.choke_point import carry_out
from tradeguard_ccxt.classes import Runner
from tradeguard_ccxt.errors import CircuitOpenError
from tradeguard_ccxt.flavours import answer_of
from tradeguard_ccxt.operations import Circuit, Kind, Operation
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.request import REQUEST

__all__ = ["over_socket"]

_SUFFIX = "_ws"


def over_socket(flow: Runner) -> Runner:
    """Return a flow for the websocket form of a method: the one for its REST form, with another way to the exchange."""

    async def run_over_socket(
        exchange: Any,
        operation: Operation,
        original: Callable[..., Any],
        symbol: str | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        return await flow(exchange, operation, _by_socket(operation, original, symbol), symbol, args, kwargs)

    return run_over_socket


def _by_socket(operation: Operation, original: Callable[..., Any], symbol: str | None) -> Callable[..., Any]:
    """Return ccxt's method as one whose request passes the circuit of the WebSockets."""

    @functools.wraps(original)
    async def request_by_socket(exchange: Any, *args: Any, **kwargs: Any) -> Any:
        around = REQUEST.get()
        if around is not None and around.operation.kind is Kind.READ and operation.kind is Kind.READ:
            return await answer_of(original(exchange, *args, **kwargs))  # a part of a read that is under way
        request = parts_of(exchange).guard.socket_request(operation, symbol)

        async def send() -> Any:
            return await _answered(exchange, operation, original, args, kwargs)

        try:
            return await carry_out(exchange, request, send)
        except CircuitOpenError as error:
            # No circuit may keep a cancel back, and repeating one does no harm: it goes by REST.
            is_ours = error.name == parts_of(exchange).guard.component(Circuit.STREAMS)
            by_rest = getattr(exchange, operation.name.removesuffix(_SUFFIX), None)
            if operation.kind is not Kind.IDEMPOTENT_WRITE or not is_ours or by_rest is None:
                raise
            return await answer_of(by_rest(*args, **kwargs))

    return request_by_socket


async def _answered(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Make a request and wait for its answer, for as long as the instance waits for one over HTTP."""
    request = REQUEST.get()
    seconds = exchange.timeout / 1000
    try:
        async with asyncio.timeout(seconds):
            return await answer_of(original(exchange, *args, **kwargs))
    except TimeoutError as error:
        raise ccxt.RequestTimeout(
            f"{exchange.id} {operation.name} was not answered within {seconds:g} s"
        ) from error
    finally:
        if request is not None:
            request.wire.is_closed = True  # what still waits for a connection must not be sent any more
            for client in exchange.clients.values():
                for message_hash in [h for h, r in getattr(client, "requests", {}).items() if r is request]:
                    del client.requests[message_hash]
                    client.futures.pop(message_hash, None)
                    client.subscriptions.pop(message_hash, None)
