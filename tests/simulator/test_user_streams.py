"""An account's own events: what ccxt.pro's own binance sees of them, and what they are on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import ccxt
import ccxt.pro
import pytest

from tests.simulator.conftest import Connect, Dial
from tests.simulator.streaming import subscribed, until
from tradeguard.simulator import SimulatedExchange
from tradeguard.testing import ManualClock

SYMBOL = "ETH/BTC"

pytestmark = pytest.mark.usefixtures("patience")


async def watched(exchange: SimulatedExchange, client: ccxt.pro.binance) -> None:
    """Have the client listen to its account."""
    client.newUpdates = False
    waiting = asyncio.ensure_future(client.watch_orders())
    # ccxt makes room for balances only then, and gives the socket up over an event that comes earlier.
    await until(lambda: "spot" in client.balance)
    waiting.cancel()


async def test_watch_orders_follows_an_order_from_its_acceptance_to_its_end(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    waiting = asyncio.ensure_future(pro.watch_orders(SYMBOL))
    await subscribed(exchange, "default")
    placed = await pro.create_order(SYMBOL, "limit", "buy", 1, 0.04, {"clientOrderId": "mine"})
    (order,) = await asyncio.wait_for(waiting, 5)
    names = (
        "id",
        "clientOrderId",
        "symbol",
        "side",
        "type",
        "price",
        "amount",
        "filled",
        "status",
        "timestamp",
    )
    fetched = await pro.fetch_order(placed["id"], SYMBOL)
    assert {name: order[name] for name in names} == {name: fetched[name] for name in names}
    waiting = asyncio.ensure_future(pro.watch_orders(SYMBOL))
    await pro.cancel_order(placed["id"], SYMBOL)
    (order,) = await asyncio.wait_for(waiting, 5)
    assert (order["status"], order["clientOrderId"], order["filled"]) == ("canceled", "mine", 0.0)


async def test_watch_my_trades_tells_of_each_fill_once(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await watched(exchange, pro)
    order = await pro.create_order(SYMBOL, "market", "buy", 30)
    fetched = await pro.fetch_my_trades(SYMBOL)
    assert len(fetched) > 1
    await until(lambda: pro.myTrades is not None and len(pro.myTrades) == len(fetched))
    names = ("id", "order", "price", "amount", "cost", "side", "takerOrMaker", "timestamp", "fee")
    assert [[trade[name] for name in names] for trade in pro.myTrades] == [
        [trade[name] for name in names] for trade in fetched
    ]
    await until(lambda: pro.orders[-1]["status"] == "closed")
    assert pro.orders[-1]["id"] == order["id"]


async def test_watch_balance_ends_with_the_balance_of_the_rest_interface(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    waiting = asyncio.ensure_future(pro.watch_balance())
    await subscribed(exchange, "default")
    # A limit above the market: what the better price saves is given back after the fill.
    await pro.create_order(SYMBOL, "limit", "buy", 1, 0.0505)
    await asyncio.wait_for(waiting, 5)
    await pro.create_order(SYMBOL, "limit", "sell", 2, 0.06)
    fetched = await pro.fetch_balance()
    await until(lambda: pro.balance["spot"].get("ETH", {}).get("used") == 2)
    for asset in ("ETH", "BTC"):
        assert pro.balance["spot"][asset] == fetched[asset]


async def test_a_partly_filled_order_gives_back_what_a_better_price_saved(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await watched(exchange, pro)
    price = round(float(exchange.last_price(SYMBOL)) * 1.0002, 7)
    order = await pro.create_order(SYMBOL, "limit", "buy", 100, price)
    assert 0 < order["filled"] < 100
    fetched = await pro.fetch_balance()
    await until(lambda: pro.balance["spot"].get("BTC") == fetched["BTC"])


async def test_resting_order_is_told_of_its_fills_as_the_clock_moves(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await watched(exchange, pro)
    price = float(exchange.last_price(SYMBOL))
    await pro.create_order(SYMBOL, "limit", "buy", 20, round(price * 0.9999, 7))
    for _ in range(60):
        exchange.advance(60)
        if exchange.trades():
            break
    await until(lambda: pro.myTrades is not None and len(pro.myTrades) == len(exchange.trades()))
    assert [trade["timestamp"] for trade in pro.myTrades] == [trade.time_ms for trade in exchange.trades()]
    assert pro.myTrades[0]["takerOrMaker"] == "maker"


async def test_stop_order_is_told_of_its_trigger(exchange: SimulatedExchange, dial: Dial) -> None:
    binance = ccxt.binance(exchange.ccxt_config())
    socket = await dial(exchange, "/ws/" + binance.publicPostUserDataStream()["listenKey"])
    price = float(exchange.last_price(SYMBOL))
    binance.create_order(SYMBOL, "market", "sell", 1, None, {"stopLossPrice": round(price * 0.9995, 7)})
    while not exchange.trades():
        exchange.advance(60)
    said = [await socket.receive_json(timeout=5) for _ in range(5)]
    reports = [(one["x"], one["X"], one["w"]) for one in said if one["e"] == "executionReport"]
    assert reports[:3] == [("NEW", "NEW", False), ("NEW", "NEW", True), ("TRADE", "FILLED", False)]
    binance.close()


async def test_an_order_of_no_more_use_expires(exchange: SimulatedExchange, pro: ccxt.pro.binance) -> None:
    await watched(exchange, pro)
    await pro.create_order(SYMBOL, "limit", "buy", 1, 0.04, {"timeInForce": "IOC"})
    await until(lambda: pro.orders and pro.orders[-1]["status"] == "expired")
    assert pro.orders[-1]["filled"] == 0


async def test_orders_of_one_account_are_not_told_to_another(
    exchange: SimulatedExchange, connect: Connect, dial: Dial
) -> None:
    exchange.add_account("other", {"BTC": 1})
    mine, other = connect(exchange), connect(exchange, "other")
    socket = await dial(exchange, "/ws/" + mine.publicPostUserDataStream()["listenKey"])
    other.create_order(SYMBOL, "limit", "buy", 1, 0.04)
    mine.create_order(SYMBOL, "limit", "buy", 2, 0.04)
    report = await socket.receive_json(timeout=5)
    assert (report["e"], report["q"]) == ("executionReport", "2.00000000")
    balances = await socket.receive_json(timeout=5)
    assert balances["e"] == "outboundAccountPosition"
    assert {one["a"]: (one["f"], one["l"]) for one in balances["B"]}["BTC"] == ("9.92000000", "0.08000000")


async def test_listen_key_lives_for_an_hour_after_each_renewal(
    exchange: SimulatedExchange, connect: Connect, dial: Dial, clock: ManualClock
) -> None:
    client = connect(exchange)
    key = client.publicPostUserDataStream()["listenKey"]
    clock.advance(3000)
    assert client.publicPutUserDataStream({"listenKey": key}) == {}
    clock.advance(3000)
    assert client.publicPostUserDataStream()["listenKey"] == key
    await dial(exchange, f"/ws/{key}")
    assert exchange.sockets[-1].accounts == ("default",)
    clock.advance(3601)
    with pytest.raises(ccxt.ExchangeError, match="-1125"):
        client.publicPutUserDataStream({"listenKey": key})
    await dial(exchange, f"/ws/{key}")
    assert exchange.sockets[-1].accounts == ()
    assert client.publicPostUserDataStream()["listenKey"] != key


async def test_listen_key_can_be_given_back(exchange: SimulatedExchange, connect: Connect) -> None:
    client = connect(exchange)
    key = client.publicPostUserDataStream()["listenKey"]
    assert client.publicDeleteUserDataStream({"listenKey": key}) == {}
    with pytest.raises(ccxt.ExchangeError, match="-1125"):
        client.publicDeleteUserDataStream({"listenKey": key})


async def test_listen_key_needs_a_known_api_key(exchange: SimulatedExchange) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{exchange.url}/api/v3/userDataStream") as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (401, -2014)


async def test_subscription_ends_when_it_is_given_up(
    exchange: SimulatedExchange, pro: ccxt.pro.binance, dial: Dial
) -> None:
    socket = await dial(exchange, "/ws-api/v3")

    async def asked(method: str, params: dict[str, Any]) -> Any:
        await socket.send_json({"id": "1", "method": method, "params": params})
        return await socket.receive_json(timeout=5)

    for number in (0, 1):
        answer = await asked("userDataStream.subscribe.signature", pro.sign_params({}))
        assert answer["result"] == {"subscriptionId": number}
    await pro.create_order(SYMBOL, "limit", "buy", 1, 0.04)
    assert [(await socket.receive_json(timeout=5))["subscriptionId"] for _ in range(2)] == [0, 1]
    assert [(await socket.receive_json(timeout=5))["event"]["e"] for _ in range(2)] == [
        "outboundAccountPosition"
    ] * 2
    ended = await asked("userDataStream.unsubscribe", {"subscriptionId": 0})
    assert ended["event"]["e"] == "eventStreamTerminated"
    assert (await socket.receive_json(timeout=5))["result"] == {}
    assert exchange.sockets[-1].accounts == ("default",)
