# SPDX-License-Identifier: GPL-3.0-or-later
"""What is inside of a guarded Chainer or RollOver, so that a failure there loses no bar."""

from __future__ import annotations

from functools import partial
from typing import Any

from tradeguard_backtrader.guards.asking_again import ask_again
from tradeguard_backtrader.guards.liveness import feeds_inside
from tradeguard_backtrader.guards.rewinding import Rewinder

__all__ = ["guard_inside", "release_inside"]


def guard_inside(feed: Any, rewinder: Rewinder) -> None:
    """Have each feed inside stay where it was when it fails, and asked again when it has nothing now.

    Args:
        feed: a feed that has been started.
        rewinder: that of `feed`; it goes back in those inside, too.
    """
    for inner in feeds_inside(feed):
        inner.load = partial(_load_or_stay, inner)
        if not hasattr(inner, "_guard_layers") and "_load" not in vars(inner):
            inside = Rewinder(inner)
            inner._load = partial(_load, inner, inside)
            rewinder.add(_Inside(inside))
    if "_dexp" in vars(feed):
        rewinder.add(_ActiveFuture(feed))


def release_inside(feed: Any) -> None:
    """Take away what `guard_inside` put there: the feeds can be pickled again."""
    for inner in feeds_inside(feed):
        for name in ("load", "_load"):
            vars(inner).pop(name, None)


def _load(inner: Any, rewinder: Rewinder) -> bool | None:
    load = rewinder.around(type(inner)._load)
    loaded = load(inner)
    return ask_again(inner, load) if loaded is None else loaded


def _load_or_stay(inner: Any) -> bool | None:
    """Load a bar; without one that failed, of which Backtrader leaves a blank."""
    length = len(inner)
    try:
        loaded: bool | None = type(inner).load(inner)
    except Exception:
        while len(inner) > length:
            inner.backwards(force=True)
        raise
    return loaded


class _Inside:
    """The place in a feed inside: it goes back by itself, and is left out with the bar that failed."""

    def __init__(self, rewinder: Rewinder) -> None:
        self._rewinder = rewinder

    def mark(self) -> None:
        pass

    def rewind(self) -> None:
        pass

    def skip(self) -> None:
        self._rewinder.skip()


class _ActiveFuture:
    """The bar of a RollOver's active future, delivered to it before another future failed."""

    def __init__(self, feed: Any) -> None:
        self._feed = feed
        self.mark()
        self._left = 0

    def mark(self) -> None:
        self._active = self._feed._d
        self._length = 0 if self._active is None else len(self._active)
        self._left = 0

    def rewind(self) -> None:
        if self._active is None or self._feed._d is not self._active:
            return
        taken = len(self._active) - self._length
        if taken:
            self._left = taken
            self._active.rewind(taken)

    def skip(self) -> None:
        if self._left:
            self._active.advance(self._left)
            self._left = 0
