"""Making a stream whole: what its line has not delivered yet is read by REST and put in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import ccxt

from tradeguard.error_monitor import ErrorSeverity
from tradeguard.exceptions import DataFeedException
from tradeguard.redaction import redact
from tradeguard_ccxt.candle_line import CandleLine
from tradeguard_ccxt.operations import Circuit
from tradeguard_ccxt.order_line import OrderLine
from tradeguard_ccxt.parts import parts_of, streams_of
from tradeguard_ccxt.stream import Stream, StreamGap
from tradeguard_ccxt.stream_kinds import Content
from tradeguard_ccxt.stream_lines import StreamLine
from tradeguard_ccxt.stream_reads import Read, is_read_by_id, read_line
from tradeguard_ccxt.trade_line import TradeLine

__all__ = ["Mender"]

_PAUSES = (0.25, 0.5)  # REST may lag behind the socket


class Mender:
    """Completes the results of one call of a stream.

    Args:
        exchange: the guarded instance.
        stream: the stream.
        arguments: of the call, by name.
    """

    def __init__(self, exchange: Any, stream: Stream, arguments: Mapping[str, Any]) -> None:
        self._exchange = exchange
        self._stream = stream
        self._since = arguments.get("since")
        self._limit = arguments.get("limit")
        self._timeframe = arguments.get("timeframe", "1m")
        self._begun = stream.deliveries
        self._guard, self._desk, self._flavour = parts_of(exchange)
        self._streams = streams_of(exchange)
        for key in self._declared():
            self._line(key)

    def begin(self) -> None:
        """Begin to wait: what is delivered from now on is for this call too."""
        self._begun = self._stream.deliveries

    async def arrived(self, result: Any) -> Any:
        """Return what of a socket's result is new, completed where something seems to be missing."""
        stream = self._stream
        version = stream.version
        if self._is_delivered(version):
            return self._delivered()
        groups = self._groups(result)
        if self._suspects(groups) or stream.lock.locked():  # another caller's news come first
            try:
                async with stream.lock:
                    if self._is_delivered(version):
                        return self._delivered()
                    news = await self._whole(groups)
            except asyncio.CancelledError:
                stream.is_unverified, stream.is_checked = True, False  # ccxt does not tell it once more
                raise
        else:
            news = {key: self._line(key).sift(items).fresh for key, items in groups.items()}
            for key, items in news.items():
                self._line(key).deliver(items)
        if not self._exchange.newUpdates:
            news = {key: self._line(key).complete(items) for key, items in groups.items()}
        shaped = self._shaped(news)
        stream.delivered = (version, shaped)
        stream.deliveries += 1
        return shaped

    async def mended(self) -> Any:
        """Return what REST tells that was not delivered; None where it could not be asked, or has nothing to tell."""
        if not self._stream.kind.is_whole:
            return None
        self._stream.mended_at = self._streams.now
        try:
            return await self.polled()
        except ccxt.BaseError:  # the monitor has it; the next message, or the next poll, comes back to this
            return None

    async def polled(self) -> Any:
        """Return what REST tells that was not delivered yet.

        Raises:
            ccxt.BaseError: REST could not be asked.
        """
        async with self._stream.lock:
            keys = list(dict.fromkeys([*self._stream.lines, *self._declared()]))
            for key in keys:
                self._line(key)
            reads = {key: await self._read(key) for key in keys}
            # All of it counts as delivered only now: a caller that is cancelled on the way has lost nothing.
            return self._shaped({key: self._mend(key, read, []) for key, read in reads.items()})

    def _suspects(self, groups: Mapping[Any, list[Any]]) -> list[Any]:
        """Return the lines that must be completed by REST."""
        if self._stream.is_unverified:
            return list({**self._stream.lines, **groups})
        if self._limit is not None or not self._exchange.newUpdates:
            return []  # what ccxt leaves out by itself is no loss
        return [key for key, items in groups.items() if self._line(key).sift(items).suspect]

    async def _whole(self, groups: Mapping[Any, list[Any]]) -> dict[Any, list[Any]]:
        """Return what is new, completed by REST where it is suspect."""
        losses = self._stream.losses
        reads: dict[Any, Read | ccxt.BaseError] = {}
        for key in self._suspects(groups):
            try:
                reads[key] = await self._read_beyond(key, groups.get(key, []))
            except ccxt.BaseError as error:
                reads[key] = error
        if losses == self._stream.losses:  # else it was lost once more meanwhile
            self._stream.is_unverified = False
        news: dict[Any, list[Any]] = {}
        for key in {**groups, **reads}:
            fresh, read = self._line(key).sift(groups.get(key, [])).fresh, reads.get(key)
            if isinstance(read, Read):
                news[key] = self._mend(key, read, fresh)
                continue
            if read is not None:
                self._lost(key, self._line(key).since_ms, f"{type(read).__name__}: {redact(str(read))[:200]}")
            self._line(key).deliver(fresh)
            news[key] = fresh
        return news

    async def _read_beyond(self, key: Any, live: Sequence[Any]) -> Read:
        """Read a line by REST until it goes up to what the socket told: REST may lag behind."""
        line = self._line(key)
        read = await self._read(key)
        for pause in _PAUSES if isinstance(line, TradeLine) else ():
            if not line.sift([*read.items, *live]).suspect:
                break
            await self._flavour.sleep_async(pause)
            read = await self._read(key)
        return read

    async def _read(self, key: Any) -> Read:
        return await read_line(self._exchange, self._stream, key, self._streams.now_ms())

    def _mend(self, key: Any, read: Read, live: Sequence[Any]) -> list[Any]:
        """Return what is new on one line, completed by what REST told; tell of what is missing all the same."""
        line = self._line(key)
        before = line.since_ms
        mended = line.mend(read.items, live)
        if mended.healed:
            self._took(key, mended.healed)
        if not (mended.whole and read.is_complete):
            self._lost(key, before, "the exchange tells too little of the past")
        return mended.fresh

    def _took(self, key: Any, healed: int) -> None:
        self._guard.tally.add("stream_healed", healed)
        self._guard.monitor.record_rescue(
            "stream_healed",
            self._guard.component(Circuit.STREAMS),
            operation=self._stream.method,
            detail={"symbol": key[0] if isinstance(key, tuple) else key, "items": healed},
        )

    def _lost(self, key: Any, since_ms: int | None, reason: str) -> None:
        """Tell that something is missing that cannot be had."""
        symbol = key[0] if isinstance(key, tuple) else key
        gap = StreamGap(
            stream=self._stream.method,
            symbol=symbol,
            since_ms=since_ms,
            until_ms=self._streams.now_ms(),
            reason=reason,
        )
        self._streams.gaps.append(gap)
        self._guard.tally.add("stream_gaps")
        error = DataFeedException(
            f"{self._guard.exchange_id} {gap.stream} of {symbol}: something between {since_ms} and {gap.until_ms} "
            f"may be missing ({reason})",
            data_source=self._guard.exchange_id,
            symbol=symbol,
        )
        context = {"operation": gap.stream, "symbol": symbol}
        self._guard.monitor.record_error(
            error, ErrorSeverity.ERROR, self._guard.component(Circuit.STREAMS), context
        )

    # -- shapes -----------------------------------------------------------------------------------------------

    def _declared(self) -> list[Any]:
        """Return the lines that the caller named, or of whose orders we know."""
        content = self._stream.kind.content
        is_known = bool(self._stream.symbols and self._stream.lines)
        if not self._stream.kind.is_whole or is_known or not self._exchange.markets:
            return []
        if content is Content.CANDLES:
            pairs = self._stream.arguments.get("symbolsAndTimeframes")
            named = [(self._stream.symbol, self._timeframe)] if pairs is None else pairs
            return [(self._unified(symbol), timeframe) for symbol, timeframe in named]
        symbols = self._stream.symbols
        if not symbols and self._stream.kind.is_private:
            symbols = sorted(self._desk.symbols)
        return [self._unified(symbol) for symbol in symbols]

    def _unified(self, symbol: Any) -> Any:
        try:
            return self._exchange.market(symbol)["symbol"]
        except ccxt.BaseError:
            return symbol

    def _line(self, key: Any) -> StreamLine:
        line = self._stream.lines.get(key)
        if line is None:
            content = self._stream.kind.content
            if content is Content.CANDLES:
                line = CandleLine(int(self._exchange.parse_timeframe(key[1]) * 1000))
            elif content is Content.ORDERS:
                line = OrderLine(self._stream.began_ms)
            else:
                line = TradeLine(
                    self._stream.began_ms,
                    may_be_dense=not self._stream.kind.is_private,
                    is_dense=is_read_by_id(self._exchange, self._stream, key),
                )
            self._stream.lines[key] = line
        return line

    def _groups(self, result: Any) -> dict[Any, list[Any]]:
        if self._stream.kind.content is Content.CANDLES:
            if isinstance(result, dict):
                return {(s, t): list(c) for s, frames in result.items() for t, c in frames.items()}
            return {(self._unified(self._stream.symbol), self._timeframe): list(result)}
        groups: dict[Any, list[Any]] = {}
        for item in result:
            groups.setdefault(item.get("symbol"), []).append(item)
        return groups

    def _shaped(self, news: Mapping[Any, Sequence[Any]]) -> Any:
        """Return news in the shape of the method's results, as the caller's `since` and `limit` want them."""
        chosen = {key: self._chosen(items) for key, items in news.items()}
        if self._stream.kind.content is not Content.CANDLES:
            return [item for key in chosen for item in chosen[key]]
        if not self._stream.kind.is_of_many:
            return [candle for candles in chosen.values() for candle in candles]
        shaped: dict[str, dict[str, Any]] = {}
        for (symbol, timeframe), candles in chosen.items():
            if candles:
                shaped.setdefault(symbol, {})[timeframe] = candles
        return shaped

    def _chosen(self, items: Sequence[Any]) -> list[Any]:
        since = self._since
        kept = [item for item in items if since is None or self._time(item) >= since]
        return kept if self._limit is None else kept[-self._limit :]

    def _time(self, item: Any) -> int:
        return int((item[0] if isinstance(item, list) else item.get("timestamp")) or 0)

    def _is_delivered(self, version: int) -> bool:
        """Whether another caller, who waited for the same message, has done this work already."""
        delivered = self._stream.delivered
        return self._stream.deliveries > self._begun and delivered is not None and delivered[0] == version

    def _delivered(self) -> Any:
        return [] if self._stream.delivered is None else self._stream.delivered[1]
