"""Counters of a guarded exchange, exact under threads; a healthy call takes no lock for them."""

from __future__ import annotations

from typing import Any

from tradeguard.tally import Tally as Counter

__all__ = ["Tally"]


class Tally:
    """Named counters."""

    def __init__(self) -> None:
        self._counters: dict[str, Counter] = {}

    def add(self, name: str, times: int = 1) -> None:
        """Count `name`, once or so many times."""
        counter = self._counters.get(name)
        if counter is None:
            # One step: of two threads that come here at once, both get the same.
            counter = self._counters.setdefault(name, Counter())
        for _ in range(times):
            counter.increment()

    def read(self, *names: str) -> dict[str, Any]:
        """Return the counters of these names, 0 for what was never counted."""
        known = ((name, self._counters.get(name)) for name in names)
        return {name: 0 if counter is None else counter.value() for name, counter in known}
