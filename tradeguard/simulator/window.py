"""The trailing day of a symbol, kept up to date at a cost that does not grow with its length."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from tradeguard.simulator.candles import ZERO, Candle
from tradeguard.simulator.feed import SymbolFeed

__all__ = ["DAY_MS", "DayStatistics", "TrailingDay"]

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class DayStatistics:
    """Twenty-four hours of trading; prices in quote currency per base."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    first_number: int
    last_number: int
    open_ms: int


class TrailingDay:
    """Rolls over the closed base candles of one symbol; time only goes forward.

    Highs and lows are kept in monotonic queues (Lemire, "Streaming maximum-minimum filter", 2006).
    """

    def __init__(self, feed: SymbolFeed) -> None:
        self._feed = feed
        self._highs: deque[tuple[int, Decimal]] = deque()
        self._lows: deque[tuple[int, Decimal]] = deque()
        self._first = 0
        self._next = 0
        self._volume = ZERO
        self._quote_volume = ZERO

    def at(self, now_ms: int) -> DayStatistics:
        """Return the statistics of the day that ends at `now_ms`."""
        feed = self._feed
        forming = feed.index_at(now_ms)
        while self._next < forming:
            self._enter(self._next, feed.candle(self._next))
            self._next += 1
        first = min(max(0, -((feed.origin_ms - now_ms + DAY_MS) // feed.candle_ms)), forming)
        while self._first < first:
            self._leave(self._first, feed.candle(self._first))
            self._first += 1
        current = feed.candles(feed.candle_ms, None, None, 1, now_ms)[-1]
        opened = feed.candle(self._first).open if self._first < forming else current.open
        last = feed.last_print(now_ms)
        return DayStatistics(
            open=opened,
            high=max(current.high, self._highs[0][1]) if self._highs else current.high,
            low=min(current.low, self._lows[0][1]) if self._lows else current.low,
            close=last.price,
            volume=self._volume + current.volume,
            quote_volume=self._quote_volume + current.quote_volume,
            first_number=self._first * feed.prints_each,
            last_number=last.number,
            open_ms=feed.origin_ms + self._first * feed.candle_ms,
        )

    def _enter(self, index: int, candle: Candle) -> None:
        while self._highs and self._highs[-1][1] <= candle.high:
            self._highs.pop()
        self._highs.append((index, candle.high))
        while self._lows and self._lows[-1][1] >= candle.low:
            self._lows.pop()
        self._lows.append((index, candle.low))
        self._volume += candle.volume
        self._quote_volume += candle.quote_volume

    def _leave(self, index: int, candle: Candle) -> None:
        if self._highs and self._highs[0][0] == index:
            self._highs.popleft()
        if self._lows and self._lows[0][0] == index:
            self._lows.popleft()
        self._volume -= candle.volume
        self._quote_volume -= candle.quote_volume
