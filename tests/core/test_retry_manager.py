"""RetryManager: how often and how long it tries, and what the caller gets in the end."""

from __future__ import annotations

import pytest

from tradeguard.exceptions import NetworkException, RecoveryException
from tradeguard.retry_manager import RetryConfig, RetryManager, RetryStrategy
from tradeguard.testing import ManualClock


class Flaky:
    """Fails with the given errors one after the other, then returns its arguments."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, *args: object, **kwargs: object) -> object:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return args, kwargs


def test_a_call_that_recovers_returns_its_result_after_the_exponential_delays(manual: ManualClock) -> None:
    func = Flaky(ConnectionError(), ConnectionError())
    manager = RetryManager(RetryConfig(max_attempts=3), clock=manual)

    assert manager.execute(func, 1, key=2) == ((1,), {"key": 2})
    assert manual.sleeps == [1.0, 2.0]


def test_the_last_attempts_own_error_reaches_the_caller(manual: ManualClock) -> None:
    errors = [ConnectionError(str(number)) for number in range(3)]
    manager = RetryManager(RetryConfig(max_attempts=3, strategy=RetryStrategy.FIXED), clock=manual)

    with pytest.raises(ConnectionError) as caught:
        manager.execute(Flaky(*errors))

    assert caught.value is errors[2]
    assert caught.value.__context__ is None


def test_a_result_that_never_satisfies_is_a_recovery_exception_with_the_last_result(
    manual: ManualClock,
) -> None:
    results = iter([None, 0, ""])
    manager = RetryManager(RetryConfig(retry_on_result=lambda result: not result), clock=manual)

    with pytest.raises(RecoveryException) as caught:
        manager.execute(lambda: next(results))

    assert caught.value.last_result == ""


async def test_coroutines_are_retried_alike(manual: ManualClock) -> None:
    func = Flaky(NetworkException("down"))

    async def call() -> object:
        return func("x")

    manager = RetryManager(RetryConfig(), clock=manual)

    assert await manager.execute_async(call) == (("x",), {})
    assert manager.get_statistics() == {
        "total_calls": 1,
        "total_attempts": 2,
        "total_retries": 1,
        "successful_calls": 1,
        "failed_calls": 0,
        "cancelled_calls": 0,
        "total_delay": 1.0,
    }
