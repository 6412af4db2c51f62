"""A running exchange and plain ccxt clients of it, all on one clock that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import aiohttp
import ccxt
import ccxt.pro
import pytest

from tradeguard.simulator import SimulatedExchange, SyntheticMarket
from tradeguard.testing import ManualClock

Start = Callable[..., SimulatedExchange]
Connect = Callable[..., Any]
ConnectPro = Callable[..., Awaitable[ccxt.pro.binance]]
Dial = Callable[[SimulatedExchange, str], Awaitable[aiohttp.ClientWebSocketResponse]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def start(clock: ManualClock) -> Iterator[Start]:
    """Start exchanges; they are stopped after the test."""
    with ExitStack() as stack:

        def started(**arguments: Any) -> SimulatedExchange:
            arguments.setdefault("seed", 1)
            arguments.setdefault("clock", clock)
            return stack.enter_context(SimulatedExchange(**arguments))

        yield started


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect ccxt's own class of an exchange to it; the clients are closed after the test."""
    with ExitStack() as stack:

        def connected(exchange: SimulatedExchange, account: str = "default", **overrides: Any) -> Any:
            overrides.setdefault("timeout", 2000)
            client = getattr(ccxt, exchange.dialect)(exchange.ccxt_config(account, **overrides))
            stack.callback(client.close)
            return client

        yield connected


@pytest.fixture
def exchange(start: Start) -> SimulatedExchange:
    """ETH/BTC and BTC/USDT at prices that barely move."""
    return start(
        market=SyntheticMarket(["ETH/BTC", "BTC/USDT"], volatility=0.00002),
        balances={"ETH": 100, "BTC": 10, "USDT": 50_000},
    )


@pytest.fixture
def binance(exchange: SimulatedExchange, connect: Connect) -> ccxt.binance:
    client = connect(exchange)
    client.load_markets()
    return client


@pytest.fixture
async def patience() -> AsyncIterator[None]:
    """Cancel a test that waits for what never comes."""
    loop = asyncio.get_running_loop()

    def give_up() -> None:
        for task in asyncio.all_tasks(loop):
            task.cancel()

    handle = loop.call_later(60, give_up)
    yield
    handle.cancel()


@pytest.fixture
async def connect_pro() -> AsyncIterator[ConnectPro]:
    """Connect ccxt.pro's own binance to an exchange; the clients are closed after the test."""
    async with AsyncExitStack() as stack:

        async def connected(
            exchange: SimulatedExchange, account: str = "default", **overrides: Any
        ) -> ccxt.pro.binance:
            overrides.setdefault("timeout", 2000)
            client = ccxt.pro.binance(exchange.ccxt_config(account, **overrides))
            stack.push_async_callback(client.close)
            await client.load_markets()
            return client

        yield connected


@pytest.fixture
async def pro(exchange: SimulatedExchange, connect_pro: ConnectPro) -> ccxt.pro.binance:
    return await connect_pro(exchange)


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Open WebSockets of any path; they are closed after the test."""
    async with aiohttp.ClientSession() as session:

        async def dialled(exchange: SimulatedExchange, path: str) -> aiohttp.ClientWebSocketResponse:
            return await session.ws_connect(exchange.url + path)

        yield dialled


@pytest.fixture
def kraken_exchange(start: Start) -> SimulatedExchange:
    """Kraken's dialect: pairs with prefixes and without, at prices that barely move."""
    market = SyntheticMarket(
        ["ETH/BTC", "BTC/USD", "ETH/USDT"], volatility=0.00002, start_price={"BTC/USD": 40_000}
    )
    balances = {"ETH": 100, "BTC": 10, "USD": 50_000, "USDT": 1000}
    return start(market=market, balances=balances, dialect="kraken")


@pytest.fixture
def kraken(kraken_exchange: SimulatedExchange, connect: Connect) -> ccxt.kraken:
    client = connect(kraken_exchange)
    client.load_markets()
    return client


@pytest.fixture
def futures(start: Start) -> SimulatedExchange:
    """USDT-margined swaps at prices that barely move."""
    market = SyntheticMarket(["ETH/USDT:USDT", "BTC/USDT:USDT"], volatility=0.00002)
    return start(market=market, balances={"USDT": 10_000}, dialect="binanceusdm")


@pytest.fixture
def usdm(futures: SimulatedExchange, connect: Connect) -> ccxt.binanceusdm:
    client = connect(futures)
    client.load_markets()
    return client
