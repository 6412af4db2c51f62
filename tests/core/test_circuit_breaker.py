"""CircuitBreaker: when it rejects, what it tells, and that it harms nobody."""

from __future__ import annotations

import pytest

from tradeguard.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    CircuitBreakerState,
)
from tradeguard.testing import ManualClock


def fail() -> None:
    raise ConnectionError("down")


def trip(breaker: CircuitBreaker) -> None:
    for _ in range(breaker.config.failure_threshold):
        with pytest.raises(ConnectionError):
            breaker.call(fail)


def test_it_opens_at_the_threshold_recovers_on_trial_and_closes_again(manual: ManualClock) -> None:
    changes: list[tuple[str, str]] = []
    config = CircuitBreakerConfig(
        failure_threshold=2, on_state_change=lambda old, new: changes.append((old, new))
    )
    breaker = CircuitBreaker("api", config, clock=manual)
    trip(breaker)

    with pytest.raises(CircuitBreakerOpenError) as caught:
        breaker.call(lambda: 1)
    assert (caught.value.name, caught.value.retry_after) == ("api", 30.0)
    assert isinstance(caught.value.cause, ConnectionError)

    manual.advance(30.0)
    assert [breaker.call(lambda: 1), breaker.call(lambda: 2)] == [1, 2]
    assert breaker.get_state() is CircuitBreakerState.CLOSED
    assert changes == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
