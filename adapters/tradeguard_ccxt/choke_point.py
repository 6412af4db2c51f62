"""One REST request on its way through `fetch2`, the choke point: rest, attempt, retry, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import ccxt

from tradeguard.exceptions import CallTimeoutError, CircuitBreakerOpenError
from tradeguard_ccxt.errors import from_core
from tradeguard_ccxt.flavours import answer_of
from tradeguard_ccxt.operations import entered_on
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.request import REQUEST, Request

__all__ = ["carry_out", "guarded_request", "rest"]


class _Refusal(NamedTuple):
    """An error that shows the exchange to be well, on its way through a circuit that is on trial."""

    error: ccxt.BaseError


async def guarded_request(exchange: Any, path: str, api: Any, method: str, send: Callable[[], Any]) -> Any:
    """Make one REST request: guarded, and retried where it is a read.

    Args:
        exchange: the guarded instance.
        path: of the endpoint.
        api: the section, or sections, of the API that it belongs to.
        method: the HTTP verb.
        send: ccxt's own way to make the request once.
    """
    request = parts_of(exchange).guard.request(path, api, method, entered_on(exchange))
    return await carry_out(exchange, request, send)


async def carry_out(exchange: Any, request: Request, send: Callable[[], Any]) -> Any:
    """Make a request, over HTTP or a WebSocket, through the guard of its circuit.

    Args:
        exchange: the guarded instance.
        request: what it means.
        send: ccxt's own way to make it once.
    """
    guard, _, flavour = parts_of(exchange)

    async def attempt() -> Any:
        try:
            return await _attempt(exchange, request, send)
        except ccxt.BaseError as error:
            if guard.is_answer_of_a_healthy(request, error):
                return _Refusal(error)
            raise

    try:
        result = await flavour.through(guard.guard_of(request), request.name, attempt)
    except (CircuitBreakerOpenError, CallTimeoutError) as error:
        final = from_core(error, guard.context(request))
        if final is error:
            raise
        raise final from final.__cause__
    if isinstance(result, _Refusal):
        guard.record_refusal(request, result.error)
        raise result.error
    return result


async def rest(exchange: Any, request: Request) -> None:
    """Wait for as long as the exchange asked to be left alone."""
    guard, _, flavour = parts_of(exchange)
    while (pause := guard.rest(request)) > 0:  # it may have been prolonged meanwhile
        await flavour.sleep_async(pause)


async def _attempt(exchange: Any, request: Request, send: Callable[[], Any]) -> Any:
    guard = parts_of(exchange).guard
    await rest(exchange, request)
    guard.begin_attempt(request)
    token = REQUEST.set(request)
    try:
        result = await answer_of(send())
        guard.attempt_succeeded(request, result)
    except ccxt.InvalidProxySettings:  # found out before the connection: it says nothing of the exchange
        raise
    except ccxt.BaseError as error:
        if guard.wants_resync(request, error):
            await answer_of(exchange.load_time_difference())
            return await _attempt(exchange, request, send)
        guarded = guard.attempt_failed(request, error, exchange.guard_secrets())
        if guarded is error:
            raise
        raise guarded from guarded.__cause__
    finally:
        REQUEST.reset(token)
    return result
