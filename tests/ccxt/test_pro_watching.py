"""Streams of a guarded exchange: what a caller sees of lost sockets, silence, open circuits, and its own cancels."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import ccxt
import ccxt.pro
import pytest

from tests.ccxt.test_pro_orders import stray_tasks
from tests.simulator.streaming import ended, moved, settled, until
from tradeguard.circuit_breaker import CircuitBreakerConfig
from tradeguard.exceptions import ConfigurationException, TradingException
from tradeguard.simulator import Fault, SimulatedExchange, StreamFault
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig
from tradeguard_ccxt.exchange import ProGuardedExchange
from tradeguard_ccxt.stream_kinds import STREAM_KINDS

Make = Callable[..., Any]
SYMBOL = "ETH/BTC"
MARKET_ORDER: tuple[Any, ...] = (SYMBOL, "market", "buy", 0.1)


@pytest.fixture
async def exchange(guarded_pro: Make) -> Any:
    made = guarded_pro(timeout_ms=2000)
    await made.load_markets()
    return made


@pytest.fixture
async def plain(server: SimulatedExchange) -> AsyncIterator[Any]:
    client = ccxt.async_support.binance(server.ccxt_config())
    await client.load_markets()
    yield client
    await client.close()


def streams(exchange: Any) -> dict[str, Any]:
    statistics: dict[str, Any] = exchange.guard_statistics()["streams"]
    return statistics


def ids(trades: list[Any]) -> list[int]:
    return [int(trade["id"]) for trade in trades]


def is_contiguous(numbers: list[int]) -> bool:
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def handshakes(server: SimulatedExchange) -> int:
    return sum(record.group == "handshake" for record in server.requests)


def drop_sockets(exchange: Any) -> None:
    for client in list(exchange.clients.values()):
        client.drop(ccxt.NetworkError("dropped by the test"))


# -- what stays as it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("exchange_id", ccxt.pro.exchanges)
def test_signatures_are_ccxts_own(exchange_id: str) -> None:
    plain = getattr(ccxt.pro, exchange_id)
    guarded = ProGuardedExchange.of(exchange_id)
    over_sockets = [name for name in dir(plain) if name.endswith("_ws") or "watch_" in name]
    for name in over_sockets:
        ours, theirs = getattr(guarded, name), getattr(plain, name)
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters), name
    assert all(getattr(guarded, name) is not getattr(plain, name) for name in STREAM_KINDS)


async def test_an_answer_that_says_no_passes_at_once(exchange: Any) -> None:
    with pytest.raises(ccxt.BadSymbol):
        await exchange.watch_trades("NO/SUCH")
    with pytest.raises(ccxt.NotSupported):
        await exchange.watch_orders_for_symbols([SYMBOL])
    assert streams(exchange)["reconnects"] == 0


async def test_a_refused_key_passes_at_once(server: SimulatedExchange, guarded_pro: Make) -> None:
    exchange = guarded_pro(config={"apiKey": "wrong"}, timeout_ms=2000)
    with pytest.raises(ccxt.AuthenticationError) as caught:
        await exchange.watch_orders(SYMBOL)
    assert isinstance(caught.value, TradingException)


async def test_a_closed_exchange_is_not_dialled_again(server: SimulatedExchange, exchange: Any) -> None:
    watching = asyncio.create_task(exchange.watch_trades(SYMBOL))
    await until(lambda: handshakes(server) == 1)
    await exchange.close()
    with pytest.raises((asyncio.CancelledError, ccxt.ExchangeClosedByUser)):
        await watching
    assert (stray_tasks(), handshakes(server)) == ([], 1)


# -- cancelling ------------------------------------------------------------------------------------------------


async def test_a_cancelled_call_ends_at_once_and_leaves_nothing(
    server: SimulatedExchange, exchange: Any
) -> None:
    await moved(server, exchange.watch_trades(SYMBOL))
    watching = asyncio.create_task(exchange.watch_trades(SYMBOL))
    await asyncio.sleep(0)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert stray_tasks() == []
    assert is_contiguous(ids(await moved(server, exchange.watch_trades(SYMBOL))))


async def test_one_callers_cancel_is_not_anothers(
    server: SimulatedExchange, exchange: Any, plain: Any
) -> None:
    calls = [asyncio.create_task(exchange.watch_orders(SYMBOL)) for _ in range(2)]
    await until(lambda: any(socket.accounts for socket in server.sockets))
    calls[0].cancel()
    await asyncio.sleep(0.01)
    await plain.create_order(*MARKET_ORDER)
    [order, *_] = await moved(server, calls[1])
    assert order["symbol"] == SYMBOL


async def test_a_loop_with_a_timeout_of_its_own_loses_nothing(
    server: SimulatedExchange, exchange: Any
) -> None:
    heard: list[Any] = []
    async with asyncio.timeout(20):
        while len(heard) < 60:
            server.advance(0.5)
            try:
                heard += await asyncio.wait_for(exchange.watch_trades(SYMBOL), 0.005)
            except TimeoutError:
                continue
    assert is_contiguous(ids(heard))


async def test_a_call_that_is_cancelled_while_it_heals_loses_nothing(
    server: SimulatedExchange, exchange: Any, plain: Any
) -> None:
    """Fills have ids with holes: only what is remembered of the cancelled call can tell that some are missing."""
    heard: list[Any] = []

    async def listen() -> None:
        heard.extend(await exchange.watch_my_trades(SYMBOL))

    first = asyncio.create_task(listen())
    await until(lambda: any(socket.accounts for socket in server.sockets))
    await plain.create_order(*MARKET_ORDER)
    await moved(server, first)
    drop_sockets(exchange)
    fetch, reading = exchange.fetch_my_trades, asyncio.Event()

    async def slow(*args: Any) -> Any:
        reading.set()
        await asyncio.sleep(0.05)
        return await fetch(*args)

    exchange.fetch_my_trades = slow
    await plain.create_order(*MARKET_ORDER)
    for _ in range(6):
        reading.clear()
        call = asyncio.create_task(listen())
        await asyncio.wait(
            {call, asyncio.create_task(reading.wait())}, return_when="FIRST_COMPLETED", timeout=0.5
        )
        await plain.create_order(*MARKET_ORDER)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    exchange.fetch_my_trades = fetch
    while len(heard) < len(server.trades()):
        await moved(server, listen())
    assert sorted(ids(heard)) == sorted(int(fill.trade_id) for fill in server.trades())


async def test_a_call_that_waits_to_dial_again_ends_with_the_exchange(
    server: SimulatedExchange, guarded_pro: Make
) -> None:
    exchange = guarded_pro(timeout_ms=2000, stream_deadline=1e9)
    await exchange.load_markets()
    await moved(server, exchange.watch_trades(SYMBOL))
    exchange.guard_circuits["streams"].force_open()
    drop_sockets(exchange)
    before = handshakes(server)
    watching = asyncio.create_task(ended(exchange.watch_liquidations, SYMBOL))
    await asyncio.sleep(0.05)
    exchange.guard_circuits["streams"].release()
    await exchange.close()
    with pytest.raises((asyncio.CancelledError, ccxt.ExchangeClosedByUser, ccxt.NotSupported)):
        await watching
    assert handshakes(server) == before
    assert exchange.session is None


# -- several callers -------------------------------------------------------------------------------------------


async def test_two_callers_of_one_stream_both_get_what_was_healed(
    server: SimulatedExchange, exchange: Any
) -> None:
    async def collect(into: list[Any]) -> None:
        while True:
            into += await exchange.watch_trades(SYMBOL)

    heard: tuple[list[Any], list[Any]] = ([], [])
    tasks = [asyncio.create_task(collect(into)) for into in heard]
    for second in range(30):
        server.advance(1.0)
        await asyncio.sleep(0.01)
        if second == 12:
            drop_sockets(exchange)
    for task in tasks:
        task.cancel()
    assert all(is_contiguous(sorted(set(ids(one)))) for one in heard)
    assert all(len(one) == len(set(ids(one))) for one in heard)


# -- silence ---------------------------------------------------------------------------------------------------


async def test_a_silent_socket_is_dropped_and_dialled_again(server: SimulatedExchange, exchange: Any) -> None:
    heard = await moved(server, exchange.watch_trades(SYMBOL))
    server.faults.add(StreamFault("frozen", on="trade"))
    while streams(exchange)["reconnects"] == 0:
        heard += await moved(server, exchange.watch_trades(SYMBOL), 5.0)
    assert is_contiguous(ids(heard))
    assert streams(exchange)["watchdog"] == 1


async def test_the_watchdog_hears_what_nobody_waits_for(server: SimulatedExchange, exchange: Any) -> None:
    await moved(server, exchange.watch_trades(SYMBOL))
    for _ in range(100):  # far beyond the bound, and no call under way
        server.advance(1.0)
        await asyncio.sleep(0.001)
    await settled(server)
    await asyncio.sleep(0.05)
    await moved(server, exchange.watch_trades(SYMBOL))
    assert streams(exchange)["watchdog"] == 0
    assert handshakes(server) == 1


async def test_a_quiet_account_is_not_dialled_again(
    server: SimulatedExchange, exchange: Any, plain: Any
) -> None:
    watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
    await until(lambda: any(socket.accounts for socket in server.sockets))
    for _ in range(8):
        server.advance(60.0)
        await asyncio.sleep(0.05)
    assert not watching.done()
    assert handshakes(server) == 1
    await plain.create_order(*MARKET_ORDER)
    assert (await moved(server, watching))[0]["symbol"] == SYMBOL
    assert streams(exchange)["watchdog"] == 0


@pytest.mark.parametrize("method", ["watch_orders", "watch_my_trades"])
async def test_what_an_accounts_stream_kept_back_is_read_by_rest(
    server: SimulatedExchange, exchange: Any, plain: Any, method: str
) -> None:
    server.faults.add(StreamFault("frozen", on="user"))
    watching = asyncio.create_task(getattr(exchange, method)(SYMBOL))
    await until(lambda: any(socket.accounts for socket in server.sockets))
    await plain.create_order(*MARKET_ORDER)
    [told] = await moved(server, watching, 30.0)
    assert told["amount"] == 0.1
    assert streams(exchange)["watchdog"] == 1


async def test_a_book_of_the_past_is_not_returned(server: SimulatedExchange, guarded_pro: Make) -> None:
    """It fell behind while nobody waited, so no silence told of it."""
    exchange = guarded_pro(timeout_ms=2000, silence={"watch_order_book": 5.0})
    await exchange.load_markets()
    await moved(server, exchange.watch_order_book(SYMBOL))
    await moved(server, exchange.watch_order_book(SYMBOL))
    server.faults.add(StreamFault("lagging", on="depth", delay=30.0, times=None))
    for _ in range(60):
        server.advance(1.0)
        await asyncio.sleep(0.005)
    server.faults.clear()
    book = await moved(server, exchange.watch_order_book(SYMBOL), 0.5)
    assert book["timestamp"] is None or server.time_ms() - book["timestamp"] <= 6000
    assert handshakes(server) == 2


# -- healing ---------------------------------------------------------------------------------------------------


async def test_more_than_one_page_is_made_up_for(server: SimulatedExchange, exchange: Any) -> None:
    first = await moved(server, exchange.watch_trades(SYMBOL))
    drop_sockets(exchange)
    server.advance(400.0)  # some 3,200 trades
    later = await moved(server, exchange.watch_trades(SYMBOL))
    assert len(later) > 2500
    assert is_contiguous(ids([*first, *later]))
    assert streams(exchange)["gaps"] == 0


async def test_candles_of_hours_are_made_up_for(server: SimulatedExchange, exchange: Any) -> None:
    first = await moved(server, exchange.watch_ohlcv(SYMBOL, "1m"))
    drop_sockets(exchange)
    server.advance(7200.0)
    later = await moved(server, exchange.watch_ohlcv(SYMBOL, "1m"))
    opens = [candle[0] for candle in later]
    assert opens[0] == first[-1][0]  # the last one has grown
    assert len(opens) > 115
    assert all(b == a + 60_000 for a, b in itertools.pairwise(opens))


async def test_what_cannot_be_made_up_for_is_told(server: SimulatedExchange, exchange: Any) -> None:
    first = await moved(server, exchange.watch_trades(SYMBOL))
    server.faults.add(Fault("server_error", on="GET /api/v3/historicalTrades", times=None, status=500))
    drop_sockets(exchange)
    server.advance(30.0)
    later = await moved(server, exchange.watch_trades(SYMBOL))
    assert not is_contiguous(ids([*first, *later]))
    [gap] = exchange.stream_gaps()
    assert (gap.stream, gap.symbol, gap.since_ms) == ("watch_trades", SYMBOL, first[-1]["timestamp"])
    assert streams(exchange)["gaps"] == 1
    assert exchange.guard_monitor.get_error_statistics()["by_component"]["binance.streams"] >= 1


async def test_an_order_that_was_filled_in_the_outage_is_told_soon(
    server: SimulatedExchange, exchange: Any, plain: Any
) -> None:
    price = round(float(server.last_price(SYMBOL)) * 0.8, 5)
    watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
    await until(lambda: any(socket.accounts for socket in server.sockets))
    order = await plain.create_order(SYMBOL, "limit", "buy", 0.1, price)
    assert (await moved(server, watching))[-1]["status"] == "open"
    drop_sockets(exchange)
    await plain.cancel_order(order["id"], SYMBOL)
    [told] = await moved(server, exchange.watch_orders(SYMBOL))
    assert (told["id"], told["status"]) == (order["id"], "canceled")


async def test_orders_of_all_symbols_are_made_up_for_where_they_are_known(
    server: SimulatedExchange, exchange: Any, plain: Any
) -> None:
    watching = asyncio.create_task(exchange.watch_orders())
    await until(lambda: any(socket.accounts for socket in server.sockets))
    await plain.create_order(*MARKET_ORDER)
    await moved(server, watching)
    drop_sockets(exchange)
    missed = await plain.create_order(*MARKET_ORDER)
    told: list[Any] = []
    while missed["id"] not in [order["id"] for order in told]:
        told += await moved(server, exchange.watch_orders())
    assert [order["id"] for order in told].count(missed["id"]) == 1


async def test_orders_of_all_symbols_are_read_where_we_placed_them_ourselves(
    server: SimulatedExchange, exchange: Any
) -> None:
    server.faults.add(StreamFault("frozen", on="user"))
    watching = asyncio.create_task(exchange.watch_orders())
    await until(lambda: any(socket.accounts for socket in server.sockets))
    order = await exchange.create_order(*MARKET_ORDER)
    [told] = await moved(server, watching, 30.0)
    assert told["id"] == order["id"]


async def test_an_order_that_is_older_than_a_day_is_not_forgotten(
    server: SimulatedExchange, exchange: Any, plain: Any
) -> None:
    price = round(float(server.last_price(SYMBOL)) * 0.5, 5)
    watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
    await until(lambda: any(socket.accounts for socket in server.sockets))
    old = await plain.create_order(SYMBOL, "limit", "buy", 0.1, price)
    await moved(server, watching)
    drop_sockets(exchange)
    server.advance(180_000.0)
    later = await plain.create_order(*MARKET_ORDER)
    assert later["id"] in [order["id"] for order in await moved(server, exchange.watch_orders(SYMBOL))]
    drop_sockets(exchange)
    await plain.cancel_order(old["id"], SYMBOL)
    [told] = await moved(server, exchange.watch_orders(SYMBOL))
    assert (told["id"], told["status"]) == (old["id"], "canceled")


async def test_what_is_watched_no_more_is_not_made_up_for(server: SimulatedExchange, exchange: Any) -> None:
    await moved(server, exchange.watch_trades(SYMBOL))
    await moved(server, exchange.un_watch_trades(SYMBOL))
    server.advance(300.0)
    later = await moved(server, exchange.watch_trades(SYMBOL))
    assert len(later) < 100
    assert (streams(exchange)["watchdog"], streams(exchange)["healed"]) == (0, 0)


async def test_callers_that_want_the_whole_cache_get_the_healed_ones_in_it(
    server: SimulatedExchange, guarded_pro: Make
) -> None:
    exchange = guarded_pro(timeout_ms=2000, config={"newUpdates": False})
    await exchange.load_markets()
    await moved(server, exchange.watch_trades(SYMBOL))
    drop_sockets(exchange)
    server.advance(10.0)
    await moved(server, exchange.watch_trades(SYMBOL))
    assert is_contiguous(ids(await moved(server, exchange.watch_trades(SYMBOL))))


async def test_a_limit_is_the_callers_own_wish(server: SimulatedExchange, exchange: Any) -> None:
    await moved(server, exchange.watch_trades(SYMBOL, None, 2), 5.0)
    drop_sockets(exchange)
    server.advance(10.0)
    trades = await moved(server, exchange.watch_trades(SYMBOL, None, 2), 5.0)
    assert len(trades) == 2
    assert streams(exchange)["gaps"] == 0


# -- while the circuit is open ---------------------------------------------------------------------------------

POLLED: dict[str, tuple[Any, ...]] = {
    "watch_ticker": (SYMBOL,),
    "watch_tickers": ([SYMBOL],),
    "watch_trades": (SYMBOL,),
    "watch_ohlcv": (SYMBOL, "1m"),
    "watch_order_book": (SYMBOL,),
    "watch_balance": (),
}


@pytest.mark.parametrize("method", POLLED)
async def test_streams_are_read_by_rest_while_their_circuit_is_open(
    server: SimulatedExchange, exchange: Any, method: str
) -> None:
    exchange.guard_circuits["streams"].force_open()
    polled = await moved(server, getattr(exchange, method)(*POLLED[method]))
    assert polled.is_polled
    assert not hasattr(polled, "is_stale")
    assert (streams(exchange)["polls"] >= 1, handshakes(server)) == (True, 0)
    exchange.guard_circuits["streams"].force_closed()
    if method != "watch_balance":
        assert not hasattr(await moved(server, getattr(exchange, method)(*POLLED[method])), "is_polled")


@pytest.mark.parametrize("method", ["watch_orders", "watch_my_trades"])
async def test_an_account_is_read_by_rest_while_the_circuit_is_open(
    server: SimulatedExchange, exchange: Any, plain: Any, method: str
) -> None:
    exchange.guard_circuits["streams"].force_open()
    watching = asyncio.create_task(getattr(exchange, method)(SYMBOL))
    await asyncio.sleep(0.05)
    await plain.create_order(*MARKET_ORDER)
    [told] = await moved(server, watching)
    assert told["amount"] == 0.1


async def test_trades_lose_nothing_between_the_socket_and_rest(
    server: SimulatedExchange, guarded_pro: Make
) -> None:
    shape = CircuitBreakerConfig(failure_threshold=2, recovery_timeout=20.0, success_threshold=1)
    exchange = guarded_pro(timeout_ms=2000, breaker=shape)
    await exchange.load_markets()
    heard = await moved(server, exchange.watch_trades(SYMBOL))
    server.faults.add(StreamFault("refused", times=4))
    drop_sockets(exchange)
    while server.faults.faults:
        heard += await moved(server, exchange.watch_trades(SYMBOL))
    assert exchange.guard_statistics()["circuits"]["streams"]["state"] == "open"
    while streams(exchange)["reconnects"] < 4 or len(heard) < 400:
        heard += await moved(server, exchange.watch_trades(SYMBOL))
    assert is_contiguous(ids(heard))
    assert streams(exchange)["polls"] >= 1


async def test_one_probe_at_a_time_tries_the_socket(server: SimulatedExchange, guarded_pro: Make) -> None:
    shape = CircuitBreakerConfig(failure_threshold=2, recovery_timeout=30.0, success_threshold=1)
    exchange = guarded_pro(timeout_ms=2000, breaker=shape)
    await exchange.load_markets()
    server.faults.add(StreamFault("refused", times=None))

    async def loop(method: str) -> None:
        while True:
            await getattr(exchange, method)(SYMBOL)

    tasks = [asyncio.create_task(loop(m)) for m in ("watch_trades", "watch_ticker", "watch_order_book")]
    await until(lambda: exchange.guard_statistics()["circuits"]["streams"]["state"] == "open")
    began, before = server.time_ms(), handshakes(server)
    while server.time_ms() - began < 300_000:
        server.advance(1.0)
        await asyncio.sleep(0.002)
    for task in tasks:
        task.cancel()
    periods = (server.time_ms() - began) / 30_000
    assert 1 <= handshakes(server) - before <= periods + 1


async def test_a_full_outage_reaches_the_caller_once_its_deadline_has_passed(
    server: SimulatedExchange, guarded_pro: Make, clock: ManualClock
) -> None:
    exchange = guarded_pro(timeout_ms=200, stream_deadline=40.0, deadline=5.0)
    await exchange.load_markets()
    await moved(server, exchange.watch_trades(SYMBOL))
    server.pull_plug()
    began = clock.time()
    with pytest.raises(ccxt.NetworkError) as caught:
        await ended(exchange.watch_trades, SYMBOL)
    assert isinstance(caught.value, TradingException)
    assert caught.value.context["operation"] == "watch_trades"
    assert clock.time() - began >= 40.0
    server.plug_in()
    assert await moved(server, exchange.watch_trades(SYMBOL), 5.0)


# -- configuration ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("silence", {"watch_nothing": 1.0}),
        ("silence", {"watch_ticker": -1.0}),
        ("silence", 5.0),
        ("stream_deadline", 0.0),
        ("poll_interval", 0.0),
        ("redial", 1.0),
    ],
)
def test_a_bad_setting_is_named(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationException, match=field):
        GuardConfig(**{field: value})
