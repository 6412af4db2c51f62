"""A running exchange and plain ccxt clients of it, all on one clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import ccxt
import pytest

from tradeguard.simulator import SimulatedExchange, SyntheticMarket
from tradeguard.testing import ManualClock

Start = Callable[..., SimulatedExchange]
Connect = Callable[..., Any]


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
