"""Permits: the circuit's decisions for calls that cannot be wrapped."""

from __future__ import annotations

import asyncio

import pytest

from tradeguard.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    CircuitBreakerState,
)
from tradeguard.testing import ManualClock

CLOSED, OPEN, HALF_OPEN = CircuitBreakerState


@pytest.fixture
def breaker(manual: ManualClock) -> CircuitBreaker:
    config = CircuitBreakerConfig(failure_threshold=2, success_threshold=1, ignore_exceptions=KeyError)
    return CircuitBreaker("api", config, clock=manual)


def test_failures_open_the_circuit_and_a_successful_trial_closes_it(
    breaker: CircuitBreaker, manual: ManualClock
) -> None:
    breaker.acquire().failure(ConnectionError("first"))
    breaker.acquire().failure(ConnectionError("second"))
    with pytest.raises(CircuitBreakerOpenError, match="second"):
        breaker.acquire()

    manual.advance(30.0)
    trial = breaker.acquire()
    with pytest.raises(CircuitBreakerOpenError):
        breaker.acquire()
    trial.success()
    assert breaker.get_state() is CLOSED


def test_a_failure_needs_no_exception(breaker: CircuitBreaker) -> None:
    breaker.acquire().failure()
    breaker.acquire().failure()
    with pytest.raises(CircuitBreakerOpenError) as caught:
        breaker.acquire()
    assert caught.value.cause is None


def test_only_the_first_word_counts(breaker: CircuitBreaker) -> None:
    permit = breaker.acquire()
    assert not permit.settled
    permit.failure()
    permit.failure()
    permit.success()
    permit.release()

    assert permit.settled
    assert breaker.statistics.total_calls == breaker.statistics.failed_calls == 1
    assert breaker.statistics.consecutive_failures == 1


def test_a_released_trial_gives_its_place_back_and_says_nothing(
    breaker: CircuitBreaker, manual: ManualClock
) -> None:
    breaker.acquire().failure()
    breaker.acquire().failure()
    manual.advance(30.0)
    breaker.acquire().release()
    breaker.acquire()

    assert breaker.get_state() is HALF_OPEN
    assert breaker.statistics.neutral_calls == 1


def test_as_a_context_manager_it_judges_by_itself(breaker: CircuitBreaker) -> None:
    with breaker.acquire():
        pass
    with pytest.raises(ConnectionError), breaker.acquire():
        raise ConnectionError
    for neutral in (KeyError, asyncio.CancelledError, KeyboardInterrupt, CircuitBreakerOpenError("inner")):
        with pytest.raises(BaseException), breaker.acquire():  # noqa: B017, PT011 - four kinds, one meaning
            raise neutral

    statistics = breaker.statistics
    assert (statistics.successful_calls, statistics.failed_calls, statistics.neutral_calls) == (1, 1, 4)


def test_a_word_given_inside_the_block_stands(breaker: CircuitBreaker) -> None:
    with breaker.acquire() as permit:
        permit.failure(ConnectionError("an answer that is none"))

    assert breaker.statistics.failed_calls == 1
    assert breaker.statistics.successful_calls == 0
