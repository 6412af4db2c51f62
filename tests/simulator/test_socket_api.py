"""Binance's WebSocket API: ccxt's *_ws methods, with the rules, lags and faults of the REST interface."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
import ccxt.pro
import pytest

from tests.simulator.conftest import ConnectPro, Dial, Start
from tests.simulator.streaming import until
from tradeguard.simulator import Fault, FaultKind, Phase, SimulatedExchange
from tradeguard.testing import ManualClock

SYMBOL = "ETH/BTC"

pytestmark = pytest.mark.usefixtures("patience")


async def placed(client: ccxt.pro.binance, price: float = 0.04, **params: Any) -> Any:
    return await client.create_order_ws(SYMBOL, "limit", "buy", 1, price, params)


async def test_order_lives_over_the_socket(exchange: SimulatedExchange, pro: ccxt.pro.binance) -> None:
    order = await placed(pro, clientOrderId="mine:1/2")
    assert (order["clientOrderId"], order["status"], order["amount"]) == ("mine:1/2", "open", 1.0)
    assert (await pro.fetch_order_ws(order["id"], SYMBOL))["clientOrderId"] == "mine:1/2"
    edited = await pro.edit_order_ws(order["id"], SYMBOL, "limit", "buy", 2, 0.041)
    assert (edited["amount"], edited["price"]) == (2.0, 0.041)
    assert [one["id"] for one in await pro.fetch_open_orders_ws(SYMBOL)] == [edited["id"]]
    assert (await pro.cancel_order_ws(edited["id"], SYMBOL))["status"] == "canceled"
    await placed(pro)
    await placed(pro)
    assert len(await pro.cancel_all_orders_ws(SYMBOL)) == 2
    assert [str(one.status) for one in exchange.orders()] == ["CANCELED"] * 4
    assert exchange.requests.count("WS", "order.place") == 3


async def test_history_over_the_socket_is_that_of_the_rest_interface(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await pro.create_order_ws(SYMBOL, "market", "buy", 1)
    await placed(pro)
    assert await pro.fetch_orders_ws(SYMBOL) == await pro.fetch_orders(SYMBOL)
    assert [one["status"] for one in await pro.fetch_closed_orders_ws(SYMBOL)] == ["closed"]
    assert await pro.fetch_my_trades_ws(SYMBOL) == await pro.fetch_my_trades(SYMBOL)
    # ccxt 4.5.90 leaves the parsed balances of a spot account out, and gives the answer alone.
    balance = (await pro.fetch_balance_ws())["info"]
    assert balance == (await pro.fetch_balance())["info"]


async def test_market_data_over_the_socket_is_that_of_the_rest_interface(
    exchange: SimulatedExchange, pro: ccxt.pro.binance, dial: Dial
) -> None:
    assert await pro.fetch_ohlcv_ws(SYMBOL, "1m", limit=3) == await pro.fetch_ohlcv(SYMBOL, "1m", limit=3)
    trades = await pro.fetch_trades_ws(SYMBOL, limit=5)
    assert [one["id"] for one in trades] == [one["id"] for one in await pro.fetch_trades(SYMBOL, limit=5)]
    socket = await dial(exchange, "/ws-api/v3")
    for method, params in (
        ("ping", {}),
        ("time", {}),
        ("exchangeInfo", {"symbols": ["ETHBTC"]}),
        ("depth", {"symbol": "ETHBTC", "limit": 5}),
        ("trades.recent", {"symbol": "ETHBTC"}),
        ("trades.aggregate", {"symbol": "ETHBTC"}),
        ("ticker.24hr", {"symbol": "ETHBTC"}),
        ("ticker.price", {"symbol": "ETHBTC"}),
        ("ticker.book", {"symbol": "ETHBTC"}),
    ):
        await socket.send_json({"id": 7, "method": method, "params": params})
        answer = await socket.receive_json(timeout=5)
        assert (answer["id"], answer["status"]) == (7, 200)
        assert answer["rateLimits"][0]["count"] > 0
        if method == "time":
            assert answer["result"] == {"serverTime": exchange.time_ms()}


async def test_test_order_is_checked_and_not_placed(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await placed(pro, test=True)
    assert exchange.orders() == []
    with pytest.raises(ccxt.BadRequest, match="PRICE_FILTER"):
        await pro.create_order_ws(SYMBOL, "limit", "buy", 1, 10**6, {"test": True, "price": "2000000"})


async def test_refusals_are_those_of_the_rest_interface(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await placed(pro, clientOrderId="twice")
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await placed(pro, clientOrderId="twice")
    with pytest.raises(ccxt.InsufficientFunds):
        await pro.create_order_ws(SYMBOL, "limit", "buy", 1000, 0.04)
    with pytest.raises(ccxt.OrderNotFound):
        await pro.cancel_order_ws("99", SYMBOL)
    with pytest.raises(ccxt.OrderNotFound):
        await pro.fetch_order_ws("99", SYMBOL)
    assert len(exchange.orders()) == 1


async def test_signature_key_and_age_are_checked(
    exchange: SimulatedExchange, connect_pro: ConnectPro, clock: ManualClock
) -> None:
    forged = await connect_pro(exchange, secret="other")
    with pytest.raises(ccxt.AuthenticationError, match="Signature"):
        await placed(forged)
    unknown = await connect_pro(exchange, apiKey="A" * 64)
    with pytest.raises(ccxt.AuthenticationError):
        await placed(unknown)
    late = await connect_pro(exchange, milliseconds=lambda: exchange.time_ms() - 11_000)
    with pytest.raises(ccxt.InvalidNonce):
        await placed(late)
    assert exchange.orders() == []


async def test_parameters_are_signed_in_their_order_of_names_however_they_are_sent(
    exchange: SimulatedExchange, pro: ccxt.pro.binance, dial: Dial
) -> None:
    signed = pro.sign_params({"symbol": "ETHBTC", "omitZeroBalances": True})
    socket = await dial(exchange, "/ws-api/v3")
    for params in (signed, dict(reversed(signed.items()))):
        await socket.send_json({"id": 1, "method": "account.status", "params": params})
        assert (await socket.receive_json(timeout=5))["status"] == 200


async def test_new_orders_are_invisible_for_a_while_over_the_socket_too(
    start: Start, connect_pro: ConnectPro, clock: ManualClock
) -> None:
    exchange = start(visibility_lag=3.0)
    client = await connect_pro(exchange)
    order = await placed(client)
    assert await client.fetch_open_orders_ws(SYMBOL) == []
    with pytest.raises(ccxt.OrderNotFound):
        await client.fetch_order_ws(order["id"], SYMBOL)
    clock.advance(3)
    assert [one["id"] for one in await client.fetch_open_orders_ws(SYMBOL)] == [order["id"]]


async def test_what_is_no_request_is_refused(exchange: SimulatedExchange, dial: Dial) -> None:
    socket = await dial(exchange, "/ws-api/v3")
    for text in ("{", "[]", '{"id":1}', '{"id":1,"method":"time","params":[]}'):
        await socket.send_str(text)
        assert (await socket.receive_json(timeout=5))["error"]["code"] == -1135
    await socket.send_json({"id": 4, "method": "order.amend", "params": {}})
    answer = await socket.receive_json(timeout=5)
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (4, 400, -1020)


@pytest.mark.parametrize("phase", list(Phase))
async def test_answer_is_lost_before_or_after_the_order_was_accepted(
    exchange: SimulatedExchange, pro: ccxt.pro.binance, phase: Phase
) -> None:
    exchange.faults.add(Fault(FaultKind.HUNG, "WS order.place", phase))
    waiting = asyncio.ensure_future(placed(pro, clientOrderId="mine"))
    await until(lambda: exchange.requests.count("WS", "order.place"))
    # The socket lives, the next request is answered, and this one never is.
    await pro.fetch_open_orders_ws(SYMBOL)
    assert not waiting.done()
    waiting.cancel()
    assert len(exchange.orders()) == (1 if phase is Phase.AFTER else 0)


@pytest.mark.parametrize("phase", list(Phase))
async def test_connection_is_lost_before_or_after_the_order_was_accepted(
    exchange: SimulatedExchange, pro: ccxt.pro.binance, phase: Phase
) -> None:
    exchange.faults.add(Fault(FaultKind.DROPPED, "create", phase))
    with pytest.raises(ccxt.NetworkError, match="1006"):
        await asyncio.wait_for(placed(pro), 5)
    assert len(exchange.orders()) == (1 if phase is Phase.AFTER else 0)
    await placed(pro)


@pytest.mark.parametrize(
    ("fault", "error", "accepted"),
    [
        (Fault(FaultKind.SERVER_ERROR, "create", code=-1000), ccxt.OperationFailed, 0),
        (
            Fault(FaultKind.SERVER_ERROR, "create", Phase.AFTER, status=504, code=-1007),
            ccxt.RequestTimeout,
            1,
        ),
        (Fault(FaultKind.SERVER_ERROR, "create", Phase.AFTER, status=504), ccxt.RequestTimeout, 1),
        (Fault(FaultKind.SERVER_ERROR, "create", status=503), ccxt.OperationFailed, 0),
        (Fault(FaultKind.CLOCK_SKEW, "create", skew=-5), ccxt.InvalidNonce, 0),
        (Fault(FaultKind.LIMITED, "create"), ccxt.RateLimitExceeded, 0),
        (Fault(FaultKind.BANNED, "create"), ccxt.RateLimitExceeded, 0),
    ],
)
async def test_faults_of_requests_strike_over_the_socket(
    exchange: SimulatedExchange,
    pro: ccxt.pro.binance,
    fault: Fault,
    error: type[ccxt.BaseError],
    accepted: int,
) -> None:
    exchange.faults.add(fault)
    with pytest.raises(error):
        await asyncio.wait_for(placed(pro), 5)
    assert len(exchange.orders()) == accepted


async def test_limits_say_until_when(exchange: SimulatedExchange, pro: ccxt.pro.binance, dial: Dial) -> None:
    exchange.faults.add(Fault(FaultKind.LIMITED, "market", retry_after=3))
    socket = await dial(exchange, "/ws-api/v3")
    await socket.send_json({"id": 1, "method": "time"})
    answer = await socket.receive_json(timeout=5)
    now_ms = exchange.time_ms()
    assert (answer["status"], answer["error"]["code"]) == (429, -1003)
    assert answer["error"]["data"] == {"serverTime": now_ms, "retryAfter": now_ms + 3000}


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.HTML])
async def test_answer_that_is_no_json_is_sent_as_it_is(
    exchange: SimulatedExchange, pro: ccxt.pro.binance, dial: Dial, kind: FaultKind
) -> None:
    exchange.faults.add(Fault(kind, "WS order.place", Phase.AFTER))
    socket = await dial(exchange, "/ws-api/v3")
    params = {"symbol": "ETHBTC", "side": "BUY", "type": "MARKET", "quantity": "1"}
    await socket.send_json({"id": "1", "method": "order.place", "params": pro.sign_params(params)})
    text = (await socket.receive(timeout=5)).data
    begins = {FaultKind.TRUNCATED: '{"id":"1","status":200,"result":{"', FaultKind.HTML: "<html>"}
    assert text.startswith(begins[kind]) if kind in begins else text == ""
    assert len(exchange.orders()) == 1


async def test_late_answers_do_not_hold_up_others(exchange: SimulatedExchange, pro: ccxt.pro.binance) -> None:
    exchange.faults.add(
        Fault(FaultKind.LATE, "create", Phase.BEFORE, delay=2),
        Fault(FaultKind.LATE, "create", Phase.AFTER, delay=2),
        Fault(FaultKind.LATE_ACCEPTANCE, "create", delay=2, code=-1007),
    )
    start_ms = exchange.time_ms()
    assert (await placed(pro))["timestamp"] == start_ms + 2000
    assert (await placed(pro))["timestamp"] == start_ms + 2000
    with pytest.raises(ccxt.RequestTimeout):
        await placed(pro)
    assert len(exchange.orders()) == 2
    exchange.advance(2)
    assert len(exchange.orders()) == 3
