"""Which orders and trades of an account a request asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.orders import Order, Trade

__all__ = [
    "DAY_MS",
    "Keep",
    "every_order",
    "is_visible",
    "named_open",
    "named_order",
    "some_orders",
    "some_trades",
]

DAY_MS = 86_400_000

Keep = Callable[[Order], bool]
"""Whether an endpoint knows an order."""


def every_order(order: Order) -> bool:
    """Keep every order."""
    return True


def is_visible(call: Call, order: Order | None) -> bool:
    """Return whether look-ups show the order yet."""
    return order is not None and call.view.shows(order, call.venue.engine.register)


def named_order(
    call: Call, keep: Keep = every_order, id_name: str = "orderId", client_name: str = "origClientOrderId"
) -> Order:
    """Return the order that the request names by its id or its client id; the newest of several.

    Raises:
        BinanceError: it names none, or there is none.
    """
    symbol = call.book().feed.symbol
    order_id, client_id = _names(call, id_name, client_name)
    register = call.venue.engine.register
    if order_id is None:
        found = register.by_client_id(call.account, symbol, client_id or "")
    else:
        one = register.by_id(call.account, symbol, order_id)
        found = [] if one is None or client_id not in (None, one.client_order_id) else [one]
    visible = [order for order in found if keep(order) and is_visible(call, order)]
    if not visible:
        raise BinanceError(-2013, "Order does not exist.")
    return visible[-1]


def named_open(call: Call, id_name: str, client_name: str, keep: Keep = every_order) -> Order:
    """Return the open order that the request names, to be canceled or changed.

    Raises:
        BinanceError: it names none, or there is none.
    """
    symbol = call.book().feed.symbol
    order_id, client_id = _names(call, id_name, client_name)
    register = call.venue.engine.register
    order = (
        register.open_one(call.account, client_id or "")
        if order_id is None
        else register.by_id(call.account, symbol, order_id)
    )
    if order is None or not order.status.is_open or order.request.symbol != symbol or not keep(order):
        raise BinanceError(-2011, "Unknown order sent.")
    if client_id not in (None, order.client_order_id):
        raise BinanceError(-2039, "Client order ID is not correct for this order ID.")
    return order


def some_orders(
    call: Call, orders: Iterable[Order], longest_ms: int = DAY_MS, id_name: str = "orderId"
) -> list[Order]:
    """Return those of `orders`, oldest first, that the request's first id, period and limit leave.

    Raises:
        BinanceError: the period is longer than `longest_ms`.
    """
    order_id, limit = call.params.integer(id_name), call.params.limit(500, 1000)
    start, end = _period(call, longest_ms)
    found = [
        order
        for order in orders
        if is_visible(call, order)
        and (order_id is None or order.order_id >= order_id)
        and (start is None or order.created_ms >= start)
        and (end is None or order.created_ms <= end)
    ]
    oldest_first = order_id is not None or start is not None
    return found[:limit] if oldest_first else found[-limit:]


def some_trades(call: Call, longest_ms: int = DAY_MS) -> list[Trade]:
    """Return the account's fills on the symbol that the request's order, first id, period and limit leave.

    Raises:
        BinanceError: the period is longer than `longest_ms`, or stands beside a first id.
    """
    symbol, params = call.book().feed.symbol, call.params
    order_id, from_id = params.integer("orderId"), params.integer("fromId")
    limit = params.limit(500, 1000)
    start, end = _period(call, longest_ms)
    if from_id is not None and (start is not None or end is not None):
        raise BinanceError(-1128, "Combination of optional parameters invalid.")
    register = call.venue.engine.register
    found = [
        trade
        for trade in register.trades(call.account, symbol)
        if (order_id is None or trade.order_id == order_id)
        and (from_id is None or trade.trade_id >= from_id)
        and (start is None or trade.time_ms >= start)
        and (end is None or trade.time_ms <= end)
        and is_visible(call, register.by_id(call.account, symbol, trade.order_id))
    ]
    oldest_first = from_id is not None or start is not None
    return found[:limit] if oldest_first else found[-limit:]


def _names(call: Call, id_name: str, client_name: str) -> tuple[int | None, str | None]:
    order_id, client_id = call.params.integer(id_name), call.params.client_order_id(client_name)
    if order_id is None and client_id is None:
        message = f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!"
        raise BinanceError(-1102, message)
    return order_id, client_id


def _period(call: Call, longest_ms: int) -> tuple[int | None, int | None]:
    start, end = call.params.integer("startTime"), call.params.integer("endTime")
    if start is not None and end is not None and end - start > longest_ms:
        hours = longest_ms // 3_600_000
        raise BinanceError(-1127, f"More than {hours} hours between startTime and endTime.")
    return start, end
