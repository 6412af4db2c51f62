"""Shared parts: a clock that the exchange and the bot share, exchanges, stores whose work is done inline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock

from tradeguard.retry_manager import RetryConfig, RetryManager
from tradeguard.simulator import SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_backtrader import GuardedStore, InlineWorkers
from tradeguard_ccxt import GuardConfig, GuardedExchange


@pytest.fixture
def clock() -> EventClock:
    return EventClock(start=1000.0)


@pytest.fixture
def scripted(clock: ManualClock) -> ScriptedExchange:
    return ScriptedExchange(clock)


@pytest.fixture
def simulate(clock: ManualClock) -> Iterator[Callable[..., SimulatedExchange]]:
    """Starts simulated exchanges on the shared clock."""
    with ExitStack() as stack:

        def start(**options: Any) -> SimulatedExchange:
            return stack.enter_context(SimulatedExchange(**{"seed": 1, "clock": clock, **options}))

        yield start


@pytest.fixture
def guarded(clock: ManualClock, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes guarded exchanges on the shared clock, and closes them."""
    made: list[Any] = []

    def make(simulated: SimulatedExchange, exchange_id: str = "binance", **options: Any) -> Any:
        settings = {"clock": clock, "journal": tmp_path / f"orders-{simulated.url[-5:]}.sqlite", **options}
        made.append(GuardedExchange(exchange_id, simulated.ccxt_config(), guard=GuardConfig(**settings)))
        return made[-1]

    yield make
    for exchange in made:
        exchange.close()


@pytest.fixture
def store_of(clock: ManualClock) -> Callable[..., GuardedStore]:
    """Makes stores that work inline on the shared clock."""

    def make(exchange: Any, **options: Any) -> GuardedStore:
        store: GuardedStore = GuardedStore(
            exchange, **{"clock": clock, "workers": InlineWorkers(clock), **options}
        )
        return store

    return make


@pytest.fixture
def retry() -> RetryManager:
    """Retries of a guarded feed or broker, without waiting."""
    config = RetryConfig(max_attempts=3, base_delay=1.0, retry_on_exceptions=ConnectionError)
    return RetryManager(config, clock=ManualClock())
