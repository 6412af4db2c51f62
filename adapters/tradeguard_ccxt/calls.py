"""An outermost unified call: its error, its fallback, and what is remembered of its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt

from tradeguard.error_monitor import ErrorSeverity
from tradeguard_ccxt.errors import OutcomeUnknownError, guarded_error
from tradeguard_ccxt.operations import Kind, Operation
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.stale import StaleDict, StaleList
from tradeguard_ccxt.verdicts import outcome_is_known
from tradeguard_ccxt.wire import ORDER_WIRE, Wire

__all__ = ["failed_call", "run"]


def run(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Run an outermost unified call; of the writes, those that have no protocol of their own."""
    guard = parts_of(exchange).guard
    guard.tally.add("calls")
    wire = Wire() if operation.kind is Kind.WRITE else None
    token = ORDER_WIRE.set(wire)
    try:
        result = original(exchange, *args, **kwargs)
    except Exception as error:
        final = failed_call(exchange, operation, symbol, error, wire)
        if wire is not None:  # the guard of reads and cancels tells the monitor itself
            guard.monitor.record_error(
                final,
                ErrorSeverity.ERROR,
                guard.component(operation.circuit),
                {"operation": operation.name, "symbol": symbol},
            )
        stale = _stale(exchange, operation, symbol, (args, kwargs), final)
        if stale is not None:
            return stale
        if final is error:
            raise
        raise final from final.__cause__
    finally:
        ORDER_WIRE.reset(token)
    if operation.kind is Kind.READ:
        guard.keep(operation, symbol, _key(operation, args, kwargs), result)
    return result


def failed_call(
    exchange: Any, operation: Operation, symbol: str | None, error: Exception, wire: Wire | None
) -> Exception:
    """Return the error with which an outermost unified call ends.

    Args:
        exchange: the guarded instance.
        operation: the call.
        symbol: its symbol, or None.
        error: what it raised.
        wire: how far its writing request got; None for a call that may be repeated.
    """
    guard = parts_of(exchange).guard
    guard.tally.add("failures")
    context: dict[str, Any] = {
        "component": guard.component(operation.circuit),
        "exchange": guard.exchange_id,
        "operation": operation.name,
        "symbol": symbol,
    }
    if wire is not None and wire.sent and not outcome_is_known(error, wire, guard.clock.time()):
        unknown = OutcomeUnknownError(
            f"{guard.exchange_id} {operation.name} was sent and nobody can tell whether it took effect ({error}); "
            "look before you repeat it",
            **context,
        )
        unknown.__cause__ = error
        return unknown
    if isinstance(error, ccxt.BaseError) and not isinstance(error, ccxt.InvalidProxySettings):
        guarded: Exception = guarded_error(error, context, secrets=exchange.guard_secrets())
        return guarded
    return error


def _stale(
    exchange: Any,
    operation: Operation,
    symbol: str | None,
    arguments: tuple[tuple[Any, ...], dict[str, Any]],
    error: Exception,
) -> StaleDict | StaleList | None:
    if operation.kind is not Kind.READ:
        return None
    return parts_of(exchange).guard.fallback(operation, symbol, _key(operation, *arguments), error)


def _key(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str, str]:
    return (operation.name, repr(args), repr(sorted(kwargs.items())) if kwargs else "")
