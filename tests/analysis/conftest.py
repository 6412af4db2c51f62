"""A stored run: an afternoon of trading on a bad exchange, made by the real parts within a second."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tradeguard import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    DataFeedException,
    ErrorMonitor,
    ErrorSeverity,
    Guard,
    NetworkException,
    RetryConfig,
)
from tradeguard.orders import IntentStatus, OrderIntent
from tradeguard.storage import SqlJournal, StateStore
from tradeguard.testing import ManualClock

MINUTE = 60.0
START = 1_772_366_400.0  # 2026-03-01 12:00 UTC


class RequestTimeout(NetworkException):
    """The exchange did not answer in time."""


class RateLimitExceeded(NetworkException):
    """The exchange asks us to slow down."""


class ExchangeNotAvailable(NetworkException):
    """The exchange is down."""


@dataclass
class Afternoon:
    """A bot that reads and trades for two and a half hours, through a limit and two outages."""

    store: StateStore
    clock: ManualClock = field(default_factory=lambda: ManualClock(epoch=START))
    luck: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        self.monitor = ErrorMonitor(clock=self.clock)
        self.monitor.add_listener(self.store.record)
        self.journal: SqlJournal = self.store.journal("binance", "ab12")
        self.guards = {name: self._guard(name) for name in ("market_data", "account", "trading")}

    def _guard(self, name: str) -> Guard:
        config = CircuitBreakerConfig(failure_threshold=4, recovery_timeout=60.0, success_threshold=2)
        breaker = CircuitBreaker(f"binance.{name}", config, clock=self.clock)
        breaker.add_listener(self.monitor.record_transition)
        retry = RetryConfig(max_attempts=2, base_delay=0.5)
        return Guard(name, retry=retry, breaker=breaker, monitor=self.monitor, clock=self.clock)

    def trade(self) -> None:
        while self.clock.time() < START + 150 * MINUTE:
            for name, guard in self.guards.items():
                try:
                    guard.call(self._request, name)
                except (NetworkException, DataFeedException, CircuitBreakerOpenError):
                    continue
            if self.luck.random() < 0.12:
                self._order()
            self.clock.advance(10.0)

    def _request(self, name: str) -> None:
        minute = (self.clock.time() - START) / MINUTE
        if 55 <= minute < 66 or (name == "trading" and 118 <= minute < 122):
            raise ExchangeNotAvailable("binance GET 503 Service Unavailable", component=name)
        if 95 <= minute < 101 and name == "market_data" and self.luck.random() < 0.7:
            raise RateLimitExceeded("binance 429 Too Many Requests", component=name)
        if self.luck.random() < 0.03:
            raise RequestTimeout("binance GET request timed out (10000 ms)", component=name)
        if name == "market_data" and self.luck.random() < 0.01:
            raise DataFeedException("the candle of 12:07 was not closed", component=name)

    def _order(self) -> None:
        now = datetime.fromtimestamp(self.clock.time(), UTC)
        name = f"tg{self.luck.getrandbits(40):010x}"
        intent = OrderIntent(
            client_order_id=name, symbol="ETH/BTC", type="limit", side="buy", amount=0.5, price=0.031,
            status=IntentStatus.PENDING, created_at=now, updated_at=now,
        )  # fmt: skip
        self.journal.add(intent)
        fate = self.luck.random()
        status, attempts, kind = IntentStatus.PLACED, 1, None
        if fate < 0.12:
            kind = "order_found"
        elif fate < 0.2:
            attempts, kind = 2, "order_resent"
        elif fate < 0.26:
            status = IntentStatus.REJECTED
        elif fate < 0.29:
            status = IntentStatus.ABSENT
        if kind is not None:
            lost = RequestTimeout("binance POST /api/v3/order timed out", component="orders")
            self.monitor.record_error(
                lost, ErrorSeverity.WARNING, "orders", {"client_order_id": name, "rescued": True}
            )
            self.monitor.record_rescue(
                kind, "orders", operation="create_order", detail={"client_order_id": name}
            )
        order_id = name[-6:] if status is IntentStatus.PLACED else None
        self.journal.update(intent.replace(status=status, attempts=attempts, order_id=order_id))


@pytest.fixture(scope="session")
def stored_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a state file that holds the whole afternoon."""
    path = tmp_path_factory.mktemp("run") / "state.db"
    with StateStore(path) as store:
        Afternoon(store).trade()
        store.flush()
        assert store.dropped == 0
    return path
