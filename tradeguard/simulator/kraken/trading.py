"""Kraken's trading endpoints: placing, amending and canceling orders."""

from __future__ import annotations

import hashlib

from tradeguard.simulator.kraken.call import Call
from tradeguard.simulator.kraken.errors import KrakenError, invalid, of_rejection
from tradeguard.simulator.kraken.order_request import order_request
from tradeguard.simulator.kraken.params import Params
from tradeguard.simulator.kraken.serialise import description
from tradeguard.simulator.orders import Order, OrderRequest
from tradeguard.simulator.rejections import EngineRejection, Reason
from tradeguard.simulator.symbol_book import SymbolBook

__all__ = ["add_order", "add_order_batch", "amend_order", "cancel_all", "cancel_order", "cancel_order_batch"]

_SMALLEST_BATCH = 2
_BIGGEST_BATCH = 15
_MOST_CANCELS = 50


def add_order(call: Call) -> object:
    """POST /0/private/AddOrder."""
    request = _request(call.params, call.book())
    answer: dict[str, object] = {"descr": {"order": description(request)}}
    if call.params.flag("validate"):
        _check(call, request)
    else:
        answer["txid"] = [_placed(call, request).name]
    return answer


def add_order_batch(call: Call) -> object:
    """POST /0/private/AddOrderBatch: what is malformed refuses the whole, what is refused only itself."""
    book, parts = call.book(), call.params.parts("orders")
    if not _SMALLEST_BATCH <= len(parts) <= _BIGGEST_BATCH:
        raise invalid("orders")
    requests = [_request(part, book) for part in parts]
    return {"orders": [_added(call, request) for request in requests]}


def amend_order(call: Call) -> object:
    """POST /0/private/AmendOrder: the order keeps its id."""
    params, order = call.params, _one(call, call.params)
    try:
        call.venue.engine.amend(
            order,
            quantity=params.decimal("order_qty"),
            price=params.decimal("limit_price"),
            stop_price=params.decimal("trigger_price"),
            post_only=params.flag("post_only"),
        )
    except EngineRejection as rejection:
        raise of_rejection(rejection) from rejection
    text = f"{call.venue.seed}/amend/{order.name}/{order.updated_ms}"
    digest = hashlib.sha256(text.encode()).hexdigest().upper()
    return {"amend_id": f"T{digest[:5]}-{digest[5:10]}-{digest[10:16]}"}


def cancel_order(call: Call) -> object:
    """POST /0/private/CancelOrder: one order, or all of a user reference."""
    return {"count": _canceled(call, _to_cancel(call, call.params))}


def cancel_order_batch(call: Call) -> object:
    """POST /0/private/CancelOrderBatch: those that are there; the others are no error."""
    names, client_ids = call.params.names("orders"), call.params.names("cl_ord_ids")
    if not 0 < len(names) + len(client_ids) <= _MOST_CANCELS:
        raise invalid("orders")
    register = call.venue.engine.register
    found = [register.by_name(call.account, name) for name in names]
    found += [register.open_one(call.account, client_id) for client_id in client_ids]
    return {"count": _canceled(call, [one for one in found if one is not None and one.status.is_open])}


def cancel_all(call: Call) -> object:
    """POST /0/private/CancelAll."""
    return {"count": _canceled(call, call.venue.engine.register.open_orders(call.account))}


def _request(params: Params, book: SymbolBook) -> OrderRequest:
    request = order_request(params, book.feed.symbol)
    if request.quantity is not None and request.quantity < book.rules.min_quantity:
        raise KrakenError("EOrder:Order minimum not met")
    return request


def _added(call: Call, request: OrderRequest) -> dict[str, object]:
    """Return what a batch answers for one of its orders."""
    try:
        order = _placed(call, request)
    except KrakenError as error:
        return {"error": error.text}
    return {"txid": order.name, "descr": {"order": description(request)}}


def _placed(call: Call, request: OrderRequest) -> Order:
    try:
        return call.venue.engine.place(call.account, request)
    except EngineRejection as rejection:
        raise of_rejection(rejection) from rejection


def _check(call: Call, request: OrderRequest) -> None:
    try:
        call.venue.engine.check(request)
    except EngineRejection as rejection:
        raise of_rejection(rejection) from rejection


def _canceled(call: Call, orders: list[Order]) -> int:
    for order in orders:
        call.venue.engine.cancel(order)
    return len(orders)


def _to_cancel(call: Call, params: Params) -> list[Order]:
    """Return the open orders that `txid` or `cl_ord_id` means; `txid` may be a user reference."""
    reference = params.text("txid") or ""
    if not reference.lstrip("-").isdecimal():
        return [_one(call, params)]
    opened = call.venue.engine.register.open_orders(call.account)
    orders = [order for order in opened if order.request.reference == int(reference)]
    if not orders:
        raise of_rejection(EngineRejection(Reason.UNKNOWN_ORDER))
    return orders


def _one(call: Call, params: Params) -> Order:
    """Return the open order that is meant."""
    register, client_id = call.venue.engine.register, params.client_order_id()
    if client_id is None:
        order = register.by_name(call.account, params.required("txid"))
    else:
        order = register.open_one(call.account, client_id)
    if order is None or not order.status.is_open:
        raise of_rejection(EngineRejection(Reason.UNKNOWN_ORDER))
    return order
