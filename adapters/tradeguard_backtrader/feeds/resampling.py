# SPDX-License-Identifier: GPL-3.0-or-later
"""Days, weeks, months and years made of bars whose stamp is their close.

Backtrader's own filters take a stamp for a moment within the period: the last candle of a day, which closes at
midnight, would belong to the next one.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import backtrader as bt

__all__ = ["CloseReplayer", "CloseResampler", "resample_closes"]

_STEP = timedelta(milliseconds=1)  # the smallest step between two closes
_END_OF_DAY = time(23, 59, 59, 999990)  # where no `sessionend` was given


def resample_closes(data: Any, theirs: Any, own: Any, options: dict[str, Any]) -> None:
    """Add the filter that a data needs: `own` if its stamps are closes, which those of ticks are not."""
    data.addfilter(theirs if data.p.timeframe == bt.TimeFrame.Ticks else own, **options)


class _ByClose:
    """Decides by a bar's close to which day, week, month or year it belongs, and whether it is the last of it.

    A longer bar is complete with the candle that closes with it, and needs no later one to show that. With a
    compression, periods are counted from that of the first bar. Less than a day, and where there is a trading
    calendar, Backtrader decides.
    """

    p: Any
    data: Any
    bar: Any
    componly: bool
    _first: int | None = None

    def _is_long(self) -> bool:
        return self.p.timeframe >= bt.TimeFrame.Days and self.data._calendar is None

    def _decides(self) -> bool:
        return self._is_long() and not self.componly  # where bars are only counted, stamps say nothing

    def _period(self, closed: datetime) -> int:
        """Return which period a bar belongs to; consecutive ones have consecutive numbers."""
        if self.p.timeframe == bt.TimeFrame.Days:
            return (_session_close(closed, self.data.p.sessionend) - _STEP).toordinal()
        day = closed - _STEP
        if self.p.timeframe == bt.TimeFrame.Weeks:
            return (day.toordinal() - 1) // 7  # the first of January of the year 1 was a Monday
        return day.year * 12 + day.month if self.p.timeframe == bt.TimeFrame.Months else day.year

    def _group(self, closed: datetime) -> int:
        """Return which of the longer bars a bar belongs to."""
        period = self._period(closed)
        self._first = period if self._first is None else self._first
        group: int = (period - self._first) // self.p.compression
        return group

    def _dataonedge(self, data: Any) -> Any:
        if not self._decides():
            return super()._dataonedge(data)  # type: ignore[misc]
        closed = data.num2date(data.datetime[0])
        return self._group(closed) != self._group(closed + 2 * _STEP), True

    def _checkbarover(self, data: Any, fromcheck: bool = False, forcedata: Any = None) -> Any:
        if not self._decides():
            return super()._checkbarover(data, fromcheck=fromcheck, forcedata=forcedata)  # type: ignore[misc]
        if fromcheck or not self.bar.isopen():
            return False  # no clock closes a bar whose candles may still come
        return self._group(data.num2date(data.datetime[0])) > self._group(data.num2date(self.bar.datetime))

    def _calcadjtime(self, greater: bool = False) -> Any:
        if not self._is_long():
            return super()._calcadjtime(greater=greater)  # type: ignore[misc]
        closed = self.data.num2date(self.bar.datetime)
        return self.data.date2num(_session_close(closed, self.data.p.sessionend))


class CloseResampler(_ByClose, bt.Resampler):
    """Backtrader's resampler, for bars whose stamp is their close."""


class CloseReplayer(_ByClose, bt.Replayer):
    """Backtrader's replayer, for bars whose stamp is their close."""


def _session_close(closed: datetime, sessionend: time) -> datetime:
    """Return the end of the session in which a bar closed, or at whose end it did; all in one timezone.

    Args:
        closed: the bar's stamp.
        sessionend: as Backtrader has it; its default is taken to be midnight.
    """
    end = datetime.combine(closed.date(), time() if sessionend == _END_OF_DAY else sessionend)
    # A day number is good to some ten microseconds.
    return end if closed <= end + _STEP / 2 else end + timedelta(days=1)
