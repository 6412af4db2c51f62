# SPDX-License-Identifier: GPL-3.0-or-later
"""From pages of public trades to a sequence: each trade once, ascending, gaps named.

Pure: what is asked of the exchange, and when, is up to the caller (`poller.py`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tradeguard_backtrader.feeds.candles import Batch, Candle, Gap, GapReason

__all__ = ["TradeSequence"]

_RECENT_MS = 1_000  # who has seen a trade of the last second is up to date
_WINDOW_MS = 3_600_000  # some exchanges, Binance among them, look no further than an hour beyond `since`


@dataclass(frozen=True, slots=True)
class _Trade:
    """One trade; `key` tells it from every other one of its millisecond."""

    stamp_ms: int
    number: int
    key: object
    price: float
    amount: float


class TradeSequence:
    """The public trades of one market, one after the other, each as a candle of no length.

    Pages overlap: each is asked for from a millisecond before the last trade that was told, so that a page that
    begins later is known to have a hole before it.

    Args:
        start_ms: the earliest trade that is wanted, epoch milliseconds; None for the latest `history` trades.
        history: how many trades to begin with where `start_ms` is None; a page at most, >= 0.
        page: how many trades the exchange returns at most for one request, >= 1.
        refetches: how often a page with a malformed trade is asked for again, >= 0.
    """

    def __init__(self, start_ms: int | None, *, history: int = 0, page: int, refetches: int = 2) -> None:
        self._start_ms = start_ms
        self._history = history
        self._page = page
        self._refetches = refetches
        self._refetched = 0
        self._given_up: set[int] = set()  # the times of malformed trades that were told as such
        self._last_ms: int | None = None  # of the last trade that was told
        self._last_number: int | None = None
        self._told: set[object] = set()  # the keys of those that were told of that millisecond
        self._searched_ms = 0  # nothing was found from the last trade to here

    @property
    def since_ms(self) -> int | None:
        """What to ask the exchange for; None for its latest trades."""
        if self._last_ms is None:
            return None if self._start_ms is None else max(self._start_ms, self._searched_ms)
        return max(self._last_ms - 1, self._searched_ms)

    @property
    def next_ms(self) -> int:
        """The earliest time of the next trade, epoch milliseconds."""
        return self.next_close_ms

    @property
    def next_close_ms(self) -> int:
        """The earliest time of the next trade, epoch milliseconds."""
        if self._last_ms is not None:
            return self._last_ms
        return 0 if self._start_ms is None else self._start_ms

    @property
    def last_number(self) -> int | None:
        """The id of the last trade that was told, where it is a number above 0."""
        return self._last_number

    def close_of(self, row: Mapping[str, Any]) -> int:
        """Return the time of a trade of ccxt's, epoch milliseconds; 0 where it has none."""
        return int(row.get("timestamp") or 0)

    def accept(self, rows: Iterable[object], known_by_ms: int, *, follows: bool = False) -> Batch:
        """Take in the page that was asked for with `since_ms`, or trades of a stream.

        Args:
            rows: ccxt's trades, in whatever order and state.
            known_by_ms: the exchange's time, or less, when the page was asked for.
            follows: the first of them is known to be the one after the last that was told.
        """
        asked_ms = self.since_ms
        listed = list(rows)
        trades, malformed = _read(listed)
        malformed = {stamp for stamp in malformed if stamp not in self._given_up and not self._is_past(stamp)}
        if malformed and self._refetched < self._refetches:
            self._refetched += 1
            return Batch(refetch=True)
        self._refetched = 0
        is_full = len(listed) >= self._page and not follows
        fresh = self._fresh(trades)
        items: list[Candle | Gap] = []
        hole = None if follows else self._hole(trades, fresh)
        if hole is not None:
            items.append(hole)
        items.extend(self._tell(trade) for trade in fresh)
        self._given_up = malformed | {stamp for stamp in self._given_up if not self._is_past(stamp)}
        items.extend(Gap(stamp, stamp + 1, GapReason.MALFORMED) for stamp in sorted(malformed - {0}))
        if self._start_ms is None and self._last_ms is None:
            self._start_ms = known_by_ms  # nobody has traded yet
        if fresh:
            # Never by the length of a page: some exchanges give less than they are asked for.
            return Batch(items, caught_up=not is_full and fresh[-1].stamp_ms >= known_by_ms - _RECENT_MS)
        # An exchange that goes by `since` shows a page of nothing but that moment only where there is more of it.
        is_stuck = is_full and asked_ms is not None and all(trade.stamp_ms >= asked_ms for trade in trades)
        return self._nothing_new(items, asked_ms, known_by_ms, is_stuck=is_stuck)

    def _fresh(self, trades: list[_Trade]) -> list[_Trade]:
        """Return what was not told yet, in order."""
        if self._last_ms is None:
            since_ms = self._start_ms
            if since_ms is None:
                return trades[len(trades) - min(self._history, len(trades)) :]
            return [trade for trade in trades if trade.stamp_ms >= since_ms]
        last_ms = self._last_ms
        return [
            trade
            for trade in trades
            if trade.stamp_ms > last_ms or (trade.stamp_ms == last_ms and trade.key not in self._told)
        ]

    def _is_past(self, stamp_ms: int) -> bool:
        return self._last_ms is not None and 0 < stamp_ms < self._last_ms

    def _hole(self, trades: list[_Trade], fresh: list[_Trade]) -> Gap | None:
        """Return the gap before a page that should begin with a trade that was told, and does not."""
        last_ms = self._last_ms
        if not fresh or last_ms is None or self._searched_ms >= last_ms:
            return None
        overlaps = any(trade.stamp_ms <= last_ms for trade in trades)
        return None if overlaps else Gap(last_ms + 1, fresh[0].stamp_ms, GapReason.MISSING)

    def _tell(self, trade: _Trade) -> Candle:
        if trade.stamp_ms != self._last_ms:
            self._last_ms = trade.stamp_ms
            self._told.clear()
        self._told.add(trade.key)
        self._last_number = trade.number or None
        stamp_ms, price = trade.stamp_ms, trade.price
        return Candle(stamp_ms, stamp_ms, price, price, price, price, trade.amount)

    def _nothing_new(
        self, items: list[Candle | Gap], asked_ms: int | None, known_by_ms: int, *, is_stuck: bool
    ) -> Batch:
        """Step over an hour of silence, or out of a millisecond that fills a page, or be up to date."""
        if is_stuck and asked_ms is not None and self._last_ms is not None:
            # All of the page is known: there are more trades in this millisecond than a page can hold.
            stuck_ms = max(self._last_ms, asked_ms)
            self._searched_ms = stuck_ms + 1
            if self._searched_ms <= known_by_ms:
                return Batch([*items, Gap(stuck_ms, stuck_ms + 1, GapReason.MISSING)])
        elif asked_ms is not None and asked_ms + _WINDOW_MS < known_by_ms:
            self._searched_ms = asked_ms + _WINDOW_MS
            return Batch(items)
        return Batch(items, caught_up=True)


def _read(rows: Iterable[object]) -> tuple[list[_Trade], set[int]]:
    """Return the trades in order, and the times of those that are malformed (0 where that is unknown)."""
    trades: list[_Trade] = []
    malformed: set[int] = set()
    alike: Counter[object] = Counter()
    for row in rows:
        fields = row if isinstance(row, Mapping) else {}
        stamp, price, amount = (_number(fields.get(name)) for name in ("timestamp", "price", "amount"))
        if stamp is None or price is None or amount is None or price <= 0 or amount < 0:
            malformed.add(0 if stamp is None else int(stamp))
            continue
        key: object = fields.get("id")
        if key is None:  # the nth of those that look the same
            looks = (stamp, price, amount, fields.get("side"))
            alike[looks] += 1
            key = (looks, alike[looks])
        number = int(key) if isinstance(key, str) and key.isdigit() else 0
        trades.append(_Trade(int(stamp), number, key, price, amount))
    trades.sort(key=lambda trade: (trade.stamp_ms, trade.number))
    return trades, malformed


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
