# SPDX-License-Identifier: GPL-3.0-or-later
"""The candles of one market as its exchange sends them: those that it calls closed, as soon as they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tradeguard_backtrader.awaited_exchange import AwaitedExchange
from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.feeds.candle_sequence import CandleSequence
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime
from tradeguard_backtrader.feeds.live_source import LiveSource
from tradeguard_backtrader.feeds.timeframes import Timeframe

__all__ = ["CandleStream"]

_KEPT = 5_000  # candles that may wait for the poller


class CandleStream(LiveSource[CandleSequence]):
    """Watches `watch_ohlcv`.

    The message before the next candle may be lost, and then what was heard last of a candle is not what it closed
    with. So a candle is taken from the stream only where the exchange itself calls it closed, as a guarded exchange
    tells. Where it does not, the beginning of the next candle tells when to ask REST.

    Args:
        exchange: with an event loop.
        symbol: unified symbol.
        timeframe: the candles' timeframe.
        config: pauses.
        time: the exchange's time.
    """

    def __init__(
        self,
        exchange: AwaitedExchange,
        symbol: str,
        timeframe: Timeframe,
        config: StoreConfig,
        time: ExchangeTime,
    ) -> None:
        super().__init__(exchange, config, time)
        self._symbol = symbol
        self._timeframe = timeframe
        self._lock = threading.Lock()
        self._closed: dict[int, list[Any]] = {}
        self._newest_ms = 0
        self._end: Callable[[], None] = lambda: None

    @property
    def silence(self) -> float:
        """After how many seconds without a message REST is asked whether anything happened."""
        return self._config.max_poll_pause

    @property
    def shown_ms(self) -> int:
        """The open of the newest candle that the stream has shown, epoch milliseconds."""
        return self._newest_ms

    def start(self) -> None:
        """Begin to watch."""
        listen = getattr(self._exchange, "listen_for_closed_candles", None)
        if listen is not None and self._watching is None:
            self._end = listen(self._on_closed)
        super().start()

    def stop(self) -> None:
        """Watch no more."""
        self._end()
        super().stop()

    def take(self, sequence: CandleSequence) -> list[Any]:
        """Return the closed candles that follow on what was told, and with them what came again of earlier ones."""
        with self._lock:
            following, open_ms = [], sequence.next_ms
            while (row := self._closed.pop(open_ms, None)) is not None:
                following.append(row)
                open_ms = self._timeframe.close_ms(open_ms)
            if not following:
                return []
            earlier = sorted(known_ms for known_ms in self._closed if known_ms < open_ms)
            return [*(self._closed.pop(known_ms) for known_ms in earlier), *following]

    def is_ahead(self, sequence: CandleSequence) -> bool:
        """Whether a later candle has begun than the one that is waited for."""
        return self._newest_ms >= sequence.next_close_ms

    def __str__(self) -> str:
        return f"the stream of {self._symbol}'s {self._timeframe.name} candles"

    async def _next(self) -> Any:
        return await self._exchange.awaited.watch_ohlcv(self._symbol, self._timeframe.name)

    def _took(self, rows: list[Any]) -> bool:
        newest_ms = max((int(row[0]) for row in rows), default=0)
        if newest_ms <= self._newest_ms:
            return False
        self._newest_ms = newest_ms
        return True

    def _on_closed(self, symbol: str, timeframe: str, row: list[Any]) -> None:
        if (symbol, timeframe) != (self._symbol, self._timeframe.name):
            return
        open_ms = int(row[0])
        self._heard()
        with self._lock:
            self._closed[open_ms] = row
            while len(self._closed) > _KEPT:
                del self._closed[min(self._closed)]
        self._newest_ms = max(self._newest_ms, open_ms)
        self.wake()
