"""For your own tests: time that moves only when told to, guards that never sleep, calls that fail as told.

`ManualClock` goes wherever the library takes a `clock`; a test that injects it never sleeps for real. With
pytest installed, the fixture `manual_clock` gives you one.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from typing import Any

from tradeguard.circuit_breaker import CircuitBreakerConfig
from tradeguard.exceptions import ValidationException
from tradeguard.guard import Guard, Monitor
from tradeguard.retry_manager import RetryConfig

__all__ = ["ManualClock", "ScriptedCall", "instant_guard"]


class ManualClock:
    """A clock that stands still until it is advanced; sleeping advances it at once.

    Safe for several threads. It is a `tradeguard.clock.Clock`.

    Args:
        start: the first reading of `monotonic()`, in seconds.
        epoch: the first reading of `time()`, in seconds since the epoch.

    Attributes:
        sleeps: every sleep so far, in seconds, oldest first; yours to read and to clear.
    """

    def __init__(self, start: float = 0.0, *, epoch: float = 1_700_000_000.0) -> None:
        self._lock = threading.Lock()
        self._monotonic = float(start)
        self._time = float(epoch)
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        """Return the seconds shown; they never go back."""
        return self._monotonic

    def time(self) -> float:
        """Return the seconds since the epoch shown."""
        return self._time

    def advance(self, seconds: float) -> None:
        """Let `seconds` (>= 0) pass.

        Raises:
            ValidationException: `seconds` is negative or not finite.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValidationException(f"advance: seconds must be finite and >= 0, got {seconds!r}")
        with self._lock:
            self._monotonic += seconds
            self._time += seconds

    def set_time(self, epoch: float) -> None:
        """Jump the wall clock to `epoch`, as a time server may; no time passes."""
        with self._lock:
            self._time = float(epoch)

    def sleep(self, seconds: float) -> None:
        """Note the sleep and advance by it at once; zero or less passes no time."""
        self.sleeps.append(seconds)
        self.advance(max(seconds, 0.0))

    async def sleep_async(self, seconds: float) -> None:
        """Note the sleep, advance by it at once, and let other tasks run once."""
        self.sleep(seconds)
        await asyncio.sleep(0)

    def __repr__(self) -> str:
        return f"ManualClock(monotonic={self._monotonic}, time={self._time})"


class ScriptedCall:
    """A callable that raises and returns what it was told, one outcome a call, and the last from then on.

    Safe for several threads. A test hands it to what it tests in the place of a call to an exchange:
    `ScriptedCall(TimeoutError(), {"last": 1.0})` fails once and works from then on.

    Args:
        outcomes: at least one; exceptions and exception classes are raised, all else is returned.

    Attributes:
        calls: the positional and keyword arguments of every call so far, oldest first.

    Raises:
        ValidationException: there is no outcome.
    """

    def __init__(self, *outcomes: Any) -> None:
        if not outcomes:
            raise ValidationException("outcomes must not be empty", argument="outcomes")
        self._lock = threading.Lock()
        self._outcomes = outcomes
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Note the arguments and come to the next outcome."""
        with self._lock:
            outcome: Any = self._outcomes[min(len(self.calls), len(self._outcomes) - 1)]
            self.calls.append((args, kwargs))
        if _is_error(outcome):
            raise outcome
        return outcome


def _is_error(outcome: Any) -> bool:
    return isinstance(outcome, BaseException) or (
        isinstance(outcome, type) and issubclass(outcome, BaseException)
    )


def instant_guard(
    name: str = "instant",
    *,
    clock: ManualClock | None = None,
    retry: RetryConfig | None = None,
    breaker: CircuitBreakerConfig | None = None,
    fallback: Callable[..., Any] | None = None,
    monitor: Monitor | None = None,
    wait_for_circuit: bool = False,
) -> Guard:
    """Return a guard whose waits pass at once: they move `clock`, one of its own unless given, and no other.

    Args:
        name: of the guard.
        clock: what its waits advance, and what decides when an open circuit lets a trial through.
        retry: as for `Guard`; the defaults of `RetryConfig` unless given.
        breaker: as for `Guard`; no circuit unless given.
        fallback: as for `Guard`.
        monitor: as for `Guard`.
        wait_for_circuit: as for `Guard`.

    Raises:
        ConfigurationException: an argument is of the wrong kind.
    """
    return Guard(
        name,
        retry=RetryConfig() if retry is None else retry,
        breaker=breaker,
        fallback=fallback,
        monitor=monitor,
        clock=ManualClock() if clock is None else clock,
        wait_for_circuit=wait_for_circuit,
    )
