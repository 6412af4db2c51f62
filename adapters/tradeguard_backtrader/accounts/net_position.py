# SPDX-License-Identifier: GPL-3.0-or-later
"""One net position in one market: how fills move it, and what it is worth.

Pure; amounts are `Decimal`, in base currency, negative where the position is short.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from tradeguard_backtrader.accounts.fills import ZERO

__all__ = ["NetPosition"]


@dataclass(frozen=True, slots=True)
class NetPosition:
    """A position, or none where its size is zero.

    Attributes:
        size: base currency, negative is short.
        price: at which it was opened on average, quote currency per base; None where nobody knows it.
        leverage: how many times its margin it is worth, > 0.
    """

    size: Decimal = ZERO
    price: Decimal | None = ZERO
    leverage: Decimal = Decimal(1)

    def moved(self, delta: Decimal, price: Decimal) -> tuple[NetPosition, Decimal]:
        """Return the position after a fill of `delta` at `price`, and the profit that the fill has realised."""
        before, after = self.size, self.size + delta
        entry = price if self.price is None else self.price  # unknown, it counts as if nothing was won
        if before * delta >= 0:
            cost = before * entry + delta * price
            return replace(self, size=after, price=cost / after if after else ZERO), ZERO
        closed = -delta if abs(delta) <= abs(before) else before
        profit = closed * (price - entry)
        if before * after > 0:
            return replace(self, size=after), profit
        return replace(self, size=after, price=price if after else ZERO), profit

    def gain(self, price: Decimal) -> Decimal:
        """Return the profit that is not realised, quote currency; 0 where no price is known."""
        if not price or self.price is None:
            return ZERO
        return self.size * (price - self.price)

    def margin(self, price: Decimal) -> Decimal:
        """Return the margin that the position binds at `price`, quote currency; at its own where none is known."""
        return abs(self.size) * (price or self.price or ZERO) / self.leverage
