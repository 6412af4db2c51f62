"""Binance's JSON of an account's own events.

Source: https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from tradeguard.simulator.binance.serialise import amount, symbol_id
from tradeguard.simulator.events import OrderEvent, OrderEventKind
from tradeguard.simulator.ledger import Balance
from tradeguard.simulator.orders import Order, OrderStatus, Trade

__all__ = ["execution_report", "position"]

_ZERO = Decimal(0)
_TYPES: Mapping[OrderEventKind, str] = MappingProxyType(
    {
        OrderEventKind.ACCEPTED: "NEW",
        OrderEventKind.AMENDED: "REPLACED",
        OrderEventKind.TRIGGERED: "NEW",
        OrderEventKind.FILLED: "TRADE",
        OrderEventKind.CANCELED: "CANCELED",
        OrderEventKind.EXPIRED: "EXPIRED",
    }
)


def execution_report(event: OrderEvent, order: Order) -> dict[str, object]:
    """Return an `executionReport`.

    Args:
        event: what happened, and the order right after it.
        order: the same order as it is now, for what never changes of it.
    """
    record, request = event.order, order.request
    prevented = record.status is OrderStatus.EXPIRED_IN_MATCH
    return {
        "e": "executionReport",
        "E": event.time_ms,
        "s": symbol_id(record.symbol),
        "c": record.client_order_id,
        "S": record.side.upper(),
        "o": record.type.upper(),
        "f": str(request.time_in_force),
        "q": amount(record.amount),
        "p": amount(record.price or _ZERO),
        "P": amount(record.stop_price or _ZERO),
        "F": amount(request.iceberg_quantity or _ZERO),
        "g": -1,
        "C": "",
        "x": "TRADE_PREVENTION" if prevented else _TYPES[event.kind],
        "X": str(record.status),
        "r": "NONE",
        "i": order.order_id,
        "z": amount(record.filled),
        **_fill(event.trade),
        "T": event.time_ms,
        "I": order.order_id,
        "w": record.status.is_open and order.is_working,
        "M": False,
        "O": record.created_ms,
        "Z": amount(record.cost),
        "Q": amount(request.quote_quantity or _ZERO),
        "W": order.working_ms,
        "V": str(request.self_trade),
    }


def _fill(trade: Trade | None) -> dict[str, object]:
    if trade is None:
        nothing = amount(_ZERO)
        return {"l": nothing, "L": nothing, "Y": nothing, "n": "0", "N": None, "t": -1, "m": False}
    return {
        "l": amount(trade.quantity),
        "L": amount(trade.price),
        "Y": amount(trade.quote_quantity),
        "n": amount(trade.fee),
        "N": trade.fee_asset,
        "t": trade.trade_id,
        "m": trade.is_maker,
    }


def position(balances: Mapping[str, Balance], time_ms: int) -> dict[str, object]:
    """Return an `outboundAccountPosition`: what the account has of the assets that may have changed."""
    return {
        "e": "outboundAccountPosition",
        "E": time_ms,
        "u": time_ms,
        "B": [
            {"a": asset, "f": amount(balance.free), "l": amount(balance.locked)}
            for asset, balance in balances.items()
        ],
    }
