# SPDX-License-Identifier: GPL-3.0-or-later
"""Timeframes: Backtrader's pair of unit and compression, the exchange's name for it, and its length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import backtrader as bt

__all__ = ["Timeframe", "supported_timeframe"]

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

# Units that Backtrader and exchanges share. A day of 24 hours is the exchanges' day, so minutes reach it;
# a week is not seven of anything, since it begins on a Monday.
_UNITS = {
    bt.TimeFrame.Seconds: ("s", "smhd"),
    bt.TimeFrame.Minutes: ("m", "smhd"),
    bt.TimeFrame.Days: ("d", "smhd"),
    bt.TimeFrame.Weeks: ("w", "w"),
}

# Units of the calendar: how many months, the exchanges' letters for them, the least number of days.
_CALENDAR = {bt.TimeFrame.Months: (1, "M", 28), bt.TimeFrame.Years: (12, "yY", 365)}


@dataclass(frozen=True, slots=True)
class Timeframe:
    """One timeframe of an exchange.

    Attributes:
        name: the exchange's unified name, such as `1m`.
        duration_ms: its length; of a month or a year the shortest, since they differ.
        months: its length in months, 0 for every fixed length.
    """

    name: str
    duration_ms: int
    months: int = 0

    @property
    def is_aligned(self) -> bool:
        """Whether candles open at multiples of their length.

        Up to an hour they do everywhere; longer ones begin where the exchange's own day or week does.
        """
        return self.duration_ms <= 3_600_000

    def may_open_at(self, open_ms: int) -> bool:
        """Whether a candle can open at `open_ms`."""
        return not self.is_aligned or open_ms % self.duration_ms == 0

    def first_open_ms(self, start_ms: int) -> int:
        """Return the first time at or after `start_ms` at which a candle may open."""
        return -(-start_ms // self.duration_ms) * self.duration_ms if self.is_aligned else start_ms

    def close_ms(self, open_ms: int) -> int:
        """Return when a candle closes that opened at `open_ms`, both in epoch milliseconds."""
        if not self.months:
            return open_ms + self.duration_ms
        opened = datetime.fromtimestamp(open_ms / 1000, UTC)
        years, month = divmod(opened.month - 1 + self.months, 12)
        closed = opened.replace(year=opened.year + years, month=month + 1)
        return int(closed.timestamp() * 1000)

    def last_close_ms(self, open_ms: int, until_ms: int) -> int:
        """Return the last close until `until_ms` of candles from `open_ms` on; `open_ms` where there is none."""
        if not self.months:
            return open_ms + max(until_ms - open_ms, 0) // self.duration_ms * self.duration_ms
        last_ms = open_ms
        while (close_ms := self.close_ms(last_ms)) <= until_ms:
            last_ms = close_ms
        return last_ms


def supported_timeframe(unit: int, compression: int, names: Iterable[str]) -> Timeframe | None:
    """Return the exchange's timeframe for Backtrader's `unit` and `compression`.

    Args:
        unit: one of `bt.TimeFrame`.
        compression: how many of them, >= 1.
        names: what the exchange offers, such as `1m` and `1h`.

    Returns:
        None where the exchange has no timeframe of exactly this length.
    """
    offered = list(names)
    if unit in _CALENDAR:
        months, letters, days = _CALENDAR[unit]
        for name in (f"{compression}{letter}" for letter in letters):
            if name in offered:
                return Timeframe(name, compression * days * 86_400_000, compression * months)
        return None
    if unit not in _UNITS:
        return None
    letter, equals = _UNITS[unit]
    wanted = compression * _SECONDS[letter]
    preferred = sorted(offered, key=lambda name: name != f"{compression}{letter}")
    for name in preferred:
        if _seconds(name, equals) == wanted:
            return Timeframe(name, wanted * 1000)
    return None


def _seconds(name: str, units: str) -> int | None:
    count, letter = name[:-1], name[-1:]
    return int(count) * _SECONDS[letter] if count.isdigit() and letter and letter in units else None
