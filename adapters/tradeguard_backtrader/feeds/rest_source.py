# SPDX-License-Identifier: GPL-3.0-or-later
"""What a poller asks the exchange for by REST: markets, the time, pages of candles or trades."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.failures import CallFailedError, ask
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime
from tradeguard_backtrader.feeds.poll_plan import PollPlan

__all__ = ["RestSource"]

_USUAL_PAGE = 500
_LOCAL_CLOCK_MARGIN_MS = 5_000  # by how much an exchange without a clock may be behind our own


class RestSource:
    """Asks for the candles, or the trades, of one market. Every method raises CallFailedError if it gets no answer.

    Args:
        exchange: anything with ccxt's unified methods.
        load_markets: returns the exchange's markets by symbol.
        plan: which candles are wanted.
        config: how long to wait for what.
        time: the exchange's time.
    """

    def __init__(
        self,
        exchange: Any,
        load_markets: Callable[[], Mapping[str, Any]],
        plan: PollPlan,
        config: StoreConfig,
        time: ExchangeTime,
    ) -> None:
        self._exchange = exchange
        self._load_markets = load_markets
        self._plan = plan
        self._config = config
        self._time = time
        self._asked_at: float | None = None

    def is_silent(self) -> bool:
        """Whether the exchange has owed an answer for longer than `patience`."""
        asked_at = self._asked_at
        return asked_at is not None and self._time.clock.monotonic() - asked_at > self._config.patience

    def markets(self) -> Mapping[str, Any]:
        """Return the exchange's markets by symbol."""
        markets: Mapping[str, Any] = self._call(self._load_markets)
        return markets

    def sync_time(self) -> None:
        """Ask for the exchange's time, now and then."""
        if not self._time.is_due(self._config.time_sync):
            return
        if self._exchange.has.get("fetchTime"):
            server_ms = self._call(self._exchange.fetch_time)
        else:
            server_ms = self._exchange.milliseconds() - _LOCAL_CLOCK_MARGIN_MS
        if isinstance(server_ms, bool) or not isinstance(server_ms, (int, float)):
            raise CallFailedError(TypeError(f"the exchange's time is {server_ms!r}"))
        self._time.observe(server_ms)

    def page_size(self) -> int:
        """Return how many candles or trades come with one page; the markets must be loaded."""
        if self._plan.page is not None:
            return self._plan.page
        method = "fetchTrades" if self._plan.timeframe is None else "fetchOHLCV"
        limit = None
        if hasattr(self._exchange, "feature_value"):
            limit = self._exchange.feature_value(self._plan.symbol, method, "limit")
        return limit if isinstance(limit, int) and limit > 0 else _USUAL_PAGE

    def page(self, since_ms: int | None, size: int) -> Sequence[object]:
        """Return the candles, or the trades, from `since_ms` (epoch milliseconds) on, at most `size`."""
        plan, exchange = self._plan, self._exchange
        if plan.timeframe is None:
            rows = self._call(exchange.fetch_trades, plan.symbol, since_ms, size)
        else:
            rows = self._call(exchange.fetch_ohlcv, plan.symbol, plan.timeframe.name, since_ms, size)
        return rows if isinstance(rows, (list, tuple)) else ()

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        self._asked_at = self._time.clock.monotonic()
        try:
            return ask(method, *arguments)
        finally:
            self._asked_at = None
