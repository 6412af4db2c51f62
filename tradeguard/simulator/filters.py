"""Filters: the trading rules of a symbol, as Binance names them.

Source: https://developers.binance.com/docs/binance-spot-api-docs/filters
"""

from __future__ import annotations

from decimal import Decimal

from tradeguard.simulator.orders import OrderRequest, OrderType
from tradeguard.simulator.rejections import EngineRejection, Reason
from tradeguard.simulator.symbols import SymbolRules

__all__ = ["check_counts", "check_filters", "is_multiple"]


def check_filters(request: OrderRequest, rules: SymbolRules, last_price: Decimal) -> None:
    """Refuse an order that breaks a rule of its symbol.

    Raises:
        EngineRejection: with the name of the broken filter as its detail.
    """
    for price in (request.price, request.stop_price):
        if price is not None and not _is_price(price, rules):
            raise EngineRejection(Reason.FILTER, "PRICE_FILTER")
    quantity = request.quantity
    if quantity is not None:
        fits = rules.min_quantity <= quantity <= rules.max_quantity and is_multiple(quantity, rules.step_size)
        if not fits:
            raise EngineRejection(Reason.FILTER, "LOT_SIZE")
        if request.type is OrderType.MARKET and quantity > rules.max_quantity / 10:
            raise EngineRejection(Reason.FILTER, "MARKET_LOT_SIZE")
    notional = _notional(request, last_price)
    if not request.reduce_only and not rules.min_notional <= notional <= rules.max_notional:
        raise EngineRejection(Reason.FILTER, "NOTIONAL")


def check_counts(request: OrderRequest, rules: SymbolRules, open_orders: int, stop_orders: int) -> None:
    """Refuse an order that would leave its account with too many open ones on the symbol.

    Raises:
        EngineRejection: with the name of the broken filter as its detail.
    """
    if open_orders >= rules.max_orders:
        raise EngineRejection(Reason.FILTER, "MAX_NUM_ORDERS")
    if request.type.is_stop and stop_orders >= rules.max_stop_orders:
        raise EngineRejection(Reason.FILTER, "MAX_NUM_ALGO_ORDERS")


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Return whether `value` is a whole number of steps."""
    return value % step == 0


def _is_price(price: Decimal, rules: SymbolRules) -> bool:
    return rules.min_price <= price <= rules.max_price and is_multiple(price, rules.tick_size)


def _notional(request: OrderRequest, last_price: Decimal) -> Decimal:
    if request.quote_quantity is not None:
        return request.quote_quantity
    price = request.price
    if price is None:
        price = last_price if request.stop_price is None else request.stop_price
    return price * (request.quantity or Decimal(0))
