"""Guarded classes: a subclass of the ccxt class itself, with each unified method entered through the guard."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import ccxt

from tradeguard.exceptions import ConfigurationException
from tradeguard_ccxt.operations import CURRENT, Entered, Operation, entered_on, is_unified, operation_of

__all__ = ["Runner", "exchange_class", "guarded_methods"]

Runner = Callable[[Any, Operation, Callable[..., Any], str | None, tuple[Any, ...], dict[str, Any]], Any]
"""Runs an outermost unified call: `(exchange, operation, original, symbol, args, kwargs)`."""


def exchange_class(exchange: str | type) -> type:
    """Return the ccxt class that is meant.

    Raises:
        ConfigurationException: there is no such exchange, or it is of a flavour that is not guarded.
    """
    if isinstance(exchange, str):
        if exchange not in ccxt.exchanges:
            close = [name for name in ccxt.exchanges if name.startswith(exchange[:3].lower())][:5]
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise ConfigurationException(
                f"exchange must be the id of one of ccxt's {len(ccxt.exchanges)} exchanges, not {exchange!r}{hint}",
                field="exchange",
                value=exchange,
            )
        return getattr(ccxt, exchange)  # type: ignore[no-any-return]
    if isinstance(exchange, type) and issubclass(exchange, ccxt.Exchange):
        return exchange
    raise ConfigurationException(
        f"exchange must be an id or a class of ccxt's synchronous exchanges, not {exchange!r}",
        field="exchange",
        value=repr(exchange),
    )


def guarded_methods(base: type, runners: dict[str, Runner], run: Runner) -> dict[str, Callable[..., Any]]:
    """Return a namespace that guards each unified method of `base`.

    Args:
        base: a ccxt exchange class.
        runners: for methods that have a protocol of their own.
        run: for all others.
    """
    names = {name for name in dir(ccxt.Exchange) if is_unified(name)}
    names |= {snake for snake in _advertised(base) if is_unified(snake)}
    methods: dict[str, Callable[..., Any]] = {}
    for name in sorted(names):
        original = getattr(base, name, None)
        if callable(original) and hasattr(original, "__code__"):
            methods[name] = _guarded(operation_of(name), original, runners.get(name), run)
    return methods


def _advertised(base: type) -> set[str]:
    """Return the snake_case names of the unified methods that an exchange has beyond ccxt's base class."""
    return {name for name in dir(base) if not hasattr(ccxt.Exchange, name)} & _unified_names()


@functools.cache
def _unified_names() -> frozenset[str]:
    return frozenset(re.sub(r"(?!^)([A-Z]+)", r"_\1", name).lower() for name in ccxt.Exchange().has)


def _guarded(
    operation: Operation, original: Callable[..., Any], protocol: Runner | None, run: Runner
) -> Callable[..., Any]:
    arguments = original.__code__.co_varnames[1 : original.__code__.co_argcount]
    position = arguments.index("symbol") if "symbol" in arguments else None
    outermost_runner = run if protocol is None else protocol

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        entered = entered_on(self)
        symbol = kwargs.get("symbol")
        if symbol is None and position is not None and len(args) > position:
            symbol = args[position]
        if not isinstance(symbol, str):
            symbol = None
        if entered is None:
            running = Entered(self, operation, operation, symbol)
        else:  # within another call: named as that one, but treated as what it is
            running = Entered(self, entered.outermost, operation, entered.symbol or symbol, is_nested=True)
        token = CURRENT.set(running)
        try:
            if entered is None:
                return outermost_runner(self, operation, original, symbol, args, kwargs)
            # A protocol of its own holds for a nested call too: `create_limit_order`, or a listener that hedges.
            if protocol is not None:
                return protocol(self, operation, original, symbol, args, kwargs)
            return original(self, *args, **kwargs)
        finally:
            CURRENT.reset(token)

    return method
