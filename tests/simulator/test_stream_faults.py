"""Faults of streams: what ccxt.pro's own binance sees of each of them."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import ccxt
import ccxt.pro
import pytest

from tests.simulator.conftest import Connect, ConnectPro, Dial, Start
from tests.simulator.streaming import ended, moved, settled, subscribed, until
from tradeguard.simulator import (
    Fault,
    FaultKind,
    FaultPlan,
    SimulatedExchange,
    StreamFault,
    StreamFaultKind,
    SyntheticMarket,
)
from tradeguard.testing import ManualClock

SYMBOL = "ETH/BTC"
TRADES = "ethbtc@trade"

pytestmark = pytest.mark.usefixtures("patience")


async def numbers(
    exchange: SimulatedExchange, client: ccxt.pro.binance, seconds: float, count: int
) -> list[int]:
    """Watch `count` trades while the clock moves on; return the numbers of all that came, the first being 1."""
    client.newUpdates = False
    waiting = asyncio.ensure_future(client.watch_trades(SYMBOL))
    await subscribed(exchange, TRADES)
    first = int((await client.fetch_trades(SYMBOL, limit=1))[0]["id"])
    exchange.advance(seconds)
    await waiting
    await until(lambda: len(client.trades[SYMBOL]) >= count)
    await quiet(exchange, client)
    return [int(trade["id"]) - first for trade in client.trades[SYMBOL]]


async def quiet(exchange: SimulatedExchange, client: ccxt.pro.binance) -> None:
    """Give whatever is on its way the time of a request to arrive."""
    await settled(exchange)
    await client.fetch_time()


async def test_refused_handshake_is_a_network_error_and_the_next_one_succeeds(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    exchange.faults.add(StreamFault(StreamFaultKind.REFUSED, "/ws", status=503))
    with pytest.raises(ccxt.NetworkError, match="503"):
        await asyncio.wait_for(pro.watch_trades(SYMBOL), 5)
    exchange.advance(1)  # ccxt's own pause before it dials again
    assert await moved(exchange, pro.watch_trades(SYMBOL))
    log = [(record.status, record.fault) for record in exchange.requests if record.group == "handshake"]
    assert log == [(503, "refused"), (101, None)]


async def test_refused_handshake_may_say_when_to_come_back(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    exchange.faults.add(StreamFault(StreamFaultKind.REFUSED, "/ws-api/v3", status=429, retry_after=7))
    assert await moved(exchange, pro.watch_trades(SYMBOL))
    with pytest.raises(ccxt.NetworkError, match="429"):
        await asyncio.wait_for(pro.fetch_open_orders_ws(SYMBOL), 5)
    (pause,) = pro.ws_dial_backoff.values()
    assert pause["until"] == exchange.time_ms() + 7000


async def test_unanswered_handshake_is_a_timeout(
    exchange: SimulatedExchange, connect_pro: ConnectPro
) -> None:
    client = await connect_pro(exchange, options={"ws": {"connectionTimeout": 1000}})
    exchange.faults.add(StreamFault(StreamFaultKind.HUNG))
    with pytest.raises(ccxt.RequestTimeout):
        await asyncio.wait_for(client.watch_trades(SYMBOL), 5)
    assert exchange.sockets == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (StreamFault(StreamFaultKind.DROPPED, "trade", skip=2), "1006"),
        (StreamFault(StreamFaultKind.CLOSED, "trade", skip=2), "1006"),
        (StreamFault(StreamFaultKind.CLOSED, "trade", skip=2, code=1008), "1008"),
        (StreamFault(StreamFaultKind.CLOSED, "trade", skip=2, code=1012), "1012"),
        (StreamFault(StreamFaultKind.GARBAGE, "trade", skip=2), "PROTOCOL_ERROR"),
    ],
)
async def test_lost_connection_is_a_network_error_and_what_was_missed_stays_missed(
    exchange: SimulatedExchange, pro: ccxt.pro.binance, fault: StreamFault, says: str
) -> None:
    await moved(exchange, pro.watch_trades(SYMBOL))
    await quiet(exchange, pro)
    exchange.faults.add(fault)
    exchange.advance(3)
    with pytest.raises(ccxt.NetworkError, match=says):
        await ended(pro.watch_trades, SYMBOL)
    before = int(pro.trades[SYMBOL][-1]["id"])
    await moved(exchange, pro.watch_trades(SYMBOL))
    after = next(int(trade["id"]) for trade in pro.trades[SYMBOL] if int(trade["id"]) > before)
    assert after > before + 20
    assert exchange.sockets[0].faults == {fault.label: 1}


async def test_frozen_stream_is_silent_and_a_new_connection_is_not(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    exchange.faults.add(StreamFault(StreamFaultKind.FROZEN, TRADES, skip=8))
    assert await numbers(exchange, pro, 30, 8) == list(range(1, 9))
    assert [socket.is_open for socket in exchange.sockets] == [True]
    await next(iter(pro.clients.values())).close()
    pro.clients.clear()
    assert await moved(exchange, pro.watch_trades(SYMBOL))
    assert int(pro.trades[SYMBOL][-1]["id"]) > int(pro.trades[SYMBOL][7]["id"]) + 200


async def test_frozen_stream_thaws_after_its_duration(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    exchange.faults.add(StreamFault(StreamFaultKind.FROZEN, "any", duration=2, skip=1))
    assert await numbers(exchange, pro, 3, 8) == list(range(17, 25))


async def test_frozen_socket_still_answers_pings(exchange: SimulatedExchange, dial: Dial) -> None:
    exchange.faults.add(StreamFault(StreamFaultKind.FROZEN))
    socket = await dial(exchange, "/ws")
    await socket.send_json({"method": "SUBSCRIBE", "params": [TRADES], "id": 1})
    await subscribed(exchange, TRADES)
    socket._autoping = False
    await socket.ping(b"there?")
    message = await socket.receive(timeout=5)
    assert (message.type, bytes(message.data)) == (aiohttp.WSMsgType.PONG, b"there?")


async def test_lagging_messages_come_late_and_in_order(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    exchange.faults.add(StreamFault(StreamFaultKind.LAGGING, "trade", delay=5, skip=8))
    assert await numbers(exchange, pro, 5, 8) == list(range(1, 9))
    assert exchange.sockets[0].late == 32
    exchange.advance(1.5)
    await until(lambda: len(pro.trades[SYMBOL]) == 52)
    assert [int(one["id"]) for one in pro.trades[SYMBOL]] == sorted(
        int(one["id"]) for one in pro.trades[SYMBOL]
    )


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        (StreamFaultKind.LOST, [1, 2, 4, 5, 6, 7, 8]),
        (StreamFaultKind.DUPLICATED, [1, 2, 3, 3, 4, 5, 6, 7, 8]),
        (StreamFaultKind.REORDERED, [1, 2, 4, 3, 5, 6, 7, 8]),
    ],
)
async def test_trades_are_lost_doubled_or_out_of_order(
    exchange: SimulatedExchange, pro: ccxt.pro.binance, kind: StreamFaultKind, seen: list[int]
) -> None:
    exchange.faults.add(StreamFault(kind, "trade", skip=2))
    assert await numbers(exchange, pro, 1, len(seen)) == seen


async def test_reordered_message_without_a_next_one_comes_after_its_delay(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    exchange.faults.add(StreamFault(StreamFaultKind.REORDERED, "trade", skip=7, delay=0.05))
    assert await numbers(exchange, pro, 1, 7) == list(range(1, 8))
    exchange.advance(0.06)
    await until(lambda: len(pro.trades[SYMBOL]) == 8)


async def test_truncated_message_silences_the_plain_client(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    exchange.faults.add(StreamFault(StreamFaultKind.TRUNCATED, "trade", skip=2))
    assert await numbers(exchange, pro, 1, 2) == [1, 2]
    exchange.advance(5)
    await quiet(exchange, pro)
    assert len(pro.trades[SYMBOL]) == 2
    assert [type(context["exception"]).__name__ for context in reported] == ["JSONDecodeError"]


async def test_lost_change_of_a_book_is_a_checksum_error(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await pro.watch_order_book(SYMBOL)
    exchange.advance(1)
    exchange.faults.add(StreamFault(StreamFaultKind.LOST, "depth"))
    exchange.advance(1)
    with pytest.raises(ccxt.ChecksumError):
        await ended(pro.watch_order_book, SYMBOL)


async def test_lost_confirmation_leaves_a_book_unborn(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    exchange.faults.add(StreamFault(StreamFaultKind.LOST, "reply"))
    waiting = asyncio.ensure_future(pro.watch_order_book(SYMBOL))
    await subscribed(exchange, "ethbtc@depth@100ms")
    exchange.advance(2)
    await quiet(exchange, pro)
    assert not waiting.done()
    waiting.cancel()


async def test_order_events_are_lost_and_the_order_is_not(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    exchange.faults.add(StreamFault(StreamFaultKind.LOST, "user@executionReport"))
    waiting = asyncio.ensure_future(pro.watch_orders())
    await until(lambda: "spot" in pro.balance)
    order = await pro.create_order(SYMBOL, "limit", "buy", 1, 0.04)
    await until(lambda: "BTC" in pro.balance["spot"])
    assert not waiting.done()
    await pro.cancel_order(order["id"], SYMBOL)
    assert [one["status"] for one in await asyncio.wait_for(waiting, 5)] == ["canceled"]


async def test_faults_of_requests_and_of_streams_do_not_strike_each_other(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    exchange.faults.add(
        Fault(FaultKind.SERVER_ERROR, times=None), StreamFault(StreamFaultKind.LOST, times=None)
    )
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await pro.fetch_time()
    exchange.faults.remove(Fault(FaultKind.SERVER_ERROR, times=None))
    assert await pro.fetch_time() == exchange.time_ms()
    waiting = asyncio.ensure_future(pro.watch_trades(SYMBOL))
    await subscribed(exchange, TRADES)
    exchange.advance(5)
    await settled(exchange)
    assert exchange.sockets[0].sent == 0
    waiting.cancel()


async def test_same_seed_is_the_same_run(start: Start, dial: Dial) -> None:
    runs = []
    for _ in range(2):
        plan = FaultPlan.profile("hostile", seed=5)
        exchange = start(faults=plan, clock=ManualClock(), market=SyntheticMarket(SYMBOL))
        for _ in range(40):
            try:
                socket = await dial(exchange, f"/ws/{TRADES}")
            except aiohttp.WSServerHandshakeError:
                continue
            exchange.advance(8)
            await socket.close()
            await until(lambda exchange=exchange: not exchange.sockets[-1].is_open)
        log = [(record.status, record.fault) for record in exchange.requests]
        runs.append((log, [(socket.sent, socket.late, socket.faults) for socket in exchange.sockets]))
    assert runs[0] == runs[1]
    struck = {kind for _, _, faults in runs[0][1] for kind in faults}
    assert struck >= {"dropped", "closed", "lost", "duplicated", "reordered", "lagging"}


@pytest.mark.parametrize("profile", ["calm", "stormy", "hostile"])
def test_profiles_strike_streams_too(profile: str, start: Start, connect: Connect) -> None:
    plan = FaultPlan.profile(profile, seed=1)
    drawn = [plan.draw_stream("trade", TRADES) for _ in range(20_000)]
    share = sum(1 for fault in drawn if fault is not None) / 20_000
    expected = {"calm": 0.07, "stormy": 0.45, "hostile": 1.0}[profile] * 0.017
    assert expected * 0.7 < share < expected * 1.3
    refused = [plan.draw_stream("handshake", "/ws") for _ in range(2000)]
    assert {fault.kind for fault in refused if fault is not None} == {StreamFaultKind.REFUSED}
