"""The book of one symbol: the accounts' resting orders, and what everybody else offers."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from tradeguard.simulator.candles import ZERO, Print
from tradeguard.simulator.orders import Order, Side
from tradeguard.simulator.path import unit
from tradeguard.simulator.symbols import SymbolRules

__all__ = ["LEVELS", "MarketBook", "RestingOrders"]

LEVELS = 100
"""Price levels that everybody else offers on each side."""

_Key = tuple[Decimal, int]


class RestingOrders:
    """Orders of one side that wait to be met, in price-time priority: best price first, then oldest."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._keys: list[_Key] = []
        self._orders: dict[_Key, Order] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[tuple[Decimal, Order]]:
        """Iterate over a snapshot of prices and orders, best first, so that orders may leave meanwhile."""
        return iter([(self._price(key), self._orders[key]) for key in self._keys])

    def __contains__(self, order: Order) -> bool:
        price = order.request.price
        return price is not None and self._key(order, price) in self._orders

    def add(self, order: Order, price: Decimal) -> None:
        """Queue the order behind all others at its price."""
        key = self._key(order, price)
        bisect.insort(self._keys, key)
        self._orders[key] = order

    def remove(self, order: Order, price: Decimal) -> None:
        """Take the order off the book."""
        key = self._key(order, price)
        del self._orders[key]
        del self._keys[bisect.bisect_left(self._keys, key)]

    def best(self) -> tuple[Decimal, Order] | None:
        """Return price and order of what is first to be met."""
        return (self._price(self._keys[0]), self._orders[self._keys[0]]) if self._keys else None

    def reached_by(self, price: Decimal) -> tuple[Decimal, Order] | None:
        """Return price and order of what is first to be met, if it would trade at `price`."""
        best = self.best()
        if best is None:
            return None
        is_reached = best[0] >= price if self.side is Side.BUY else best[0] <= price
        return best if is_reached else None

    def _key(self, order: Order, price: Decimal) -> _Key:
        return (-price if self.side is Side.BUY else price, order.order_id)

    def _price(self, key: _Key) -> Decimal:
        return -key[0] if self.side is Side.BUY else key[0]


class MarketBook:
    """What everybody else bids and asks after one print; a new one follows each print.

    Half a spread of 0.5 basis points lies on either side of the print's price, at least one tick; the levels
    behind it are a basis point apart and hold more the farther away they are. What was taken is gone until
    the next print.
    """

    def __init__(self, one: Print, rules: SymbolRules, typical_quantity: Decimal, seed: str) -> None:
        self.print = one
        self._rules = rules
        self._typical = max(typical_quantity, rules.min_quantity)
        self._seed = f"{seed}@{one.number}"
        self._taken: dict[tuple[Side, int], Decimal] = {}
        self._half = self._ticks(one.price * Decimal("0.00005"))
        self._step = self._ticks(one.price * Decimal("0.0001"))

    def levels(self, side: Side) -> Iterator[tuple[int, Decimal, Decimal]]:
        """Yield number, price and quantity of each level that is left, best first.

        Args:
            side: BUY for bids, SELL for asks.
        """
        tick = self._rules.tick_size
        middle = (self.print.price / tick).quantize(Decimal(1), ROUND_HALF_EVEN)
        sign = -1 if side is Side.BUY else 1
        for number in range(LEVELS):
            price = (middle + sign * (self._half + number * self._step)) * tick
            if price < self._rules.min_price:
                return
            left = self._quantity(side, number) - self._taken.get((side, number), ZERO)
            if left > 0:
                yield number, price, left

    def take(self, side: Side, number: int, quantity: Decimal) -> None:
        """Remove `quantity` from a level."""
        key = (side, number)
        self._taken[key] = self._taken.get(key, ZERO) + quantity

    def _quantity(self, side: Side, number: int) -> Decimal:
        weight = (1 + number / 4) * (0.5 + unit(f"{self._seed}{side}{number}"))
        steps = (self._typical * Decimal(weight) / self._rules.step_size).to_integral_value()
        return max(steps, Decimal(1)) * self._rules.step_size

    def _ticks(self, distance: Decimal) -> int:
        return max(1, int(distance / self._rules.tick_size))
