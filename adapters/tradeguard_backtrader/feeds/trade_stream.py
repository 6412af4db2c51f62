# SPDX-License-Identifier: GPL-3.0-or-later
"""The public trades of one market as its exchange sends them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tradeguard_backtrader.awaited_exchange import AwaitedExchange
from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime
from tradeguard_backtrader.feeds.live_source import LiveSource
from tradeguard_backtrader.feeds.trade_sequence import TradeSequence

__all__ = ["TradeStream"]

_KEPT = 20_000  # trades that may wait for the poller

# Which of the exchange's streams has the very trades, by the same ids, that ccxt's `fetch_trades` reads. Binance's
# `fetch_trades` reads aggregated trades, and its usual stream has single ones:
# https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#aggregate-trade-streams
_AS_BY_REST: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {key: {"name": "aggTrade"} for key in ("binance", "binancecoinm", "binanceus", "binanceusdm")}
)


class TradeStream(LiveSource[TradeSequence]):
    """Watches `watch_trades`.

    A trade is taken from the stream only where its id is the number after that of the last one told: so none is
    missing. Where ids have holes, or are others than those of REST, a trade tells when to ask REST.

    Args:
        exchange: with an event loop.
        symbol: unified symbol.
        config: pauses.
        time: the exchange's time.
    """

    def __init__(
        self, exchange: AwaitedExchange, symbol: str, config: StoreConfig, time: ExchangeTime
    ) -> None:
        super().__init__(exchange, config, time)
        self._symbol = symbol
        self._params = dict(_AS_BY_REST.get(str(getattr(exchange, "id", "")), {}))
        self._lock = threading.Lock()
        self._trades: deque[Mapping[str, Any]] = deque(maxlen=_KEPT)

    @property
    def silence(self) -> float:
        """After how many seconds without a message REST is asked whether anything happened: before it would be late."""
        return self._config.trade_poll if self.heard_at is None else self._config.patience / 2

    def take(self, sequence: TradeSequence) -> list[Any]:
        """Return the trades that follow on what was told by number."""
        taken: list[Any] = []
        with self._lock:
            self._forget(sequence)
            last = sequence.last_number
            while last is not None and self._trades and _number(self._trades[0]) == last + 1:
                last += 1
                taken.append(self._trades.popleft())
        return taken

    def is_ahead(self, sequence: TradeSequence) -> bool:
        """Whether there are trades that do not follow on what was told."""
        with self._lock:
            self._forget(sequence)
            return bool(self._trades) and _number(self._trades[0]) != (sequence.last_number or -1) + 1

    def _forget(self, sequence: TradeSequence) -> None:
        """Forget what was told."""
        last = sequence.last_number
        while self._trades:
            first = self._trades[0]
            number = _number(first)
            is_told = number <= last if number is not None and last is not None else False
            if not is_told and (first.get("timestamp") or 0) >= sequence.next_ms:
                return
            self._trades.popleft()

    def __str__(self) -> str:
        return f"the stream of {self._symbol}'s trades"

    async def _next(self) -> Any:
        arguments = (None, None, self._params) if self._params else ()
        return await self._exchange.awaited.watch_trades(self._symbol, *arguments)

    def _took(self, rows: list[Any]) -> bool:
        with self._lock:
            self._trades.extend(rows)
        return bool(rows)


def _number(trade: Mapping[str, Any]) -> int | None:
    identifier = str(trade.get("id"))
    return int(identifier) if identifier.isdecimal() else None
