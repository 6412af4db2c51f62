"""Binance's market streams: what each of them says as the market's clock moves.

A stream that comes every so often comes at whole multiples of its period in exchange time, so that what it says
does not depend on how the clock was moved.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from tradeguard.simulator.binance.depth_stream import DepthChanges
from tradeguard.simulator.binance.market_data import best_json
from tradeguard.simulator.binance.serialise import symbol_id
from tradeguard.simulator.binance.stream_events import agg_trade_event, kline_event, ticker_event, trade_event
from tradeguard.simulator.binance.stream_names import Channel, StreamName
from tradeguard.simulator.stream_delivery import StreamMessage
from tradeguard.simulator.symbol_book import SymbolBook
from tradeguard.simulator.timeframes import TIMEFRAMES_MS

__all__ = ["MarketStreams"]

_Timed = Iterator[tuple[int, object]]


class MarketStreams:
    """The market streams that somebody listens to. Not thread-safe.

    Args:
        books: by unified symbol.
    """

    def __init__(self, books: Mapping[str, SymbolBook]) -> None:
        self._books = books
        self._sources: dict[str, tuple[StreamName, list[_Source]]] = {}

    @property
    def step_ms(self) -> int | None:
        """How far the clock may move before `collect` has to be called; None for as far as it likes."""
        periods = [name.speed_ms for name, _ in self._sources.values() if name.speed_ms]
        if not periods:
            return None
        # Klines close at whole seconds, between those at which they come.
        return min(1000, *periods)

    def listen(self, names: Iterable[StreamName], now_ms: int) -> None:
        """Let these streams run, and no others; one that already runs goes on."""
        running = self._sources
        self._sources = {
            name.text: running.get(name.text) or (name, self._start(name, now_ms)) for name in names
        }

    def collect(self, now_ms: int) -> list[StreamMessage]:
        """Return what was to be said since the last call, in the order of time."""
        messages = [
            StreamMessage(name.group, name.text, json.dumps(said, separators=(",", ":")), at_ms)
            for name, sources in self._sources.values()
            for at_ms, said in _said(name, sources, now_ms)
        ]
        messages.sort(key=lambda message: message.time_ms)
        return messages

    def _start(self, name: StreamName, now_ms: int) -> list[_Source]:
        make = _SOURCES[name.channel]
        return [make(self._books[symbol], name, now_ms) for symbol in name.symbols]


def _said(name: StreamName, sources: list[_Source], now_ms: int) -> _Timed:
    if not name.is_list:
        for source in sources:
            yield from source.said(now_ms)
        return
    changed = [said for source in sources for _, said in source.said(now_ms)]
    if changed:
        yield now_ms, changed


class _Source(ABC):
    """One symbol's part in one stream.

    Args:
        book: the symbol's book.
        name: the stream.
        now_ms: when somebody began to listen.
    """

    def __init__(self, book: SymbolBook, name: StreamName, now_ms: int) -> None:
        self._book = book
        self._name = name
        self._said_ms = now_ms
        self._cursor = book.feed.last_print(now_ms).number

    @abstractmethod
    def said(self, now_ms: int) -> _Timed:
        """Yield times and messages since the last call; they are as of `now_ms`."""

    def _is_due(self, now_ms: int) -> bool:
        """Return whether a stream that comes every so often comes now."""
        if now_ms <= self._said_ms or now_ms % self._name.speed_ms:
            return False
        self._said_ms = now_ms
        return True

    def _has_traded(self, now_ms: int) -> bool:
        """Return whether there was a print since the last call."""
        before, self._cursor = self._cursor, self._book.feed.last_print(now_ms).number
        return self._cursor > before


class _Trades(_Source):
    def said(self, now_ms: int) -> _Timed:
        build = trade_event if self._name.channel is Channel.TRADE else agg_trade_event
        for one in self._book.feed.prints_after(self._cursor, now_ms):
            self._cursor = one.number
            if one.quantity:
                yield one.time_ms, build(self._book.feed.symbol, one)


class _Ticker(_Source):
    def said(self, now_ms: int) -> _Timed:
        if self._is_due(now_ms) and self._has_traded(now_ms):
            is_mini = self._name.channel is Channel.MINI_TICKER
            yield now_ms, ticker_event(self._book, now_ms, is_mini=is_mini)


class _Best(_Source):
    """The best bid and ask, at most every 100 ms."""

    _before: Mapping[str, object] | None = None

    def said(self, now_ms: int) -> _Timed:
        if not self._is_due(now_ms):
            return
        best = best_json(self._book, now_ms)
        if best != self._before:
            self._before = best
            yield (
                now_ms,
                {
                    "u": self._book.update_id(now_ms),
                    "s": symbol_id(self._book.feed.symbol),
                    "b": best["bidPrice"],
                    "B": best["bidQty"],
                    "a": best["askPrice"],
                    "A": best["askQty"],
                },
            )


class _Depth(_Source):
    def __init__(self, book: SymbolBook, name: StreamName, now_ms: int) -> None:
        super().__init__(book, name, now_ms)
        self._changes = DepthChanges(book, now_ms)

    def said(self, now_ms: int) -> _Timed:
        if self._is_due(now_ms):
            event = self._changes.until(now_ms)
            if event is not None:
                yield now_ms, event


class _Kline(_Source):
    """The forming candle where it has changed, and each candle once more when it has closed."""

    def said(self, now_ms: int) -> _Timed:
        feed, length_ms = self._book.feed, TIMEFRAMES_MS[self._name.interval]
        if now_ms % 1000 or now_ms <= self._said_ms:
            return
        has_closed = now_ms % length_ms == 0
        comes = has_closed or now_ms % self._name.speed_ms == 0
        if not comes:
            return
        self._said_ms = now_ms
        end_ms = feed.end_ms
        has_traded = self._has_traded(now_ms)
        if has_closed and (end_ms is None or now_ms - length_ms < end_ms):
            yield now_ms, kline_event(feed, self._name.interval, now_ms - length_ms, now_ms)
        if has_traded and (end_ms is None or now_ms < end_ms):
            yield now_ms, kline_event(feed, self._name.interval, now_ms - now_ms % length_ms, now_ms)


_SOURCES: Mapping[Channel, Callable[[SymbolBook, StreamName, int], _Source]] = MappingProxyType(
    {
        Channel.TRADE: _Trades,
        Channel.AGG_TRADE: _Trades,
        Channel.KLINE: _Kline,
        Channel.TICKER: _Ticker,
        Channel.MINI_TICKER: _Ticker,
        Channel.BOOK: _Best,
        Channel.DEPTH: _Depth,
    }
)
