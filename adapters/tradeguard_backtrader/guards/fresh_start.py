# SPDX-License-Identifier: GPL-3.0-or-later
"""A start that failed leaves a feed as it was, so that the next one begins anew."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from tradeguard_backtrader.guards.liveness import feeds_inside

__all__ = ["start_afresh"]


def start_afresh(feed: Any, start: Callable[[Any], None]) -> None:
    """Start the feed; if that fails, put it and what is inside of it back to where they were.

    A file that the failed start opened is closed, one that was passed in is put back to its place. Numbers stay as
    they are: a start sets those that it needs, and one that counts its attempts would never come to the second.
    """
    before = [_State(part) for part in (feed, *feeds_inside(feed))]
    try:
        start(feed)
    except Exception:
        for state in before:
            state.restore()
        raise


class _State:
    """What a feed was like before its start."""

    def __init__(self, feed: Any) -> None:
        self._attributes = vars(feed)
        self._before = dict(self._attributes)
        self._passed = feed.p.dataname if callable(getattr(feed.p.dataname, "readline", None)) else None
        self._place: int | None = None
        with contextlib.suppress(AttributeError, OSError):  # a stream has no place to return to
            self._place = None if self._passed is None else self._passed.tell()

    def restore(self) -> None:
        file = self._attributes.get("f")
        if file is not None and file is not self._passed and file is not self._before.get("f"):
            file.close()
        for name, value in list(self._attributes.items()):
            if type(value) in (int, float):
                continue
            if name in self._before:
                self._attributes[name] = self._before[name]
            else:
                del self._attributes[name]
        if self._passed is not None and self._place is not None:
            self._passed.seek(self._place)
