"""Guard: the layers in their order, and who is told what."""

from __future__ import annotations

import pytest

from tradeguard.circuit_breaker import CircuitBreakerConfig, CircuitBreakerOpenError
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.guard import Guard
from tradeguard.retry_manager import RetryConfig
from tradeguard.testing import ManualClock


def test_a_fallback_serves_when_retries_and_circuit_have_given_up(manual: ManualClock) -> None:
    monitor = ErrorMonitor(clock=manual)
    guard = Guard(
        "ticker",
        retry=RetryConfig(max_attempts=2),
        breaker=CircuitBreakerConfig(failure_threshold=2),
        fallback=lambda symbol: f"cached {symbol}",
        monitor=monitor,
        clock=manual,
    )
    calls: list[str] = []

    @guard
    def fetch(symbol: str) -> str:
        calls.append(symbol)
        raise ConnectionError("down")

    assert [fetch("ETH/BTC"), fetch("ETH/BTC")] == ["cached ETH/BTC", "cached ETH/BTC"]
    assert calls == ["ETH/BTC", "ETH/BTC"]
    assert (guard.statistics.fallbacks, guard.statistics.rejections) == (2, 1)
    assert monitor.get_error_statistics()["by_severity"] == {"WARNING": 2}


async def test_a_rejection_reaches_the_caller_where_there_is_no_fallback(manual: ManualClock) -> None:
    guard = Guard("ticker", breaker=CircuitBreakerConfig(failure_threshold=1), clock=manual)

    async def fetch() -> None:
        raise ConnectionError("down")

    with pytest.raises(ConnectionError):
        await guard.call_async(fetch)
    with pytest.raises(CircuitBreakerOpenError):
        await guard.call_async(fetch)
