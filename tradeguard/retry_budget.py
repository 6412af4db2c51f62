"""A bound on the retries of all callers together.

After "Handling Overload" in Google's "Site Reliability Engineering", O'Reilly, 2016: when a service is sick,
the retries of its clients multiply the load that made it sick; a budget keeps them to a fraction of the calls.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from tradeguard.bounds import require_int, require_number

__all__ = ["RetryBudget"]

_WINDOW: Final = 60.0


class RetryBudget:
    """Allows as many retries as `floor + ratio * calls`, both counted over the trailing minute.

    One budget may serve any number of retry managers and threads. First attempts are free.

    Args:
        ratio: retries per call, 0 to 1000.
        floor: retries that are always allowed, >= 0.

    Raises:
        ConfigurationException: if a value is out of its bounds.
    """

    __slots__ = ("_calls", "_calls_total", "_lock", "_retries", "floor", "ratio")

    def __init__(self, *, ratio: float = 0.1, floor: int = 10) -> None:
        require_number("ratio", ratio, minimum=0, maximum=1000)
        require_int("floor", floor, minimum=0)
        self.ratio = ratio
        self.floor = floor
        self._lock = threading.RLock()  # a signal handler may come by here too
        # Calls are many, so they are counted by whole seconds; retries are few and kept one by one.
        self._calls: deque[list[int]] = deque()
        self._calls_total = 0
        self._retries: deque[float] = deque()

    def record_call(self, now: float) -> None:
        """Count a call that begins at `now`, in monotonic seconds."""
        second = int(now // 1)
        with self._lock:
            if self._calls and self._calls[-1][0] == second:
                self._calls[-1][1] += 1
            else:
                self._calls.append([second, 1])
                self._fade(now)
            self._calls_total += 1

    def try_spend(self, now: float) -> bool:
        """Take one retry at `now`, in monotonic seconds; return False, taking none, if none is left."""
        with self._lock:
            self._fade(now)
            if len(self._retries) + 1 > self.floor + self.ratio * self._calls_total:
                return False
            self._retries.append(now)
            return True

    def refund(self) -> None:
        """Give back the latest retry that was taken, because it did not come to pass."""
        with self._lock:
            if self._retries:
                self._retries.pop()

    def available(self, now: float) -> int:
        """Return how many retries could be taken at `now`, in monotonic seconds."""
        with self._lock:
            self._fade(now)
            return max(int(self.floor + self.ratio * self._calls_total) - len(self._retries), 0)

    def _fade(self, now: float) -> None:
        # On the cautious side: a second's calls go when its first one is a minute old, a retry when it is.
        while self._calls and self._calls[0][0] + _WINDOW <= now:
            self._calls_total -= self._calls.popleft()[1]
        while self._retries and self._retries[0] + _WINDOW <= now:
            self._retries.popleft()

    def __repr__(self) -> str:
        return f"RetryBudget(ratio={self.ratio!r}, floor={self.floor!r})"
