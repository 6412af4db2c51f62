# SPDX-License-Identifier: GPL-3.0-or-later
"""From a Backtrader order to the arguments of `create_order`, or to the reason why there is no way.

No request is made: what the exchange cannot do, or would refuse for its size, is refused here.
"""

from __future__ import annotations

import datetime as dt
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import backtrader as bt
import ccxt

from tradeguard_backtrader.accounts.fills import exact
from tradeguard_backtrader.accounts.markets import Market, RefusedError, in_units, market_of
from tradeguard_backtrader.brokers.broker_events import AdoptedOrder
from tradeguard_backtrader.stamps import epoch_ms

__all__ = [
    "CONDITIONS",
    "STOPS",
    "OrderRequest",
    "adopted_order",
    "dust_of",
    "is_native",
    "require_terms",
    "route",
    "symbol_of",
    "trigger_name",
    "valid_until_ms",
]

_TYPES = {
    bt.Order.Market: "market",
    bt.Order.Close: "market",
    bt.Order.Limit: "limit",
    bt.Order.Stop: "market",
    bt.Order.StopLimit: "limit",
    bt.Order.StopTrail: "market",
    bt.Order.StopTrailLimit: "limit",
}
STOPS = frozenset({bt.Order.Stop, bt.Order.StopLimit})
_TRAILS = frozenset({bt.Order.StopTrail, bt.Order.StopTrailLimit})
CONDITIONS = (
    "triggerPrice", "stopPrice", "stopLossPrice", "takeProfitPrice", "trailingAmount", "trailingPercent",
    "callbackRate", "trailingDelta",
)  # fmt: skip
"""Parameters with which ccxt places an order that waits for its price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """The arguments of `create_order`.

    Attributes:
        ref: Backtrader's number of the order.
        symbol: unified symbol.
        type: `market` or `limit`.
        side: `buy` or `sell`.
        amount: base currency, in the market's precision.
        price: quote currency per base; None for a market order.
        params: further parameters.
        trigger: the price at which an order that rests at the exchange as a stop is triggered, else None.
    """

    ref: int
    symbol: str
    type: str
    side: str
    amount: float
    price: float | None
    params: Mapping[str, Any] = field(default_factory=dict)
    trigger: float | None = None

    @property
    def worst_price(self) -> float | None:
        """The price for which the exchange locks cash; None where nobody knows it."""
        return self.trigger if self.price is None else self.price

    @property
    def exact_amount(self) -> Decimal:
        """The amount in base currency."""
        return exact(self.amount)

    @property
    def reduces(self) -> bool:
        """Whether it can only reduce a position."""
        return self.params.get("reduceOnly") in (True, "true")


def symbol_of(data: Any) -> str:
    """Return the symbol of a data: what it was made for, else its name."""
    return str(data._dataname if isinstance(data._dataname, str) else data._name)


def route(
    order: Any,
    symbol: str,
    exchange: Any,
    params: Mapping[str, Any],
    *,
    triggered: bool = False,
    size: float | None = None,
) -> OrderRequest:
    """Return the request for `order`.

    Args:
        order: a `bt.Order`.
        symbol: unified symbol of its data.
        exchange: a ccxt exchange whose markets are loaded.
        params: the caller's own parameters; they win over ours.
        triggered: whether its price or its time has come, or is awaited here: then the exchange is told of none.
        size: how much, base currency; None for the order's own size.

    Raises:
        RefusedError: the exchange cannot do this, or refuses an order of this size.
    """
    market = market_of(exchange, symbol)
    conditions = [] if market.rests_stops else [name for name in CONDITIONS if name in params]
    if conditions:
        raise RefusedError(
            f"{symbol}: {conditions[0]} makes an order that cannot be followed up; order a Stop or a StopTrail"
        )
    kind = _kind(order)
    trigger = (
        None if order.exectype not in STOPS | _TRAILS else _priced(exchange, symbol, order.created.price)
    )
    name = None if trigger is None or triggered else trigger_name(exchange, symbol)
    if trigger is not None and name is None and not triggered:
        raise RefusedError(f"{exchange.id} has no stop orders on {symbol}")
    price = None
    if kind == "limit":
        wanted = order.created.price if order.exectype == bt.Order.Limit else order.created.pricelimit
        price = _priced(exchange, symbol, wanted)
    amount = _sized(exchange, market, abs(order.created.size) if size is None else size)
    reference = next(each for each in (price, trigger, order.created.pclose) if each is not None)
    buys_for_an_amount = market.coin and exchange.options.get("createMarketBuyOrderRequiresPrice")
    if kind == "market" and order.isbuy() and buys_for_an_amount:
        price = reference  # such an exchange buys coin for an amount of quote currency
    request = OrderRequest(
        ref=order.ref,
        symbol=symbol,
        type=kind,
        side="buy" if order.isbuy() else "sell",
        amount=amount,
        price=price,
        params={**({} if name is None else {name: trigger}), **params},
        trigger=None if name is None else trigger,
    )
    _require_limits(exchange.markets[symbol], request, in_units(amount, market), reference)
    return request


def _kind(order: Any) -> str:
    kind = _TYPES.get(order.exectype)
    if kind is None:
        raise RefusedError(f"orders of type {order.getordername()} cannot be sent to an exchange")
    if order.exectype in _TRAILS:
        _require_trail(order)
    return kind


def _require_trail(order: Any) -> None:
    told = {"trailamount": order.trailamount, "trailpercent": order.trailpercent}
    for name, distance in told.items():
        if distance is None:
            continue
        if not isinstance(distance, numbers.Real) or not 0 <= float(distance) < math.inf:
            raise RefusedError(f"{name} {distance!r} is no distance for a stop to follow the price in")
    if not any(told.values()):
        raise RefusedError("a trailing stop needs its trailamount or its trailpercent")


def trigger_name(exchange: Any, symbol: str) -> str | None:
    """Return what the exchange calls the price of a stop; None where it has no stops."""
    for name in ("triggerPrice", "stopLossPrice"):
        if exchange.feature_value(symbol, "createOrder", name):
            return name
    return None


def is_native(order: Any, symbol: str, exchange: Any) -> bool:
    """Whether the exchange can hold the order: stops where its `features` say so.

    Trailing stops it cannot: it would trail every trade, where Backtrader trails the closes; nor does it know
    when a session ends.

    Raises:
        RefusedError: the market cannot be traded.
    """
    if order.exectype in STOPS:
        return market_of(exchange, symbol).rests_stops and trigger_name(exchange, symbol) is not None
    return order.exectype in (bt.Order.Market, bt.Order.Limit)


def require_terms(refusals: Mapping[str, str], request: OrderRequest) -> None:
    """Refuse to open a position where the terms that were asked for could not be had.

    Raises:
        RefusedError: `refusals` names the symbol, and the order does more than reduce a position.
    """
    reason = refusals.get(request.symbol)
    if reason is not None and not request.reduces:
        raise RefusedError(f"{request.symbol} cannot be entered on the terms that were asked for: {reason}")


def _sized(exchange: Any, market: Market, size: float) -> float:
    try:
        units = exchange.amount_to_precision(market.symbol, in_units(size, market))
        return float(exact(units) * market.contract_size)
    except (ccxt.BaseError, ArithmeticError, ValueError) as error:
        raise RefusedError(f"{size!r} cannot be ordered of {market.symbol}: {error}") from error


def _priced(exchange: Any, symbol: str, price: Any) -> float:
    try:
        rounded = float(exchange.price_to_precision(symbol, price))
    except (ccxt.BaseError, ArithmeticError, ValueError, TypeError) as error:
        raise RefusedError(f"{price!r} is no price for {symbol}: {error}") from error
    if not rounded > 0:
        raise RefusedError(f"{price!r} is no price for {symbol}")
    return rounded


def _require_limits(told: Mapping[str, Any], request: OrderRequest, units: float, reference: float) -> None:
    limits = told.get("limits") or {}
    checked = [("amount", units)]
    if not request.reduces:  # what is too little to open may have to be closed
        checked.append(("cost", request.amount * reference))
    if request.price is not None:
        checked.append(("price", request.price))
    for name, value in checked:
        bounds = limits.get(name) or {}
        least, most = bounds.get("min"), bounds.get("max")
        if value <= 0 or (least is not None and value < least):
            raise RefusedError(f"{request.symbol}: {name} {value:g} is below the least of {least}")
        if most is not None and value > most:
            raise RefusedError(f"{request.symbol}: {name} {value:g} is above the most of {most}")


def valid_until_ms(order: Any) -> int | None:
    """Return when `order` shall expire, epoch milliseconds; None for never.

    Backtrader turns dates and time spans into a day number, and leaves 0 (the day's end) and numbers alone.
    """
    valid = order.valid
    if valid is None:
        return None
    if not valid:
        day = order.data.datetime.date()
        valid = order.data.date2num(dt.datetime.combine(day, dt.time(23, 59, 59, 999000)))
    return epoch_ms(float(valid))


def dust_of(exchange: Any, market: Market) -> Decimal:
    """Return the least amount that can be traded, in base currency; 0 where nobody tells."""
    told = exchange.market(market.symbol)
    least = exact((told.get("limits", {}).get("amount") or {}).get("min"))
    if exchange.precisionMode == ccxt.TICK_SIZE:
        least = max(least, exact((told.get("precision") or {}).get("amount")))
    return least * market.contract_size


def adopted_order(adopted: AdoptedOrder, data: Any) -> tuple[Any, OrderRequest]:
    """Return a Backtrader order without an owner for an order that is open at the exchange, and its request."""
    found = adopted.order
    is_buy, price, trigger = found.get("side") == "buy", found.get("price"), found.get("triggerPrice")
    if trigger is None:
        kind = bt.Order.Market if price is None else bt.Order.Limit
    else:
        kind = bt.Order.Stop if price is None else bt.Order.StopLimit
    make = bt.order.BuyOrder if is_buy else bt.order.SellOrder
    order = make(
        owner=None,
        data=data,
        size=adopted.remaining,
        price=price if trigger is None else trigger,
        pricelimit=None if trigger is None else price,
        exectype=kind,
    )
    request = OrderRequest(
        ref=order.ref,
        symbol=str(found.get("symbol")),
        type="market" if price is None else "limit",
        side="buy" if is_buy else "sell",
        amount=adopted.remaining,
        price=price,
        params={"reduceOnly": True} if found.get("reduceOnly") else {},
        trigger=trigger,
    )
    return order, request
