"""Errors a minute, counted in constant memory and constant time."""

from __future__ import annotations

__all__ = ["RateWindow"]

SPAN = 60
_SLOTS = 2 * SPAN
_LONG_AGO = -(10**18)


class RateWindow:
    """Counts events of the trailing minute and of the minute before it, in one bucket a second.

    An event of second `s` belongs to the trailing minute at every second below `s + 60`. Not thread-safe.

    Attributes:
        recent: events of the trailing 60 s, as of the last `add` or `advance`.
        previous: events of the 60 s before those.
    """

    __slots__ = ("_buckets", "_second", "previous", "recent")

    def __init__(self) -> None:
        self._buckets = [0] * _SLOTS
        self._second = _LONG_AGO
        self.recent = 0
        self.previous = 0

    def add(self, second: int) -> None:
        """Count one event in `second`; one from before the latest second counts as of the latest."""
        if second > self._second:
            self.advance(second)
        self._buckets[self._second % _SLOTS] += 1
        self.recent += 1

    def advance(self, second: int) -> None:
        """Bring the counts up to `second`; an earlier second than the latest changes nothing."""
        if second <= self._second:
            return
        buckets = self._buckets
        for step in range(max(self._second + 1, second - _SLOTS + 1), second + 1):
            buckets[step % _SLOTS] = 0
        self._second = second
        # Summed anew once a second, not carried on: whatever a signal handler may have upset is right again then.
        newest = second % _SLOTS
        oldest = newest - SPAN + 1
        wrapped = sum(buckets[oldest:]) if oldest < 0 else 0
        self.recent = wrapped + sum(buckets[max(oldest, 0) : newest + 1])
        self.previous = sum(buckets) - self.recent

    def trend(self) -> dict[str, int | str]:
        """Return how the trailing minute compares with the minute before, in `direction` and both counts.

        The direction is `rising` or `falling` where they differ by more than two standard deviations of chance
        (counts of independent events are Poisson: the variance of their difference is their sum), else `stable`.
        """
        difference = self.recent - self.previous
        certain = difference * difference > 4 * (self.recent + self.previous)
        direction = "stable" if not certain else "rising" if difference > 0 else "falling"
        return {"direction": direction, "recent": self.recent, "previous": self.previous}
