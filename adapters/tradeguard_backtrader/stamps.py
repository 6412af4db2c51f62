# SPDX-License-Identifier: GPL-3.0-or-later
"""Time stamps: epoch milliseconds here, naive UTC and day numbers there, and a clone that keeps to them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import backtrader as bt

from tradeguard_backtrader.resampling import CloseReplayer, CloseResampler, resample_closes

__all__ = ["FeedClone", "epoch_ms", "utc_datetime"]

_EPOCH = datetime(1970, 1, 1)


def utc_datetime(stamp_ms: int) -> datetime:
    """Return epoch milliseconds as a naive datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=stamp_ms)


def epoch_ms(number: float) -> int | None:
    """Return Backtrader's day `number` as epoch milliseconds; None where it is infinite."""
    if math.isinf(number):
        return None
    moment: datetime = bt.num2date(number)
    # A day number is good to some ten microseconds.
    return round((moment - _EPOCH).total_seconds() * 1000)


class FeedClone(bt.feed.DataClone):
    """A clone whose resampler reads the clock of the feed that was cloned, and takes its stamps for closes."""

    def _timeoffset(self) -> timedelta:
        data: Any = self.data
        offset: timedelta = data._timeoffset()
        return offset

    def resample(self, **kwargs: Any) -> None:
        """Make longer bars of these."""
        resample_closes(self, bt.Resampler, CloseResampler, kwargs)

    def replay(self, **kwargs: Any) -> None:
        """Make longer bars of these that grow with each one."""
        resample_closes(self, bt.Replayer, CloseReplayer, kwargs)

    def clone(self, **kwargs: Any) -> Any:
        """Return a twin that Cerebro can resample beside this one."""
        return FeedClone(dataname=self, **kwargs)
