"""Last known good values with their age.

The cache says how old a value is and never decides whether it will do: that is for the caller, who asks for a
greatest age.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from copy import deepcopy
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from tradeguard.bounds import require_int, require_number
from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.exceptions import ValidationException

__all__ = ["CachedValue", "FallbackCache"]

T_co = TypeVar("T_co", covariant=True)


class CachedValue(NamedTuple, Generic[T_co]):
    """A value of the past.

    Attributes:
        value: a copy of its own.
        age: seconds since it was put in, by the monotonic clock.
        cached_at: when that was, in seconds since the epoch.
    """

    value: T_co
    age: float
    cached_at: float


class FallbackCache:
    """Keeps the latest good value of each key; safe for several threads.

    A value is copied deeply on its way in and again on its way out, so nobody's later change reaches the cache.

    Args:
        max_entries: how many keys are kept, >= 1; the least recently used one goes.
        clock: the system's unless given.

    Raises:
        ConfigurationException: if a value is out of its bounds.
    """

    def __init__(self, max_entries: int = 1024, *, clock: Clock | None = None) -> None:
        require_int("max_entries", max_entries, minimum=1)
        self.max_entries = max_entries
        self._clock: Clock = SYSTEM_CLOCK if clock is None else clock
        self._lock = threading.RLock()  # a signal handler may come by here too
        self._entries: OrderedDict[Hashable, tuple[Callable[[], Any], float, float]] = OrderedDict()

    def put(self, key: Hashable, value: Any, *, age: float = 0.0) -> None:
        """Keep `value` as the latest good one of `key`.

        Args:
            key: what it is the value of.
            value: anything that `pickle` or `copy.deepcopy` takes.
            age: how old it is already, in seconds >= 0; a value older than the one that is kept is not taken.

        Raises:
            ConfigurationException: if `age` is out of its bounds.
            ValidationException: if `value` cannot be copied.
        """
        require_number("age", age, minimum=0)
        copy = _copier(value)  # foreign code may run in this: under no lock
        with self._lock:
            taken_at = self._clock.monotonic() - age
            known = self._entries.get(key)
            if known is None or known[1] <= taken_at:
                self._entries[key] = (copy, taken_at, self._clock.time() - age)
            self._entries.move_to_end(key)
            while len(self._entries) > self.max_entries:
                self._entries.popitem(last=False)

    def get(self, key: Hashable, max_age: float) -> CachedValue[Any] | None:
        """Return the latest good value of `key`, or None if there is none that is `max_age` seconds old or less.

        Raises:
            ConfigurationException: if `max_age` is no number >= 0.
        """
        if max_age != float("inf"):
            require_number("max_age", max_age, minimum=0)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            copy, taken_at, cached_at = entry
            age = max(self._clock.monotonic() - taken_at, 0.0)
            if age > max_age:
                return None
            self._entries.move_to_end(key)
        return CachedValue(copy(), age, cached_at)

    def discard(self, key: Hashable) -> None:
        """Forget the value of `key`, if there is one."""
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"FallbackCache({len(self)} of {self.max_entries} entries)"


def _copier(value: Any) -> Callable[[], Any]:
    """Return a function that makes copies of `value` as it is now."""
    import pickle  # noqa: PLC0415 - not worth the time of those who cache nothing

    try:
        # A tenth of what `deepcopy` costs on the dictionaries and candles that exchanges answer with.
        frozen = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - foreign `__reduce__` methods raise anything; the copy may still succeed
        try:
            return partial(deepcopy, deepcopy(value))
        except Exception as error:
            raise ValidationException(
                f"a {type(value).__qualname__} cannot be copied, so it cannot be kept"
            ) from error
    return partial(pickle.loads, frozen)
