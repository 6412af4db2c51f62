# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the bars of a feed come as time goes by, and where a feed has them from.

Chainer and RollOver call themselves live whatever is inside, to turn preloading off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import backtrader as bt

__all__ = ["feeds_inside", "is_live", "source_of"]

_CHAINER, _ROLL_OVER = bt.feeds.Chainer, bt.feeds.RollOver


def source_of(data: Any) -> Any:
    """Return the feed behind a data that Backtrader made of another one, to resample or to replay it."""
    while isinstance(data, bt.feed.DataClone):
        data = data.data
    return data


def feeds_inside(feed: Any) -> Iterator[Any]:
    """Yield the feeds that a Chainer or a RollOver has its bars from, and those inside of them."""
    for inner in _directly_inside(feed):
        yield inner
        yield from feeds_inside(inner)


def is_live(feed: Any) -> bool:
    """Whether bars come as time goes by: of the feed, or of one that is inside."""
    feed = source_of(feed)
    if isinstance(feed, (_CHAINER, _ROLL_OVER)):
        return any(is_live(inner) for inner in _directly_inside(feed))
    return bool(feed.islive())


def _directly_inside(feed: Any) -> tuple[Any, ...]:
    if isinstance(feed, _CHAINER):
        inner: tuple[Any, ...] = feed._args
    elif isinstance(feed, _ROLL_OVER):
        inner = feed._rolls
    else:
        inner = ()
    return inner
