# SPDX-License-Identifier: GPL-3.0-or-later
"""The open orders of a run, looked at until each has come to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import ccxt

from tradeguard.clock import Clock
from tradeguard_backtrader.accounts.fills import Fill, FillBook, exact
from tradeguard_backtrader.accounts.markets import Market, in_base
from tradeguard_backtrader.brokers.broker_events import FINAL, OrderSeen
from tradeguard_backtrader.brokers.order_trades import OrderTrades
from tradeguard_backtrader.brokers.trades import Rates, fills_of, rest_of
from tradeguard_backtrader.failures import CallFailedError, ask

__all__ = ["OrderWatch", "Watched"]


@dataclass(slots=True, eq=False)
class Watched:
    """One order that is looked at.

    Attributes:
        ref: Backtrader's number of the order.
        order_id: the exchange's id.
        market: how its market deals.
        book: the fills that were told.
        status: the status that was told last.
        lacking_since: since when, in monotonic seconds, the exchange says that more was filled than it shows.
        shows_trades: False once fills are taken from the order itself.
    """

    ref: int
    order_id: str
    market: Market
    book: FillBook
    status: str = ""
    lacking_since: float | None = None
    shows_trades: bool = True

    @property
    def symbol(self) -> str:
        """Unified symbol."""
        return self.market.symbol


class OrderWatch:
    """Looks at orders and tells what is new; used by one thread.

    Args:
        exchange: anything with ccxt's unified methods.
        clock: measures how long fills are lacking.
        patience: how long, in seconds, a fill may be missing among the trades.
        rate: prices for converting fees.
        post: takes what is new of an order.
    """

    def __init__(
        self, exchange: Any, clock: Clock, patience: float, rate: Rates, post: Callable[[OrderSeen], None]
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._patience = patience
        self._rate = rate
        self._post = post
        self._watched: dict[str, Watched] = {}
        self._trades = OrderTrades(exchange)

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, watched: Watched) -> None:
        """Look at one more order from now on."""
        self._watched[watched.order_id] = watched

    def filled(self) -> dict[str, Decimal]:
        """Return what is filled of each order, by its id."""
        return {order_id: watched.book.filled for order_id, watched in self._watched.items()}

    def look(self) -> None:
        """Look at every order once.

        Raises:
            CallFailedError: the exchange did not answer; what was seen before that was told.
        """
        by_symbol: dict[str, list[Watched]] = {}
        for watched in self._watched.values():
            by_symbol.setdefault(watched.symbol, []).append(watched)
        for symbol, group in by_symbol.items():
            still_open: Mapping[str, Any] = {}
            if len(group) > 1 and self._exchange.has.get("fetchOpenOrders"):
                answer = ask(self._exchange.fetch_open_orders, symbol)
                size = group[0].market.contract_size
                still_open = {str(order.get("id")): in_base(order, size) for order in answer}
            for watched in group:
                order = still_open.get(watched.order_id)
                order = self._fetch(watched) if order is None else order
                if order is not None:
                    self.take(watched, order)

    def _fetch(self, watched: Watched) -> Mapping[str, Any] | None:
        try:
            order: Mapping[str, Any] = ask(self._exchange.fetch_order, watched.order_id, watched.symbol)
        except CallFailedError as failed:
            if not isinstance(failed.error, ccxt.OrderNotFound):
                raise
            return None  # an order that was just accepted may be invisible for a while
        return in_base(order, watched.market.contract_size)

    def take(self, watched: Watched, order: Mapping[str, Any]) -> None:
        """Tell what is new in `order`, whose amounts are in base currency.

        Raises:
            CallFailedError: the exchange did not answer for the order's trades.
        """
        status = str(order.get("status") or "open")
        filled = exact(order.get("filled"))
        fills: list[Fill] = []
        if filled > watched.book.filled:
            fills = self.count(watched, order)
        if filled > watched.book.filled:
            # More than the trades show: they will come, and the order has not come to its end before.
            status = "open"
        if fills or status != watched.status:
            watched.status = status
            self._post(OrderSeen(watched.ref, status, fills))
        if status in FINAL:
            self._watched.pop(watched.order_id, None)

    def count(self, watched: Watched, order: Mapping[str, Any]) -> list[Fill]:
        """Count the fills in `order` and return those that were not counted before.

        Raises:
            CallFailedError: the exchange did not answer for the order's trades; nothing was counted.
        """
        fills: list[Fill] = []
        market = watched.market
        if watched.shows_trades:
            trades = self._trades.of(order, watched.order_id, market)
            fills = fills_of(trades, base=market.coin, quote=market.quote, rate=self._rate)
        fresh = watched.book.new(fills)
        if exact(order.get("filled")) <= watched.book.filled:
            watched.lacking_since = None
            return fresh
        now = self._clock.monotonic()
        if watched.lacking_since is None:
            watched.lacking_since = now
        if now - watched.lacking_since >= self._patience or not self._trades.can_be_shown(watched.symbol):
            # Trades that come later after all would count twice.
            watched.shows_trades = False
        if not watched.shows_trades:
            rest = rest_of(order, watched.book, base=market.coin, quote=market.quote, rate=self._rate)
            fresh += watched.book.new([rest] if rest is not None else [])
        return fresh
