# SPDX-License-Identifier: GPL-3.0-or-later
"""The trades of one order, by whichever way the exchange shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import ccxt

from tradeguard_backtrader.accounts.fills import exact
from tradeguard_backtrader.accounts.markets import Market, in_base
from tradeguard_backtrader.failures import CallFailedError, ask

__all__ = ["OrderTrades"]

_CANNOT_BE_ASKED = (ccxt.NotSupported, ccxt.ArgumentsRequired, ccxt.BadRequest)
"""What ccxt has for an exchange it need not have for each kind of its markets, nor with these arguments alone."""

_BEFORE_MS = 1000
"""Where an exchange counts in seconds, or leaves out the moment that is asked for, an order's first fill is lost."""


class OrderTrades:
    """Asks for the trades of orders; used by one thread.

    A way by which the exchange cannot be asked is left for the next one: the order's own trades, then those among all
    trades of the account.

    Args:
        exchange: anything with ccxt's unified methods.
    """

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange
        self._closed: set[tuple[str, str]] = set()

    def can_be_shown(self, symbol: str) -> bool:
        """Whether there is a way that has not failed for a symbol."""
        return any(self._is_open(way, symbol) for way in ("fetchOrderTrades", "fetchMyTrades"))

    def of(self, order: Mapping[str, Any], order_id: str, market: Market) -> Sequence[Mapping[str, Any]]:
        """Return the trades of an order: those in the answer if they are all, else those that the exchange shows.

        Args:
            order: what the exchange says of it, in base currency.
            order_id: the exchange's id of it.
            market: how its market deals.

        Raises:
            CallFailedError: the exchange did not answer.
        """
        within = [trade for trade in order.get("trades") or () if trade.get("id") is not None]
        if within and _sum(within) >= exact(order.get("filled")):
            return within
        return [in_base(trade, market.contract_size) for trade in self._shown(order, order_id, market.symbol)]

    def _shown(self, order: Mapping[str, Any], order_id: str, symbol: str) -> Sequence[Mapping[str, Any]]:
        trades = self._answer("fetchOrderTrades", symbol, "fetch_order_trades", order_id, symbol)
        if trades is not None:
            return trades
        placed_ms = order.get("timestamp")
        since = None if placed_ms is None else placed_ms - _BEFORE_MS
        recent = self._answer("fetchMyTrades", symbol, "fetch_my_trades", symbol, since)
        return [trade for trade in recent or () if str(trade.get("order")) == order_id]

    def _answer(
        self, way: str, symbol: str, method: str, *arguments: Any
    ) -> Sequence[Mapping[str, Any]] | None:
        if not self._is_open(way, symbol):
            return None
        try:
            trades: Sequence[Mapping[str, Any]] = ask(getattr(self._exchange, method), *arguments)
        except CallFailedError as failed:
            if not isinstance(failed.error, _CANNOT_BE_ASKED):
                raise
            self._closed.add((way, symbol))
            return None
        return trades

    def _is_open(self, way: str, symbol: str) -> bool:
        return bool(self._exchange.has.get(way)) and (way, symbol) not in self._closed


def _sum(trades: Iterable[Mapping[str, Any]]) -> Decimal:
    return sum((exact(trade.get("amount")) for trade in trades), Decimal(0))
