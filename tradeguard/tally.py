"""Exact counting without a lock.

A happy path can not afford a lock, and `x += 1` on an attribute loses counts between threads. One step of
`itertools.count` is a single C call, which the interpreter does not interrupt.
"""

from __future__ import annotations

import threading
from itertools import count

__all__ = ["Tally"]


class Tally:
    """A counter that any number of threads may increment at once.

    Attributes:
        increment: adds one; its result means nothing.
    """

    __slots__ = ("_lock", "_readings", "increment")

    def __init__(self) -> None:
        self.increment = count().__next__
        self._readings = 0
        self._lock = threading.RLock()  # a signal handler may come by here too

    def value(self) -> int:
        """Return how often `increment` was called."""
        # Only a step tells where the count stands, so the steps taken for reading are taken off again.
        with self._lock:
            steps = self.increment()
            self._readings += 1
            return steps - self._readings + 1

    def __repr__(self) -> str:
        return f"Tally({self.value()})"
