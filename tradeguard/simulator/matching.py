"""Matching: what an incoming order would meet, decided before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from tradeguard.simulator.book import MarketBook, RestingOrders
from tradeguard.simulator.candles import ZERO
from tradeguard.simulator.ledger import round_down
from tradeguard.simulator.orders import Order, OrderRequest, SelfTrade, Side

__all__ = ["Match", "Plan", "plan_taking"]


@dataclass(frozen=True, slots=True)
class Match:
    """One meeting: with a resting order, or with a level of the market's book."""

    price: Decimal
    quantity: Decimal
    maker: Order | None
    level: int = -1


@dataclass(slots=True)
class Plan:
    """All the meetings of one incoming order, best price first."""

    matches: list[Match] = field(default_factory=list)
    expiring: list[Order] = field(default_factory=list)
    taker_expires: bool = False

    @property
    def quantity(self) -> Decimal:
        """Base currency that would trade."""
        return sum((match.quantity for match in self.matches), ZERO)

    @property
    def cost(self) -> Decimal:
        """Quote currency that would trade."""
        return sum((round_down(match.price * match.quantity) for match in self.matches), ZERO)


def plan_taking(
    request: OrderRequest,
    account: str,
    resting: RestingOrders,
    market: MarketBook,
    step: Decimal,
    remaining: Decimal | None = None,
) -> Plan:
    """Return what `request` would trade with, at once.

    Args:
        request: the incoming order.
        account: whose it is.
        resting: the accounts' orders on the other side.
        market: what everybody else offers.
        step: smallest quantity that trades.
        remaining: base currency still wanted; None takes the request's own quantity.
    """
    plan = Plan()
    want = _Want(request, remaining, step)
    for price, available, maker, level in _offers(request.side, resting, market):
        if _is_beyond(request, price):
            break
        if maker is not None and maker.account == account and request.self_trade is not SelfTrade.NONE:
            if request.self_trade is not SelfTrade.EXPIRE_TAKER:
                plan.expiring.append(maker)
            if request.self_trade is not SelfTrade.EXPIRE_MAKER:
                plan.taker_expires = True
                break
            continue
        quantity = want.at(price, available)
        if quantity <= 0:
            break
        want.took(price, quantity)
        plan.matches.append(Match(price, quantity, maker, level))
    return plan


class _Want:
    """What is left to trade, in base or in quote currency."""

    def __init__(self, request: OrderRequest, remaining: Decimal | None, step: Decimal) -> None:
        self._quote = request.quote_quantity
        self._base = request.quantity if remaining is None else remaining
        self._step = step

    def at(self, price: Decimal, available: Decimal) -> Decimal:
        if self._quote is not None:
            steps = (self._quote / price / self._step).to_integral_value(ROUND_DOWN)
            return min(steps * self._step, available)
        return min(self._base or ZERO, available)

    def took(self, price: Decimal, quantity: Decimal) -> None:
        if self._quote is not None:
            self._quote -= round_down(price * quantity)
        elif self._base is not None:
            self._base -= quantity


def _offers(
    side: Side, resting: RestingOrders, market: MarketBook
) -> Iterator[tuple[Decimal, Decimal, Order | None, int]]:
    """Yield price, quantity, order and level of both books, best price first, orders before levels."""
    opposite = Side.SELL if side is Side.BUY else Side.BUY
    sign = 1 if side is Side.BUY else -1
    levels = market.levels(opposite)
    level = next(levels, None)
    for price, order in resting:
        while level is not None and level[1] * sign < price * sign:
            yield level[1], level[2], None, level[0]
            level = next(levels, None)
        yield price, order.remaining, order, -1
    while level is not None:
        yield level[1], level[2], None, level[0]
        level = next(levels, None)


def _is_beyond(request: OrderRequest, price: Decimal) -> bool:
    limit = request.price
    if limit is None:
        return False
    return price > limit if request.side is Side.BUY else price < limit
