"""The futures' look-ups of orders and fills; conditional orders are there from their trigger on."""

from __future__ import annotations

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.selection import DAY_MS, is_visible, named_order, some_orders, some_trades
from tradeguard.simulator.binance.usdm.serialise import is_regular, order_json, trade_json

__all__ = ["all_orders", "my_trades", "open_order", "open_orders", "query_order"]

_WEEK_MS = 7 * DAY_MS


def query_order(call: Call) -> object:
    """GET /fapi/v1/order."""
    return order_json(named_order(call, is_regular))


def open_order(call: Call) -> object:
    """GET /fapi/v1/openOrder."""
    order = named_order(call, is_regular)
    if not order.status.is_open:
        raise BinanceError(-2013, "Order does not exist.")
    return order_json(order)


def open_orders(call: Call) -> object:
    """GET /fapi/v1/openOrders."""
    symbol = call.book().feed.symbol if "symbol" in call.params else None
    orders = call.venue.engine.register.open_orders(call.account, symbol)
    return [order_json(order) for order in orders if is_regular(order) and is_visible(call, order)]


def all_orders(call: Call) -> object:
    """GET /fapi/v1/allOrders; of every symbol where none is named."""
    register = call.venue.engine.register
    named = "symbol" in call.params
    known = (
        register.of_symbol(call.account, call.book().feed.symbol)
        if named
        else register.of_account(call.account)
    )
    orders = [order for order in known if is_regular(order)]
    return [order_json(order) for order in some_orders(call, orders, _WEEK_MS)]


def my_trades(call: Call) -> object:
    """GET /fapi/v1/userTrades."""
    return [trade_json(trade) for trade in some_trades(call, _WEEK_MS)]
