"""A symbol's trading as a function of time: prints, candles of every timeframe, the last price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from tradeguard.simulator.candles import Candle, Print, candle_of_prints, merge
from tradeguard.simulator.market import Listing
from tradeguard.simulator.path import prints_of, prints_per_candle

__all__ = ["SymbolFeed"]


class SymbolFeed:
    """What one symbol trades, from its first recorded candle to its last.

    Args:
        listing: the symbol and its candles.
        now_ms: epoch milliseconds of the exchange's start; the listing's history lies before it.
    """

    def __init__(self, listing: Listing, now_ms: int) -> None:
        self.rules = listing.rules
        self.candle_ms = listing.candle_ms
        self.origin_ms = now_ms - now_ms % listing.candle_ms - listing.history * listing.candle_ms
        self.prints_each = prints_per_candle(listing.candle_ms)
        self._source = listing.source
        self._seed = listing.seed
        self._merged: dict[tuple[int, int], Candle] = {}
        self.prints = lru_cache(maxsize=512)(self._prints)
        self._closed = lru_cache(maxsize=8192)(self._closed_base)

    @property
    def symbol(self) -> str:
        """The unified symbol."""
        return self.rules.symbol

    @property
    def end_ms(self) -> int | None:
        """Epoch milliseconds at which the last candle closes; None where there is no end."""
        length = self._source.length
        return None if length is None else self.origin_ms + length * self.candle_ms

    def is_closed(self, now_ms: int) -> bool:
        """Whether the market has come to its end."""
        return self.end_ms is not None and now_ms >= self.end_ms

    def index_at(self, now_ms: int) -> int:
        """Return the number of the candle that is forming at `now_ms`, or of the last one after the end."""
        index = max(0, (now_ms - self.origin_ms) // self.candle_ms)
        length = self._source.length
        return index if length is None else min(index, length - 1)

    def candle(self, index: int) -> Candle:
        """Return base candle `index` as it will be, or is, once it has closed."""
        return self._source.candle(index)

    def _prints(self, index: int) -> tuple[Print, ...]:
        open_ms = self.origin_ms + index * self.candle_ms
        candle, first = self._source.candle(index), index * self.prints_each
        return prints_of(candle, open_ms, self.candle_ms, first, self._seed, self.rules)

    def last_print(self, now_ms: int) -> Print:
        """Return the newest print at `now_ms`."""
        prints = self.prints(self.index_at(now_ms))
        return next((one for one in reversed(prints) if one.time_ms <= now_ms), prints[0])

    def prints_after(self, number: int, now_ms: int) -> Iterator[Print]:
        """Yield the prints that come after print `number`, up to `now_ms`."""
        first = max(number + 1, 0)
        for index in range(first // self.prints_each, self.index_at(now_ms) + 1):
            for one in self.prints(index):
                if first <= one.number and one.time_ms <= now_ms:
                    yield one

    def candles(
        self, interval_ms: int, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int
    ) -> list[Candle]:
        """Return at most `limit` candles of `interval_ms`, ascending, the forming one included.

        With `start_ms` the oldest that open at or after it, else the newest; none opens after `end_ms`.
        """
        last_ms = self.origin_ms + (self.index_at(now_ms) + 1) * self.candle_ms - 1
        last_open = min(now_ms, last_ms)
        if end_ms is not None:
            last_open = min(last_open, end_ms)
        last_open -= last_open % interval_ms
        first_open = self.origin_ms - self.origin_ms % interval_ms
        if start_ms is not None:
            first_open = max(first_open, -(-start_ms // interval_ms) * interval_ms)
            last_open = min(last_open, first_open + (limit - 1) * interval_ms)
        else:
            first_open = max(first_open, last_open - (limit - 1) * interval_ms)
        opens = range(first_open, last_open + 1, interval_ms)
        return [self._interval(open_ms, interval_ms, now_ms) for open_ms in opens]

    def _interval(self, open_ms: int, interval_ms: int, now_ms: int) -> Candle:
        if interval_ms == self.candle_ms:
            return self._base((open_ms - self.origin_ms) // interval_ms, now_ms)
        key = (interval_ms, open_ms)
        candle = self._merged.get(key)
        if candle is None:
            candle = self._built(open_ms, interval_ms, now_ms)
            if open_ms + interval_ms <= now_ms:
                self._merged[key] = candle
        return candle

    def _built(self, open_ms: int, interval_ms: int, now_ms: int) -> Candle:
        if interval_ms % self.candle_ms == 0:
            first = max(0, (open_ms - self.origin_ms) // self.candle_ms)
            last = self.index_at(min(now_ms, open_ms + interval_ms - 1))
            return merge((self._base(index, now_ms) for index in range(first, last + 1)), open_ms)
        until = min(now_ms, open_ms + interval_ms - 1)
        first = self.index_at(max(open_ms, self.origin_ms))
        inside = [
            one
            for index in range(first, self.index_at(until) + 1)
            for one in self.prints(index)
            if open_ms <= one.time_ms <= until
        ]
        if inside:
            return candle_of_prints(inside, open_ms)
        # Nothing traded in it: the exchange then shows the price before it and no volume.
        price = self.last_print(open_ms).price
        return Candle(open_ms, price, price, price, price, price * 0)

    def _base(self, index: int, now_ms: int) -> Candle:
        open_ms = self.origin_ms + index * self.candle_ms
        if open_ms + self.candle_ms <= now_ms:
            return self._closed(index)
        return candle_of_prints((one for one in self.prints(index) if one.time_ms <= now_ms), open_ms)

    def _closed_base(self, index: int) -> Candle:
        candle = self._source.candle(index)
        trades = self.prints_each if candle.volume else 0
        return replace(candle, open_ms=self.origin_ms + index * self.candle_ms, trades=trades)
