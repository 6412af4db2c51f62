"""Conditional orders of the futures, as ccxt sends them: held by the algo service until their price is reached."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tradeguard.simulator import OrderStatus, ReplayMarket, SimulatedExchange
from tradeguard.testing import ManualClock

from .conftest import Connect, Start

SYMBOL = "ETH/USDT:USDT"
ROWS = [
    [n * 60_000, *prices, 5000.0]
    for n, prices in enumerate(
        [(100, 100, 100, 100), (100, 101, 99, 100), (100, 112, 88, 100), (100, 100, 100, 100)]
    )
]


@pytest.fixture
def swinging(start: Start) -> SimulatedExchange:
    """A price that stays near 100 for a second, and goes to 112 and to 88 in the next."""
    return start(market=ReplayMarket(ROWS, SYMBOL, history=1), dialect="binanceusdm")


@pytest.fixture
def client(swinging: SimulatedExchange, connect: Connect) -> ccxt.binanceusdm:
    return connect(swinging)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("kind", "side", "price", "params", "name"),
    [
        ("market", "sell", None, {"stopLossPrice": 90}, "STOP_MARKET"),
        ("market", "buy", None, {"stopLossPrice": 110}, "STOP_MARKET"),
        ("market", "sell", None, {"takeProfitPrice": 110}, "TAKE_PROFIT_MARKET"),
        ("market", "buy", None, {"takeProfitPrice": 90}, "TAKE_PROFIT_MARKET"),
        ("limit", "sell", 85, {"stopLossPrice": 90}, "STOP"),
        ("limit", "buy", 95, {"takeProfitPrice": 90}, "TAKE_PROFIT"),
    ],
)
def test_an_order_waits_for_its_price_and_trades(
    swinging: SimulatedExchange,
    client: ccxt.binanceusdm,
    clock: ManualClock,
    kind: Any,
    side: Any,
    price: float | None,
    params: dict[str, float],
    name: str,
) -> None:
    order = client.create_order(SYMBOL, kind, side, 1, price, {**params, "clientOrderId": "waits"})
    assert (order["status"], order["clientOrderId"], order["info"]["orderType"]) == ("open", "waits", name)
    assert client.fetch_open_orders(SYMBOL) == []
    assert client.fetch_balance()["USDT"]["used"] == 0
    [waiting] = client.fetch_open_orders(SYMBOL, params={"trigger": True})
    assert (waiting["id"], waiting["triggerPrice"]) == (order["id"], *params.values())
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(order["id"], SYMBOL)
    clock.advance(2.5)
    done = client.fetch_order(order["id"], SYMBOL, {"trigger": True})
    assert (done["status"], done["info"]["algoStatus"]) == ("closed", "FINISHED")
    actual = client.fetch_order(done["info"]["actualOrderId"], SYMBOL)
    assert (actual["status"], actual["filled"], actual["info"]["origType"]) == ("closed", 1, name)
    assert client.fetch_positions()[0]["side"] == ("long" if side == "buy" else "short")
    assert client.fetch_open_orders(SYMBOL, params={"trigger": True}) == []
    assert [one["id"] for one in client.fetch_orders(SYMBOL, params={"trigger": True})] == [order["id"]]


def test_an_order_that_waits_is_canceled_by_either_id(
    swinging: SimulatedExchange, client: ccxt.binanceusdm
) -> None:
    ids = [
        client.create_order(
            SYMBOL, "market", "sell", 1, None, {"triggerPrice": 90, "clientOrderId": f"n{n}"}
        )["id"]
        for n in range(4)
    ]
    assert client.cancel_order(ids[0], SYMBOL, {"trigger": True})["id"] == ids[0]
    assert client.cancel_order("", SYMBOL, {"trigger": True, "clientOrderId": "n1"})["id"] == ids[1]
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        client.cancel_order(ids[0], SYMBOL, {"trigger": True})
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        client.cancel_order(ids[2], SYMBOL)
    client.cancel_all_orders(SYMBOL)
    assert len(client.fetch_open_orders(SYMBOL, params={"trigger": True})) == 2
    client.cancel_all_orders(SYMBOL, {"trigger": True})
    assert {order.status for order in swinging.orders()} == {OrderStatus.CANCELED}


def test_an_order_that_rests_after_its_trigger_is_an_order_like_others(
    swinging: SimulatedExchange, client: ccxt.binanceusdm, clock: ManualClock
) -> None:
    order = client.create_order(SYMBOL, "limit", "buy", 1, 80, {"stopLossPrice": 110})
    clock.advance(2.5)
    assert client.fetch_open_orders(SYMBOL, params={"trigger": True}) == []
    [resting] = client.fetch_open_orders(SYMBOL)
    assert (resting["id"], resting["type"], resting["price"]) == (order["id"], "limit", 80)
    assert client.fetch_order(order["id"], SYMBOL, {"trigger": True})["info"]["algoStatus"] == "TRIGGERED"
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(order["id"], SYMBOL, {"trigger": True})
    assert client.cancel_order(order["id"], SYMBOL)["status"] == "canceled"
    assert swinging.orders()[0].status is OrderStatus.CANCELED


def test_a_stop_closes_the_whole_position_and_no_more(
    swinging: SimulatedExchange, client: ccxt.binanceusdm, clock: ManualClock
) -> None:
    client.create_order(SYMBOL, "market", "buy", 3)
    client.create_order(SYMBOL, "market", "sell", None, None, {"stopLossPrice": 95, "closePosition": True})
    client.create_order(SYMBOL, "market", "sell", 9, None, {"takeProfitPrice": 105, "reduceOnly": True})
    clock.advance(2.5)
    assert swinging.positions()[SYMBOL].amount == 0
    _, *stops = swinging.orders()
    assert sorted(stop.filled for stop in stops) == [0, 3]
    assert not any(stop.status.is_open for stop in stops)


def test_a_stop_without_a_quantity_is_sized_when_its_price_is_reached(
    swinging: SimulatedExchange, client: ccxt.binanceusdm, clock: ManualClock
) -> None:
    client.create_order(SYMBOL, "market", "buy", 1)
    client.create_order(SYMBOL, "market", "sell", None, None, {"stopLossPrice": 95, "closePosition": True})
    client.create_order(SYMBOL, "market", "buy", 2)
    clock.advance(2.5)
    stop = swinging.orders()[1]
    assert (stop.status, stop.amount, stop.reduce_only) == (OrderStatus.FILLED, 3, True)
    assert swinging.positions()[SYMBOL].amount == 0


def test_a_stop_that_there_is_no_margin_for_expires(
    start: Start, connect: Connect, clock: ManualClock
) -> None:
    exchange = start(
        market=ReplayMarket(ROWS, SYMBOL, history=1), dialect="binanceusdm", balances={"USDT": 10}
    )
    client = connect(exchange)
    order = client.create_order(SYMBOL, "market", "sell", 50, None, {"triggerPrice": 95})
    clock.advance(2.5)
    assert client.fetch_order(order["id"], SYMBOL, {"trigger": True})["status"] == "expired"
    assert exchange.positions()[SYMBOL].amount == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": "TRAILING_STOP_MARKET"}, -1116),
        ({"algoType": "VP"}, -1102),
        ({"triggerPrice": "101"}, -2021),
        ({"triggerPrice": None}, -1102),
        ({"quantity": None}, -1102),
        ({"closePosition": "true"}, -4137),
        ({"type": "STOP", "closePosition": "true", "quantity": None}, -4136),
        ({"timeInForce": "GTX"}, -1115),
        ({"clientAlgoId": "taken"}, -4116),
        ({"callbackRate": "1"}, -1104),
    ],
)
def test_a_malformed_order_is_refused(client: ccxt.binanceusdm, changes: dict[str, Any], code: int) -> None:
    client.create_order(SYMBOL, "market", "sell", 1, None, {"triggerPrice": 90, "clientOrderId": "taken"})
    order = {
        "algoType": "CONDITIONAL",
        "symbol": "ETHUSDT",
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": "1",
        "triggerPrice": "90",
    }
    with pytest.raises(ccxt.ExchangeError, match=f'"code":{code},'):
        client.fapiPrivatePostAlgoOrder(
            {name: value for name, value in {**order, **changes}.items() if value is not None}
        )
