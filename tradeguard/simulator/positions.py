"""Positions in swaps: how a fill changes one, and what it earns.

A position is kept as what it holds and what that has cost, both signed, and not as an average price: nothing is
rounded but the part of the cost that a reduction takes out, and what is earned adds up exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from tradeguard.simulator.candles import ZERO
from tradeguard.simulator.symbols import PRECISION

__all__ = ["Holding", "Position"]

_UNIT = Decimal(1).scaleb(-PRECISION)
_PRICE_UNIT = Decimal(1).scaleb(-12)


@dataclass(frozen=True, slots=True)
class Holding:
    """What an account holds of one swap.

    Attributes:
        amount: base currency; negative is short.
        cost: quote currency that was paid for it; negative is what a short has received.
        updated_ms: epoch milliseconds of its last change; 0 where there was none.
    """

    amount: Decimal = ZERO
    cost: Decimal = ZERO
    updated_ms: int = 0

    @property
    def entry_price(self) -> Decimal:
        """The average price of what is held, in quote currency per base; 0 where nothing is."""
        return (self.cost / self.amount).quantize(_PRICE_UNIT).normalize() if self.amount else ZERO

    def unrealized(self, price: Decimal) -> Decimal:
        """Return what closing it at `price` would earn, before fees."""
        return self.amount * price - self.cost

    def after(self, amount: Decimal, cost: Decimal, time_ms: int) -> tuple[Holding, Decimal]:
        """Return what a trade makes of it, and what the trade earns by closing a part of it.

        Args:
            amount: bought base currency; negative was sold.
            cost: paid quote currency; negative was received.
            time_ms: epoch milliseconds of the trade.
        """
        if self.amount * amount >= 0:
            return Holding(self.amount + amount, self.cost + cost, time_ms), ZERO
        if abs(amount) <= abs(self.amount):
            part = _share(self.cost, -amount / self.amount)
            return Holding(self.amount + amount, self.cost - part, time_ms), -(part + cost)
        closing = _share(cost, -self.amount / amount)
        return Holding(self.amount + amount, cost - closing, time_ms), -(self.cost + closing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A position as the exchange shows it.

    Attributes:
        symbol: unified symbol.
        amount: base currency; negative is short, 0 is none.
        entry_price: average price, quote currency per base; 0 where there is none.
        mark_price: what it is valued at: the price of the newest trade.
        unrealized_pnl: what closing it at that price would earn, quote currency, before fees.
        leverage: times its margin that it may be worth.
        initial_margin: quote currency set aside for it.
        order_margin: quote currency set aside for what open orders on the symbol would add to it.
        updated_ms: epoch milliseconds of its last change; 0 where there was none.
    """

    symbol: str
    amount: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealized_pnl: Decimal
    leverage: int
    initial_margin: Decimal
    order_margin: Decimal
    updated_ms: int

    @property
    def notional(self) -> Decimal:
        """What it is worth at the mark price, quote currency; negative is short."""
        return self.amount * self.mark_price


def _share(cost: Decimal, share: Decimal) -> Decimal:
    """Return `share` of `cost`, 0 to 1; the whole of it exactly."""
    return cost if share == 1 else (cost * share).quantize(_UNIT, ROUND_HALF_EVEN)
