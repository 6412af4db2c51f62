"""CircuitBreaker: what calls through it come to, and what it says about them."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from concurrent.futures import CancelledError as FutureCancelledError
from functools import partial
from typing import Any

import pytest

from tradeguard.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    CircuitBreakerState,
)
from tradeguard.exceptions import CallTimeoutError, ConfigurationException
from tradeguard.testing import ManualClock

CLOSED, OPEN, HALF_OPEN = CircuitBreakerState


def make(manual: ManualClock, **config: Any) -> CircuitBreaker:
    return CircuitBreaker("api", CircuitBreakerConfig(**{"failure_threshold": 2, **config}), clock=manual)


def fail(error: BaseException | None = None) -> None:
    raise ConnectionError("down") if error is None else error


async def fail_async(error: BaseException | None = None) -> None:
    fail(error)


def trip(breaker: CircuitBreaker) -> None:
    while breaker.get_state() is CLOSED:
        with pytest.raises(ConnectionError):
            breaker.call(fail)


def test_the_documents_example_works(manual: ManualClock) -> None:
    breaker = make(manual)
    trip(breaker)
    try:
        result = breaker.call(lambda: "live")
    except CircuitBreakerOpenError:
        result = "fallback"
    assert result == "fallback"


def test_arguments_and_results_pass_through(manual: ManualClock) -> None:
    breaker = make(manual)

    assert breaker.call(lambda *args, **kwargs: (args, kwargs), 1, 2, func=3) == ((1, 2), {"func": 3})


@pytest.mark.parametrize("failures_so_far", [0, 1])
def test_a_failing_calls_own_error_reaches_the_caller_even_that_of_the_call_that_trips_it(
    manual: ManualClock, failures_so_far: int
) -> None:
    breaker = make(manual)
    for _ in range(failures_so_far):
        breaker.acquire().failure()
    error = ConnectionError("mine")

    with pytest.raises(ConnectionError) as caught:
        breaker.call(fail, error)

    assert caught.value is error
    assert caught.value.__cause__ is None


def test_a_rejection_names_the_circuit_the_wait_and_the_cause(manual: ManualClock) -> None:
    breaker = make(manual)
    with pytest.raises(ConnectionError):
        breaker.call(fail, ConnectionError("first"))
    last = ConnectionError("last")
    with pytest.raises(ConnectionError):
        breaker.call(fail, last)
    manual.advance(10.0)

    with pytest.raises(CircuitBreakerOpenError) as caught:
        breaker.call(fail)
    assert (caught.value.name, caught.value.retry_after) == ("api", 20.0)
    assert caught.value.cause is last
    assert caught.value.__cause__ is last


def test_a_failure_that_comes_too_late_is_not_the_cause(manual: ManualClock) -> None:
    breaker = make(manual)
    late = breaker.acquire()
    trip(breaker)
    late.failure(ValueError("late"))
    with pytest.raises(CircuitBreakerOpenError) as caught:
        breaker.call(fail)
    assert isinstance(caught.value.cause, ConnectionError)


async def test_plain_and_coroutine_calls_share_the_circuit(manual: ManualClock) -> None:
    breaker = make(manual)
    with pytest.raises(ConnectionError):
        breaker.call(fail)
    with pytest.raises(ConnectionError):
        await breaker.call_async(fail_async)

    with pytest.raises(CircuitBreakerOpenError):
        await breaker.call_async(fail_async)
    with pytest.raises(CircuitBreakerOpenError):
        breaker.call(fail)


async def test_call_async_awaits_coroutine_functions_partials_and_whatever_returns_an_awaitable(
    manual: ManualClock,
) -> None:
    async def double(number: int = 0, *, offset: int = 0) -> int:
        return 2 * number + offset

    breaker = make(manual)
    bounded = make(manual, timeout=60.0)
    assert await breaker.call_async(double, 1, offset=5) == await bounded.call_async(double, 1, offset=5) == 7
    assert await breaker.call_async(double, 1) == 2
    assert await breaker.call_async(partial(double, 2)) == 4
    assert await breaker.call_async(lambda: double(3)) == 6
    assert await breaker.call_async(lambda: 7) == 7  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("state", [CLOSED, HALF_OPEN])
def test_a_coroutine_function_in_call_is_a_type_error_and_no_result(
    manual: ManualClock, state: CircuitBreakerState
) -> None:
    breaker = make(manual, recovery_timeout=0)
    if state is HALF_OPEN:
        trip(breaker)

    def disguised() -> object:
        return fail_async()

    for func in (fail_async, partial(fail_async), disguised):
        with pytest.raises(TypeError, match="fail_async is a coroutine function"):
            breaker.call(func)
    assert breaker.get_state() is state
    assert breaker.statistics.failed_calls == (2 if state is HALF_OPEN else 0)
    assert breaker.statistics.successful_calls == 0


NEUTRAL = [
    KeyboardInterrupt(),
    SystemExit(),
    asyncio.CancelledError(),
    FutureCancelledError(),
    GeneratorExit(),
    KeyError("ignored"),
]


@pytest.mark.parametrize("error", NEUTRAL, ids=lambda error: type(error).__name__)
def test_what_is_neither_success_nor_failure_leaves_failures_as_they_are(
    manual: ManualClock, error: BaseException
) -> None:
    breaker = make(manual, ignore_exceptions=KeyError)
    with pytest.raises(type(error)):
        breaker.call(fail, error)
    with pytest.raises(ConnectionError):
        breaker.call(fail)
    with pytest.raises(type(error)):
        breaker.call(fail, error)
    assert (breaker.get_state(), breaker.statistics.consecutive_failures) == (CLOSED, 1)

    with pytest.raises(ConnectionError):
        breaker.call(fail)
    assert breaker.get_state() is OPEN
    assert breaker.statistics.neutral_calls == 2


@pytest.mark.parametrize("error", NEUTRAL, ids=lambda error: type(error).__name__)
def test_a_trial_that_is_neither_gives_its_place_back(manual: ManualClock, error: BaseException) -> None:
    breaker = make(manual, ignore_exceptions=KeyError)
    trip(breaker)
    manual.advance(30.0)

    with pytest.raises(type(error)):
        breaker.call(fail, error)
    assert breaker.get_state() is HALF_OPEN
    assert breaker.call(lambda: "trial") == "trial"


async def test_a_cancelled_trial_gives_its_place_back(manual: ManualClock) -> None:
    breaker = make(manual)
    trip(breaker)
    manual.advance(30.0)
    task = asyncio.create_task(breaker.call_async(asyncio.Event().wait))
    await asyncio.sleep(0)
    with pytest.raises(CircuitBreakerOpenError):
        await breaker.call_async(fail_async)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert breaker.get_state() is HALF_OPEN
    assert breaker.call(lambda: "trial") == "trial"


def test_exceptions_outside_of_those_to_record_are_neutral(manual: ManualClock) -> None:
    breaker = make(manual, record_exceptions=(OSError,), ignore_exceptions=(FileNotFoundError,))
    for error in (ValueError(), FileNotFoundError(), ValueError()):
        with pytest.raises(type(error)):
            breaker.call(fail, error)
    assert breaker.get_state() is CLOSED

    trip(breaker)
    assert breaker.get_state() is OPEN


def test_a_rejection_by_an_inner_circuit_is_no_failure_of_the_outer_one(manual: ManualClock) -> None:
    inner, outer = make(manual), make(manual)
    trip(inner)
    for _ in range(5):
        with pytest.raises(CircuitBreakerOpenError):
            outer.call(inner.call, fail)
    assert outer.get_state() is CLOSED


def test_forced_open_it_rejects_without_naming_a_time_and_forced_closed_it_lets_all_through(
    manual: ManualClock,
) -> None:
    breaker = make(manual)
    breaker.force_open()
    manual.advance(1e6)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        breaker.call(lambda: 1)
    assert caught.value.retry_after == 0.0
    assert breaker.open_seconds() == float("inf")

    breaker.force_closed()
    for _ in range(9):
        with pytest.raises(ConnectionError):
            breaker.call(fail)
    assert (breaker.get_state(), breaker.forced, breaker.open_seconds()) == (CLOSED, True, 0.0)


def test_released_it_is_open_for_one_period_or_closed(manual: ManualClock) -> None:
    breaker = make(manual)
    breaker.force_open()
    breaker.release()
    assert (breaker.get_state(), breaker.open_seconds()) == (OPEN, 30.0)

    breaker.force_closed()
    breaker.release()
    assert (breaker.get_state(), breaker.forced) == (CLOSED, False)


def test_open_until_is_a_time_of_the_wall_clock_read_once(manual: ManualClock) -> None:
    breaker = make(manual)
    breaker.open_until(manual.time() + 120)
    manual.set_time(9e9)
    assert breaker.open_seconds() == 120.0

    manual.advance(120.0)
    assert breaker.get_state() is HALF_OPEN
    breaker.open_until(0)
    for wrong in (float("nan"), -1, 1e11 + 0.5, manual.time() * 1000):
        with pytest.raises(ConfigurationException, match="epoch_seconds must be"):
            breaker.open_until(wrong)
    breaker.open_until(1e11)


def test_monitor_only_it_records_every_change_and_rejects_nothing(manual: ManualClock) -> None:
    breaker = make(manual, monitor_only=True)
    trip(breaker)
    assert breaker.get_state() is OPEN
    assert [breaker.call(lambda: 1), breaker.open_seconds()] == [1, 0.0]

    manual.advance(30.0)
    trial = breaker.acquire()
    assert breaker.call(lambda: 2) == 2, "the trial's place is taken, and yet"
    assert breaker.get_state() is HALF_OPEN, "only the trial's result counts"
    trial.success()
    breaker.force_open()
    assert breaker.call(lambda: 3) == 3
    statistics = breaker.statistics
    assert (statistics.rejected_calls, statistics.late_results) == (3, 0)


def test_arguments_pass_through_a_trial_too(manual: ManualClock) -> None:
    breaker = make(manual, recovery_timeout=10.0)
    trip(breaker)
    manual.advance(10.0)
    assert breaker.call(lambda *args, **kwargs: (args, kwargs), 1, func=3) == ((1,), {"func": 3})


def test_a_call_that_fails_slowly_is_slow_too(manual: ManualClock) -> None:
    breaker = make(
        manual, failure_threshold=99, slow_call_duration=2.0, slow_call_rate_threshold=0.5, minimum_calls=2
    )

    def fail_late() -> None:
        manual.advance(2.0)
        fail()

    for _ in range(2):
        with pytest.raises(ConnectionError):
            breaker.call(fail_late)
    assert (breaker.get_state(), breaker.statistics.slow_calls) == (OPEN, 2)


def test_slow_calls_are_those_of_the_duration_or_longer(manual: ManualClock) -> None:
    breaker = make(manual, slow_call_duration=2.0, slow_call_rate_threshold=0.5, minimum_calls=4)
    for seconds in (1.9, 2.0, 0.0, 9.0):
        breaker.call(manual.advance, seconds)

    assert (breaker.get_state(), breaker.statistics.slow_calls) == (OPEN, 2)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        breaker.call(fail)
    assert caught.value.cause is None


def test_statistics_tell_the_whole_story(manual: ManualClock) -> None:
    breaker = make(manual)
    late = breaker.acquire()
    breaker.call(lambda: 1)
    trip(breaker)
    late.failure()
    with pytest.raises(CircuitBreakerOpenError):
        breaker.call(fail)

    statistics = breaker.statistics
    assert statistics.state is OPEN
    assert (statistics.total_calls, statistics.successful_calls, statistics.failed_calls) == (4, 1, 3)
    assert (statistics.rejected_calls, statistics.late_results, statistics.times_opened) == (1, 1, 1)
    breaker.reset()
    assert breaker.statistics.failed_calls == 3
    assert breaker.statistics.consecutive_failures == 0


class WatchedError(ConnectionError):
    """One that, unlike the built-in kind, can be watched by a weak reference."""


def test_a_healthy_circuit_keeps_no_error_alive(manual: ManualClock) -> None:
    breaker = make(manual)
    error = WatchedError("down")
    kept = weakref.ref(error)
    with pytest.raises(ConnectionError):
        breaker.call(fail, error)
    del error
    gc.collect()
    assert kept() is not None

    breaker.call(lambda: 1)
    gc.collect()
    assert kept() is None


def test_a_plain_call_that_takes_too_long_is_left_behind_and_is_a_failure(manual: ManualClock) -> None:
    release = threading.Event()
    breaker = make(manual, timeout=0.02, failure_threshold=1)
    with pytest.raises(CallTimeoutError, match="may still be running"):
        breaker.call(release.wait, 10)
    release.set()

    assert breaker.get_state() is OPEN


async def test_a_coroutine_that_takes_too_long_is_cancelled_and_is_a_failure(manual: ManualClock) -> None:
    cancelled = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    breaker = make(manual, timeout=0.01, failure_threshold=1)
    with pytest.raises(CallTimeoutError, match=r"hang took longer than 0\.01 s and was cancelled"):
        await breaker.call_async(hang)

    assert cancelled.is_set()
    assert breaker.get_state() is OPEN


async def test_a_call_within_its_time_is_not_touched(manual: ManualClock) -> None:
    async def double(number: int) -> int:
        return 2 * number

    breaker = make(manual, timeout=5.0)
    assert breaker.call(lambda number: 2 * number, 4) == 8
    assert await breaker.call_async(double, 4) == 8
    assert breaker.statistics.successful_calls == 2


@pytest.mark.parametrize(
    ("arguments", "field"), [(("",), "name"), ((None,), "name"), (("api", {"timeout": 1}), "config")]
)
def test_bad_arguments_are_named_at_construction(arguments: tuple[Any, ...], field: str) -> None:
    with pytest.raises(ConfigurationException, match=f"^{field} must be"):
        CircuitBreaker(*arguments)


def test_its_representation_names_it_and_its_state() -> None:
    breaker = CircuitBreaker("api")
    assert repr(breaker) == "CircuitBreaker('api', closed)"
    assert breaker.config == CircuitBreakerConfig()


def test_a_refused_argument_is_shown_with_what_it_must_be() -> None:
    with pytest.raises(ConfigurationException, match=r"^name must be a text that is not empty, got 5$"):
        CircuitBreaker(5)  # type: ignore[arg-type]
    with pytest.raises(
        ConfigurationException, match=r"^config must be a CircuitBreakerConfig or None, got \{\}$"
    ):
        CircuitBreaker("api", {})  # type: ignore[arg-type]
