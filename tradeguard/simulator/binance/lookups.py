"""Binance's account endpoints: orders, trades, balances, and the few of its wallet that ccxt asks."""

from __future__ import annotations

from decimal import Decimal

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.selection import is_visible, named_order, some_orders, some_trades
from tradeguard.simulator.binance.serialise import amount, order_json, symbol_id, trade_json

__all__ = ["account", "all_orders", "my_trades", "open_orders", "query_order", "system_status", "trade_fee"]


def query_order(call: Call) -> object:
    """GET /api/v3/order."""
    return order_json(named_order(call))


def open_orders(call: Call) -> object:
    """GET /api/v3/openOrders."""
    symbol = call.book().feed.symbol if "symbol" in call.params else None
    orders = call.venue.engine.register.open_orders(call.account, symbol)
    return [order_json(order) for order in orders if is_visible(call, order)]


def all_orders(call: Call) -> object:
    """GET /api/v3/allOrders."""
    orders = call.venue.engine.register.of_symbol(call.account, call.book().feed.symbol)
    return [order_json(order) for order in some_orders(call, orders)]


def my_trades(call: Call) -> object:
    """GET /api/v3/myTrades."""
    return [trade_json(trade) for trade in some_trades(call)]


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


def _plain(rate: Decimal) -> str:
    return f"{rate.normalize():f}"
