"""Guarded classes: a subclass of the ccxt class itself, with each unified method entered through the guard."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ccxt.base.exchange import BaseExchange

from tradeguard.exceptions import ConfigurationException
from tradeguard_ccxt.flavours import answer_of, run_now
from tradeguard_ccxt.operation_kinds import OPERATIONS
from tradeguard_ccxt.operations import (
    CURRENT,
    Entered,
    Kind,
    Operation,
    entered_on,
    is_unified,
    kind_of,
    operation_of,
)
from tradeguard_ccxt.stream_kinds import STREAM_KINDS

__all__ = [
    "Runner",
    "exchange_class",
    "family",
    "guarded_methods",
    "mirror_name",
    "socket_methods",
    "whereabouts",
]

Runner = Callable[
    [Any, Operation, Callable[..., Any], str | None, tuple[Any, ...], dict[str, Any]],
    Coroutine[Any, Any, Any],
]
"""A flow that runs a unified call: `(exchange, operation, original, symbol, args, kwargs)`."""


def exchange_class(exchange: str | type, module: str = "ccxt") -> type:
    """Return the ccxt class that is meant.

    Args:
        exchange: a class of ccxt, or the id of one of `module`.
        module: `ccxt`, `ccxt.async_support` or `ccxt.pro`.

    Raises:
        ConfigurationException: there is no such exchange.
    """
    if isinstance(exchange, str):
        flavour = importlib.import_module(module)
        if exchange not in flavour.exchanges:
            close = [name for name in flavour.exchanges if name.startswith(exchange[:3].lower())][:5]
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise ConfigurationException(
                f"exchange must be the id of one of the {len(flavour.exchanges)} exchanges of {module}, "
                f"not {exchange!r}{hint}",
                field="exchange",
                value=exchange,
            )
        return getattr(flavour, exchange)  # type: ignore[no-any-return]
    if isinstance(exchange, type) and issubclass(exchange, BaseExchange):
        return exchange
    raise ConfigurationException(
        f"exchange must be an id or an exchange class of ccxt, not {exchange!r}",
        field="exchange",
        value=repr(exchange),
    )


def mirror_name(module: str) -> str:
    """Return the name of the module that mirrors a module of ccxt."""
    return module.replace("ccxt", "tradeguard_ccxt", 1)


def family(cls: type) -> tuple[str, ...]:
    """Return the names of the ccxt classes that a class is made from, most derived first."""
    return tuple(base.__name__ for base in cls.__mro__ if base.__module__.startswith("ccxt."))


def whereabouts(base: type, module: str) -> dict[str, str]:
    """Return from where the guarded class of `base` can be imported; for a class of a user's that is nowhere.

    Args:
        base: an exchange class.
        module: the module of ccxt of whose flavour it is.
    """
    name = str(base.__name__)
    if getattr(importlib.import_module(module), name, None) is base:
        return {"__module__": mirror_name(module), "__qualname__": name}
    return {"__module__": base.__module__, "__qualname__": f"GuardedExchange.of({base.__qualname__})"}


def guarded_methods(base: Any, runners: dict[str, Runner], run: Runner) -> dict[str, Callable[..., Any]]:
    """Return a namespace that guards each operation of `base`.

    What a user's class has beyond ccxt is the user's own affair, whatever its name.

    Args:
        base: a ccxt exchange class, or a user's made from one.
        runners: for methods that have a protocol of their own.
        run: for all others.
    """
    methods: dict[str, Callable[..., Any]] = {}
    for name in filter(is_unified, dir(base)):
        original = getattr(base, name, None)
        is_ours = name in OPERATIONS or getattr(original, "__module__", "").startswith("ccxt.")
        if is_ours and callable(original) and hasattr(original, "__code__"):
            methods[name] = _guarded(
                operation_of(name), original, runners.get(name), run, is_async=not base.synchronous
            )
    return methods


def socket_methods(
    base: type,
    watch: Runner,
    unwatch: Runner,
    runners: Mapping[str, Runner],
    run: Runner,
    by_socket: Callable[[Runner], Runner],
) -> dict[str, Callable[..., Any]]:
    """Return a namespace that guards each stream of a class of ccxt.pro, and each request over its sockets.

    Args:
        base: a class of ccxt.pro.
        watch: for streams.
        unwatch: for their ends.
        runners: for requests that have a protocol of their own, by the name of their REST form.
        run: for all other requests.
        by_socket: makes of a flow one whose request goes over a socket.
    """
    methods: dict[str, Callable[..., Any]] = {}
    for name in STREAM_KINDS:
        methods[name] = _guarded(operation_of(name), getattr(base, name), None, watch, is_async=True)
        end = f"un_{name}"
        if hasattr(base, end):
            methods[end] = _guarded(operation_of(end), getattr(base, end), None, unwatch, is_async=True)
    for name in sorted(n for n in dir(base) if n.endswith("_ws") and kind_of(n)):
        original, operation = getattr(base, name), operation_of(name)
        protocol = runners.get(name.removesuffix("_ws"))
        # Those of ccxt's base class are put together from others.
        is_own = not original.__module__.endswith("base.exchange")
        outer = by_socket(run) if operation.kind is Kind.READ or is_own else run
        flow = None if protocol is None else by_socket(protocol)
        methods[name] = _guarded(operation, original, flow, outer, is_async=True)
    return methods


def _guarded(
    operation: Operation,
    original: Callable[..., Any],
    protocol: Runner | None,
    run: Runner,
    *,
    is_async: bool = False,
) -> Callable[..., Any]:
    arguments = original.__code__.co_varnames[1 : original.__code__.co_argcount]
    position = arguments.index("symbol") if "symbol" in arguments else None
    outermost_runner = run if protocol is None else protocol

    def enter(
        exchange: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Entered, str | None, Runner | None]:
        """Return what is running now, its own symbol, and what runs it; None for ccxt's own method as it is."""
        entered = entered_on(exchange)
        symbol = kwargs.get("symbol")
        if symbol is None and position is not None and len(args) > position:
            symbol = args[position]
        if not isinstance(symbol, str):
            symbol = None
        if entered is None:
            return Entered(exchange, operation, operation, symbol), symbol, outermost_runner
        # Within another call: named as that one, but treated as what it is. A protocol of its own holds for a nested
        # call too: `create_limit_order`, or a listener that hedges.
        nested = Entered(exchange, entered.outermost, operation, entered.symbol or symbol, is_nested=True)
        return nested, symbol, protocol

    if is_async or inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def method_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            running, symbol, runner = enter(self, args, kwargs)
            token = CURRENT.set(running)
            try:
                if runner is None:
                    return await answer_of(original(self, *args, **kwargs))
                return await runner(self, operation, original, symbol, args, kwargs)
            finally:
                CURRENT.reset(token)

        return method_async

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        running, symbol, runner = enter(self, args, kwargs)
        token = CURRENT.set(running)
        try:
            if runner is None:
                return original(self, *args, **kwargs)
            return run_now(runner(self, operation, original, symbol, args, kwargs))
        finally:
            CURRENT.reset(token)

    return method
