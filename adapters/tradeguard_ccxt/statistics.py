"""Counters of a guarded exchange, exact under threads."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

__all__ = ["Tally"]


class Tally:
    """Named counters."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, n: int = 1) -> None:
        """Count `name` once, or `n` times."""
        with self._lock:
            self._counts[name] += n

    def read(self, *names: str) -> dict[str, Any]:
        """Return the counters of these names, 0 for what was never counted."""
        with self._lock:
            return {name: self._counts[name] for name in names}
