"""The futures' JSON: orders, conditional orders, fills and positions as they write them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from tradeguard.simulator.binance.serialise import amount, symbol_id
from tradeguard.simulator.binance.usdm.order_request import CONDITIONAL
from tradeguard.simulator.candles import ZERO
from tradeguard.simulator.orders import Order, OrderStatus, OrderType, Side, Trade
from tradeguard.simulator.positions import Position

__all__ = [
    "MAINTENANCE_RATE",
    "algo_json",
    "is_conditional",
    "is_regular",
    "maintenance",
    "order_json",
    "trade_json",
]

MAINTENANCE_RATE = Decimal("0.004")
"""Share of a position's worth that is its maintenance margin; shown, and without effect."""

_NAMES: Mapping[OrderType, str] = MappingProxyType({kind: name for name, kind in CONDITIONAL.items()})


def is_conditional(order: Order) -> bool:
    """Return whether an order is one of the algo service."""
    return order.request.type.is_stop


def is_regular(order: Order) -> bool:
    """Return whether the endpoints of regular orders know an order: a conditional one from its trigger on."""
    return order.is_working or not is_conditional(order)


def maintenance(position: Position) -> Decimal:
    """Return the maintenance margin of a position."""
    return abs(position.notional) * MAINTENANCE_RATE


def order_json(order: Order) -> dict[str, object]:
    """Return a regular order."""
    request = order.request
    return {
        "orderId": order.order_id,
        "symbol": symbol_id(request.symbol),
        "status": str(order.status),
        "clientOrderId": order.client_order_id,
        "price": amount(request.price or ZERO),
        "avgPrice": amount(_average(order)),
        "origQty": amount(order.quantity),
        "executedQty": amount(order.filled),
        "cumQty": amount(order.filled),
        "cumQuote": amount(order.cost),
        "timeInForce": _time_in_force(order),
        "type": "MARKET" if request.price is None else "LIMIT",
        "reduceOnly": request.reduce_only,
        "closePosition": request.closes_position,
        "side": request.side.upper(),
        "positionSide": "BOTH",
        "stopPrice": amount(request.stop_price or ZERO),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": _type(order),
        "priceMatch": "NONE",
        "selfTradePreventionMode": str(request.self_trade),
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def algo_json(order: Order) -> dict[str, object]:
    """Return a conditional order as the algo service shows it."""
    request = order.request
    return {
        "algoId": order.order_id,
        "clientAlgoId": order.client_order_id,
        "algoType": "CONDITIONAL",
        "orderType": _type(order),
        "symbol": symbol_id(request.symbol),
        "side": request.side.upper(),
        "positionSide": "BOTH",
        "timeInForce": _time_in_force(order),
        "quantity": amount(order.quantity),
        "algoStatus": _algo_status(order),
        "actualOrderId": str(order.order_id) if order.is_working else "",
        "actualPrice": amount(_average(order)),
        "triggerPrice": amount(request.stop_price or ZERO),
        "price": amount(request.price or ZERO),
        "icebergQuantity": None,
        "selfTradePreventionMode": str(request.self_trade),
        "workingType": "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "closePosition": request.closes_position,
        "priceProtect": False,
        "reduceOnly": request.reduce_only,
        "createTime": order.created_ms,
        "updateTime": order.updated_ms,
        "triggerTime": max(order.working_ms, 0),
        "goodTillDate": 0,
    }


def trade_json(trade: Trade) -> dict[str, object]:
    """Return a fill of one's own."""
    return {
        "symbol": symbol_id(trade.symbol),
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "side": trade.side.upper(),
        "positionSide": "BOTH",
        "price": amount(trade.price),
        "qty": amount(trade.quantity),
        "quoteQty": amount(trade.quote_quantity),
        "realizedPnl": amount(trade.realized_pnl),
        "commission": amount(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.time_ms,
        "buyer": trade.side is Side.BUY,
        "maker": trade.is_maker,
    }


def _average(order: Order) -> Decimal:
    return (order.cost / order.filled).quantize(Decimal("0.00000001")) if order.filled else ZERO


def _time_in_force(order: Order) -> str:
    return "GTX" if order.request.type is OrderType.LIMIT_MAKER else str(order.request.time_in_force)


def _type(order: Order) -> str:
    kind = order.request.type
    return _NAMES.get(kind, "MARKET" if kind is OrderType.MARKET else "LIMIT")


def _algo_status(order: Order) -> str:
    if order.is_working:
        return "TRIGGERED" if order.status.is_open else "FINISHED"
    return "CANCELED" if order.status is OrderStatus.CANCELED else str(order.status)
