"""Binance's JSON: orders, trades and candles as it writes them."""

from __future__ import annotations

from decimal import Decimal

from tradeguard.simulator.candles import Candle, Print
from tradeguard.simulator.orders import Order, Trade
from tradeguard.simulator.symbols import PRECISION

__all__ = [
    "amount",
    "cancel_json",
    "kline_json",
    "order_json",
    "placed_json",
    "print_json",
    "symbol_id",
    "trade_json",
]


def amount(number: Decimal) -> str:
    """Return a number with 8 decimals; with more where a recorded value has more."""
    text = f"{number:f}"
    decimals = len(text.partition(".")[2])
    if decimals == PRECISION:
        return text
    if decimals < PRECISION:
        return f"{number:.{PRECISION}f}"
    text = text.rstrip("0")
    return text if len(text.partition(".")[2]) > PRECISION else f"{number:.{PRECISION}f}"


def symbol_id(symbol: str) -> str:
    """Return Binance's name of a unified symbol."""
    return symbol.partition(":")[0].replace("/", "")


def kline_json(candle: Candle, interval_ms: int) -> list[object]:
    """Return a row of klines; half of the volume is shown as bought by takers."""
    half, half_quote = candle.volume / 2, candle.quote_volume / 2
    return [
        candle.open_ms,
        amount(candle.open),
        amount(candle.high),
        amount(candle.low),
        amount(candle.close),
        amount(candle.volume),
        candle.open_ms + interval_ms - 1,
        f"{candle.quote_volume:.8f}",
        candle.trades,
        f"{half:.8f}",
        f"{half_quote:.8f}",
        "0",
    ]


def print_json(one: Print) -> dict[str, object]:
    """Return a public trade."""
    return {
        "id": one.number,
        "price": amount(one.price),
        "qty": amount(one.quantity),
        "quoteQty": f"{one.price * one.quantity:.8f}",
        "time": one.time_ms,
        "isBuyerMaker": one.buyer_is_maker,
        "isBestMatch": True,
    }


def order_json(order: Order) -> dict[str, object]:
    """Return an order as look-ups show it."""
    return {
        **_head(order),
        **_state(order),
        "stopPrice": amount(order.request.stop_price or Decimal(0)),
        "icebergQty": amount(order.request.iceberg_quantity or Decimal(0)),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.is_working,
        "workingTime": order.working_ms,
    }


def placed_json(order: Order, detail: str) -> dict[str, object]:
    """Return an order as its placing answers: `detail` is ACK, RESULT or FULL."""
    body = {**_head(order), "transactTime": order.created_ms}
    if detail == "ACK":
        return body
    body.update(_state(order))
    body["workingTime"] = order.working_ms
    if order.request.stop_price is not None:
        body["stopPrice"] = amount(order.request.stop_price)
    if detail == "FULL":
        body["fills"] = [
            {
                "price": amount(trade.price),
                "qty": amount(trade.quantity),
                "commission": amount(trade.fee),
                "commissionAsset": trade.fee_asset,
                "tradeId": trade.trade_id,
            }
            for trade in order.fills
        ]
    return body


def cancel_json(order: Order, cancel_id: str, time_ms: int) -> dict[str, object]:
    """Return an order as its cancelling answers."""
    body = {**_head(order), **_state(order)}
    body["origClientOrderId"] = order.client_order_id
    body["clientOrderId"] = cancel_id
    body["transactTime"] = time_ms
    if order.request.stop_price is not None:
        body["stopPrice"] = amount(order.request.stop_price)
    return body


def trade_json(trade: Trade) -> dict[str, object]:
    """Return a trade of one's own."""
    return {
        "symbol": symbol_id(trade.symbol),
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": amount(trade.price),
        "qty": amount(trade.quantity),
        "quoteQty": amount(trade.quote_quantity),
        "commission": amount(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.time_ms,
        "isBuyer": trade.side == "buy",
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def _head(order: Order) -> dict[str, object]:
    return {
        "symbol": symbol_id(order.request.symbol),
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
    }


def _state(order: Order) -> dict[str, object]:
    request = order.request
    return {
        "price": amount(request.price or Decimal(0)),
        "origQty": amount(order.quantity),
        "executedQty": amount(order.filled),
        "origQuoteOrderQty": amount(request.quote_quantity or Decimal(0)),
        "cummulativeQuoteQty": amount(order.cost),
        "status": str(order.status),
        "timeInForce": str(request.time_in_force),
        "type": request.type.upper(),
        "side": request.side.upper(),
        "selfTradePreventionMode": str(request.self_trade),
    }
