"""Time as a dependency: everything that measures or waits is given a clock.

Durations are measured with `monotonic()`, which never jumps; timestamps that leave the process are taken
with `time()`. Tests inject `tradeguard.testing.ManualClock` and never sleep for real.
"""

from __future__ import annotations

import time
from typing import Protocol, runtime_checkable

__all__ = ["SYSTEM_CLOCK", "Clock", "SystemClock"]


@runtime_checkable
class Clock(Protocol):
    """What the library needs of time; all values are float seconds."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; it never goes back."""
        ...

    def time(self) -> float:
        """Return seconds since the Unix epoch; it may jump."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds`; zero or less returns at once."""
        ...

    async def sleep_async(self, seconds: float) -> None:
        """Suspend the calling task for `seconds`; zero or less yields once."""
        ...


class SystemClock:
    """The machine's own clock.

    The readings are the C functions themselves, so that a reading costs no Python frame.
    """

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds`; zero or less returns at once."""
        if seconds > 0:
            time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Suspend the calling task for `seconds`; zero or less yields once."""
        import asyncio  # noqa: PLC0415 - it takes 70 ms to import, and a bot without coroutines never needs it

        await asyncio.sleep(max(seconds, 0.0))

    def __repr__(self) -> str:
        return "SystemClock()"


SYSTEM_CLOCK = SystemClock()
