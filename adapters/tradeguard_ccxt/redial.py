"""When to dial again: for each address with growing, jittered delays, until something is heard from it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tradeguard.backoff import Backoff

__all__ = ["Redials"]


@dataclass(slots=True)
class _Dial:
    failures: int
    until: float
    delay: float


class Redials:
    """How long each address is left alone.

    A connection that is made and lost again before it told anything counts as failed: a server that accepts and
    hangs up is not dialled in a tight loop. It takes the place of ccxt's own backoff, which counts refused
    connections alone.

    Args:
        backoff: how the delays grow.
        uniform: draws a float between two bounds.
    """

    def __init__(self, backoff: Backoff, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._backoff = backoff
        self._uniform = uniform
        self._dials: dict[str, _Dial] = {}

    def failed(self, url: str, now: float, *, retry_after: float | None = None) -> float:
        """Take note of a lost or refused connection; returns the seconds until the next dial.

        Args:
            url: the address.
            now: monotonic seconds.
            retry_after: seconds that the server asked for: the next dial comes not before them.
        """
        former = self._dials.get(url)
        failures = 1 if former is None else former.failures + 1
        previous = None if former is None else former.delay
        delay = self._backoff.jittered(failures, previous, self._uniform)
        wait = delay if retry_after is None else max(delay, retry_after)
        self._dials[url] = _Dial(failures, now + wait, delay)
        return wait

    def well(self, url: str) -> None:
        """Take note that something was heard from `url`."""
        self._dials.pop(url, None)

    def remaining(self, url: str | None, now: float) -> float:
        """Return the seconds for which `url` is still left alone."""
        dial = None if url is None else self._dials.get(url)
        return 0.0 if dial is None else max(dial.until - now, 0.0)
