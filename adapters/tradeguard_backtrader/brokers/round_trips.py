# SPDX-License-Identifier: GPL-3.0-or-later
"""The trades of strategies, as far as others have ended them: no fill tells Backtrader of that."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tradeguard_backtrader.brokers.order_routing import symbol_of

__all__ = ["RoundTrips"]


class RoundTrips:
    """Takes from open trades what somebody else has closed; used by the loop alone.

    Nobody tells at which price that was: such a trade has won what its own fills have brought, and no more.
    """

    def __init__(self) -> None:
        self._due: list[tuple[Any, float]] = []

    def take(self, order: Any, closed: float) -> None:
        """Note that `closed`, with the sign of what closes, is gone from the trades that `order` belongs to."""
        self._due.append((order, closed))

    def carry_out(self, cerebro: Any) -> None:
        """Do it; called when strategies were told of all fills that came before."""
        due, self._due = self._due, []
        for order, closed in due:
            rest = closed
            for strategy, trade in _open_trades(cerebro, order):
                if trade.size * rest >= 0:
                    continue
                part = rest if abs(rest) <= abs(trade.size) else -trade.size
                trade.update(order, part, trade.price, 0.0, 0.0, 0.0, order.comminfo)
                rest -= part
                if trade.isclosed:
                    _tell(cerebro, strategy, trade)


def _open_trades(cerebro: Any, order: Any) -> Iterator[tuple[Any, Any]]:
    symbol = symbol_of(order.data)
    for strategy in cerebro.runningstrats:
        for data, by_id in list(strategy._trades.items()):
            trades = by_id.get(order.tradeid) if symbol_of(data) == symbol else None
            if trades and trades[-1].isopen:
                yield strategy, trades[-1]


def _tell(cerebro: Any, strategy: Any, trade: Any) -> None:
    told = copy.copy(trade)
    strategy._tradespending.append(told)
    if cerebro.p.quicknotify:
        strategy._notify(qtrades=[told])
