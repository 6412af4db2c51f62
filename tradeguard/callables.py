"""What kind of callable it is.

The layers treat coroutine functions and plain ones differently, and refuse generators.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any, Final, TypeVar

__all__ = [
    "COROUTINE",
    "PlainCallError",
    "adapt",
    "awaited",
    "is_cancellation",
    "is_coroutine_callable",
    "operation_name",
    "refuse_coroutine",
    "refuse_unguardable",
]

T = TypeVar("T")

COROUTINE: Final[Any] = CoroutineType
"""What the call of a coroutine function makes; untyped, so that asking for it narrows no result's type."""


class PlainCallError(TypeError):
    """Something asynchronous was called as if it were a plain function.

    That is a mistake of the caller's and no failure of the service: it is neither retried nor counted.
    """


def is_coroutine_callable(func: Callable[..., Any]) -> bool:
    """Tell whether calling `func`, a function, method, partial or object, makes a coroutine."""
    return _is(_makes_coroutine, func)


def refuse_unguardable(func: object) -> None:
    """Refuse what a decorator could only seem to protect.

    Raises:
        TypeError: if `func` is not callable, is a class, or is a generator function of either kind, whose
            body runs after the guarded call has returned.
    """
    if isinstance(func, type) or not callable(func):
        raise TypeError(f"only functions and other callables can be guarded, not {func!r}")
    if _is(inspect.isgeneratorfunction, func) or _is(inspect.isasyncgenfunction, func):
        raise TypeError(
            f"{operation_name(func)} is a generator function, which cannot be guarded: "
            "its body runs after the call; guard the calls that it makes instead"
        )


def refuse_coroutine(result: T) -> T:
    """Return `result` unless it is a coroutine.

    Raises:
        PlainCallError: if it is one; it is closed unstarted, so nothing has happened.
    """
    if type(result) is COROUTINE:
        coroutine: Any = result
        coroutine.close()
        raise PlainCallError(
            f"{coroutine.__qualname__} is a coroutine function; use the asynchronous method or decorator for it"
        )
    return result


def is_cancellation(error: BaseException) -> bool:
    """Tell whether `error` is what a thread gets that waits for a future that was cancelled.

    Unlike the CancelledError of asyncio it is an ordinary Exception, though it means the same.
    """
    futures = sys.modules.get("concurrent.futures._base")  # who has met one has loaded it
    return futures is not None and isinstance(error, futures.CancelledError)


async def awaited(result: Awaitable[T] | T) -> T:
    """Return what `result` comes to; a result that is no awaitable is returned as it is."""
    return await result if inspect.isawaitable(result) else result


def operation_name(func: object) -> str:
    """Return what logs and records call `func`: its qualified name, also of a partial, else its type's."""
    while isinstance(func, functools.partial):
        func = func.func
    name = getattr(func, "__qualname__", None)
    return name if isinstance(name, str) else type(func).__qualname__


def adapt(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[], Any]:
    """Return the call of `func` with `args` and `kwargs` as far as its signature takes them."""
    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):  # some callables of C tell no signature
        return functools.partial(func, *args, **kwargs)
    kinds = {parameter.kind for parameter in parameters}
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        args = args[: len(places)]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        names = {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
        kwargs = {name: value for name, value in kwargs.items() if name in names}
    return functools.partial(func, *args, **kwargs)


def _makes_coroutine(func: Any) -> bool:
    # Mocks and compiled functions are not functions to `inspect`, but tell the same by the flags of their code.
    flags = getattr(getattr(func, "__code__", None), "co_flags", 0)
    return inspect.iscoroutinefunction(func) or (
        isinstance(flags, int) and bool(flags & inspect.CO_COROUTINE)
    )


def _is(test: Callable[[Any], bool], func: object) -> bool:
    while isinstance(func, functools.partial):
        func = func.func
    return test(func) or test(getattr(type(func), "__call__", None))  # noqa: B004 - asked of it, not whether it has one
