"""Markets and currencies: from the last run if need be, and then trading may only reduce until they are fresh again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import ccxt

from tradeguard.exceptions import TradingException
from tradeguard.orders import InterlockState
from tradeguard_ccxt.bans import hosts_of
from tradeguard_ccxt.calls import run
from tradeguard_ccxt.flavours import answer_of
from tradeguard_ccxt.operations import Operation, entered_on
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.runtime import ExchangeGuard
from tradeguard_ccxt.stale import StaleResult, as_stale

__all__ = ["fetch_what_rarely_changes", "load_markets"]

_KINDS = ("stale_markets", "stale_currencies")


async def load_markets(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Load the markets; those that come from the cache are asked for again, now and then, until they are fresh."""
    guard = parts_of(exchange).guard
    reload = kwargs.pop("reload", args[0] if args else False)
    arguments = (reload or _are_due(guard), *args[1:])
    try:
        entered = entered_on(exchange)
        if entered is not None and entered.is_nested:
            return await answer_of(original(exchange, *arguments, **kwargs))
        return await run(exchange, operation, original, symbol, arguments, kwargs)
    except ccxt.OperationFailed:
        if reload or not exchange.markets:
            raise
        return exchange.markets  # the older ones, which trading goes on to distrust


async def fetch_what_rarely_changes(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Fetch markets or currencies: also where `load_markets` asks, the last good ones will do if need be."""
    guard, desk, _ = parts_of(exchange)
    kind = f"stale_{operation.name.removeprefix('fetch_')}"
    args = args if args or kwargs else ({},)  # as load_markets() asks
    key = _key(exchange, operation, args, kwargs)
    try:
        result = await run(exchange, operation, original, symbol, args, kwargs)
    except ccxt.OperationFailed:
        result = _of_the_last_run(guard, desk.state.store, operation, key)
        if result is None:
            raise
    if isinstance(result, StaleResult):
        guard.markets_due = guard.clock.monotonic() + guard.config.maintenance_pause
        if guard.restricts("stale_data"):
            guard.interlock.restrict(
                kind,
                InterlockState.REDUCE_ONLY,
                reason=f"{kind.removeprefix('stale_')} of {guard.exchange_id} are {result.age:.0f} s old",
                lifted_by="load_markets() that succeeds; the next order tries it",
            )
    else:
        _keep(guard, desk.state.store, operation, key, result)
        guard.interlock.lift(kind)
    return result


def _are_due(guard: ExchangeGuard) -> bool:
    return any(map(guard.interlock.stands, _KINDS)) and guard.clock.monotonic() >= guard.markets_due


def _key(exchange: Any, operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return the name in the state file: neither the sandbox's markets nor those of other options are these."""
    wanted = [exchange.options.get(name) for name in ("fetchMarkets", "fetchCurrencies", "defaultType")]
    whose = repr((sorted(hosts_of(exchange)), wanted, args, sorted(kwargs.items())))
    return f"{exchange.id}.{operation.name}.{hashlib.sha256(whose.encode()).hexdigest()[:12]}"


def _of_the_last_run(guard: ExchangeGuard, store: Any, operation: Operation, key: str) -> Any:
    if store is None or guard.config.age_limit(operation.name) <= 0:
        return None
    try:
        known = store.get_value(key)
    except TradingException as error:  # the exchange's own failure is worth more
        guard.monitor.record_error(error, "WARNING", "storage")
        return None
    if known is None:
        return None
    value, at = known
    age = guard.clock.time() - at
    if not 0 <= age <= guard.config.age_limit(operation.name):
        return None
    guard.tally.add("fallbacks")
    guard.monitor.record_rescue(
        "fallback",
        guard.component(operation.circuit),
        operation=operation.name,
        detail={"age": round(age, 3)},
    )
    return as_stale(value, age, at)


def _keep(guard: ExchangeGuard, store: Any, operation: Operation, key: str, result: Any) -> None:
    if store is None or not result or guard.config.age_limit(operation.name) <= 0:
        return
    try:
        store.put_value(key, result, guard.clock.time())
    except TradingException as error:
        guard.monitor.record_error(error, "WARNING", "storage")
