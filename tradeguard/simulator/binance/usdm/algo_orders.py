"""The futures' conditional orders: the algo service, which holds an order until its price is reached.

What it places then is one order with it here: the same number, the same client id, and every fill.
"""

from __future__ import annotations

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.selection import DAY_MS, is_visible, some_orders
from tradeguard.simulator.binance.usdm.order_request import conditional_request
from tradeguard.simulator.binance.usdm.serialise import algo_json, is_conditional
from tradeguard.simulator.binance.usdm.trading import DONE, placed
from tradeguard.simulator.orders import Order

__all__ = [
    "ALGO_ORDER",
    "all_algos",
    "cancel_algo",
    "cancel_all_algos",
    "create_algo",
    "open_algos",
    "query_algo",
]

ALGO_ORDER = (
    "algoType symbol side positionSide type timeInForce quantity price triggerPrice workingType priceProtect "
    "closePosition reduceOnly clientAlgoId newOrderRespType selfTradePreventionMode"
)
"""Parameters of a conditional order."""

_WEEK_MS = 7 * DAY_MS


def create_algo(call: Call) -> object:
    """POST /fapi/v1/algoOrder."""
    return algo_json(placed(call, conditional_request(call)))


def cancel_algo(call: Call) -> object:
    """DELETE /fapi/v1/algoOrder."""
    order = _named(call, open_only=True)
    call.venue.engine.cancel(order)
    return {
        "algoId": order.order_id,
        "clientAlgoId": order.client_order_id,
        "code": "200",
        "msg": "success",
    }


def cancel_all_algos(call: Call) -> object:
    """DELETE /fapi/v1/algoOpenOrders."""
    for order in call.venue.engine.register.open_orders(call.account, call.book().feed.symbol):
        if _is_waiting(order):
            call.venue.engine.cancel(order)
    return DONE


def query_algo(call: Call) -> object:
    """GET /fapi/v1/algoOrder."""
    return algo_json(_named(call, open_only=False))


def open_algos(call: Call) -> object:
    """GET /fapi/v1/openAlgoOrders."""
    symbol = call.book().feed.symbol if "symbol" in call.params else None
    orders = call.venue.engine.register.open_orders(call.account, symbol)
    return [algo_json(order) for order in orders if _is_waiting(order) and is_visible(call, order)]


def all_algos(call: Call) -> object:
    """GET /fapi/v1/allAlgoOrders."""
    known = call.venue.engine.register.of_symbol(call.account, call.book().feed.symbol)
    orders = [order for order in known if is_conditional(order)]
    return [algo_json(order) for order in some_orders(call, orders, _WEEK_MS, "algoId")]


def _is_waiting(order: Order) -> bool:
    return is_conditional(order) and not order.is_working


def _named(call: Call, *, open_only: bool) -> Order:
    """Return the conditional order that the request names; these endpoints need no symbol."""
    params, register = call.params, call.venue.engine.register
    order_id, client_id = params.integer("algoId"), params.client_order_id("clientAlgoId")
    if order_id is None and client_id is None:
        raise BinanceError(-1102, "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!")
    known = [
        order
        for order in register.of_account(call.account)
        if is_conditional(order)
        and order_id in (None, order.order_id)
        and client_id in (None, order.client_order_id)
        and (_is_waiting(order) and order.status.is_open if open_only else is_visible(call, order))
    ]
    if known:
        return known[-1]
    raise (
        BinanceError(-2011, "Unknown order sent.")
        if open_only
        else BinanceError(-2013, "Order does not exist.")
    )
