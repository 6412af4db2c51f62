"""An outermost unified call: its error, its fallback, and what is remembered of its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt

from tradeguard.error_monitor import ErrorSeverity
from tradeguard.redaction import redact
from tradeguard_ccxt.classes import Runner
from tradeguard_ccxt.errors import OutcomeUnknownError, guarded_error, redact_chain
from tradeguard_ccxt.flavours import answer_of
from tradeguard_ccxt.operations import Circuit, Kind, Operation, entered_on
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.stale import StaleDict, StaleList
from tradeguard_ccxt.verdicts import outcome_is_known
from tradeguard_ccxt.wire import ORDER_WIRE, Wire

__all__ = ["counted", "failed_call", "run"]

_OF_MANY = frozenset({"fetch_bids_asks", "fetch_last_prices", "fetch_tickers"})


async def run(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Run an outermost unified call; of the writes, those that have no protocol of their own."""
    guard = parts_of(exchange).guard
    wire = Wire() if operation.kind is Kind.WRITE else None
    token = ORDER_WIRE.set(wire)
    try:
        result = await answer_of(original(exchange, *args, **kwargs))
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
    if operation.kind is Kind.READ and guard.config.age_limit(operation.name) > 0:
        guard.cache.put(_key(exchange, operation, args, kwargs), result)
        if not guard.interlock.is_clear:
            guard.trust(_symbols(exchange, operation, symbol, result))
    return result


def counted(flow: Runner) -> Runner:
    """Return a flow that counts the call, and as a failure if its caller gets an error; not within a counted one."""

    async def counting(
        exchange: Any,
        operation: Operation,
        original: Callable[..., Any],
        symbol: str | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        entered = entered_on(exchange)
        if entered is not None and entered.is_nested:
            return await flow(exchange, operation, original, symbol, args, kwargs)
        tally = parts_of(exchange).guard.tally
        tally.add("calls")
        try:
            return await flow(exchange, operation, original, symbol, args, kwargs)
        except Exception:
            tally.add("failures")
            raise

    return counting


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
    context: dict[str, Any] = {
        "component": guard.component(operation.circuit),
        "exchange": guard.exchange_id,
        "operation": operation.name,
        "symbol": symbol,
    }
    if wire is not None and wire.sent and not outcome_is_known(error, wire, guard.clock.time()):
        unknown = OutcomeUnknownError(
            f"{guard.exchange_id} {operation.name} was sent and nobody can tell whether it took effect "
            f"({redact(str(error), exchange.guard_secrets())}); look before you repeat it",
            **context,
        )
        redact_chain(error, exchange.guard_secrets())
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
    guard = parts_of(exchange).guard
    stale = guard.fallback(operation, symbol, _key(exchange, operation, *arguments), error)
    if stale is not None:
        guard.distrust(_symbols(exchange, operation, symbol, stale), stale.age)
    return stale


def _symbols(exchange: Any, operation: Operation, symbol: str | None, result: object) -> list[str]:
    """Return the unified symbols whose market data `result` is; a caller may have named one by the exchange's id."""
    if operation.circuit is not Circuit.MARKET_DATA:
        return []
    if symbol is None:
        return [key for key in result if isinstance(key, str)] if operation.name in _OF_MANY else []  # type: ignore[attr-defined]
    try:
        return [exchange.market(symbol)["symbol"]]
    except ccxt.BaseError:
        return [symbol]


def _key(
    exchange: Any, operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str, str, str, int]:
    # Neither another account's result may be served nor, for the exchange's own, that of its sandbox.
    whose = hash((exchange.apiKey, exchange.uid, exchange.walletAddress, exchange.isSandboxModeEnabled))
    return (operation.name, repr(args), repr(sorted(kwargs.items())) if kwargs else "", whose)
