# SPDX-License-Identifier: GPL-3.0-or-later
"""A feed that has "nothing now" where Backtrader would take that for its end is asked again.

This is so while bars are preloaded, and inside Chainer and RollOver.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradeguard.clock import SYSTEM_CLOCK
from tradeguard.exceptions import DataFeedException
from tradeguard_backtrader.guards.liveness import is_live

__all__ = ["ask_again", "is_top_level"]

_MOST_TIMES = 100
_SHORTEST_PAUSE = 0.01


def is_top_level(feed: Any) -> bool:
    """Whether Cerebro itself asks the feed for bars; what is inside of another one is not among its datas."""
    return any(data is feed for data in feed._env.datas)


def ask_again(feed: Any, load: Callable[[Any], bool | None]) -> bool | None:
    """Return what `load(feed)` comes to, after it has answered None.

    A live feed is waited for, until the run is told to stop; any other has its bars or has not.

    Raises:
        DataFeedException: a feed that is not live has answered None again and again.
    """
    if is_live(feed):
        pause = max(feed._qcheck, feed.p.qcheck) or _SHORTEST_PAUSE
        while not feed._env._event_stop:
            SYSTEM_CLOCK.sleep(pause)
            loaded = load(feed)
            if loaded is not None:
                return loaded
        return None
    for _ in range(_MOST_TIMES):
        loaded = load(feed)
        if loaded is not None:
            return loaded
    name = type(feed).__name__
    raise DataFeedException(
        f"{name} said {_MOST_TIMES} times that it has nothing now, where that would be taken for its end",
        component=name,
    )
