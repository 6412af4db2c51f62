# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills: each counted once, added up exactly, and split into what closes and what opens.

Pure; amounts are `Decimal`, since three fills of .1 do not make .3 in binary.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

__all__ = ["Fill", "FillBook", "Holding", "Parts", "exact"]

ZERO = Decimal(0)


def exact(number: float | str | Decimal | None) -> Decimal:
    """Return the decimal number that a float of ccxt stands for; None is zero."""
    return ZERO if number is None else Decimal(str(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One trade of one order.

    Attributes:
        trade_id: the exchange's id of the trade.
        amount: base currency, > 0.
        price: quote currency per base, > 0.
        fee_base: the part of the fee that was taken in base currency.
        fee_quote: the part of the fee that was taken in quote currency.
        comm: the whole fee in quote currency, converted where it was taken in another one; negative is a rebate.
        at_ms: when, epoch milliseconds; None where the exchange does not tell.
    """

    trade_id: str
    amount: Decimal
    price: Decimal
    fee_base: Decimal = ZERO
    fee_quote: Decimal = ZERO
    comm: Decimal = ZERO
    at_ms: int | None = None

    @property
    def cost(self) -> Decimal:
        """Quote currency that changed hands, fee apart."""
        return self.amount * self.price


@dataclass(slots=True)
class FillBook:
    """The fills of one order.

    Attributes:
        amount: what was ordered, base currency.
        filled: what was filled so far.
        cost: what that cost, quote currency.
        fee_base: the part of the fees that was taken in base currency.
        fee_quote: the part of the fees that was taken in quote currency.
        comm: all fees in quote currency.
        last_ms: when the last of them was, epoch milliseconds; None where nobody tells.
    """

    amount: Decimal
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    fee_base: Decimal = ZERO
    fee_quote: Decimal = ZERO
    comm: Decimal = ZERO
    last_ms: int | None = None
    _seen: set[str] = field(default_factory=set)

    def new(self, fills: Iterable[Fill]) -> list[Fill]:
        """Count the fills that were not counted before, and return them, oldest first."""
        fresh = []
        for fill in sorted(fills, key=lambda fill: fill.at_ms if fill.at_ms is not None else 0):
            if fill.trade_id not in self._seen:
                self._seen.add(fill.trade_id)
                self.filled += fill.amount
                self.cost += fill.cost
                self.fee_base += fill.fee_base
                self.fee_quote += fill.fee_quote
                self.comm += fill.comm
                self.last_ms = self.last_ms if fill.at_ms is None else fill.at_ms
                fresh.append(fill)
        return fresh

    @property
    def remaining(self) -> Decimal:
        """What is still to be filled, never below zero."""
        return max(self.amount - self.filled, ZERO)

    @property
    def is_complete(self) -> bool:
        """Whether all of the amount was filled."""
        return self.filled >= self.amount


@dataclass(frozen=True, slots=True)
class Parts:
    """How a change of a holding divides; both carry its sign."""

    closed: float
    opened: float


@dataclass(slots=True)
class Holding:
    """What a strategy itself bought or sold of one market, under one trade id.

    Backtrader's `Trade` adds floats up and is closed at exactly 0.0. So the parts are the differences of what
    it should show: they add up to it, and to 0.0 where the exact amount is zero.

    Attributes:
        amount: the exact amount, negative where more was sold than bought.
        price: the average price at which it was opened, quote currency per base.
    """

    amount: Decimal = ZERO
    price: Decimal = ZERO
    _shown: float = 0.0

    def change(self, delta: Decimal, price: Decimal, dust: Decimal = ZERO) -> Parts:
        """Add `delta` at `price`.

        Args:
            delta: base currency, signed.
            price: quote currency per base.
            dust: a remainder below this cannot be traded; where a reduction leaves no more, it counts as zero.
        """
        before, after = self.amount, self.amount + delta
        if before * delta >= 0:
            self.price = (before * self.price + delta * price) / after if after else ZERO
            self.amount = after
            return Parts(0.0, self._show(after))
        if abs(after) < dust:
            after = ZERO
        if before * after >= 0:  # reduced, at most to zero
            self.amount = after
            return Parts(self._show(after), 0.0)
        closed = self._show(ZERO)
        self.amount, self.price = after, price
        return Parts(closed, self._show(after))

    def _show(self, amount: Decimal) -> float:
        step = float(amount) - self._shown
        self._shown += step
        return step
