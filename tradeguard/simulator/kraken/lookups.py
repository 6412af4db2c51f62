"""Kraken's account endpoints: orders, trades, balances and fees, all of them by POST."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from tradeguard.simulator.kraken.call import Call
from tradeguard.simulator.kraken.errors import KrakenError, invalid
from tradeguard.simulator.kraken.names import Pair, asset_id, trade_id
from tradeguard.simulator.kraken.serialise import amount, order_json, trade_json
from tradeguard.simulator.orders import Order, Trade

__all__ = [
    "balance",
    "balance_ex",
    "closed_orders",
    "open_orders",
    "query_orders",
    "query_trades",
    "trade_volume",
    "trades_history",
]

_PAGE = 50
_MOST_IDS = 50
_ID = re.compile(r"[A-Z0-9]{6}-[A-Z0-9]{5}-[A-Z0-9]{6}")
_Found = TypeVar("_Found")


def open_orders(call: Call) -> object:
    """POST /0/private/OpenOrders."""
    orders = call.venue.engine.register.open_orders(call.account)
    return {"open": _orders_json(call, reversed(_wanted(call, orders)))}


def closed_orders(call: Call) -> object:
    """POST /0/private/ClosedOrders: a page of the newest, by the time of their closing."""
    orders = [one for one in call.venue.engine.register.of_account(call.account) if not one.status.is_open]
    by_opening = call.params.text("closetime") == "open"
    times = {one.order_id: one.created_ms if by_opening else one.updated_ms for one in orders}
    found = [one for one in _wanted(call, orders) if _is_within(call, times[one.order_id])]
    found.sort(key=lambda one: (times[one.order_id], one.order_id), reverse=True)
    return {"closed": _orders_json(call, _page(call, found)), "count": len(found)}


def query_orders(call: Call) -> object:
    """POST /0/private/QueryOrders: those of the ids that exist."""
    register = call.venue.engine.register
    found = [register.by_name(call.account, name) for name in _ids(call)]
    orders = [order for order in found if order is not None]
    return _orders_json(call, _wanted(call, orders))


def trades_history(call: Call) -> object:
    """POST /0/private/TradesHistory: a page of the newest."""
    trades = [one for one in _trades(call) if _is_within(call, one.time_ms)]
    trades.sort(key=lambda one: one.trade_id, reverse=True)
    return {"trades": _trades_json(call, _page(call, trades)), "count": len(trades)}


def query_trades(call: Call) -> object:
    """POST /0/private/QueryTrades."""
    names = set(_ids(call))
    return _trades_json(
        call, [one for one in _trades(call) if trade_id(call.venue.seed, one.trade_id) in names]
    )


def balance(call: Call) -> object:
    """POST /0/private/Balance: totals."""
    balances = call.venue.engine.ledger.balances(call.account)
    return {asset_id(code): amount(one.total) for code, one in balances.items()}


def balance_ex(call: Call) -> object:
    """POST /0/private/BalanceEx: totals, and what open orders hold of them."""
    balances = call.venue.engine.ledger.balances(call.account)
    return {
        asset_id(code): {"balance": amount(one.total), "hold_trade": amount(one.locked)}
        for code, one in balances.items()
    }


def trade_volume(call: Call) -> object:
    """POST /0/private/TradeVolume: fees in percent."""
    settlement = call.venue.engine.settlement
    books = [call.book(name) for name in call.params.names("pair")]
    return {
        "currency": "ZUSD",
        "volume": "0.0000",
        **{
            name: {Pair(book.feed.symbol).id: {"fee": f"{fee * 100:.4f}"} for book in books}
            for name, fee in (("fees", settlement.taker_fee), ("fees_maker", settlement.maker_fee))
        },
    }


def _wanted(call: Call, orders: Iterable[Order]) -> list[Order]:
    """Return the visible ones that bear the client order id and the user reference that were asked for."""
    client_id, reference = call.params.text("cl_ord_id"), call.params.integer("userref")
    return [
        order
        for order in orders
        if call.shows(order)
        and client_id in (None, order.request.client_order_id)
        and reference in (None, order.request.reference)
    ]


def _trades(call: Call) -> list[Trade]:
    register = call.venue.engine.register
    return [
        trade
        for symbol in call.venue.engine.books
        for trade in register.trades(call.account, symbol)
        if call.shows(register.by_id(call.account, symbol, trade.order_id))
    ]


def _orders_json(call: Call, orders: Iterable[Order]) -> dict[str, object]:
    trades = call.params.flag("trades")
    return {order.name: order_json(order, call.venue.seed, trades=trades) for order in orders}


def _trades_json(call: Call, trades: Iterable[Trade]) -> dict[str, object]:
    register = call.venue.engine.register
    rows: dict[str, object] = {}
    for trade in trades:
        order = register.by_id(call.account, trade.symbol, trade.order_id)
        if order is not None:
            rows[trade_id(call.venue.seed, trade.trade_id)] = trade_json(trade, order)
    return rows


def _ids(call: Call) -> list[str]:
    names = call.params.names("txid")
    if not 0 < len(names) <= _MOST_IDS:
        raise invalid("txid")
    if not all(_ID.fullmatch(name) for name in names):
        raise KrakenError("EOrder:Invalid order")
    return names


def _is_within(call: Call, time_ms: int) -> bool:
    """Return whether a time is after `start` and not after `end`."""
    start_ms, end_ms = call.params.seconds_ms("start"), call.params.seconds_ms("end")
    return (start_ms is None or time_ms > start_ms) and (end_ms is None or time_ms <= end_ms)


def _page(call: Call, found: Sequence[_Found]) -> Sequence[_Found]:
    offset = call.params.integer("ofs")
    first = 0 if offset is None else max(offset, 0)
    return found[first : first + _PAGE]
