"""ccxt's own binanceusdm trades swaps: positions, margin, orders, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tradeguard.simulator import OrderStatus, ReplayMarket, SimulatedExchange, SyntheticMarket
from tradeguard.simulator.binance.usdm.ccxt_config import EXCEPTIONS
from tradeguard.testing import ManualClock

from .conftest import Connect, Start

SYMBOL = "ETH/USDT:USDT"


def test_a_short_is_opened_and_closed(futures: SimulatedExchange, usdm: ccxt.binanceusdm) -> None:
    opened = usdm.create_order(SYMBOL, "market", "sell", 1.5)
    assert (opened["status"], opened["filled"]) == ("closed", 1.5)
    [position] = usdm.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"], position["hedged"]) == ("short", 1.5, False)
    assert position["entryPrice"] == opened["average"]
    assert futures.positions()[SYMBOL].amount == -1.5
    closed = usdm.create_order(SYMBOL, "market", "buy", 1.5, None, {"reduceOnly": True})
    assert closed["reduceOnly"] is True
    assert usdm.fetch_positions() == []
    assert futures.positions()[SYMBOL].amount == 0


def test_leverage_decides_how_much_is_set_aside(futures: SimulatedExchange, usdm: ccxt.binanceusdm) -> None:
    usdm.set_leverage(5, SYMBOL)
    leverages = usdm.fetch_leverages()
    assert {symbol: one["longLeverage"] for symbol, one in leverages.items()} == {
        SYMBOL: 5,
        "BTC/USDT:USDT": 20,
    }
    usdm.create_order(SYMBOL, "market", "buy", 2)
    [position] = usdm.fetch_positions()
    assert position["initialMargin"] == pytest.approx(position["notional"] / 5)
    balance = usdm.fetch_balance()["USDT"]
    assert balance["used"] == position["initialMargin"]
    assert balance["free"] == pytest.approx(balance["total"] - balance["used"])
    assert float(futures.balances()["USDT"].total) == balance["total"]
    [old] = [one for one in usdm.fetch_positions(params={"useV2": True}) if one["contracts"]]
    assert (old["leverage"], old["marginMode"], old["contracts"]) == (5, "cross", 2)


def test_older_and_newer_endpoints_tell_the_same(futures: SimulatedExchange, usdm: ccxt.binanceusdm) -> None:
    usdm.create_order(SYMBOL, "market", "sell", 1)
    usdm.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 39_000)
    assert usdm.fetch_balance()["USDT"] == usdm.fetch_balance({"useV2": True})["USDT"]
    accounts = [usdm.fapiPrivateV2GetAccount(), usdm.fapiPrivateV3GetAccount()]
    assert accounts[0]["assets"] == accounts[1]["assets"]
    assert [len(account["positions"]) for account in accounts] == [2, 2]
    [asset] = usdm.fapiPrivateV2GetBalance()
    assert asset["availableBalance"] == accounts[0]["availableBalance"]
    assert float(asset["balance"]) == 10_000 - float(futures.trades()[0].fee)


def test_fills_tell_what_they_have_earned_and_cost(
    futures: SimulatedExchange, usdm: ccxt.binanceusdm
) -> None:
    for side in ("buy", "sell"):
        usdm.create_order(SYMBOL, "market", side, 1)
    bought, sold = usdm.fetch_my_trades(SYMBOL)
    assert bought["fee"] == {"currency": "USDT", "cost": pytest.approx(bought["cost"] * 0.001)}
    earned = sold["price"] - bought["price"]
    assert float(sold["info"]["realizedPnl"]) == pytest.approx(earned)
    wallet = 10_000 + earned - bought["fee"]["cost"] - sold["fee"]["cost"]
    assert usdm.fetch_balance()["USDT"]["total"] == pytest.approx(wallet)
    assert float(futures.balances()["USDT"].free) == pytest.approx(wallet)


def test_orders_are_found_changed_and_canceled(futures: SimulatedExchange, usdm: ccxt.binanceusdm) -> None:
    order = usdm.create_order(SYMBOL, "limit", "buy", 1, 1900, {"clientOrderId": "mine"})
    assert usdm.fetch_order(order["id"], SYMBOL)["status"] == "open"
    assert usdm.fetch_order("", SYMBOL, {"clientOrderId": "mine"})["id"] == order["id"]
    assert usdm.fetch_open_order(order["id"], SYMBOL)["clientOrderId"] == "mine"
    changed = usdm.edit_order(order["id"], SYMBOL, "limit", "buy", 2, 1850)
    assert (changed["id"], changed["amount"], changed["price"]) == (order["id"], 2, 1850)
    with pytest.raises(ccxt.OperationRejected, match="-5027"):
        usdm.edit_order(order["id"], SYMBOL, "limit", "buy", 2, 1850)
    with pytest.raises(ccxt.ExchangeError, match="-4142"):
        usdm.edit_order(order["id"], SYMBOL, "limit", "sell", 2, 1860)
    with pytest.raises(ccxt.InsufficientFunds, match="-2019"):
        usdm.edit_order(order["id"], SYMBOL, "limit", "buy", 500, 1850)
    assert [one["id"] for one in usdm.fetch_open_orders(SYMBOL)] == [order["id"]]
    assert usdm.cancel_order(order["id"], SYMBOL)["status"] == "canceled"
    assert usdm.fetch_open_orders(SYMBOL) == []
    assert [one["status"] for one in usdm.fetch_orders(SYMBOL)] == ["canceled"]
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        usdm.fetch_open_order(order["id"], SYMBOL)
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        usdm.cancel_order(order["id"], SYMBOL)
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        usdm.fetch_order("77", SYMBOL)


def test_orders_of_a_batch_stand_for_themselves(futures: SimulatedExchange, usdm: ccxt.binanceusdm) -> None:
    def one(amount: float, **params: Any) -> Any:
        return {
            "symbol": SYMBOL,
            "type": "limit",
            "side": "buy",
            "amount": amount,
            "price": 1900,
            "params": params,
        }

    made = usdm.create_orders(
        [
            one(1, clientOrderId="a"),
            one(1, clientOrderId="b", reduceOnly=True),
            one(90_000, clientOrderId="c"),
            one(2),
        ]
    )
    assert sorted(str(order["status"]) for order in made) == ["open", "open", "rejected", "rejected"]
    assert sorted(str(order["info"].get("code")) for order in made) == ["-2019", "-2022", "None", "None"]
    ids = [order.order_id for order in futures.orders()]
    canceled = usdm.fapiPrivateDeleteBatchOrders({"symbol": "ETHUSDT", "orderidlist": [ids[0], "77"]})
    assert [one.get("status", one.get("code")) for one in canceled] == ["CANCELED", -2011]
    assert usdm.cancel_orders([ids[1]], SYMBOL)[0]["status"] == "canceled"
    again = usdm.create_order(SYMBOL, "limit", "buy", 1, 1900, {"clientOrderId": "d"})
    assert usdm.cancel_orders([], SYMBOL, {"clientOrderIds": ["d"]})[0]["id"] == again["id"]
    usdm.cancel_all_orders(SYMBOL)
    assert {order.status for order in futures.orders()} == {OrderStatus.CANCELED}
    with pytest.raises(ccxt.BadRequest, match="-4082"):
        usdm.create_orders([one(1)] * 6)


@pytest.mark.parametrize(
    ("arguments", "error", "code"),
    [
        (("market", "buy", 500), ccxt.InsufficientFunds, -2019),
        (("limit", "sell", 0.002, 2000), ccxt.InvalidOrder, -4164),
        (("limit", "buy", 1, 1900, {"reduceOnly": True}), ccxt.InvalidOrder, -2022),
        (("limit", "buy", 1, 2100, {"postOnly": True}), ccxt.OrderNotFillable, -5022),
        (("limit", "buy", 1, 1900, {"timeInForce": "FOK"}), ccxt.OrderNotFillable, -5021),
        (("limit", "buy", 1, 1900, {"clientOrderId": "taken"}), ccxt.InvalidOrder, -4116),
        (("limit", "buy", 1, 1900, {"hedged": True}), ccxt.OperationRejected, -4061),
        (("market", "buy", 20_000), ccxt.BadRequest, -4005),
        (("limit", "buy", 1, 1900, {"timeInForce": "GTD"}), ccxt.BadRequest, -1115),
        (("limit", "buy", 1, 1900, {"priceMatch": "QUEUE"}), ccxt.BadRequest, -1104),
        (("limit", "buy", 1, 1900, {"goodTillDate": 1}), ccxt.BadRequest, -1104),
    ],
)
def test_a_bad_order_is_refused_in_the_exchanges_words(
    futures: SimulatedExchange, usdm: ccxt.binanceusdm, arguments: Any, error: type[Exception], code: int
) -> None:
    usdm.create_order(SYMBOL, "limit", "buy", 1, 1500, {"clientOrderId": "taken"})
    with pytest.raises(error, match=rf'"code":{code},') as raised:
        usdm.create_order(SYMBOL, *arguments)
    assert type(raised.value) is error
    assert len(futures.orders()) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"price": "1900.001"}, -1111),
        ({"quantity": "1.0001"}, -1111),
        ({"quantity": "0"}, -4003),
        ({"price": "0"}, -4001),
        ({"quantity": None}, -1102),
        ({"price": None}, -1102),
        ({"timeInForce": None}, -1102),
        ({"type": "STOP_MARKET"}, -4120),
        ({"type": "ICEBERG"}, -1116),
        ({"type": "MARKET", "timeInForce": None}, -1106),
        ({"type": "MARKET", "price": None}, -1106),
        ({"side": "HOLD"}, -1117),
        ({"reduceOnly": "perhaps"}, -1130),
        ({"positionSide": "SHORT"}, -4061),
        ({"symbol": "ETHBTC"}, -1121),
    ],
)
def test_a_malformed_order_is_refused(usdm: ccxt.binanceusdm, changes: dict[str, Any], code: int) -> None:
    order = {
        "symbol": "ETHUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "1",
        "price": "1900",
        "timeInForce": "GTC",
        "positionSide": "BOTH",
    }
    with pytest.raises(ccxt.ExchangeError, match=f'"code":{code},'):
        usdm.fapiPrivatePostOrder(
            {name: one for name, one in {**order, **changes}.items() if one is not None}
        )


def test_errors_are_those_that_ccxt_raises_at_the_real_host() -> None:
    known = ccxt.binanceusdm().exceptions["linear"]["exact"]
    assert {code: known[code].__name__ for code in EXCEPTIONS} == EXCEPTIONS


def test_leverage_and_modes_are_refused_where_there_are_none(usdm: ccxt.binanceusdm) -> None:
    with pytest.raises(ccxt.BadRequest, match="-4028"):
        usdm.fapiPrivatePostLeverage({"symbol": "ETHUSDT", "leverage": 126})
    usdm.set_leverage(125, SYMBOL)
    usdm.create_order(SYMBOL, "market", "buy", 100)
    with pytest.raises(ccxt.OperationRejected, match="-2028"):
        usdm.set_leverage(1, SYMBOL)
    with pytest.raises(ccxt.BadRequest, match="-4084"):
        usdm.set_position_mode(True)
    with pytest.raises(ccxt.OperationRejected, match="-4059"):
        usdm.set_position_mode(False)
    assert usdm.fetch_position_mode()["hedged"] is False
    with pytest.raises(ccxt.BadRequest, match="-4168"):
        usdm.set_margin_mode("isolated", SYMBOL)
    with pytest.raises(ccxt.MarginModeAlreadySet):
        usdm.set_margin_mode("cross", SYMBOL)
    assert usdm.fetch_margin_mode(SYMBOL)["marginMode"] == "cross"


def test_a_bots_belief_of_its_positions_is_audited(
    futures: SimulatedExchange, usdm: ccxt.binanceusdm
) -> None:
    usdm.create_order(SYMBOL, "market", "sell", 1, None, {"clientOrderId": "mine"})
    [order] = futures.orders()
    belief = type("Intent", (), {"client_order_id": "mine", "status": "PLACED", "order_id": order.order_id})()
    assert futures.audit([belief], positions={SYMBOL: -1.0}).clean
    found = futures.audit([belief], positions={SYMBOL: 1.0})
    assert not found.clean
    assert found.positions == {SYMBOL: (Decimal("1.0"), Decimal(-1))}


def test_a_recording_is_traded_as_a_swap(start: Start, connect: Connect, clock: ManualClock) -> None:
    rows = [[n * 60_000, 100.0, 110.0, 95.0, 105.0, 500.0] for n in range(3)]
    exchange = start(market=ReplayMarket(rows, SYMBOL, history=1), dialect="binanceusdm")
    client = connect(exchange)
    order = client.create_order(SYMBOL, "limit", "sell", 1, 108, {"postOnly": True})
    assert (order["timeInForce"], order["postOnly"]) == ("PO", True)
    clock.advance(1.5)
    assert client.fetch_order(order["id"], SYMBOL)["status"] == "closed"
    assert client.fetch_positions()[0]["side"] == "short"
    clock.advance(5)
    with pytest.raises(ccxt.BadRequest, match="-4140"):
        client.create_order(SYMBOL, "market", "buy", 1)


async def test_async_and_spots_own_class_trade_too(start: Start, connect: Connect) -> None:
    exchange = start(market=SyntheticMarket(SYMBOL), dialect="binanceusdm")
    client = ccxt.async_support.binanceusdm(exchange.ccxt_config())
    try:
        order = await client.create_order(SYMBOL, "market", "buy", 1)
        assert order["status"] == "closed"
        assert [one["contracts"] for one in await client.fetch_positions()] == [1]
    finally:
        await client.close()
    spot = ccxt.binance(exchange.ccxt_config())
    try:
        spot.create_order(SYMBOL, "market", "sell", 3)
        assert [(one["side"], one["contracts"]) for one in spot.fetch_positions()] == [("short", 2)]
        assert spot.fetch_balance()["USDT"]["used"] > 0
    finally:
        spot.close()
