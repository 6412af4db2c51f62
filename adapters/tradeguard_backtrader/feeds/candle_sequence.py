# SPDX-License-Identifier: GPL-3.0-or-later
"""From pages of candles to a sequence: closed ones only, each once, ascending, gaps named.

Pure: what is asked of the exchange, and when, is up to the caller (`poller.py`).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tradeguard_backtrader.feeds.candles import Batch, Candle, Correction, Gap, GapReason
from tradeguard_backtrader.feeds.timeframes import Timeframe

__all__ = ["CandleSequence"]


@dataclass(slots=True)
class _Hole:
    """A page with a hole in it, kept until it was asked for often enough.

    Attributes:
        until_ms: the open of the last candle that was there when the hole was seen.
        refetches: how often the page was asked for again.
        malformed: opens of candles that were there and were none.
    """

    until_ms: int
    refetches: int = 0
    malformed: set[int] = field(default_factory=set)


class CandleSequence:
    """The candles of one market, one after the other.

    Args:
        timeframe: the candles' timeframe.
        start_ms: the earliest open that is wanted, epoch milliseconds.
        page: how many candles the exchange returns at most for one request, >= 1.
        refetches: how often a page with a hole is asked for again before the hole is a gap, >= 0.
        recheck: how many of the last candles are looked at again with each page, once all of the history was told.
        remembered: how many can be looked at again, at most, by asking from `audit_ms` on.
    """

    def __init__(
        self,
        timeframe: Timeframe,
        start_ms: int,
        *,
        page: int,
        refetches: int = 2,
        recheck: int = 0,
        remembered: int = 0,
    ) -> None:
        self._timeframe = timeframe
        self._page_ms = page * timeframe.duration_ms
        self._refetches = refetches
        self._next_ms = timeframe.first_open_ms(start_ms)
        self._aligned = timeframe.is_aligned
        self._held: dict[int, Candle] = {}
        self._hole: _Hole | None = None
        self._silent_until_ms = self._next_ms  # nothing was found from `_next_ms` to here
        self._recheck = min(recheck, page - 1)
        self._remembered = min(max(recheck, remembered), page - 1)
        self._told: OrderedDict[int, Candle] = OrderedDict()  # the last ones, by their open
        self._without_volume: set[int] = set()  # the opens of candles that lack nothing else
        self._is_settled = False

    @property
    def next_ms(self) -> int:
        """The open of the next candle, epoch milliseconds; a lower bound until the first candle was seen."""
        return self._next_ms

    @property
    def next_close_ms(self) -> int:
        """When the next candle closes, epoch milliseconds."""
        return self._timeframe.close_ms(self._next_ms)

    @property
    def since_ms(self) -> int:
        """What to ask the exchange for."""
        return self._since_ms(self._recheck)

    @property
    def audit_ms(self) -> int:
        """What to ask the exchange for, to look at every candle again that is remembered."""
        return self._since_ms(self._remembered)

    def _since_ms(self, recheck: int) -> int:
        if self._hole is not None:
            return self._next_ms
        if self._is_settled and self._silent_until_ms <= self._next_ms:
            # Not further back than a page reaches, however far apart the last candles are.
            earliest_ms = self._next_ms - recheck * self._timeframe.duration_ms
            return min((open_ms for open_ms in self._told if open_ms >= earliest_ms), default=self._next_ms)
        return max(self._next_ms, self._silent_until_ms)

    def close_of(self, row: Sequence[Any]) -> int:
        """Return when the candle of an OHLCV row closes, epoch milliseconds."""
        return self._timeframe.close_ms(int(row[0]))

    def accept(self, rows: Iterable[object], closed_by_ms: int, *, asked_ms: int | None = None) -> Batch:
        """Take in the page that was asked for.

        Args:
            rows: ccxt's OHLCV rows, in whatever order and state.
            closed_by_ms: the exchange's time, or less, when the page was asked for; what closes later is no
                closed candle.
            asked_ms: from when on it was asked for; None for `since_ms`.
        """
        asked_ms = self.since_ms if asked_ms is None else asked_ms
        page = list(rows)
        corrections = self._corrected(page)
        malformed = self._hold(page, closed_by_ms)
        self._align(malformed)
        items: list[Candle | Gap] = list(self._run())
        refetch = self._look_at_hole(malformed)
        if self._hole is not None and not refetch:
            items += self._give_up(self._hole)
            items += self._run()
        if items or refetch:
            caught_up = not refetch and self.next_close_ms > closed_by_ms
            batch = Batch(items, refetch, caught_up=caught_up, corrections=corrections)
        else:
            batch = self._nothing_new(asked_ms, closed_by_ms, corrections)
        self._is_settled = batch.caught_up or batch.overdue
        return batch

    def _corrected(self, rows: Iterable[object]) -> tuple[Correction, ...]:
        """Return what has changed of the candles that were told."""
        corrections: list[Correction] = []
        for row in rows:
            open_ms = _open_ms(row)
            told = None if open_ms is None else self._told.get(open_ms)
            if told is None:
                continue
            candle = _candle(row, told.open_ms, told.close_ms)
            if candle is not None and candle != told:
                self._told[told.open_ms] = candle  # told once, not with every page
                corrections.append(Correction(told, candle))
        return tuple(corrections)

    def _hold(self, rows: Iterable[object], closed_by_ms: int) -> set[int]:
        """Keep the page's new closed candles and return the opens of those that are malformed."""
        fresh: dict[int, Candle] = {}
        malformed: set[int] = set()
        doubted: set[int] = set()  # two of one time that differ: neither can be believed
        for row in rows:
            open_ms = _open_ms(row)
            if open_ms is None or open_ms < self._next_ms or not self._timeframe.may_open_at(open_ms):
                continue
            close_ms = self._timeframe.close_ms(open_ms)
            if close_ms > closed_by_ms:
                continue
            candle = _candle(row, open_ms, close_ms)
            if candle is None:
                malformed.add(open_ms)
                if _lacks_volume(row):
                    self._without_volume.add(open_ms)
            elif fresh.setdefault(open_ms, candle) != candle:
                doubted.add(open_ms)
        self._held.update((open_ms, candle) for open_ms, candle in fresh.items() if open_ms not in doubted)
        return (malformed | doubted) - self._held.keys()

    def _align(self, malformed: set[int]) -> None:
        """Learn from the first page where candles begin, if their length does not tell."""
        seen = self._held.keys() | malformed
        if not self._aligned and seen:
            self._next_ms = min(seen)
            self._aligned = True

    def _run(self) -> Iterable[Candle]:
        """Release the held candles up to the first hole."""
        while (candle := self._held.pop(self._next_ms, None)) is not None:
            self._next_ms = candle.close_ms
            yield self._remember(candle)

    def _remember(self, candle: Candle) -> Candle:
        """Keep the candle for a later look at it."""
        self._told[candle.open_ms] = candle
        while len(self._told) > self._remembered:
            self._told.popitem(last=False)
        return candle

    def _look_at_hole(self, malformed: set[int]) -> bool:
        """Open, count or close the hole before the held candles; True if the page should be asked for again."""
        beyond = self._held.keys() | malformed
        beyond = {open_ms for open_ms in beyond if open_ms >= self._next_ms}
        if not beyond:
            self._hole = None
            self._without_volume.clear()
            return False
        if self._hole is None or self._next_ms > self._hole.until_ms:
            self._hole = _Hole(max(beyond))
        else:
            self._hole.refetches += 1
        self._hole.malformed = malformed
        return self._hole.refetches < self._refetches

    def _give_up(self, hole: _Hole) -> Iterable[Candle | Gap]:
        """Release what is held around the hole, naming what is not there."""
        self._hole = None
        opens = sorted(open_ms for open_ms in self._held.keys() | hole.malformed if open_ms <= hole.until_ms)
        for open_ms in opens:
            candle = self._held.pop(open_ms, None)
            if open_ms > self._next_ms:
                yield Gap(self._next_ms, open_ms, GapReason.MISSING)
            close_ms = self._timeframe.close_ms(open_ms)
            if candle is not None:
                yield self._remember(candle)
            elif open_ms in self._without_volume:
                yield Gap(open_ms, close_ms, GapReason.NO_VOLUME)
            else:
                yield Gap(open_ms, close_ms, GapReason.MALFORMED)
            self._next_ms = close_ms

    def _nothing_new(self, asked_ms: int, closed_by_ms: int, corrections: Sequence[Correction]) -> Batch:
        """Step over a page of silence, or find that there is nothing more to step over."""
        if self.next_close_ms > closed_by_ms:
            return Batch(caught_up=True, corrections=corrections)
        beyond_ms = asked_ms + self._page_ms
        if beyond_ms < closed_by_ms:
            self._silent_until_ms = beyond_ms
            return Batch(corrections=corrections)
        return Batch(overdue=True, corrections=corrections)


def _open_ms(row: object) -> int | None:
    first = row[0] if isinstance(row, (list, tuple)) and row else None
    if isinstance(first, bool) or not isinstance(first, (int, float)) or not math.isfinite(first):
        return None
    return int(first)


def _candle(row: object, open_ms: int, close_ms: int) -> Candle | None:
    values = row[1:6] if isinstance(row, (list, tuple)) else ()
    if len(values) < 5:
        return None
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return None
    opened, high, low, closed, volume = (float(value) for value in values)
    if low <= 0 or volume < 0 or low > min(opened, closed) or high < max(opened, closed):
        return None
    return Candle(open_ms, close_ms, opened, high, low, closed, volume)


def _lacks_volume(row: object) -> bool:
    """Whether a row is a candle but for its volume, which some exchanges do not tell of some markets."""
    if not isinstance(row, (list, tuple)) or len(row) < 6 or row[5] is not None:
        return False
    return _candle((*row[:5], 0.0), 0, 0) is not None
