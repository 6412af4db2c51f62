"""Guard: the layers in their order, for plain functions and for coroutine functions alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from retry_cases import Flaky, always_failing, as_coroutine

from tradeguard.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    CircuitBreakerState,
)
from tradeguard.deadlines import deadline
from tradeguard.exceptions import CallTimeoutError, ConfigurationException, RecoveryException
from tradeguard.guard import Guard
from tradeguard.retry_manager import RetryBudget, RetryConfig, RetryManager
from tradeguard.testing import ManualClock

CLOSED, OPEN, HALF_OPEN = CircuitBreakerState
Run = Callable[..., Any]


def by_call(guard: Guard, func: Any, /, *args: Any, **kwargs: Any) -> Any:
    return guard.call(func, *args, **kwargs)


def by_decorator(guard: Guard, func: Any, /, *args: Any, **kwargs: Any) -> Any:
    return guard(func)(*args, **kwargs)


def by_call_async(guard: Guard, func: Any, /, *args: Any, **kwargs: Any) -> Any:
    return asyncio.run(guard.call_async(as_coroutine(func), *args, **kwargs))


def by_async_decorator(guard: Guard, func: Any, /, *args: Any, **kwargs: Any) -> Any:
    return asyncio.run(guard(as_coroutine(func))(*args, **kwargs))


@pytest.fixture(
    params=[by_call, by_decorator, by_call_async, by_async_decorator], ids=lambda way: way.__name__
)
def run(request: pytest.FixtureRequest) -> Run:
    """Every way of making a guarded call; each must come to the same."""
    return request.param


def guarding(manual: ManualClock, **layers: Any) -> Guard:
    return Guard("api", clock=manual, **layers)


def test_without_any_layer_a_call_is_just_made(manual: ManualClock, run: Run) -> None:
    guard = guarding(manual)
    error = KeyError("mine")

    assert run(guard, Flaky(), 1, func=2) == ((1,), {"func": 2})
    with pytest.raises(KeyError) as caught:
        run(guard, Flaky(error))
    assert caught.value is error
    assert (guard.retry, guard.breaker, guard.timeout) == (None, None, None)
    assert (guard.statistics.attempts, manual.sleeps) == (2, [])


def test_retry_is_outside_of_the_circuit_so_each_attempt_is_seen_by_it(manual: ManualClock, run: Run) -> None:
    guard = guarding(manual, retry=RetryConfig(), breaker=CircuitBreakerConfig(failure_threshold=9))
    with pytest.raises(ConnectionError):
        run(guard, always_failing())

    assert guard.breaker is not None
    assert guard.breaker.statistics.failed_calls == 3
    assert manual.sleeps == [1.0, 2.0]


def test_a_circuit_that_opens_ends_the_retries_with_the_calls_own_error(
    manual: ManualClock, run: Run
) -> None:
    guard = guarding(
        manual, retry=RetryConfig(max_attempts=5), breaker=CircuitBreakerConfig(failure_threshold=2)
    )
    func = always_failing()
    with pytest.raises(ConnectionError):
        run(guard, func)
    assert (func.calls, manual.sleeps) == (2, [1.0])


def test_an_open_circuit_is_not_retried(manual: ManualClock, run: Run) -> None:
    guard = guarding(manual, retry=RetryConfig(), breaker=CircuitBreakerConfig(failure_threshold=1))
    func = always_failing()
    with pytest.raises(ConnectionError):
        run(guard, func)
    with pytest.raises(CircuitBreakerOpenError):
        run(guard, func)

    assert (func.calls, manual.sleeps) == (1, [])
    statistics = guard.statistics
    assert (statistics.rejections, statistics.failed, statistics.retries, statistics.calls) == (1, 2, 0, 2)
    assert guard.retry is not None
    assert guard.retry.get_statistics()["failed_calls"] == 2


def test_without_a_circuit_a_wait_is_as_long_as_the_retry_says(manual: ManualClock, run: Run) -> None:
    run(guarding(manual, retry=RetryConfig(base_delay=0.25)), Flaky(ConnectionError()))
    assert manual.sleeps == [0.25]


def test_a_wait_that_outlasts_the_open_period_is_tried(manual: ManualClock, run: Run) -> None:
    guard = guarding(
        manual,
        retry=RetryConfig(base_delay=5.0),
        breaker=CircuitBreakerConfig(failure_threshold=1, recovery_timeout=5.0),
    )
    assert run(guard, Flaky(ConnectionError())) == ((), {})
    assert manual.sleeps == [5.0]


def test_a_circuit_that_others_open_during_a_wait_rejects_the_next_attempt(
    manual: ManualClock, run: Run
) -> None:
    breaker = CircuitBreaker("shared", clock=manual)
    guard = guarding(
        manual, breaker=breaker, retry=RetryConfig(on_retry=lambda attempt, delay: breaker.force_open())
    )
    func = always_failing()
    with pytest.raises(CircuitBreakerOpenError):
        run(guard, func)
    assert (func.calls, guard.statistics.attempts, guard.statistics.rejections) == (1, 1, 1)


@pytest.mark.parametrize("retry", [None, RetryConfig(max_attempts=2, deadline=40.0)])
def test_asked_to_it_waits_for_an_open_circuit(
    manual: ManualClock, run: Run, retry: RetryConfig | None
) -> None:
    breaker = CircuitBreaker("shared", CircuitBreakerConfig(failure_threshold=1), clock=manual)
    breaker.acquire().failure()
    guard = guarding(manual, breaker=breaker, retry=retry, wait_for_circuit=True)

    assert run(guard, Flaky()) == ((), {})
    assert manual.sleeps == [30.0]
    assert (guard.statistics.rejections, guard.statistics.successful, guard.statistics.retries) == (1, 1, 0)


def test_a_wait_for_the_circuit_must_fit_the_deadline(manual: ManualClock, run: Run) -> None:
    breaker = CircuitBreaker("shared", CircuitBreakerConfig(failure_threshold=1), clock=manual)
    breaker.acquire().failure()
    tight = guarding(manual, breaker=breaker, retry=RetryConfig(deadline=29.0), wait_for_circuit=True)
    with pytest.raises(CircuitBreakerOpenError):
        run(tight, Flaky())
    with deadline(29.0, clock=manual), pytest.raises(CircuitBreakerOpenError):
        run(guarding(manual, breaker=breaker, wait_for_circuit=True), Flaky())
    assert manual.sleeps == []


def test_asked_to_a_failure_that_opens_the_circuit_is_retried_when_it_lets_a_trial_through(
    manual: ManualClock, run: Run
) -> None:
    guard = guarding(
        manual,
        retry=RetryConfig(),
        breaker=CircuitBreakerConfig(failure_threshold=1),
        wait_for_circuit=True,
    )
    assert run(guard, Flaky(ConnectionError())) == ((), {})
    assert manual.sleeps == [30.0]


def test_a_circuit_open_by_force_is_not_waited_for(manual: ManualClock, run: Run) -> None:
    guard = guarding(manual, retry=RetryConfig(), breaker=CircuitBreakerConfig(), wait_for_circuit=True)
    assert guard.breaker is not None
    guard.breaker.force_open()
    with pytest.raises(CircuitBreakerOpenError):
        run(guard, Flaky())
    assert manual.sleeps == []


def test_a_circuit_forced_open_by_the_failure_itself_is_not_waited_for(manual: ManualClock, run: Run) -> None:
    breaker = CircuitBreaker("shared", clock=manual)
    guard = guarding(manual, retry=RetryConfig(), breaker=breaker, wait_for_circuit=True)

    def fail() -> None:
        breaker.force_open()
        raise ConnectionError("down")

    with pytest.raises(ConnectionError):
        run(guard, fail)
    assert manual.sleeps == []


def test_who_finds_all_trial_places_taken_asks_again_after_the_backoff_and_not_for_ever(
    manual: ManualClock, run: Run
) -> None:
    breaker = CircuitBreaker("shared", CircuitBreakerConfig(failure_threshold=1), clock=manual)
    breaker.acquire().failure()
    manual.advance(30.0)
    breaker.acquire()
    guard = guarding(manual, breaker=breaker, retry=RetryConfig(base_delay=2.0), wait_for_circuit=True)
    with pytest.raises(CircuitBreakerOpenError):
        run(guard, Flaky())

    assert manual.sleeps == [2.0, 4.0, 8.0]
    assert guard.statistics.rejections == 4


def test_the_fallback_gets_the_arguments_and_serves_whatever_finally_failed(
    manual: ManualClock, run: Run
) -> None:
    guard = guarding(
        manual,
        retry=RetryConfig(max_attempts=2),
        breaker=CircuitBreakerConfig(failure_threshold=2),
        fallback=lambda symbol, limit: (symbol, limit),
    )
    func = always_failing()
    for _ in range(3):
        assert run(guard, func, "ETH/BTC", limit=5) == ("ETH/BTC", 5)

    assert func.calls == 2
    statistics = guard.statistics
    assert (statistics.successful, statistics.fallbacks, statistics.rejections) == (3, 3, 2)


def test_the_fallback_serves_when_no_result_will_do_and_when_the_time_is_over(
    manual: ManualClock, run: Run
) -> None:
    guard = guarding(
        manual, retry=RetryConfig(retry_on_result=lambda result: True), fallback=lambda: "fallback"
    )
    assert run(guard, Flaky()) == "fallback"
    with deadline(0, clock=manual):
        assert run(guard, Flaky()) == "fallback"


def test_without_a_fallback_a_result_that_never_will_do_is_a_recovery_exception(
    manual: ManualClock, run: Run
) -> None:
    guard = guarding(manual, retry=RetryConfig(retry_on_result=lambda result: True))
    with pytest.raises(RecoveryException):
        run(guard, Flaky())


def test_a_fallback_that_raises_raises_its_error_from_the_original(manual: ManualClock, run: Run) -> None:
    original, second = ConnectionError("original"), LookupError("nothing cached")
    guard = guarding(manual, fallback=always_failing(second))
    with pytest.raises(LookupError) as caught:
        run(guard, always_failing(original))

    assert caught.value is second
    assert caught.value.__cause__ is original
    assert (guard.statistics.failed, guard.statistics.fallbacks) == (1, 0)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_no_fallback_for_what_stops_a_program(manual: ManualClock, stop: type[BaseException]) -> None:
    guard = guarding(manual, retry=RetryConfig(), breaker=CircuitBreakerConfig(), fallback=pytest.fail)
    for call in (by_call, by_decorator):
        with pytest.raises(stop):
            call(guard, always_failing(stop()))
    interrupted = guarding(manual, fallback=always_failing(stop()))
    with pytest.raises(stop):
        interrupted.call(always_failing())
    assert (interrupted.statistics.cancelled, interrupted.statistics.calls) == (1, 1)

    assert (guard.statistics.cancelled, guard.statistics.failed, guard.statistics.attempts) == (2, 0, 2)
    assert guard.breaker is not None
    assert guard.breaker.statistics.neutral_calls == 2


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_stops_a_program_passes_the_timed_layers_too(
    manual: ManualClock, run: Run, stop: type[BaseException]
) -> None:
    guard = guarding(
        manual,
        retry=RetryConfig(retry_on_result=lambda result: False),
        breaker=CircuitBreakerConfig(failure_threshold=1),
    )
    with pytest.raises(stop):
        run(guard, always_failing(stop()))

    assert (guard.statistics.cancelled, guard.statistics.attempts, manual.sleeps) == (1, 1, [])
    assert guard.breaker is not None
    assert guard.breaker.get_state() is CLOSED


async def test_a_coroutine_may_fall_back_on_a_coroutine(manual: ManualClock) -> None:
    guard = guarding(manual, fallback=as_coroutine(lambda: "fallback"))
    assert await guard.call_async(as_coroutine(always_failing())) == "fallback"


def test_a_plain_call_cannot_fall_back_on_a_coroutine(manual: ManualClock) -> None:
    guard = guarding(manual, fallback=as_coroutine(lambda: "fallback"))
    with pytest.raises(TypeError, match="the fallback of the plain function Flaky is a coroutine function"):
        guard(always_failing())
    with pytest.raises(TypeError, match="is a coroutine function") as caught:
        guard.call(always_failing())
    assert isinstance(caught.value.__cause__, ConnectionError)


async def test_a_cancelled_call_is_no_failure_is_not_retried_and_has_no_fallback(manual: ManualClock) -> None:
    guard = guarding(
        manual,
        retry=RetryConfig(),
        breaker=CircuitBreakerConfig(failure_threshold=1),
        fallback=pytest.fail,
    )
    for call in (guard.call_async, lambda func: guard(func)()):
        task = asyncio.ensure_future(call(asyncio.Event().wait))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert guard.breaker is not None
    assert guard.breaker.get_state() is CLOSED
    assert (guard.statistics.cancelled, guard.statistics.calls, manual.sleeps) == (2, 2, [])


def test_a_plain_attempt_that_takes_too_long_is_a_failure_of_the_service(manual: ManualClock) -> None:
    release = threading.Event()
    guard = guarding(manual, timeout=0.01, breaker=CircuitBreakerConfig(failure_threshold=1))
    with pytest.raises(CallTimeoutError, match="may still be running"):
        guard.call(release.wait, 10)
    release.set()
    assert guard.breaker is not None
    assert guard.breaker.get_state() is OPEN


async def test_an_awaited_attempt_that_takes_too_long_is_cancelled_and_retried(manual: ManualClock) -> None:
    guard = guarding(manual, timeout=0.01, retry=RetryConfig(max_attempts=2))
    with pytest.raises(CallTimeoutError, match=r"^Event\.wait took longer than 0\.01 s and was cancelled"):
        await guard.call_async(asyncio.Event().wait)
    assert (guard.statistics.attempts, manual.sleeps) == (2, [1.0])


def test_the_shortest_of_the_timeouts_counts(manual: ManualClock) -> None:
    assert guarding(manual, timeout=3.0, retry=RetryConfig(attempt_timeout=2.0)).timeout == 2.0
    assert guarding(manual, timeout=3.0, breaker=CircuitBreakerConfig(timeout=1.0)).timeout == 1.0
    assert guarding(manual, breaker=CircuitBreakerConfig(timeout=9.0)).timeout == 9.0


def test_an_enclosing_deadline_leaves_a_hung_plain_call_behind() -> None:
    release = threading.Event()
    guard = Guard("api", retry=RetryConfig())
    with deadline(0.02), pytest.raises(CallTimeoutError, match="may still be running"):
        guard.call(release.wait, 10)
    release.set()
    assert guard.statistics.attempts == 1


@pytest.mark.parametrize("bound", [None, 10.0])
async def test_an_enclosing_deadline_cancels_a_hung_coroutine(bound: float | None) -> None:
    with deadline(0.02), pytest.raises(CallTimeoutError, match="was cancelled"):
        await Guard("api", timeout=bound).call_async(asyncio.Event().wait)


async def test_a_timeout_that_is_shorter_than_the_enclosing_deadline_counts() -> None:
    with deadline(10.0), pytest.raises(CallTimeoutError, match=r"took longer than 0\.02 s"):
        await Guard("api", timeout=0.02).call_async(asyncio.Event().wait)


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_a_second_attempt_gets_the_same_arguments(
    manual: ManualClock, run: Run, timeout: float | None
) -> None:
    guard = guarding(manual, retry=RetryConfig(), timeout=timeout)
    assert run(guard, Flaky(ConnectionError()), 1, symbol="ETH/BTC") == ((1,), {"symbol": "ETH/BTC"})
    assert guard.statistics.attempts == 2


def test_what_must_not_be_left_behind_runs_in_the_callers_thread_and_begins_in_time_only(
    manual: ManualClock,
) -> None:
    guard = guarding(manual, interruptible=False)
    with deadline(1.0, clock=manual):
        assert guard.call(threading.get_ident) == threading.get_ident()
        manual.advance(1.0)
        with pytest.raises(CallTimeoutError, match="was not begun"):
            guard.call(pytest.fail)


def test_what_the_call_sets_in_context_reaches_the_caller_from_a_worker_too(manual: ManualClock) -> None:
    guard = guarding(manual, timeout=10.0)
    assert guard.call(threading.get_ident) != threading.get_ident()
    with deadline(9.0, clock=manual) as outer:
        assert guard.call(outer.remaining) == 9.0


def test_the_time_since_the_first_attempt_counts_against_the_deadline(manual: ManualClock, run: Run) -> None:
    guard = guarding(manual, retry=RetryConfig(deadline=10.0))

    def slow_failure() -> None:
        manual.advance(9.5)
        raise ConnectionError("down")

    with pytest.raises(ConnectionError):
        run(guard, slow_failure)
    assert manual.sleeps == []


def test_a_budget_and_a_manager_may_be_shared(manual: ManualClock, run: Run) -> None:
    manager = RetryManager(RetryConfig(budget=RetryBudget(ratio=0, floor=1)), clock=manual)
    first, second = guarding(manual, retry=manager), guarding(manual, retry=manager)
    for guard in (first, second):
        with pytest.raises(ConnectionError):
            run(guard, always_failing())

    assert (first.retry, first.statistics.retries, second.statistics.retries) == (manager, 1, 0)
    assert manager.get_statistics()["total_attempts"] == 3


def test_a_coroutine_function_in_call_is_a_type_error_that_nothing_retries_or_rescues(
    manual: ManualClock,
) -> None:
    coroutine = as_coroutine(Flaky())
    for layers in ({}, {"timeout": 5.0}, {"breaker": CircuitBreakerConfig(failure_threshold=1)}):
        guard = guarding(manual, retry=RetryConfig(), fallback=pytest.fail, **layers)
        with pytest.raises(TypeError, match="is a coroutine function"):
            guard.call(coroutine)
        assert manual.sleeps == []
        assert guard.breaker is None or guard.breaker.get_state() is CLOSED


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"name": ""}, "name"),
        ({"retry": 3}, "retry"),
        ({"breaker": "api"}, "breaker"),
        ({"timeout": 0}, "timeout"),
        ({"fallback": "cached"}, "fallback"),
        ({"wait_for_circuit": 1}, "wait_for_circuit"),
        ({"interruptible": None}, "interruptible"),
    ],
)
def test_a_bad_argument_is_named_at_construction(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationException, match=f"^{field} must be"):
        Guard(**{"name": "api", **arguments})
    assert repr(Guard("api")) == "Guard('api')"
