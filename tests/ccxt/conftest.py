"""A guarded binance on a simulated exchange, sharing one clock, so that nothing sleeps."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tradeguard.backoff import Backoff
from tradeguard.simulator import SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig, GuardedExchange, async_support, pro


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server(clock: ManualClock) -> Iterator[SimulatedExchange]:
    with SimulatedExchange(seed=1, clock=clock) as exchange:
        yield exchange


class Awaited:
    """An asynchronous exchange that is called as a synchronous one: each coroutine is run to its end at once.

    Args:
        exchange: the asynchronous one.
        runner: the event loop of the test.
    """

    def __init__(self, exchange: Any, runner: asyncio.Runner) -> None:
        self._exchange = exchange
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._exchange, name)
        if not inspect.iscoroutinefunction(value):
            return value
        return lambda *args, **kwargs: self._runner.run(value(*args, **kwargs))


def make_guarded(
    server: SimulatedExchange, clock: ManualClock, tmp_path: Path, facade: Any, made: list[Any]
) -> Callable[..., Any]:
    """Return what makes guarded binances on the server; keywords go to GuardConfig."""

    def make(*, timeout_ms: int = 300, config: dict[str, Any] | None = None, **guard: Any) -> Any:
        options = {
            "clock": clock,
            "journal": tmp_path / "state.db",
            "order_expiry": 5.0,
            "visibility_lag": 1.0,
        }
        exchange = facade(
            "binance",
            server.ccxt_config(timeout=timeout_ms, **(config or {})),
            guard=GuardConfig(**(options | guard)),
        )
        made.append(exchange)
        return exchange

    return make


@pytest.fixture
def guarded(server: SimulatedExchange, clock: ManualClock, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Make guarded synchronous binances."""
    made: list[Any] = []
    yield make_guarded(server, clock, tmp_path, GuardedExchange, made)
    for exchange in made:
        exchange.close()


@pytest.fixture
def guarded_async(
    server: SimulatedExchange, clock: ManualClock, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Make guarded asynchronous binances that are called as synchronous ones."""
    made: list[Any] = []
    with asyncio.Runner() as runner:

        def facade(*args: Any, **kwargs: Any) -> Any:
            exchange: Any = async_support.GuardedExchange(*args, **kwargs)
            exchange.timeout_on_exit = 0
            return Awaited(exchange, runner)

        yield make_guarded(server, clock, tmp_path, facade, made)
        for exchange in made:
            exchange.close()


@pytest.fixture(params=["sync", "async"])
def flavoured(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Make guarded binances of both flavours, one after the other."""
    make: Callable[..., Any] = request.getfixturevalue(
        "guarded" if request.param == "sync" else "guarded_async"
    )
    return make


@pytest.fixture
async def guarded_pro(
    server: SimulatedExchange, clock: ManualClock, tmp_path: Path
) -> AsyncIterator[Callable[..., Any]]:
    """Make guarded binances of ccxt.pro on the server; keywords go to GuardConfig."""
    made = []

    def make(*, timeout_ms: int = 300, config: dict[str, Any] | None = None, **guard: Any) -> Any:
        options = {
            "clock": clock,
            "journal": tmp_path / "state.db",
            "order_expiry": 5.0,
            "visibility_lag": 1.0,
            "redial": Backoff(base_delay=0.0),
        }
        exchange: Any = pro.GuardedExchange(
            "binance",
            server.ccxt_config(timeout=timeout_ms, **(config or {})),
            guard=GuardConfig(**(options | guard)),
        )
        made.append(exchange)
        return exchange

    yield make
    for exchange in made:
        await exchange.close()


@pytest.fixture
def kraken_server(clock: ManualClock) -> Iterator[SimulatedExchange]:
    with SimulatedExchange(seed=1, clock=clock, dialect="kraken") as server:
        yield server


@pytest.fixture
def kraken(kraken_server: SimulatedExchange, clock: ManualClock, tmp_path: Path) -> Iterator[Any]:
    guard = GuardConfig(clock=clock, journal=tmp_path / "kraken.db")
    exchange = GuardedExchange("kraken", kraken_server.ccxt_config(timeout=300), guard=guard)
    yield exchange
    exchange.close()


@pytest.fixture
def usdm_server(clock: ManualClock) -> Iterator[SimulatedExchange]:
    with SimulatedExchange(seed=1, clock=clock, dialect="binanceusdm") as server:
        yield server


@pytest.fixture
def usdm(usdm_server: SimulatedExchange, clock: ManualClock, tmp_path: Path) -> Iterator[Any]:
    guard = GuardConfig(clock=clock, journal=tmp_path / "usdm.db")
    exchange = GuardedExchange("binanceusdm", usdm_server.ccxt_config(timeout=300), guard=guard)
    yield exchange
    exchange.close()
