"""Market streams: what ccxt.pro's own binance sees of them, and what they are on the wire."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import aiohttp
import ccxt.pro
import pytest

from tests.simulator.conftest import Connect, ConnectPro, Dial, Start
from tests.simulator.streaming import ended, moved, settled, subscribed, until
from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import ReplayMarket, SimulatedExchange, SyntheticMarket
from tradeguard.testing import ManualClock

pytestmark = pytest.mark.usefixtures("patience")


async def told(exchange: SimulatedExchange, socket: Any, seconds: float) -> list[Any]:
    """Move the clock on and return what the socket is told meanwhile, read until a reply follows it."""
    exchange.advance(seconds)
    await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "params": [], "id": 99})
    said = []
    while (message := await socket.receive_json(timeout=5)) != {"result": ANY, "id": 99}:
        said.append(message)
    return said


class _Any:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


ANY = _Any()


async def test_watch_ticker_is_the_ticker_of_the_rest_interface(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await moved(exchange, pro.watch_ticker("ETH/BTC", {"name": "ticker"}))
    fetched = await pro.fetch_ticker("ETH/BTC")
    await until(lambda: pro.tickers["ETH/BTC"]["timestamp"] == fetched["timestamp"])
    ticker = pro.tickers["ETH/BTC"]
    known = ("last", "open", "high", "low", "bid", "ask", "baseVolume", "quoteVolume", "vwap", "timestamp")
    assert {name: ticker[name] for name in known} == {name: fetched[name] for name in known}


async def test_watch_tickers_names_all_symbols_or_those_asked_for(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    assert set(await moved(exchange, pro.watch_tickers(["BTC/USDT"]))) == {"BTC/USDT"}
    assert set(await moved(exchange, pro.watch_tickers())) == {"ETH/BTC", "BTC/USDT"}


async def test_watch_bids_asks_is_the_top_of_the_book(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await moved(exchange, pro.watch_bids_asks(["ETH/BTC"]))
    fetched = (await pro.fetch_bids_asks(["ETH/BTC"]))["ETH/BTC"]
    await until(lambda: pro.bidsasks["ETH/BTC"]["bid"] == fetched["bid"])
    quote = pro.bidsasks["ETH/BTC"]
    names = ("bid", "bidVolume", "ask", "askVolume")
    assert {name: quote[name] for name in names} == {name: fetched[name] for name in names}


async def test_watch_trades_misses_none_and_doubles_none(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    first = asyncio.ensure_future(pro.watch_trades("ETH/BTC"))
    await subscribed(exchange, "ethbtc@trade")
    start_ms = exchange.time_ms()
    exchange.advance(30)
    await first
    await settled(exchange)
    fetched = await pro.fetch_trades("ETH/BTC", start_ms + 1, 1000)
    pro.newUpdates = False
    seen: list[Any] = pro.trades["ETH/BTC"]
    await until(lambda: len(seen) >= len(fetched))
    assert len(fetched) == 240
    assert [(one["id"], one["price"], one["amount"], one["side"], one["timestamp"]) for one in seen] == [
        (one["id"], one["price"], one["amount"], one["side"], one["timestamp"]) for one in fetched
    ]


async def test_watch_trades_for_symbols_watches_several(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    trades = await moved(exchange, pro.watch_trades_for_symbols(["ETH/BTC", "BTC/USDT"]))
    assert trades[0]["symbol"] in ("ETH/BTC", "BTC/USDT")
    await until(lambda: set(pro.trades) == {"ETH/BTC", "BTC/USDT"})


async def test_aggregate_trades_are_served(exchange: SimulatedExchange, pro: ccxt.pro.binance) -> None:
    trades = await moved(exchange, pro.watch_trades_for_symbols(["ETH/BTC"], params={"name": "aggTrade"}))
    assert trades[0]["info"]["e"] == "aggTrade"
    assert int(trades[0]["id"]) == trades[0]["info"]["a"]


@pytest.mark.parametrize("timeframe", ["1s", "1m"])
async def test_watch_ohlcv_ends_with_the_candles_of_the_rest_interface(
    exchange: SimulatedExchange, pro: ccxt.pro.binance, timeframe: str
) -> None:
    await moved(exchange, pro.watch_ohlcv("ETH/BTC", timeframe))
    start_ms = exchange.time_ms()
    for _ in range(4):
        exchange.advance(45)
        await settled(exchange)
    rows = await pro.fetch_ohlcv("ETH/BTC", timeframe, start_ms - start_ms % 60_000 + 60_000, 1000)
    seen = pro.ohlcvs["ETH/BTC"][timeframe]
    await until(lambda: seen[-1][0] == rows[-1][0] and len(seen) >= len(rows))
    closed = [row for row in seen if rows[0][0] <= row[0] < rows[-1][0]]
    assert len(closed) >= 2
    assert closed == rows[:-1]


async def test_watch_ohlcv_for_symbols_watches_several(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    wanted = [["ETH/BTC", "1s"], ["BTC/USDT", "5m"]]
    await moved(exchange, pro.watch_ohlcv_for_symbols(wanted))
    exchange.advance(2)
    await until(lambda: set(pro.ohlcvs) == {"ETH/BTC", "BTC/USDT"})
    assert [set(pro.ohlcvs[symbol]) for symbol, _ in wanted] == [{"1s"}, {"5m"}]


async def test_watched_book_is_the_book_of_the_rest_interface_own_orders_included(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await pro.watch_order_book("ETH/BTC")
    order = await pro.create_order("ETH/BTC", "limit", "buy", 1, 0.0499)
    exchange.advance(3)
    await pro.cancel_order(order["id"], "ETH/BTC")
    await pro.create_order("ETH/BTC", "limit", "sell", 2, 0.0508)
    exchange.advance(0.5)
    fetched = await pro.fetch_order_book("ETH/BTC", 1000)
    book = pro.orderbooks["ETH/BTC"]
    await until(lambda: book["nonce"] == fetched["nonce"])
    assert [level[:2] for level in book["bids"]] == fetched["bids"]
    assert [level[:2] for level in book["asks"]] == fetched["asks"]
    assert [0.0508, 2.0] in [level[:2] for level in book["asks"]]


async def test_watch_order_book_for_symbols_watches_several(
    exchange: SimulatedExchange, pro: ccxt.pro.binance
) -> None:
    await moved(exchange, pro.watch_order_book_for_symbols(["ETH/BTC", "BTC/USDT"]))
    await until(
        lambda: {symbol for symbol, book in pro.orderbooks.items() if book["nonce"]} == set(pro.symbols)
    )
    assert [len(pro.orderbooks[symbol]["bids"]) for symbol in pro.symbols] == [100, 100]


async def test_every_stream_can_be_left(exchange: SimulatedExchange, pro: ccxt.pro.binance) -> None:
    symbol, both = "ETH/BTC", ["ETH/BTC", "BTC/USDT"]
    await moved(exchange, pro.watch_ticker(symbol))
    await moved(exchange, pro.watch_tickers(both))
    await moved(exchange, pro.watch_bids_asks(both))
    await moved(exchange, pro.watch_trades(symbol))
    await moved(exchange, pro.watch_trades_for_symbols(both))
    await moved(exchange, pro.watch_ohlcv(symbol, "1s"))
    await moved(exchange, pro.watch_ohlcv_for_symbols([[symbol, "1m"]]))
    await moved(exchange, pro.watch_order_book(symbol))
    await moved(exchange, pro.watch_order_book_for_symbols(both))
    assert sum(len(socket.streams) for socket in exchange.sockets) >= 9
    async with asyncio.timeout(5):
        await pro.un_watch_ticker(symbol)
        await pro.un_watch_tickers(both)
        await pro.un_watch_bids_asks(both)
        await pro.un_watch_trades(symbol)
        await pro.un_watch_trades_for_symbols(both)
        await pro.un_watch_ohlcv(symbol, "1s")
        await pro.un_watch_ohlcv_for_symbols([[symbol, "1m"]])
        await pro.un_watch_order_book(symbol)
        await pro.un_watch_order_book_for_symbols(both)
    assert [socket.streams for socket in exchange.sockets if socket.streams] == []


async def test_nothing_comes_while_the_clock_stands_still(exchange: SimulatedExchange, dial: Dial) -> None:
    socket = await dial(exchange, "/ws/ethbtc@trade")
    assert await told(exchange, socket, 0) == []
    assert len(await told(exchange, socket, 1)) == 8


async def test_what_is_said_does_not_depend_on_how_the_clock_is_moved(start: Start, dial: Dial) -> None:
    streams = "ethbtc@trade/ethbtc@kline_1s/ethbtc@depth@100ms/ethbtc@bookTicker/!miniTicker@arr"
    runs = []
    for pace in ([12.25], [0.125] * 98):
        exchange = start(clock=ManualClock())
        socket = await dial(exchange, f"/stream?streams={streams}")
        runs.append([message for seconds in pace for message in await told(exchange, socket, seconds)])
    assert runs[0] == runs[1]
    assert {message["stream"] for message in runs[0]} == set(streams.split("/"))


async def test_messages_come_in_the_order_of_time(exchange: SimulatedExchange, dial: Dial) -> None:
    socket = await dial(exchange, "/ws")
    names = ["ethbtc@trade", "btcusdt@trade", "ethbtc@kline_1m", "ethbtc@ticker"]
    await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
    assert await socket.receive_json(timeout=5) == {"result": None, "id": 1}
    times = [message["E"] for message in await told(exchange, socket, 20)]
    assert len(times) > 340
    assert times == sorted(times)


async def test_depth_events_follow_each_other_without_a_gap(exchange: SimulatedExchange, dial: Dial) -> None:
    socket = await dial(exchange, "/ws/ethbtc@depth")
    events = await told(exchange, socket, 10)
    assert len(events) == 10
    assert all(later["U"] == event["u"] + 1 for event, later in pairwise(events))


async def test_an_order_changes_the_book_though_nothing_trades(
    start: Start, connect: Connect, dial: Dial
) -> None:
    exchange = start(market=SyntheticMarket(timeframe="1m"))
    client = connect(exchange)
    exchange.advance(1)
    socket = await dial(exchange, "/ws/ethbtc@depth@100ms")
    client.create_order("ETH/BTC", "limit", "buy", 1, 0.04)
    (event,) = await told(exchange, socket, 0.25)
    assert (event["b"], event["a"]) == ([["0.04000000", "1.00000000"]], [])
    assert event["U"] == event["u"] == client.publicGetDepth({"symbol": "ETHBTC"})["lastUpdateId"]
    assert await told(exchange, socket, 1) == []


async def test_candles_stop_when_the_recording_ends(start: Start, dial: Dial) -> None:
    rows = [[60_000 * number, 10, 11, 9, 10, 5] for number in range(5)]
    exchange = start(market=ReplayMarket(rows, "ETH/BTC", timeframe="1s", history=1))
    socket = await dial(exchange, "/ws/ethbtc@kline_1s")
    events = await told(exchange, socket, 60)
    closed = [event["k"]["t"] for event in events if event["k"]["x"]]
    assert len(closed) == 4
    assert exchange.finished


async def test_wire_answers_commands_as_binance_does(exchange: SimulatedExchange, dial: Dial) -> None:
    socket = await dial(exchange, "/ws/1")

    async def asked(message: object) -> Any:
        await socket.send_str(message if isinstance(message, str) else json.dumps(message))
        return await socket.receive_json(timeout=5)

    subscribe = {"method": "SUBSCRIBE", "params": ["ethbtc@trade", "xyzabc@trade"], "id": 1}
    assert await asked(subscribe) == {"result": None, "id": 1}
    listed = await asked({"method": "LIST_SUBSCRIPTIONS", "id": "a"})
    assert listed == {"result": ["ethbtc@trade", "xyzabc@trade"], "id": "a"}
    left = {"method": "UNSUBSCRIBE", "params": ["ethbtc@trade"], "id": 2}
    assert await asked(left) == {"result": None, "id": 2}
    for names in (["ethbtc@tarde"], ["ethbtc@kline_7m"], ["ethbtc@trade@100ms"], [], "ethbtc@trade", [1]):
        refused = await asked({"method": "SUBSCRIBE", "params": names, "id": 3})
        assert refused == {"error": {"code": 2, "msg": "Invalid request: invalid stream"}, "id": 3}
    assert (await asked({"method": "JUMP", "id": 4}))["error"]["msg"].endswith("unknown variant `JUMP`")
    assert (await asked("{"))["error"]["code"] == 3
    assert exchange.sockets[0].streams == ("xyzabc@trade",)


async def test_a_socket_takes_no_more_than_1024_streams(exchange: SimulatedExchange, dial: Dial) -> None:
    socket = await dial(exchange, "/ws")
    names = [f"sym{number}@trade" for number in range(1025)]
    await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
    assert "error" in await socket.receive_json(timeout=5)
    await socket.send_json({"method": "SUBSCRIBE", "params": names[:1024], "id": 2})
    assert await socket.receive_json(timeout=5) == {"result": None, "id": 2}


async def test_ping_is_answered_and_other_paths_are_not_found(
    exchange: SimulatedExchange, dial: Dial
) -> None:
    socket = await dial(exchange, "/ws")
    await socket.ping(b"there?")
    await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    await socket.receive_json(timeout=5)
    with pytest.raises(Exception, match="404"):
        await dial(exchange, "/elsewhere")
    log = [(record.path, record.status) for record in exchange.requests if record.group == "handshake"]
    assert log == [("/ws", 101), ("/elsewhere", 404)]


async def test_exchange_pings_a_client_that_hears_nothing(
    exchange: SimulatedExchange, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradeguard.simulator.sockets._PING_SECONDS", 0.01)
    socket = await dial(exchange, "/ws")
    socket._autoping = False
    assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.PING


async def test_nothing_is_left_of_sockets_that_have_gone(exchange: SimulatedExchange, dial: Dial) -> None:
    for _ in range(100):
        socket = await dial(exchange, "/ws/ethbtc@trade")
        exchange.advance(0.25)
        await socket.close()
    await until(lambda: not any(socket.is_open for socket in exchange.sockets))
    assert len(exchange.sockets) == 100
    assert all(socket.sent == 2 and not socket.streams for socket in exchange.sockets)
    exchange.advance(60)
    assert sum(socket.waiting + socket.late for socket in exchange.sockets) == 0


async def test_stopping_ends_every_socket(start: Start, connect_pro: ConnectPro) -> None:
    exchange = start()
    client = await connect_pro(exchange)
    await moved(exchange, client.watch_trades("ETH/BTC"))
    exchange.stop()
    with pytest.raises(ccxt.NetworkError):
        await ended(client.watch_trades, "ETH/BTC")
    assert [socket.is_open for socket in exchange.sockets] == [False]


async def test_sockets_are_told_of_while_open_and_afterwards(
    exchange: SimulatedExchange, connect_pro: ConnectPro
) -> None:
    client = await connect_pro(exchange)
    await moved(exchange, client.watch_trades("ETH/BTC"))
    (socket,) = exchange.sockets
    assert (socket.number, socket.path, socket.is_open, socket.streams) == (
        1,
        "/ws/0",
        True,
        ("ethbtc@trade",),
    )
    assert socket.sent > 8
    await client.close()
    await until(lambda: not exchange.sockets[0].is_open)
    assert exchange.sockets[0].streams == ()


async def test_streams_run_by_themselves_with_the_clock_of_the_machine(
    start: Start, connect_pro: ConnectPro
) -> None:
    with SimulatedExchange(SyntheticMarket("ETH/BTC"), seed=1) as exchange:
        client = await connect_pro(exchange)
        async with asyncio.timeout(5):
            trades = await client.watch_trades("ETH/BTC")
        assert trades[0]["symbol"] == "ETH/BTC"
        with pytest.raises(ConfigurationException, match="moved by hand"):
            exchange.advance(1)
        await client.close()


async def test_an_outage_ends_every_socket(exchange: SimulatedExchange, pro: ccxt.pro.binance) -> None:
    await moved(exchange, pro.watch_trades("ETH/BTC"))
    exchange.pull_plug()
    with pytest.raises(ccxt.NetworkError):
        await ended(pro.watch_trades, "ETH/BTC")
    exchange.plug_in()
    assert await moved(exchange, pro.watch_trades("ETH/BTC"))
