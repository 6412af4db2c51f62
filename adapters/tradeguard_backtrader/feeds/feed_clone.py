# SPDX-License-Identifier: GPL-3.0-or-later
"""A twin of a feed, which Cerebro resamples beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import backtrader as bt

from tradeguard_backtrader.feeds.resampling import CloseReplayer, CloseResampler, resample_closes

__all__ = ["FeedClone"]


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
