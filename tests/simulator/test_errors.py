"""Binance's error codes: each is provoked by the request that earns it."""

from __future__ import annotations

import json
from typing import Any

import ccxt
import pytest

from tradeguard.simulator import SimulatedExchange

LIMIT = {
    "symbol": "ETHBTC",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "1",
    "price": "0.04",
}
MARKET = {"symbol": "ETHBTC", "side": "BUY", "type": "MARKET", "quantity": "1"}
STOP = {"symbol": "ETHBTC", "side": "SELL", "type": "STOP_LOSS", "quantity": "1", "stopPrice": "0.04"}


def without(order: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in order.items() if name not in names}


@pytest.mark.parametrize(
    ("order", "code", "message"),
    [
        ({**LIMIT, "symbol": "NOSUCH"}, -1121, "Invalid symbol."),
        ({**LIMIT, "side": "HOLD"}, -1117, "Invalid side."),
        ({**LIMIT, "type": "GUESS"}, -1116, "Invalid orderType."),
        ({**LIMIT, "timeInForce": "DAY"}, -1115, "Invalid timeInForce."),
        (without(LIMIT, "symbol"), -1102, "Mandatory parameter 'symbol'"),
        (without(LIMIT, "side"), -1102, "Mandatory parameter 'side'"),
        (without(LIMIT, "type"), -1102, "Mandatory parameter 'type'"),
        (without(LIMIT, "price"), -1102, "Mandatory parameter 'price'"),
        (without(LIMIT, "timeInForce"), -1102, "Mandatory parameter 'timeInForce'"),
        (without(MARKET, "quantity"), -1102, "Param 'quantity' or 'quoteOrderQty' must be sent"),
        ({**MARKET, "quoteOrderQty": "1"}, -1128, "Combination of optional parameters invalid."),
        ({**MARKET, "price": "0.05"}, -1106, "Parameter 'price' sent when not required."),
        ({**MARKET, "timeInForce": "GTC"}, -1106, "Parameter 'timeInForce' sent when not required."),
        (without(STOP, "stopPrice"), -1102, "Mandatory parameter 'stopPrice'"),
        ({**LIMIT, "icebergQty": ""}, -1105, "Parameter 'icebergQty' was empty."),
        (
            {**LIMIT, "newClientOrderId": "a b"},
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'",
        ),
        ({**LIMIT, "newClientOrderId": "x" * 37}, -1100, "legal range is"),
        ({**LIMIT, "quantity": "1e3"}, -1100, "Illegal characters found in parameter 'quantity'"),
        ({**LIMIT, "price": "-1"}, -1100, "Illegal characters found in parameter 'price'"),
        ({**LIMIT, "price": "0.040000001"}, -1111, "Parameter 'price' has too much precision."),
        ({**LIMIT, "price": "0.00000000"}, -1013, "Filter failure: PRICE_FILTER"),
        ({**LIMIT, "price": "0.04000001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({**LIMIT, "price": "2000000"}, -1013, "Filter failure: PRICE_FILTER"),
        ({**LIMIT, "quantity": "0.00001"}, -1013, "Filter failure: LOT_SIZE"),
        ({**LIMIT, "quantity": "1.00001"}, -1013, "Filter failure: LOT_SIZE"),
        ({**LIMIT, "quantity": "999999"}, -1013, "Filter failure: LOT_SIZE"),
        ({**MARKET, "quantity": "50000"}, -1013, "Filter failure: MARKET_LOT_SIZE"),
        ({**LIMIT, "quantity": "0.001"}, -1013, "Filter failure: NOTIONAL"),
        ({**without(MARKET, "quantity"), "quoteOrderQty": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
        ({**LIMIT, "icebergQty": "2"}, -2010, "IcebergQty exceeds QTY."),
        ({**LIMIT, "icebergQty": "0.01"}, -1013, "Filter failure: ICEBERG_PARTS"),
        ({**LIMIT, "timeInForce": "IOC", "icebergQty": "0.5"}, -1106, "Parameter 'icebergQty'"),
        ({**LIMIT, "quantity": "1000"}, -2010, "Account has insufficient balance for requested action."),
        ({**MARKET, "quantity": "1000"}, -2010, "Account has insufficient balance for requested action."),
        ({**MARKET, "side": "SELL", "quantity": "200"}, -2010, "Account has insufficient balance"),
        ({**LIMIT, "type": "LIMIT_MAKER", "price": "0.06"}, -1106, "Parameter 'timeInForce'"),
        ({**STOP, "stopPrice": "0.06"}, -2010, "Order would trigger immediately."),
        ({**STOP, "trailingDelta": "100"}, -2010, "Trailing stop orders are not supported"),
        ({**LIMIT, "selfTradePreventionMode": "MAYBE"}, -1130, "selfTradePreventionMode"),
        ({**LIMIT, "newOrderRespType": "ALL"}, -1136, "Invalid newOrderRespType"),
        ({**LIMIT, "colour": "blue"}, -1104, "Not all sent parameters were read"),
    ],
)
def test_order_is_refused_in_binances_words(
    exchange: SimulatedExchange, binance: ccxt.binance, order: dict[str, str], code: int, message: str
) -> None:
    with pytest.raises(ccxt.ExchangeError) as caught:
        binance.private_post_order(dict(order))
    assert message in answer(binance)["msg"]
    assert answer(binance)["code"] == code
    assert caught.value.args
    assert exchange.orders() == []
    assert exchange.requests[-1].status == 400


def answer(client: ccxt.binance) -> Any:
    return json.loads(client.last_http_response)


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({"amount": 1000, "price": 0.04}, ccxt.InsufficientFunds),
        ({"amount": 1, "price": 9_999_999}, ccxt.InvalidOrder),
    ],
)
def test_ccxt_maps_refusals_to_its_own_errors(
    binance: ccxt.binance, order: dict[str, float], error: type[Exception]
) -> None:
    with pytest.raises(error):
        binance.create_order("ETH/BTC", "limit", "buy", order["amount"], order["price"])


def test_too_many_open_orders_are_refused(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    for _ in range(5):
        binance.private_post_order(dict(STOP))
    with pytest.raises(ccxt.ExchangeError, match="MAX_NUM_ALGO_ORDERS"):
        binance.private_post_order(dict(STOP))
    assert len(exchange.orders()) == 5


def test_more_than_two_hundred_open_orders_are_refused(binance: ccxt.binance) -> None:
    for _ in range(200):
        binance.private_post_order({**LIMIT, "quantity": "0.01"})
    with pytest.raises(ccxt.ExchangeError, match="MAX_NUM_ORDERS"):
        binance.private_post_order({**LIMIT, "quantity": "0.01"})


@pytest.mark.parametrize("params", [{"orderId": "99"}, {"origClientOrderId": "nobody"}])
def test_unknown_orders_have_two_codes(binance: ccxt.binance, params: dict[str, str]) -> None:
    with pytest.raises(ccxt.OrderNotFound):
        binance.private_get_order({"symbol": "ETHBTC", **params})
    assert answer(binance) == {"code": -2013, "msg": "Order does not exist."}
    with pytest.raises(ccxt.OrderNotFound):
        binance.private_delete_order({"symbol": "ETHBTC", **params})
    assert answer(binance) == {"code": -2011, "msg": "Unknown order sent."}


def test_canceling_a_filled_order_is_unknown(binance: ccxt.binance) -> None:
    order = binance.create_order("ETH/BTC", "market", "buy", 1)
    with pytest.raises(ccxt.OrderNotFound):
        binance.cancel_order(order["id"], "ETH/BTC")


def test_canceling_all_of_none_is_unknown(binance: ccxt.binance) -> None:
    with pytest.raises(ccxt.OrderNotFound):
        binance.cancel_all_orders("ETH/BTC")


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("private_get_order", {"symbol": "ETHBTC"}, -1102),
        ("private_delete_order", {"symbol": "ETHBTC"}, -1102),
        ("private_delete_order", {"symbol": "ETHBTC", "orderId": "1", "cancelRestrictions": "ONLY"}, -1145),
        ("private_delete_order", {"symbol": "ETHBTC", "orderId": "1", "origClientOrderId": "x"}, -2039),
        (
            "private_delete_order",
            {"symbol": "ETHBTC", "orderId": "1", "cancelRestrictions": "ONLY_PARTIALLY_FILLED"},
            -2011,
        ),
        ("private_get_mytrades", {"symbol": "ETHBTC", "fromId": "1", "startTime": "1"}, -1128),
        ("private_get_allorders", {"symbol": "ETHBTC", "startTime": "1", "endTime": "90000000"}, -1127),
        ("public_get_klines", {"symbol": "ETHBTC", "interval": "7m"}, -1120),
        ("public_get_klines", {"symbol": "ETHBTC"}, -1102),
        ("public_get_klines", {"symbol": "ETHBTC", "interval": "1m", "startTime": "x"}, -1100),
        ("public_get_klines", {"symbol": "ETHBTC", "interval": "1m", "limit": "0"}, -1130),
        ("public_get_ticker_24hr", {"symbol": "NOSUCH"}, -1121),
        ("public_get_ticker_24hr", {"symbol": "ETHBTC", "symbols": '["ETHBTC"]'}, -1128),
        ("public_get_ticker_price", {"symbols": '["ETHBTC","ETHBTC"]'}, -1151),
        ("public_get_ticker_price", {"symbols": "ETHBTC"}, -1100),
        ("public_get_exchangeinfo", {"symbol": "NOSUCH"}, -1121),
        ("public_get_exchangeinfo", {"symbol": "ETHBTC", "symbols": '["ETHBTC"]'}, -1128),
        ("public_get_depth", {}, -1102),
        ("private_post_order_cancelreplace", {**LIMIT, "cancelReplaceMode": "TRY"}, -1130),
    ],
)
def test_request_is_refused_with_its_code(
    binance: ccxt.binance, method: str, params: dict[str, str], code: int
) -> None:
    binance.private_post_order(dict(LIMIT))
    with pytest.raises(ccxt.BaseError):
        getattr(binance, method)(dict(params))
    assert answer(binance)["code"] == code


def test_unknown_path_is_a_page_of_html(binance: ccxt.binance) -> None:
    with pytest.raises(ccxt.BaseError, match="404"):
        binance.fapiPublicGetExchangeInfo()
    assert "<html>" in binance.last_http_response
