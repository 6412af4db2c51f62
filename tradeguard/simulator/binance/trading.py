"""Binance's trading endpoints: placing, testing, canceling and replacing orders."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError, of_rejection
from tradeguard.simulator.binance.params import Params
from tradeguard.simulator.binance.selection import named_open
from tradeguard.simulator.binance.serialise import cancel_json, placed_json, symbol_id
from tradeguard.simulator.orders import Order, OrderRequest, OrderType, SelfTrade, Side, TimeInForce
from tradeguard.simulator.rejections import EngineRejection

__all__ = ["cancel_all", "cancel_order", "cancel_replace", "create_order", "test_order"]

_NEEDED: Mapping[OrderType, tuple[str, ...]] = MappingProxyType(
    {
        OrderType.LIMIT: ("timeInForce", "quantity", "price"),
        OrderType.MARKET: (),
        OrderType.LIMIT_MAKER: ("quantity", "price"),
        OrderType.STOP_LOSS: ("quantity", "stopPrice"),
        OrderType.STOP_LOSS_LIMIT: ("timeInForce", "quantity", "price", "stopPrice"),
        OrderType.TAKE_PROFIT: ("quantity", "stopPrice"),
        OrderType.TAKE_PROFIT_LIMIT: ("timeInForce", "quantity", "price", "stopPrice"),
    }
)
_SIZES = ("timeInForce", "quantity", "quoteOrderQty", "price", "stopPrice")
_DETAILS = ("ACK", "RESULT", "FULL")
_RESTRICTIONS: Mapping[str, str] = MappingProxyType(
    {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
)


def create_order(call: Call) -> object:
    """POST /api/v3/order."""
    request = _request(call)
    detail = _detail(call.params, request)
    return placed_json(_placed(call, request), detail)


def test_order(call: Call) -> object:
    """POST /api/v3/order/test."""
    request = _request(call)
    try:
        call.venue.engine.check(request)
    except EngineRejection as rejection:
        raise of_rejection(rejection) from rejection
    return {}


def cancel_order(call: Call) -> object:
    """DELETE /api/v3/order."""
    order = _to_cancel(call, "orderId", "origClientOrderId")
    return _canceled(call, order, _cancel_id(call, "newClientOrderId", order))


def cancel_all(call: Call) -> object:
    """DELETE /api/v3/openOrders."""
    symbol = call.book().feed.symbol
    orders = call.venue.engine.register.open_orders(call.account, symbol)
    if not orders:
        raise BinanceError(-2011, "Unknown order sent.")
    return [_canceled(call, order, _cancel_id(call, "", order)) for order in orders]


def cancel_replace(call: Call) -> object:
    """POST /api/v3/order/cancelReplace."""
    mode = call.params.required("cancelReplaceMode")
    if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
        raise BinanceError(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
    request = _request(call)
    detail = _detail(call.params, request)
    canceled, cancel_error = _attempt_cancel(call)
    if cancel_error is not None and mode == "STOP_ON_FAILURE":
        data = _outcome("FAILURE", "NOT_ATTEMPTED", cancel_error.payload(), None)
        raise BinanceError(-2022, "Order cancel-replace failed.", 400, data)
    try:
        placed = placed_json(_placed(call, request), detail)
    except BinanceError as error:
        if cancel_error is not None:
            data = _outcome("FAILURE", "FAILURE", cancel_error.payload(), error.payload())
            raise BinanceError(-2022, "Order cancel-replace failed.", 400, data) from error
        data = _outcome("SUCCESS", "FAILURE", canceled, error.payload())
        raise BinanceError(-2021, "Order cancel-replace partially failed.", 409, data) from error
    if cancel_error is not None:
        data = _outcome("FAILURE", "SUCCESS", cancel_error.payload(), placed)
        raise BinanceError(-2021, "Order cancel-replace partially failed.", 409, data)
    return _outcome("SUCCESS", "SUCCESS", canceled, placed)


def _outcome(canceled: str, placed: str, cancel: object, new: object) -> dict[str, object]:
    return {
        "cancelResult": canceled,
        "newOrderResult": placed,
        "cancelResponse": cancel,
        "newOrderResponse": new,
    }


def _attempt_cancel(call: Call) -> tuple[object, BinanceError | None]:
    try:
        order = _to_cancel(call, "cancelOrderId", "cancelOrigClientOrderId")
        return _canceled(call, order, _cancel_id(call, "cancelNewClientOrderId", order)), None
    except BinanceError as error:
        return None, error


def _placed(call: Call, request: OrderRequest) -> Order:
    try:
        return call.venue.engine.place(call.account, request)
    except EngineRejection as rejection:
        raise of_rejection(rejection) from rejection


def _canceled(call: Call, order: Order, cancel_id: str) -> dict[str, object]:
    call.venue.engine.cancel(order)
    return cancel_json(order, cancel_id, call.view.now_ms)


def _to_cancel(call: Call, id_name: str, client_name: str) -> Order:
    order = named_open(call, id_name, client_name)
    restriction = call.params.text("cancelRestrictions")
    if restriction is not None and restriction not in _RESTRICTIONS:
        raise BinanceError(-1145, "Invalid cancelRestrictions")
    if restriction is not None and order.status != _RESTRICTIONS[restriction]:
        raise BinanceError(-2011, "Order was not canceled due to cancel restrictions.")
    return order


def _cancel_id(call: Call, name: str, order: Order) -> str:
    chosen = call.params.client_order_id(name) if name else None
    if chosen is not None:
        return chosen
    text = f"{call.venue.seed}/{symbol_id(order.request.symbol)}/{order.order_id}/cancel"
    return hashlib.sha256(text.encode()).hexdigest()[:22]


def _request(call: Call) -> OrderRequest:
    """Read an order out of its parameters."""
    params = call.params
    book = call.book()
    side = params.required_choice("side", Side, BinanceError(-1117, "Invalid side."))
    kind = params.required_choice("type", OrderType, BinanceError(-1116, "Invalid orderType."))
    _check_combination(params, kind)
    self_trade = params.choice(
        "selfTradePreventionMode",
        SelfTrade,
        BinanceError(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid."),
    )
    time_in_force = params.choice("timeInForce", TimeInForce, BinanceError(-1115, "Invalid timeInForce."))
    request = OrderRequest(
        symbol=book.feed.symbol,
        side=side,
        type=kind,
        client_order_id=params.client_order_id("newClientOrderId"),
        quantity=params.decimal("quantity"),
        quote_quantity=params.decimal("quoteOrderQty"),
        price=params.decimal("price"),
        stop_price=params.decimal("stopPrice"),
        time_in_force=TimeInForce.GTC if time_in_force is None else time_in_force,
        self_trade=SelfTrade.NONE if self_trade is None else self_trade,
        iceberg_quantity=params.decimal("icebergQty"),
    )
    _check_iceberg(request)
    return request


def _check_combination(params: Params, kind: OrderType) -> None:
    if "trailingDelta" in params:
        raise BinanceError(-2010, "Trailing stop orders are not supported for this symbol.")
    needed = _NEEDED[kind]
    if kind is OrderType.MARKET:
        if "quantity" not in params and "quoteOrderQty" not in params:
            message = "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"
            raise BinanceError(-1102, message)
        if "quantity" in params and "quoteOrderQty" in params:
            raise BinanceError(-1128, "Combination of optional parameters invalid.")
        needed = ("quantity", "quoteOrderQty")
    else:
        for name in needed:
            params.required(name)
    for name in _SIZES:
        if name in params and name not in needed:
            raise BinanceError(-1106, f"Parameter '{name}' sent when not required.")


def _check_iceberg(request: OrderRequest) -> None:
    shown, quantity = request.iceberg_quantity, request.quantity
    if shown is None:
        return
    if not request.type.is_priced or request.time_in_force is not TimeInForce.GTC:
        raise BinanceError(-1106, "Parameter 'icebergQty' sent when not required.")
    if quantity is not None and shown >= quantity:
        raise BinanceError(-2010, "IcebergQty exceeds QTY.")
    if quantity is not None and (shown <= 0 or quantity > shown * 10):
        raise BinanceError(-1013, "Filter failure: ICEBERG_PARTS")


def _detail(params: Params, request: OrderRequest) -> str:
    default = "FULL" if request.type in (OrderType.MARKET, OrderType.LIMIT) else "ACK"
    detail = params.text("newOrderRespType")
    if detail is None:
        return default
    if detail not in _DETAILS:
        raise BinanceError(-1136, "Invalid newOrderRespType")
    return detail
