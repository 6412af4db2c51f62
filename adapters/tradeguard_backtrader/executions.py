# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills as Backtrader wants them: on the order, in the position, in the trades of the strategy; and the account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import backtrader as bt

from tradeguard_backtrader.fills import ZERO, Fill, Holding
from tradeguard_backtrader.live_orders import LiveOrder, LiveOrders
from tradeguard_backtrader.snapshot import Ledger, Snapshot
from tradeguard_backtrader.stamps import utc_datetime

__all__ = ["Executions"]


class Executions:
    """Positions, cash and value, and the fills that change them.

    Args:
        orders: the orders of the run.
        use_positions: whether what the account held before counts.
        exchange_ms: returns the exchange's time, or less, at a monotonic time in seconds; epoch milliseconds.
    """

    def __init__(self, orders: LiveOrders, use_positions: bool, exchange_ms: Callable[[float], int]) -> None:
        self._orders = orders
        self._exchange_ms = exchange_ms
        self._use_positions = use_positions
        self._ledger = Ledger()
        self._positions: dict[str, Any] = defaultdict(bt.Position)
        self._own: dict[str, Decimal] = defaultdict(lambda: ZERO)
        self._holdings: dict[tuple[str, int], Holding] = defaultdict(Holding)

    @property
    def taken_at(self) -> float | None:
        """Monotonic seconds of the last balance; None before the first."""
        return self._ledger.taken_at

    def position(self, symbol: str) -> Any:
        """Return Backtrader's position in `symbol`, the one that is kept."""
        return self._positions[symbol]

    def cash(self, currency: str) -> float:
        """Return what can be spent of `currency`."""
        return float(self._ledger.free(currency, self._orders.reserved()))

    def value(self, currency: str, prices: Mapping[str, Decimal]) -> float:
        """Return what the account is worth in `currency`.

        Args:
            currency: in which to count.
            prices: of the traded symbols, quote currency per base.
        """
        pairs = {(symbol.partition("/")[0], symbol.partition("/")[2]): prices[symbol] for symbol in prices}
        if self._use_positions:
            others = {name for pair in pairs for name in pair} - {currency}
            return float(self._ledger.value(currency, pairs, others))
        own = sum((self._own[symbol] * price for symbol, price in prices.items()), ZERO)
        return float(self._ledger.total(currency) + own)

    def refresh(self, snapshot: Snapshot, prices: Mapping[str, Decimal]) -> None:
        """Take over the account's balances; coins whose cost nobody knows count at `prices`."""
        self._ledger.refresh(snapshot, self._orders.reserved())
        if not self._use_positions:
            return
        for symbol, price in prices.items():
            position, size = self._positions[symbol], float(self._ledger.total(symbol.partition("/")[0]))
            if position.size != size:
                position.fix(size, position.price or float(price))

    def apply(self, live: LiveOrder, fill: Fill) -> None:
        """Execute `fill` on its order, in the position and in the strategy's trade."""
        order = live.order
        sign = 1 if order.isbuy() else -1
        # A fee in base currency never reaches the account: the position is smaller by it.
        delta = sign * fill.amount - fill.fee_base
        holding = self._holdings[live.symbol, order.tradeid]
        average = float(holding.price)
        parts = holding.change(delta, fill.price, live.dust if live.book.is_complete else ZERO)
        self._own[live.symbol] += delta
        if not self._is_in_balance(live, fill):
            self._ledger.apply(fill, base=live.base, quote=live.quote, is_buy=sign > 0)
        position = self._moved(live, delta, fill)
        price, comm = float(fill.price), float(fill.comm)
        whole = abs(parts.closed) + abs(parts.opened)
        closed_share = abs(parts.closed) / whole if whole else 0.0
        order.execute(
            _stamp(order, fill),
            float(sign * fill.amount),
            price,
            parts.closed,
            abs(parts.closed) * average,
            comm * closed_share,
            parts.opened,
            abs(parts.opened) * price,
            comm * (1 - closed_share),
            0.0,
            -parts.closed * (price - average),
            position.size,
            position.price,
        )

    def _is_in_balance(self, live: LiveOrder, fill: Fill) -> bool:
        """Whether the last balance has the fill already.

        Balances are taken while no order is on its way, but one in doubt may take long to be found.
        """
        taken_at = self._ledger.taken_at
        if not live.was_in_doubt or taken_at is None or fill.at_ms is None:
            return False
        return fill.at_ms <= self._exchange_ms(taken_at)

    def _moved(self, live: LiveOrder, delta: Decimal, fill: Fill) -> Any:
        position = self._positions[live.symbol]
        position.update(float(delta), float(fill.price))
        # Floats add up to almost the right size; the exact one is known.
        size = float(self._ledger.total(live.base) if self._use_positions else self._own[live.symbol])
        position.fix(size, position.price if size else 0.0)
        return position


def _stamp(order: Any, fill: Fill) -> float:
    """Return when the fill happened, as Backtrader's day number."""
    if fill.at_ms is None:
        return float(order.data.datetime[0])
    return float(bt.date2num(utc_datetime(fill.at_ms)))
