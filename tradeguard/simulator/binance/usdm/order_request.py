"""Reading orders as the futures do, with their complaints."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.params import Params
from tradeguard.simulator.candles import ZERO
from tradeguard.simulator.filters import is_multiple
from tradeguard.simulator.orders import OrderRequest, OrderType, SelfTrade, Side, TimeInForce
from tradeguard.simulator.symbols import SymbolRules

__all__ = ["CONDITIONAL", "conditional_request", "price_of", "quantity_of", "regular_request"]

CONDITIONAL: Mapping[str, OrderType] = MappingProxyType(
    {
        "STOP": OrderType.STOP_LOSS_LIMIT,
        "STOP_MARKET": OrderType.STOP_LOSS,
        "TAKE_PROFIT": OrderType.TAKE_PROFIT_LIMIT,
        "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT,
    }
)
"""Conditional types, by the futures' names."""

_SHOWN_TIMES: Mapping[str, TimeInForce] = MappingProxyType(
    {**{str(one): one for one in TimeInForce}, "GTX": TimeInForce.GTC}
)


def regular_request(call: Call, params: Params) -> OrderRequest:
    """Return the order that the parameters of `order`, or of one in `batchOrders`, ask for.

    Raises:
        BinanceError: they are malformed, or do not go together.
    """
    kind = params.required("type")
    if kind in CONDITIONAL or kind == "TRAILING_STOP_MARKET":
        message = (
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
        )
        raise BinanceError(-4120, message)
    if kind not in ("LIMIT", "MARKET"):
        raise BinanceError(-1116, "Invalid orderType.")
    is_limit = kind == "LIMIT"
    for name in () if is_limit else ("price", "timeInForce"):
        if name in params:
            raise BinanceError(-1106, f"Parameter '{name}' sent when not required.")
    book = call.book(params.required("symbol"))
    time_in_force, post_only = _time_in_force(params, needed=is_limit)
    working = OrderType.LIMIT_MAKER if post_only else OrderType.LIMIT
    return OrderRequest(
        symbol=book.feed.symbol,
        side=_side(params),
        type=working if is_limit else OrderType.MARKET,
        client_order_id=params.client_order_id("newClientOrderId"),
        quantity=quantity_of(params, book.rules),
        price=price_of(params, book.rules) if is_limit else None,
        time_in_force=time_in_force,
        self_trade=_self_trade(params),
        reduce_only=_flag(params, "reduceOnly"),
    )


def conditional_request(call: Call) -> OrderRequest:
    """Return the order that the parameters of `algoOrder` ask for.

    Raises:
        BinanceError: they are malformed, or do not go together.
    """
    params, book = call.params, call.book()
    if params.required("algoType") != "CONDITIONAL":
        raise BinanceError(
            -1102, "Mandatory parameter 'algoType' was not sent, was empty/null, or malformed."
        )
    kind = CONDITIONAL.get(params.required("type"))
    if kind is None:
        raise BinanceError(-1116, "Invalid orderType.")
    closes = _flag(params, "closePosition")
    if closes and "quantity" in params:
        raise BinanceError(-4137, "Quantity must be zero with closePosition equals true.")
    if closes and kind.is_priced:
        raise BinanceError(-4136, "Target strategy invalid for orderType, closePosition")
    time_in_force, post_only = _time_in_force(params, needed=False)
    if post_only:
        raise BinanceError(-1115, "Invalid timeInForce.")
    return OrderRequest(
        symbol=book.feed.symbol,
        side=_side(params),
        type=kind,
        client_order_id=params.client_order_id("clientAlgoId"),
        quantity=None if closes else quantity_of(params, book.rules),
        price=price_of(params, book.rules) if kind.is_priced else None,
        stop_price=price_of(params, book.rules, "triggerPrice"),
        time_in_force=time_in_force,
        self_trade=_self_trade(params),
        reduce_only=closes or _flag(params, "reduceOnly"),
        closes_position=closes,
    )


def quantity_of(params: Params, rules: SymbolRules) -> Decimal:
    """Return the mandatory quantity.

    Raises:
        BinanceError: it is not sent, not above 0, below the smallest, or too fine.
    """
    params.required("quantity")
    quantity = params.decimal("quantity") or ZERO
    if quantity <= 0:
        raise BinanceError(-4003, "Quantity less than or equal to zero.")
    _check_precision(quantity, rules.step_size)
    if quantity < rules.min_quantity:
        raise BinanceError(-4004, "Quantity less than min quantity.")
    return quantity


def price_of(params: Params, rules: SymbolRules, name: str = "price") -> Decimal:
    """Return a mandatory price.

    Raises:
        BinanceError: it is not sent, not above 0, or too fine.
    """
    params.required(name)
    price = params.decimal(name) or ZERO
    if price <= 0:
        raise BinanceError(-4001, "Price less than 0.")
    _check_precision(price, rules.tick_size)
    return price


def _check_precision(value: Decimal, step: Decimal) -> None:
    if not is_multiple(value, step):
        raise BinanceError(-1111, "Precision is over the maximum defined for this asset.")


def _side(params: Params) -> Side:
    if params.text("positionSide") not in (None, "BOTH"):
        raise BinanceError(-4061, "Order's position side does not match user's setting.")
    return params.required_choice("side", Side, BinanceError(-1117, "Invalid side."))


def _self_trade(params: Params) -> SelfTrade:
    error = BinanceError(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
    chosen = params.choice("selfTradePreventionMode", SelfTrade, error)
    return SelfTrade.NONE if chosen is None else chosen


def _time_in_force(params: Params, *, needed: bool) -> tuple[TimeInForce, bool]:
    """Return how long an order works, and whether only as a maker."""
    sent = params.required("timeInForce") if needed else params.text("timeInForce")
    if sent is None:
        return TimeInForce.GTC, False
    if sent not in _SHOWN_TIMES:
        raise BinanceError(-1115, "Invalid timeInForce.")
    return _SHOWN_TIMES[sent], sent == "GTX"


def _flag(params: Params, name: str) -> bool:
    sent = params.text(name)
    if sent not in (None, "true", "false"):
        raise BinanceError(-1130, f"Data sent for parameter '{name}' is not valid.")
    return sent == "true"
