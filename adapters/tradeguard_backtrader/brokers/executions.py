# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills as Backtrader wants them: on the order, in the position, in the trades of the strategy; and the account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import backtrader as bt

from tradeguard.clock import Clock
from tradeguard_backtrader.accounts.fills import ZERO, Fill, Holding
from tradeguard_backtrader.accounts.markets import Market
from tradeguard_backtrader.accounts.net_position import NetPosition
from tradeguard_backtrader.accounts.outside_changes import OutsideChange, OutsideChanges
from tradeguard_backtrader.accounts.snapshot import Ledger, Snapshot, rates_into
from tradeguard_backtrader.brokers.live_orders import LiveOrder, LiveOrders
from tradeguard_backtrader.brokers.round_trips import RoundTrips
from tradeguard_backtrader.stamps import utc_datetime

__all__ = ["Executions"]


class Executions:
    """Positions, cash and value, and the fills that change them.

    Args:
        orders: the orders of the run.
        markets: those that are traded, by symbol; more may come.
        use_positions: whether what the account held before counts.
        exchange_ms: returns the exchange's time, or less, at a monotonic time in seconds; epoch milliseconds.
        outside: notices what others do to positions.
        clock: tells when fills are told.

    Attributes:
        round_trips: ends the trades of strategies that others have ended.
    """

    def __init__(
        self,
        orders: LiveOrders,
        markets: Mapping[str, Market],
        use_positions: bool,
        exchange_ms: Callable[[float], int],
        outside: OutsideChanges,
        clock: Clock,
    ) -> None:
        self.round_trips = RoundTrips()
        self._outside = outside
        self._clock = clock
        self._orders = orders
        self._markets = markets
        self._exchange_ms = exchange_ms
        self._use_positions = use_positions
        self._ledger = Ledger()
        self._positions: dict[str, Any] = defaultdict(bt.Position)
        self._own: dict[str, NetPosition] = defaultdict(NetPosition)
        self._holdings: dict[tuple[str, int], Holding] = defaultdict(Holding)
        self._latest: dict[tuple[str, int], Any] = {}

    @property
    def taken_at(self) -> float | None:
        """Monotonic seconds of the last balance; None before the first."""
        return self._ledger.taken_at

    def position(self, symbol: str) -> Any:
        """Return Backtrader's position in `symbol`, the one that is kept."""
        return self._positions[symbol]

    def scheme(self, market: Market, usual: Any, rate: float) -> Any:
        """Return the commission scheme of a market; `usual` is Backtrader's for shares, `rate` the market's."""
        return market.scheme(self._ledger, usual, rate)

    def cash(self, currency: str, prices: Mapping[str, Decimal]) -> float:
        """Return what can be spent of `currency`, or bound as margin, at these prices of the traded symbols."""
        markets = ((self._markets[symbol], price) for symbol, price in prices.items())
        bound = sum(
            (each.binds(self._ledger, price) for each, price in markets if each.quote == currency), ZERO
        )
        return float(self._ledger.free(currency, self._orders.reserved(self._ledger, prices), bound))

    def value(self, currency: str, prices: Mapping[str, Decimal]) -> float:
        """Return what the account is worth in `currency`.

        Args:
            currency: in which to count.
            prices: of the traded symbols, quote currency per base.
        """
        rates = self.rates(currency, prices)
        markets = [(self._markets[symbol], symbol, price) for symbol, price in prices.items()]
        if not self._use_positions:
            parts = [(each.quote, each.worth(self._own[symbol], price)) for each, symbol, price in markets]
            worth = self._ledger.total(currency)
        else:
            parts = [
                (each.quote, each.worth(each.position(self._ledger), price))
                for each, _, price in markets
                if not each.coin
            ]
            worth = self._ledger.value(currency, self._pairs(prices))
        return float(worth + sum((gain * rates.get(quote, ZERO) for quote, gain in parts), ZERO))

    def rates(self, currency: str, prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return what one of each traded currency is worth in `currency`, as far as `prices` tell."""
        return rates_into(currency, self._pairs(prices))

    def _pairs(self, prices: Mapping[str, Decimal]) -> dict[tuple[str, str], Decimal]:
        """Return the prices of coins by base and quote currency."""
        markets = ((self._markets[symbol], price) for symbol, price in prices.items())
        return {(each.coin, each.quote): price for each, price in markets if each.coin}

    def refresh(self, snapshot: Snapshot, prices: Mapping[str, Decimal]) -> list[OutsideChange]:
        """Take over what the account holds, and return what others have changed of it.

        Coins whose cost nobody knows count at `prices`.
        """
        # Positions come first: what our orders lock depends on them.
        self._ledger.positions = dict(snapshot.positions)
        margined = {market.quote for market in self._markets.values() if not market.coin}
        self._ledger.refresh(snapshot, self._orders.reserved(self._ledger, prices), margined)
        changes: list[OutsideChange] = []
        if not self._use_positions:
            return changes
        for symbol, last in prices.items():
            position, told = self._positions[symbol], self._markets[symbol].position(self._ledger)
            size, price = float(told.size), told.price
            if price is not None:
                position.fix(size, float(price))
            elif position.size != size:
                position.fix(size, (position.price or float(last)) if size else 0.0)
            change = self._outside.compare(symbol, told.size, snapshot.taken_at)
            if change is not None:
                changes.append(change)
                self._cut_trades(change)
        return changes

    def _cut_trades(self, change: OutsideChange) -> None:
        """Take from the trades of the run what they cannot have any more; what they did not make goes first."""
        traded = self._traded(change.symbol)
        sign = 1 if traded > 0 else -1
        excess = abs(traded) - max(sign * change.actual, ZERO)
        for (symbol, tradeid), holding in self._holdings.items():
            part = min(excess, sign * holding.amount)
            if symbol == change.symbol and part > 0:
                dust = self._outside.least(symbol)
                closed = holding.change(-sign * part, holding.price, dust).closed
                self.round_trips.take(self._latest[symbol, tradeid], closed)
                excess -= part

    def apply(self, live: LiveOrder, fill: Fill) -> None:
        """Execute `fill` on its order, in the position and in the strategy's trade."""
        order, scheme = live.order, live.order.comminfo
        sign = 1 if order.isbuy() else -1
        # A fee in base currency never reaches the account: the position is smaller by it.
        delta = sign * fill.amount - fill.fee_base
        holding = self._holdings[live.symbol, order.tradeid]
        average, is_counted = float(holding.price), self._is_in_balance(live, fill)
        traded = delta - self._closes_inherited(live, delta, holding, is_counted)
        parts = holding.change(traded, fill.price, live.dust if live.book.is_complete else ZERO)
        self._latest[live.symbol, order.tradeid] = order
        self._own[live.symbol], _ = self._own[live.symbol].moved(traded, fill.price)
        if not is_counted:
            self._settle(live.market, fill, is_buy=sign > 0)
        position = self._moved(live, delta, fill)
        price, comm = float(fill.price), float(fill.comm * traded / delta) if delta else float(fill.comm)
        whole = abs(parts.closed) + abs(parts.opened)
        closed_share = abs(parts.closed) / whole if whole else 0.0
        order.execute(
            _stamp(order, fill),
            float(sign * fill.amount),
            price,
            parts.closed,
            scheme.getoperationcost(parts.closed, average),
            comm * closed_share,
            parts.opened,
            scheme.getoperationcost(parts.opened, price),
            comm * (1 - closed_share),
            0.0,
            -parts.closed * (price - average),
            position.size,
            position.price,
        )
        order.executed.comm += float(fill.comm) - comm

    def _settle(self, market: Market, fill: Fill, *, is_buy: bool) -> None:
        """Carry the account on: what pays for one coin may be the position in another market."""
        before = {symbol: each.position(self._ledger).size for symbol, each in self._markets.items()}
        market.settle(self._ledger, fill, is_buy=is_buy)
        for symbol, size in before.items():
            moved = self._markets[symbol].position(self._ledger).size - size
            if moved or symbol == market.symbol:
                self._outside.filled(symbol, moved, self._clock.monotonic())

    def _closes_inherited(
        self, live: LiveOrder, delta: Decimal, holding: Holding, is_counted: bool
    ) -> Decimal:
        """Return the part of `delta`, with its sign, that closes what no trade of the run has: its own comes first.

        That is what a former run has left, and what others have done since.
        """
        if not self._use_positions:
            return ZERO
        traded = self._traded(live.symbol)
        inherited = live.market.position(self._ledger).size - traded - (delta if is_counted else ZERO)
        if inherited * traded < 0:
            return ZERO  # others have taken of our own, and the next balance will tell for sure
        own = min(abs(delta), abs(holding.amount)) if holding.amount * delta < 0 else ZERO
        if inherited * delta >= 0:
            return ZERO
        part = min(abs(delta) - own, abs(inherited))
        return part if delta > 0 else -part

    def _traded(self, symbol: str) -> Decimal:
        """Return what the open trades of the run have of `symbol`, base currency."""
        return sum((each.amount for (name, _), each in self._holdings.items() if name == symbol), ZERO)

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
        told = live.market.position(self._ledger) if self._use_positions else self._own[live.symbol]
        # Floats add up to almost the right size; the exact one is known.
        size = float(told.size)
        price = position.price if told.price is None else float(told.price)
        position.fix(size, price if size else 0.0)
        return position


def _stamp(order: Any, fill: Fill) -> float:
    """Return when the fill happened, as Backtrader's day number."""
    if fill.at_ms is None:
        return float(order.data.datetime[0])
    return float(bt.date2num(utc_datetime(fill.at_ms)))
