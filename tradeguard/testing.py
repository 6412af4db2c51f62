"""For your own tests: time that moves only when told to.

`ManualClock` goes wherever the library takes a `clock`; a test that injects it never sleeps for real. With
pytest installed, the fixture `manual_clock` gives you one.
"""

from __future__ import annotations

import asyncio
import math
import threading

from tradeguard.exceptions import ValidationException

__all__ = ["ManualClock"]


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
