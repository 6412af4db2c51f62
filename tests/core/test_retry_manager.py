"""RetryManager: how often it tries, and what the caller gets in the end."""

from __future__ import annotations

import logging
import sys
import threading
from functools import partial
from typing import Any

import pytest
from retry_cases import Execute, Flaky, always_failing, as_coroutine, call_plain, manage

from tradeguard.exceptions import (
    CircuitBreakerOpenError,
    ConfigurationException,
    RecoveryException,
)
from tradeguard.retry_manager import RetryConfig, RetryManager, RetryStrategy
from tradeguard.testing import ManualClock


def test_a_call_that_succeeds_at_once_is_made_once_and_waits_for_nothing(
    manual: ManualClock, execute: Execute
) -> None:
    func = Flaky()
    assert execute(manage(manual), func, 1, func=2) == ((1,), {"func": 2})
    assert (func.calls, manual.sleeps) == (1, [])


@pytest.mark.parametrize(
    ("strategy", "delays"),
    [
        (RetryStrategy.FIXED, [1.0, 1.0, 1.0, 1.0]),
        (RetryStrategy.LINEAR, [1.0, 2.0, 3.0, 4.0]),
        (RetryStrategy.EXPONENTIAL, [1.0, 2.0, 4.0, 6.0]),
        (RetryStrategy.FIBONACCI, [1.0, 1.0, 2.0, 3.0]),
    ],
)
def test_it_waits_as_its_strategy_says(
    manual: ManualClock, execute: Execute, strategy: RetryStrategy, delays: list[float]
) -> None:
    seen: list[tuple[int, float]] = []
    manager = manage(
        manual,
        max_attempts=5,
        strategy=strategy,
        max_delay=6.0,
        on_retry=lambda attempt, delay: seen.append((attempt, delay)),
    )
    with pytest.raises(ConnectionError):
        execute(manager, always_failing())

    assert manual.sleeps == delays
    assert seen == list(enumerate(delays, start=1))


def test_the_last_attempts_own_error_reaches_the_caller_unchained(
    manual: ManualClock, execute: Execute
) -> None:
    errors = [ConnectionError(str(number)) for number in range(3)]
    with pytest.raises(ConnectionError) as caught:
        execute(manage(manual), Flaky(*errors))

    assert caught.value is errors[2]
    assert caught.value.__context__ is None
    assert caught.traceback[-1].name == "__call__"


def test_what_is_not_to_be_retried_is_not(manual: ManualClock, execute: Execute) -> None:
    given_up: list[int] = []
    manager = manage(
        manual, retry_on_exceptions=OSError, on_give_up=lambda attempt, error: given_up.append(attempt)
    )
    func = Flaky(ValueError("mine"))
    with pytest.raises(ValueError, match="mine"):
        execute(manager, func)

    assert (func.calls, given_up, manager.get_statistics()["failed_calls"]) == (1, [], 1)


def test_an_open_circuit_is_not_retried_and_its_wait_is_no_hint(
    manual: ManualClock, execute: Execute
) -> None:
    func = Flaky(CircuitBreakerOpenError("api", 5.0))
    with pytest.raises(CircuitBreakerOpenError):
        execute(manage(manual, retry_on_exceptions=Exception), func)
    assert (func.calls, manual.sleeps) == (1, [])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_what_stops_a_program_is_not_retried_and_is_no_failure(
    manual: ManualClock, error: BaseException
) -> None:
    manager = manage(manual)
    func = always_failing(error)
    with pytest.raises(type(error)):
        manager.execute(func)

    statistics = manager.get_statistics()
    assert (func.calls, statistics["failed_calls"], statistics["cancelled_calls"]) == (1, 0, 1)


def test_a_result_is_tried_for_until_it_will_do(manual: ManualClock, execute: Execute) -> None:
    results = iter([None, None, "good", "never asked for"])
    manager = manage(manual, retry_on_result=lambda result: result is None)

    assert execute(manager, lambda: next(results)) == "good"
    assert manual.sleeps == [1.0, 2.0]


def test_a_result_that_never_will_do_is_a_recovery_exception_with_the_last_one(
    manual: ManualClock, execute: Execute
) -> None:
    results = iter([None, 0, ""])
    told: list[tuple[int, Exception]] = []
    manager = manage(
        manual, retry_on_result=lambda result: not result, on_give_up=lambda *args: told.append(args)
    )
    with pytest.raises(RecoveryException, match="no acceptable result in 3 attempt") as caught:
        execute(manager, lambda: next(results))

    assert caught.value.last_result == ""
    assert caught.value.context["attempts"] == 3
    assert told == [(3, caught.value)]
    assert manager.get_statistics()["failed_calls"] == 1


def test_a_failing_predicate_on_the_result_is_the_callers_to_see(
    manual: ManualClock, execute: Execute
) -> None:
    manager = manage(manual, retry_on_result=lambda result: result["missing"])
    with pytest.raises(KeyError):
        execute(manager, dict)
    assert manager.get_statistics()["failed_calls"] == 1


def test_a_last_attempt_that_fails_after_bad_results_raises_its_own_error(
    manual: ManualClock, execute: Execute
) -> None:
    def func() -> None:
        if manual.sleeps:
            raise ConnectionError("last")

    with pytest.raises(ConnectionError, match="last"):
        execute(manage(manual, max_attempts=2, retry_on_result=lambda result: True), func)


def test_on_give_up_sees_the_last_attempt_and_its_error(manual: ManualClock, execute: Execute) -> None:
    told: list[tuple[int, Exception]] = []
    manager = manage(manual, max_attempts=2, on_give_up=lambda *args: told.append(args))
    error = ConnectionError("down")
    with pytest.raises(ConnectionError):
        execute(manager, always_failing(error))
    assert told == [(2, error)]


def test_hooks_that_fail_are_logged_and_change_nothing(
    manual: ManualClock, execute: Execute, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("no good")

    manager = manage(manual, max_attempts=2, on_retry=broken, on_give_up=broken)
    with pytest.raises(ConnectionError):
        execute(manager, always_failing())
    assert manual.sleeps == [1.0]
    assert [record.message.split()[0] for record in caplog.records if record.levelno >= logging.ERROR] == [
        "on_retry",
        "on_give_up",
    ]


def test_the_log_tells_of_each_attempt_without_secrets(
    manual: ManualClock, execute: Execute, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "tradeguard")
    with pytest.raises(ConnectionError):
        execute(
            manage(manual, max_attempts=2), always_failing(ConnectionError("GET /x?signature=abcdef0123"))
        )
    text = caplog.text
    name = "Flaky" if execute is call_plain else "as_coroutine.<locals>.coroutine"
    assert all(message.startswith(f"{name}: ") for message in caplog.messages)
    assert "attempt 1 failed, next in 1.000 s: ConnectionError: GET /x" in text
    assert "attempt 2 failed, giving up" in text
    assert "abcdef0123" not in text


def test_five_thousand_attempts_do_not_overflow(manual: ManualClock, execute: Execute) -> None:
    func = always_failing(times=4_999)
    execute(manage(manual, max_attempts=5_000), func)
    assert func.calls == 5_000
    assert set(manual.sleeps[6:]) == {60.0}


@pytest.mark.parametrize("config", [{}, {"attempt_timeout": 5.0}])
def test_a_coroutine_function_in_execute_is_a_type_error(manual: ManualClock, config: Any) -> None:
    coroutine = as_coroutine(Flaky())

    def disguised() -> object:
        return coroutine()

    for func in (coroutine, partial(coroutine), disguised):
        with pytest.raises(TypeError, match="is a coroutine function"):
            manage(manual, **config).execute(func)
    assert manual.sleeps == []


async def test_execute_async_takes_whatever_returns_an_awaitable(manual: ManualClock) -> None:
    coroutine = as_coroutine(Flaky())
    manager = manage(manual)
    assert await manager.execute_async(lambda: coroutine(1)) == ((1,), {})
    assert await manager.execute_async(partial(coroutine, 2)) == ((2,), {})
    assert await manager.execute_async(lambda: "plain") == "plain"  # type: ignore[arg-type, return-value]


def test_statistics_add_up(manual: ManualClock, execute: Execute) -> None:
    manager = manage(manual)
    execute(manager, Flaky())
    execute(manager, Flaky(ConnectionError()))
    with pytest.raises(ConnectionError):
        execute(manager, always_failing())

    assert manager.get_statistics() == {
        "total_calls": 3,
        "total_attempts": 6,
        "total_retries": 3,
        "successful_calls": 2,
        "failed_calls": 1,
        "cancelled_calls": 0,
        "total_delay": 4.0,
    }


def test_statistics_are_exact_under_threads(manual: ManualClock) -> None:
    manager = manage(manual, base_delay=0.25)
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(100):
            manager.execute(Flaky())
            manager.execute(Flaky(ConnectionError()))
            with pytest.raises(KeyError):
                manager.execute(Flaky(KeyError(), KeyError(), KeyError()))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    statistics = manager.get_statistics()
    assert statistics["total_calls"] == 2400
    assert (statistics["successful_calls"], statistics["failed_calls"]) == (1600, 800)
    assert (statistics["total_attempts"], statistics["total_retries"]) == (4800, 2400)
    assert statistics["total_delay"] == 800 * 0.25 + 800 * 0.75


def test_the_config_may_be_left_out_and_must_be_one() -> None:
    assert RetryManager().config == RetryConfig()
    assert repr(RetryManager()) == f"RetryManager({RetryConfig()!r})"
    with pytest.raises(ConfigurationException, match="config must be a RetryConfig"):
        RetryManager({"max_attempts": 3})  # type: ignore[arg-type]
