"""One bound of time for everything that happens inside a block.

The bound lives in a context variable, so it holds over awaits and in tasks that are started inside, and a
function need not pass it on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, final

from tradeguard.bounds import require_number
from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.exceptions import CallTimeoutError

__all__ = ["Deadline", "bounded", "current_deadline", "deadline", "deadline_error", "lifted"]


@final
class Deadline:
    """When the enclosing block must be done.

    Attributes:
        seconds: the bound that was asked for.
    """

    __slots__ = ("_clock", "_expires_at", "_outer", "seconds")

    def __init__(self, seconds: float, clock: Clock, outer: Deadline | None) -> None:
        self.seconds = seconds
        self._clock = clock
        self._outer = outer
        self._expires_at = clock.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, that of the enclosing deadlines included; 0.0 when it has passed."""
        left = max(self._expires_at - self._clock.monotonic(), 0.0)
        return left if self._outer is None else min(left, self._outer.remaining())


_current: Final[ContextVar[Deadline | None]] = ContextVar("tradeguard_deadline", default=None)

current_deadline: Final[Callable[[], Deadline | None]] = _current.get
"""Return the innermost deadline, or None; the C function itself, since every guarded call asks."""


@final
class _Scope:
    __slots__ = ("_clock", "_outer", "_seconds")

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._outer: list[Deadline | None] = []

    def __enter__(self) -> Deadline:
        outer = _current.get()
        entered = Deadline(self._seconds, self._clock, outer)
        self._outer.append(outer)
        _current.set(entered)
        return entered

    def __exit__(self, *_: object) -> None:
        # Not `reset(token)`: that raises where a generator is closed from another context.
        _current.set(self._outer.pop())

    async def __aenter__(self) -> Deadline:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


def deadline(seconds: float, clock: Clock | None = None) -> _Scope:
    """Bound every guard inside the block.

    No guarded attempt starts once it has passed, no wait crosses it, and a guarded call is cut off by it:
    coroutines are cancelled, a plain function is left behind on a worker. Of nested deadlines the earliest
    counts.

        with deadline(5.0):
            ticker = guard.call(fetch_ticker, "ETH/BTC")

    Args:
        seconds: from entering the block, >= 0.
        clock: the system's clock unless given.

    Returns:
        A context manager, also for `async with`, that gives the `Deadline`.

    Raises:
        ConfigurationException: if `seconds` is out of its bounds.
    """
    require_number("seconds", seconds, minimum=0)
    return _Scope(seconds, SYSTEM_CLOCK if clock is None else clock)


@contextmanager
def lifted() -> Generator[None]:
    """Lift the enclosing deadlines within the block, for what has to be found out however late it is."""
    outer = _current.get()
    _current.set(None)
    try:
        yield
    finally:
        _current.set(outer)


def bounded(seconds: float) -> float:
    """Return `seconds`, or the time left to the enclosing deadline where that is less."""
    enclosing = _current.get()
    return seconds if enclosing is None else min(seconds, enclosing.remaining())


def deadline_error(what: str, bound: Deadline) -> CallTimeoutError:
    """Return the error for a call that was not begun because its deadline had passed."""
    return CallTimeoutError(
        f"{what} was not begun: the deadline of {bound.seconds:g} s has passed",
        timeout=bound.seconds,
        still_running=False,
    )
