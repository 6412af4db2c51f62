"""Kraken's JSON: numbers, orders and trades as it writes them."""

from __future__ import annotations

from decimal import Decimal

from tradeguard.simulator.kraken.names import Pair, trade_id
from tradeguard.simulator.orders import Order, OrderRequest, OrderStatus, OrderType, Trade
from tradeguard.simulator.symbols import PRECISION

__all__ = ["amount", "description", "order_json", "order_type", "seconds", "trade_json"]

_TYPES = {OrderType.LIMIT_MAKER: "limit"}
# What an immediate order could not fill is canceled at Kraken; nothing of it expires.
_STATUSES = {
    OrderStatus.NEW: ("open", None),
    OrderStatus.PARTIALLY_FILLED: ("open", None),
    OrderStatus.FILLED: ("closed", None),
    OrderStatus.CANCELED: ("canceled", "User requested"),
    OrderStatus.EXPIRED: ("canceled", "Insufficient liquidity"),
    OrderStatus.EXPIRED_IN_MATCH: ("canceled", "Self trade prevention"),
}


def amount(number: Decimal) -> str:
    """Return a number with at least 8 decimals."""
    text = f"{number:f}"
    return text if len(text.partition(".")[2]) > PRECISION else f"{number:.{PRECISION}f}"


def seconds(time_ms: int) -> float:
    """Return a time as Kraken writes it."""
    return time_ms / 1000


def order_type(request: OrderRequest) -> str:
    """Return Kraken's name of the order's type."""
    return _TYPES.get(request.type, request.type.replace("_", "-"))


def description(request: OrderRequest) -> str:
    """Return an order in one line, such as `buy 1.00000000 ETHXBT @ limit 0.04000000`."""
    size = request.quantity if request.quote_quantity is None else request.quote_quantity
    kind = order_type(request).removesuffix("-limit").replace("-", " ")
    price = request.price if request.stop_price is None else request.stop_price
    terms = kind if price is None else f"{kind} {amount(price)}"
    if request.stop_price is not None and request.price is not None:
        terms += f" -> limit {amount(request.price)}"
    return f"{request.side} {amount(size or Decimal(0))} {Pair(request.symbol).altname} @ {terms}"


def order_json(order: Order, seed: int, *, trades: bool) -> dict[str, object]:
    """Return an order as look-ups show it."""
    request = order.request
    status, reason = _STATUSES[order.status]
    average = order.cost / order.filled if order.filled else Decimal(0)
    body: dict[str, object] = {
        "refid": None,
        "userref": request.reference,
        "status": status,
        "opentm": seconds(order.created_ms),
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": Pair(request.symbol).altname,
            "type": str(request.side),
            "ordertype": order_type(request),
            "price": _price(request.price if request.stop_price is None else request.stop_price),
            "price2": _price(None if request.stop_price is None else request.price),
            "leverage": "none",
            "order": description(request),
            "close": "",
        },
        "vol": amount(order.quantity if request.quote_quantity is None else request.quote_quantity),
        "vol_exec": amount(order.filled),
        "cost": amount(order.cost),
        "fee": amount(sum((trade.fee for trade in order.fills), Decimal(0))),
        "price": f"{average:.8f}",
        "stopprice": _price(request.stop_price),
        "limitprice": _price(None if request.stop_price is None else request.price),
        "misc": "",
        "oflags": ",".join(_flags(request)),
    }
    if request.client_order_id is not None:
        body["cl_ord_id"] = request.client_order_id
    if not order.status.is_open:
        body |= {"reason": reason, "closetm": seconds(order.updated_ms)}
    if trades and order.fills:
        body["trades"] = [trade_id(seed, trade.trade_id) for trade in order.fills]
    return body


def trade_json(trade: Trade, order: Order) -> dict[str, object]:
    """Return a trade of one's own."""
    return {
        "ordertxid": order.name,
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": Pair(trade.symbol).id,
        "time": seconds(trade.time_ms),
        "type": str(trade.side),
        "ordertype": order_type(order.request),
        "price": amount(trade.price),
        "cost": amount(trade.quote_quantity),
        "fee": amount(trade.fee),
        "vol": amount(trade.quantity),
        "margin": "0.00000000",
        "leverage": "0",
        "misc": "",
        "trade_id": trade.trade_id,
        "maker": trade.is_maker,
    }


def _price(price: Decimal | None) -> str:
    return "0" if price is None else amount(price)


def _flags(request: OrderRequest) -> list[str]:
    flags = ["fciq"]
    if request.type is OrderType.LIMIT_MAKER:
        flags.append("post")
    if request.quote_quantity is not None:
        flags.append("viqc")
    return flags
