# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops that the exchange could hold, had the price not passed them: as in Backtrader they trigger at once."""

from __future__ import annotations

from typing import Any

import ccxt

from tradeguard_backtrader.brokers.live_orders import LiveOrder
from tradeguard_backtrader.brokers.order_routing import STOPS
from tradeguard_backtrader.brokers.prices import PriceWatch

__all__ = ["PassedStops"]


class PassedStops:
    """Tells which stops are to be sent in their triggered form: as market orders, or at their limit.

    An exchange refuses a stop that is beyond its price; some would take it for an order that waits for the way back.

    Args:
        store: the `GuardedStore`.
        prices: the bars of the run.
    """

    def __init__(self, store: Any, prices: PriceWatch) -> None:
        self._store = store
        self._prices = prices

    def is_passed(self, live: LiveOrder, since_ms: int = 0) -> bool:
        """Whether the last close, no older than `patience` and later than `since_ms`, has reached the stop."""
        order, bar = live.order, self._prices.bar(live.symbol)
        if order.exectype not in STOPS or bar is None or bar.stamp_ms <= since_ms:
            return False
        if self._store.exchange_ms() - bar.stamp_ms > self._store.config.patience * 1000:
            return False
        return bool(bar.close >= order.created.price if order.isbuy() else bar.close <= order.created.price)

    def is_refused(self, live: LiveOrder, error: BaseException) -> bool:
        """Whether the exchange refused the stop with `error` because its price was passed."""
        if live.order.exectype not in STOPS or live.ticket.request.trigger is None:
            return False
        if isinstance(error, ccxt.OrderImmediatelyFillable):
            return True
        # Others call the price invalid.
        invalid = (ccxt.InvalidOrder, ccxt.BadRequest, ccxt.OperationRejected)
        return isinstance(error, invalid) and self.is_passed(live)
