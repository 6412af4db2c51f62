"""The circuits of this process."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from itertools import count
from typing import Generic, Protocol, TypeVar

__all__ = ["BreakerRegistry"]


class _Named(Protocol):
    name: str


B = TypeVar("B", bound=_Named)


class BreakerRegistry(Generic[B]):
    """Knows every circuit while it lives, and keeps those that are shared by name for good."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may come by here too
        self._numbers = count()
        self._living: weakref.WeakValueDictionary[int, B] = weakref.WeakValueDictionary()
        self._shared: dict[str, B] = {}

    def add(self, breaker: B) -> None:
        """List `breaker` for as long as somebody else refers to it."""
        with self._lock:
            self._living[next(self._numbers)] = breaker

    def share(self, name: str, make: Callable[[], B]) -> B:
        """Return the circuit that is shared under `name`; the first to ask makes it."""
        known = self._shared.get(name)
        if known is not None:
            return known
        made = make()  # it lists itself, so not under the lock
        with self._lock:
            return self._shared.setdefault(name, made)

    def by_name(self) -> dict[str, B]:
        """Return the living circuits by name; of several of one name the shared one, else the newest."""
        with self._lock:
            return {**{breaker.name: breaker for breaker in self._living.values()}, **self._shared}
