"""The futures' trading endpoints: placing, changing and canceling orders, one or several."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.params import Params
from tradeguard.simulator.binance.selection import named_open
from tradeguard.simulator.binance.usdm.errors import of_rejection
from tradeguard.simulator.binance.usdm.order_request import price_of, quantity_of, regular_request
from tradeguard.simulator.binance.usdm.serialise import is_regular, order_json
from tradeguard.simulator.orders import Order, OrderRequest, Side
from tradeguard.simulator.rejections import EngineRejection

__all__ = [
    "DONE",
    "ORDER",
    "amend_order",
    "cancel_all",
    "cancel_order",
    "cancel_several",
    "create_order",
    "create_several",
    "placed",
    "test_order",
]

ORDER = (
    "symbol side positionSide type reduceOnly quantity price newClientOrderId timeInForce newOrderRespType "
    "selfTradePreventionMode"
)
"""Parameters of an order."""

DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}

# As documented, and as ccxt sends them.
_LISTS: Mapping[str, str] = MappingProxyType(
    {
        "orderIdList": "orderId",
        "orderidlist": "orderId",
        "origClientOrderIdList": "origClientOrderId",
        "origclientorderidlist": "origClientOrderId",
    }
)
_MOST_PLACED = 5
_MOST_CANCELED = 10


def placed(call: Call, request: OrderRequest) -> Order:
    """Place an order.

    Raises:
        BinanceError: it is refused.
    """
    try:
        return call.venue.engine.place(call.account, request)
    except EngineRejection as rejection:
        raise of_rejection(rejection) from rejection


def create_order(call: Call) -> object:
    """POST /fapi/v1/order."""
    return order_json(placed(call, regular_request(call, call.params)))


def test_order(call: Call) -> object:
    """POST /fapi/v1/order/test."""
    try:
        call.venue.engine.check(regular_request(call, call.params))
    except EngineRejection as rejection:
        raise of_rejection(rejection) from rejection
    return {}


def create_several(call: Call) -> object:
    """POST /fapi/v1/batchOrders: each order stands for itself."""

    def create(params: Params) -> dict[str, object]:
        params.check_known(ORDER.split())
        return order_json(placed(call, regular_request(call, params)))

    sent = [Params(_texts(one)) for one in _list(call, "batchOrders", _MOST_PLACED, dict)]
    return [_or_error(create, params) for params in sent]


def amend_order(call: Call) -> object:
    """PUT /fapi/v1/order: a new price and quantity, in place."""
    order, rules = named_open(call, "orderId", "origClientOrderId", is_regular), call.book().rules
    side = call.params.required_choice("side", Side, BinanceError(-1117, "Invalid side."))
    if side is not order.request.side or order.request.price is None:
        raise BinanceError(-4142, "Only limit order is supported.")
    quantity, price = quantity_of(call.params, rules), price_of(call.params, rules)
    if (quantity, price) == (order.quantity, order.request.price):
        raise BinanceError(-5027, "No need to modify the order.")
    try:
        call.venue.engine.amend(order, quantity=quantity, price=price)
    except EngineRejection as rejection:
        raise of_rejection(rejection) from rejection
    return order_json(order)


def cancel_order(call: Call) -> object:
    """DELETE /fapi/v1/order."""
    return _canceled(call, named_open(call, "orderId", "origClientOrderId", is_regular))


def cancel_all(call: Call) -> object:
    """DELETE /fapi/v1/allOpenOrders: regular orders, of one symbol; that there are none is no error."""
    for order in call.venue.engine.register.open_orders(call.account, call.book().feed.symbol):
        if is_regular(order):
            call.venue.engine.cancel(order)
    return DONE


def cancel_several(call: Call) -> object:
    """DELETE /fapi/v1/batchOrders: each order stands for itself."""
    listed = next((one for one in _LISTS if one in call.params), "orderIdList")
    name, symbol = _LISTS[listed], call.params.required("symbol")

    def cancel(params: Params) -> dict[str, object]:
        one = Call(call.venue, params, call.view, call.account)
        return _canceled(one, named_open(one, "orderId", "origClientOrderId", is_regular))

    ids = _list(call, listed, _MOST_CANCELED, (int, str))
    return [_or_error(cancel, Params({"symbol": symbol, name: str(one)})) for one in ids]


def _canceled(call: Call, order: Order) -> dict[str, object]:
    call.venue.engine.cancel(order)
    return order_json(order)


def _or_error(act: Callable[[Params], dict[str, object]], params: Params) -> dict[str, object]:
    try:
        return act(params)
    except BinanceError as error:
        return error.payload()


def _list(call: Call, name: str, most: int, kind: type | tuple[type, ...]) -> list[Any]:
    try:
        values = json.loads(call.params.required(name))
    except ValueError:
        values = None
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        raise BinanceError(-1130, f"Data sent for parameter '{name}' is not valid.")
    if not 1 <= len(values) <= most:
        raise BinanceError(-4082, "Invalid number of batch place orders.")
    return values


def _texts(values: dict[str, object]) -> dict[str, str]:
    """Return the values of JSON as they would be sent in a query."""
    return {
        name: json.dumps(value) if isinstance(value, bool) else str(value) for name, value in values.items()
    }
