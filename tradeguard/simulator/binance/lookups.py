"""Binance's account endpoints: orders, trades, balances, and the few of its wallet that ccxt asks."""

from __future__ import annotations

from decimal import Decimal

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.serialise import amount, order_json, symbol_id, trade_json
from tradeguard.simulator.orders import Order

__all__ = ["account", "all_orders", "my_trades", "open_orders", "query_order", "system_status", "trade_fee"]

_DAY_MS = 86_400_000


def query_order(call: Call) -> object:
    """GET /api/v3/order."""
    symbol, params = call.book().feed.symbol, call.params
    order_id, client_id = params.integer("orderId"), params.client_order_id("origClientOrderId")
    if order_id is None and client_id is None:
        message = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise BinanceError(-1102, message)
    register = call.venue.engine.register
    if order_id is None:
        found = register.by_client_id(call.account, symbol, client_id or "")
    else:
        one = register.by_id(call.account, symbol, order_id)
        found = [] if one is None or client_id not in (None, one.client_order_id) else [one]
    visible = [order for order in found if _is_visible(call, order)]
    if not visible:
        raise BinanceError(-2013, "Order does not exist.")
    return order_json(visible[-1])


def open_orders(call: Call) -> object:
    """GET /api/v3/openOrders."""
    symbol = call.book().feed.symbol if "symbol" in call.params else None
    orders = call.venue.engine.register.open_orders(call.account, symbol)
    return [order_json(order) for order in orders if _is_visible(call, order)]


def all_orders(call: Call) -> object:
    """GET /api/v3/allOrders."""
    symbol, params = call.book().feed.symbol, call.params
    order_id, limit = params.integer("orderId"), params.limit(500, 1000)
    start, end = _period(call)
    orders = [
        order
        for order in call.venue.engine.register.of_symbol(call.account, symbol)
        if _is_visible(call, order)
        and (order_id is None or order.order_id >= order_id)
        and (start is None or order.created_ms >= start)
        and (end is None or order.created_ms <= end)
    ]
    oldest_first = order_id is not None or start is not None
    return [order_json(order) for order in (orders[:limit] if oldest_first else orders[-limit:])]


def my_trades(call: Call) -> object:
    """GET /api/v3/myTrades."""
    symbol, params = call.book().feed.symbol, call.params
    order_id, from_id = params.integer("orderId"), params.integer("fromId")
    limit = params.limit(500, 1000)
    start, end = _period(call)
    if from_id is not None and (start is not None or end is not None):
        raise BinanceError(-1128, "Combination of optional parameters invalid.")
    register = call.venue.engine.register
    trades = [
        trade
        for trade in register.trades(call.account, symbol)
        if (order_id is None or trade.order_id == order_id)
        and (from_id is None or trade.trade_id >= from_id)
        and (start is None or trade.time_ms >= start)
        and (end is None or trade.time_ms <= end)
        and _is_visible(call, register.by_id(call.account, symbol, trade.order_id))
    ]
    oldest_first = from_id is not None or start is not None
    return [trade_json(trade) for trade in (trades[:limit] if oldest_first else trades[-limit:])]


def account(call: Call) -> object:
    """GET /api/v3/account."""
    engine = call.venue.engine
    balances = engine.ledger.balances(call.account)
    omit_zero = call.params.text("omitZeroBalances") == "true"
    maker, taker = engine.settlement.maker_fee, engine.settlement.taker_fee
    return {
        "makerCommission": int(maker * 10_000),
        "takerCommission": int(taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": amount(maker),
            "taker": amount(taker),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": call.view.now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": name, "free": amount(balance.free), "locked": amount(balance.locked)}
            for name, balance in balances.items()
            if balance.total or not omit_zero
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def trade_fee(call: Call) -> object:
    """GET /sapi/v1/asset/tradeFee."""
    engine = call.venue.engine
    books = [call.book()] if "symbol" in call.params else list(engine.books.values())
    return [
        {
            "symbol": symbol_id(book.feed.symbol),
            "makerCommission": _plain(engine.settlement.maker_fee),
            "takerCommission": _plain(engine.settlement.taker_fee),
        }
        for book in books
    ]


def system_status(call: Call) -> object:
    """GET /sapi/v1/system/status."""
    if call.view.in_maintenance:
        return {"status": 1, "msg": "system_maintenance"}
    return {"status": 0, "msg": "normal"}


def _is_visible(call: Call, order: Order | None) -> bool:
    return order is not None and call.view.shows(order, call.venue.engine.register)


def _period(call: Call) -> tuple[int | None, int | None]:
    start, end = call.params.integer("startTime"), call.params.integer("endTime")
    if start is not None and end is not None and end - start > _DAY_MS:
        raise BinanceError(-1127, "More than 24 hours between startTime and endTime.")
    return start, end


def _plain(rate: Decimal) -> str:
    return f"{rate.normalize():f}"
