"""How far our clock is off the exchange's, from the Date of its answers."""

from __future__ import annotations

import functools
import math
import threading
from email.utils import parsedate_to_datetime
from typing import Any

from tradeguard_ccxt.failures import Answer

__all__ = ["ClockDrift"]

_DATE_RESOLUTION = 1.0  # RFC 9110, 5.6.7: whole seconds


class ClockDrift:
    """Narrows the drift down, answer by answer; thread-safe.

    Each answer bounds it: the exchange wrote its Date after we had asked and before we had the answer. What all
    answers allow is what is known (Marzullo, "Maintaining the time in a distributed system", 1984); where they
    contradict each other a clock was set, and it begins anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bounds = (-math.inf, math.inf)

    def observe(self, answer: Answer, asked: float, answered: float) -> None:
        """Take in an answer.

        Args:
            answer: with its headers.
            asked: epoch seconds of our clock at which the request began.
            answered: the same, when the answer was there.
        """
        date = _epoch(answer.headers.get("date", ""))
        if date is None:
            return
        low, high = asked - date - _DATE_RESOLUTION, answered - date
        with self._lock:
            bounds = max(low, self._bounds[0]), min(high, self._bounds[1])
            self._bounds = bounds if bounds[0] <= bounds[1] else (low, high)

    def read(self) -> dict[str, Any]:
        """Return how many seconds our clock is ahead, and how far that may be wrong; None where nothing is known."""
        low, high = self._bounds
        if math.isinf(low):
            return {"ahead": None, "uncertainty": None}
        return {"ahead": round((low + high) / 2, 3), "uncertainty": round((high - low) / 2, 3)}


@functools.lru_cache(maxsize=16)  # all answers of a second have the same
def _epoch(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
