# SPDX-License-Identifier: GPL-3.0-or-later
"""A second source of candles or trades beside REST: a stream of the exchange, which a poller listens to."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import ccxt

from tradeguard.redaction import redact
from tradeguard_backtrader.awaited_exchange import AwaitedExchange
from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.feeds.candle_sequence import CandleSequence
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime
from tradeguard_backtrader.feeds.trade_sequence import TradeSequence

__all__ = ["LiveSource"]

_logger = logging.getLogger("tradeguard.backtrader")

S = TypeVar("S", CandleSequence, TradeSequence)

# What watching again will not change; polling goes on.
_FINAL = (
    ccxt.NotSupported,
    ccxt.BadSymbol,
    ccxt.BadRequest,
    ccxt.AuthenticationError,
    ccxt.ExchangeClosedByUser,
)


class LiveSource(ABC, Generic[S]):
    """Watches a stream on the exchange's event loop and keeps what came until the poller takes it.

    What it gives is only what follows, without a hole, on what the poller has told: the poller decides all else.

    Args:
        exchange: with an event loop.
        config: how long to leave a stream alone that failed.
        time: the exchange's time.

    Attributes:
        wake: has the poller look; called on the loop's thread.
        heard_at: monotonic seconds of the last message; None before the first.
    """

    def __init__(self, exchange: AwaitedExchange, config: StoreConfig, time: ExchangeTime) -> None:
        self.wake: Callable[[], None] = lambda: None
        self.heard_at: float | None = None
        self._exchange = exchange
        self._config = config
        self._time = time
        self._watching: Future[Any] | None = None

    @property
    def shown_ms(self) -> int:
        """The exchange's time, or less, by what the stream has shown; epoch milliseconds."""
        return 0

    @property
    @abstractmethod
    def silence(self) -> float:
        """After how many seconds without a message REST is asked whether anything happened."""

    @abstractmethod
    def take(self, sequence: S) -> list[Any]:
        """Return the rows that follow on what was told, oldest first, and forget them; none where there is a hole."""

    @abstractmethod
    def is_ahead(self, sequence: S) -> bool:
        """Whether the stream has shown that there is something which it cannot give: REST has it."""

    def start(self) -> None:
        """Begin to watch; a second start is none."""
        if self._watching is None:
            self._watching = self._exchange.event_loop.spawn(self._watch)

    def stop(self) -> None:
        """Watch no more."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()

    @abstractmethod
    async def _next(self) -> Any:
        """Wait for the next message, and return what ccxt makes of it."""

    @abstractmethod
    def _took(self, rows: list[Any]) -> bool:
        """Keep what came; True if the poller should look."""

    def _heard(self) -> None:
        self.heard_at = self._time.clock.monotonic()

    async def _watch(self) -> None:
        failures = 0
        while True:
            try:
                rows = await self._next()
            except _FINAL as error:
                _logger.info("%s has ended, polling goes on: %s", self, redact(str(error)))
                return
            except Exception as error:  # noqa: BLE001 - ccxt raises anything at all; REST has what is missed meanwhile
                _logger.info("%s has failed: %s", self, redact(str(error)))
                failures += 1
                backoff = self._config.retry_pause * 2.0 ** min(failures - 1, 30)
                await self._time.clock.sleep_async(min(backoff, self._config.max_retry_pause))
                continue
            failures = 0
            if not getattr(rows, "is_polled", False):  # by a guarded exchange whose socket is lost
                self._heard()
            if self._took(list(rows)):
                self.wake()
            await asyncio.sleep(0)  # a stream that never waits must not keep the loop to itself
