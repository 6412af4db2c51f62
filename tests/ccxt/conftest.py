"""A guarded binance on a simulated exchange, sharing one clock, so that nothing sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tradeguard.backoff import Backoff
from tradeguard.simulator import SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig, GuardedExchange
from tradeguard_ccxt.exchange import ProGuardedExchange


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server(clock: ManualClock) -> Iterator[SimulatedExchange]:
    with SimulatedExchange(seed=1, clock=clock) as exchange:
        yield exchange


@pytest.fixture
def guarded(server: SimulatedExchange, clock: ManualClock, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Make guarded binances on the server; keywords go to GuardConfig."""
    made = []

    def make(*, timeout_ms: int = 300, config: dict[str, Any] | None = None, **guard: Any) -> Any:
        options = {
            "clock": clock,
            "journal": tmp_path / "state.db",
            "order_expiry": 5.0,
            "visibility_lag": 1.0,
        }
        exchange = GuardedExchange(
            "binance",
            server.ccxt_config(timeout=timeout_ms, **(config or {})),
            guard=GuardConfig(**(options | guard)),
        )
        made.append(exchange)
        return exchange

    yield make
    for exchange in made:
        exchange.close()


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
        exchange = ProGuardedExchange(
            "binance",
            server.ccxt_config(timeout=timeout_ms, **(config or {})),
            guard=GuardConfig(**(options | guard)),
        )
        made.append(exchange)
        return exchange

    yield make
    for exchange in made:
        await exchange.close()
