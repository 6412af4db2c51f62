"""The latest outcomes of a circuit, over which its rates are taken; pure: the time is an argument."""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

__all__ = ["CallWindow", "OutcomeWindow", "TimeWindow"]

_RESOLUTION: Final = 1024


class OutcomeWindow(Protocol):
    """Counts of the latest outcomes.

    Attributes:
        calls: how many there are.
        failures: how many of them failed.
        slow: how many of them were slow.
    """

    calls: int
    failures: int
    slow: int

    def add(self, now: float, failed: bool, slow: bool) -> None:
        """Take in an outcome at `now`, in monotonic seconds, and let go of those that are too old."""
        ...


class CallWindow:
    """The outcomes of the latest `size` calls."""

    def __init__(self, size: int) -> None:
        self.calls = self.failures = self.slow = 0
        self._size = size
        self._outcomes: deque[tuple[bool, bool]] = deque()

    def add(self, now: float, failed: bool, slow: bool) -> None:
        """Take in an outcome and let go of the oldest beyond the window's size."""
        self._outcomes.append((failed, slow))
        self.failures += failed
        self.slow += slow
        if self.calls < self._size:
            self.calls += 1
        else:
            old_failed, old_slow = self._outcomes.popleft()
            self.failures -= old_failed
            self.slow -= old_slow


class TimeWindow:
    """The outcomes of the latest `seconds`; one that is exactly as old is out.

    Memory is bounded: outcomes closer to each other than a thousandth of the window age together.
    """

    def __init__(self, seconds: float) -> None:
        self.calls = self.failures = self.slow = 0
        self._seconds = seconds
        self._slices: deque[tuple[float, list[int]]] = deque()

    def add(self, now: float, failed: bool, slow: bool) -> None:
        """Take in an outcome at `now`, in monotonic seconds, and let go of those that are too old."""
        slices = self._slices
        while slices and now - slices[0][0] >= self._seconds:
            calls, failures, slows = slices.popleft()[1]
            self.calls -= calls
            self.failures -= failures
            self.slow -= slows
        if not slices or now - slices[-1][0] >= self._seconds / _RESOLUTION:
            slices.append((now, [0, 0, 0]))
        counts = slices[-1][1]
        counts[0] += 1
        counts[1] += failed
        counts[2] += slow
        self.calls += 1
        self.failures += failed
        self.slow += slow
