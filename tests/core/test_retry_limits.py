"""Retries within their limits: hints, deadlines, budgets, timeouts and cancellation."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retry_cases import Execute, Flaky, always_failing, as_coroutine, manage

from tradeguard.deadlines import deadline
from tradeguard.exceptions import (
    CallTimeoutError,
    NetworkException,
)
from tradeguard.retry_manager import RetryBudget, RetryConfig, RetryManager, RetryStrategy
from tradeguard.testing import ManualClock


def limited(hint: object) -> Exception:
    error = ConnectionError("limited")
    error.retry_after = hint  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("hint", "waited"), [(7, 7.0), (0, 0.0), (2.5, 2.5), (90, 60.0), (10**400, 60.0), (-1, 1.0), ("5", 1.0)]
)
def test_a_hint_overrides_the_backoff_up_to_the_cap_and_junk_does_not(
    manual: ManualClock, execute: Execute, hint: object, waited: float
) -> None:
    execute(manage(manual, jitter="none"), Flaky(limited(hint)))

    assert manual.sleeps == [waited]
    assert type(manual.sleeps[0]) is float


def test_a_hint_is_not_jittered(manual: ManualClock, execute: Execute) -> None:
    execute(manage(manual, jitter="full"), Flaky(limited(7)))
    assert manual.sleeps == [7.0]


def test_a_result_may_carry_the_hint_and_so_may_an_errors_context(
    manual: ManualClock, execute: Execute
) -> None:
    results: Any = iter([{"retry_after": 4}, {}])
    execute(manage(manual, retry_on_result=bool), lambda: next(results))
    execute(manage(manual), Flaky(NetworkException("limited", retry_after=3)))
    assert manual.sleeps == [4.0, 3.0]


@pytest.mark.parametrize(("hint", "sleeps"), [(10.0, [10.0]), (10.1, [])])
def test_a_hint_beyond_the_deadline_gives_up_at_once(
    manual: ManualClock, execute: Execute, hint: float, sleeps: list[float]
) -> None:
    """Even where the cap would have shortened the wait: the exchange has said that it is of no use."""
    manager = manage(manual, deadline=10.0, max_attempts=2, max_delay=60.0)
    with pytest.raises(ConnectionError, match="limited"):
        execute(manager, always_failing(limited(hint)))
    assert manual.sleeps == sleeps


def test_no_attempt_starts_after_the_deadline_and_no_wait_crosses_it(
    manual: ManualClock, execute: Execute
) -> None:
    starts: list[float] = []

    def slow_failure() -> None:
        starts.append(manual.monotonic())
        manual.advance(1.5)
        raise ConnectionError("down")

    manager = manage(manual, deadline=10.0, max_attempts=99, strategy=RetryStrategy.FIXED, base_delay=2.0)
    with pytest.raises(ConnectionError):
        execute(manager, slow_failure)

    assert starts == [0.0, 3.5, 7.0]
    assert manual.monotonic() == 8.5


@given(
    st.floats(min_value=0.1, max_value=50),
    st.floats(min_value=0, max_value=10),
    st.lists(st.floats(min_value=0, max_value=10), min_size=1, max_size=30),
)
def test_for_any_deadline_every_attempt_starts_within_it(
    bound: float, base_delay: float, durations: list[float]
) -> None:
    manual = ManualClock()
    starts: list[float] = []
    lengths = iter(durations)

    def fail() -> None:
        starts.append(manual.monotonic())
        manual.advance(next(lengths))
        raise ConnectionError

    manager = manage(manual, deadline=bound, base_delay=base_delay, max_attempts=len(durations))
    with pytest.raises(ConnectionError):
        manager.execute(fail)

    assert max(starts) <= bound + 1e-9
    assert sum(manual.sleeps) <= bound + 1e-9


def test_an_enclosing_deadline_bounds_attempts_and_waits(manual: ManualClock, execute: Execute) -> None:
    func = always_failing()
    with deadline(4.0, clock=manual), pytest.raises(ConnectionError):
        execute(manage(manual, max_attempts=9, strategy=RetryStrategy.FIXED, base_delay=1.5), func)
    assert (func.calls, manual.sleeps) == (3, [1.5, 1.5])


def test_no_wait_ends_just_at_an_enclosing_deadline(manual: ManualClock, execute: Execute) -> None:
    """An attempt that begins there would be cut off at once."""
    with deadline(3.0, clock=manual), pytest.raises(ConnectionError):
        execute(
            manage(manual, max_attempts=9, strategy=RetryStrategy.FIXED, base_delay=1.5), always_failing()
        )
    assert manual.sleeps == [1.5]


def test_the_deadline_counts_from_the_first_attempt_whatever_the_clock_shows(execute: Execute) -> None:
    manual = ManualClock(start=1e6)
    with pytest.raises(ConnectionError):
        execute(manage(manual, deadline=3.0), always_failing())
    assert manual.sleeps == [1.0, 2.0]


def test_decorrelated_waits_grow_from_the_last_one(execute: Execute) -> None:
    class Highest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    manual = ManualClock()
    config = RetryConfig(max_attempts=5, jitter="decorrelated", max_delay=20.0)
    with pytest.raises(ConnectionError):
        execute(RetryManager(config, clock=manual, rng=Highest()), always_failing())
    assert manual.sleeps == [3.0, 9.0, 20.0, 20.0]


def test_after_an_enclosing_deadline_nothing_is_begun(manual: ManualClock, execute: Execute) -> None:
    func = Flaky()
    manager = manage(manual)
    with deadline(4.0, clock=manual):
        manual.advance(4.0)
        with pytest.raises(CallTimeoutError, match="was not begun: the deadline of 4 s has passed"):
            execute(manager, func)
    assert (func.calls, manager.get_statistics()["failed_calls"]) == (0, 1)


def test_the_budget_bounds_the_retries_of_all_managers_together_and_first_attempts_are_free(
    manual: ManualClock, execute: Execute
) -> None:
    budget = RetryBudget(ratio=0, floor=3)
    managers = [manage(manual, max_attempts=5, base_delay=0.1, budget=budget) for _ in range(2)]
    funcs = [always_failing() for _ in range(4)]
    for number, func in enumerate(funcs):
        with pytest.raises(ConnectionError):
            execute(managers[number % 2], func)
    assert [func.calls for func in funcs] == [4, 1, 1, 1]

    manual.advance(60.0)
    with pytest.raises(ConnectionError):
        execute(managers[0], funcs[0])
    assert funcs[0].calls == 8


def test_each_call_adds_its_share_to_the_budget(manual: ManualClock, execute: Execute) -> None:
    manager = manage(manual, max_attempts=9, budget=RetryBudget(ratio=1.0, floor=0))
    funcs = [Flaky(), Flaky(), always_failing()]
    for func in funcs[:2]:
        execute(manager, func)
    with pytest.raises(ConnectionError):
        execute(manager, funcs[2])
    assert funcs[2].calls == 4


async def test_a_cancelled_coroutine_stops_at_once_and_charges_nothing(manual: ManualClock) -> None:
    func = Flaky(asyncio.CancelledError())
    budget = RetryBudget(ratio=0, floor=1)
    manager = manage(manual, budget=budget)
    with pytest.raises(asyncio.CancelledError):
        await manager.execute_async(as_coroutine(func))

    statistics = manager.get_statistics()
    assert (func.calls, manual.sleeps, budget.available(0.0)) == (1, [], 1)
    assert statistics["total_calls"] == 1
    assert (statistics["failed_calls"], statistics["cancelled_calls"], statistics["total_retries"]) == (
        0,
        1,
        0,
    )


async def test_a_coroutine_cancelled_while_it_waits_gives_its_retry_back(manual: ManualClock) -> None:
    class Endless(ManualClock):
        async def sleep_async(self, seconds: float) -> None:
            await asyncio.Event().wait()

    budget = RetryBudget(ratio=0, floor=1)
    manager = RetryManager(RetryConfig(budget=budget), clock=Endless())
    task = asyncio.create_task(manager.execute_async(as_coroutine(always_failing())))
    for _ in range(5):
        await asyncio.sleep(0)
    assert budget.available(0.0) == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    statistics = manager.get_statistics()
    assert budget.available(0.0) == 1
    assert (statistics["cancelled_calls"], statistics["total_retries"], statistics["total_delay"]) == (
        1,
        0,
        0,
    )


async def test_a_coroutine_cancelled_while_it_waits_after_a_bad_result_is_no_failure() -> None:
    class Cancelled(ManualClock):
        async def sleep_async(self, seconds: float) -> None:
            raise asyncio.CancelledError

    manager = RetryManager(RetryConfig(retry_on_result=lambda result: True), clock=Cancelled())
    with pytest.raises(asyncio.CancelledError):
        await manager.execute_async(as_coroutine(Flaky()))
    statistics = manager.get_statistics()
    assert (statistics["cancelled_calls"], statistics["failed_calls"]) == (1, 0)


def test_each_plain_attempt_is_bounded(manual: ManualClock) -> None:
    release = threading.Event()
    waits = iter([10.0, 0.0])
    manager = manage(manual, attempt_timeout=0.01)

    assert manager.execute(lambda: release.wait(next(waits))) is False
    assert manager.get_statistics()["total_retries"] == 1
    release.set()


async def test_each_awaited_attempt_is_bounded(manual: ManualClock) -> None:
    manager = manage(manual, attempt_timeout=0.01, max_attempts=2)
    with pytest.raises(CallTimeoutError, match=r"^Event\.wait took longer than 0\.01 s and was cancelled"):
        await manager.execute_async(asyncio.Event().wait)
    assert manual.sleeps == [1.0]


async def test_a_bounded_attempt_gets_its_arguments(manual: ManualClock) -> None:
    manager = manage(manual, attempt_timeout=60.0)
    assert manager.execute(Flaky(), 1, symbol="ETH/BTC") == ((1,), {"symbol": "ETH/BTC"})
    call = as_coroutine(Flaky())
    assert await manager.execute_async(call, 1, symbol="ETH/BTC") == ((1,), {"symbol": "ETH/BTC"})


class OversleepingClock(ManualClock):
    """A clock whose sleeps take a minute longer than asked."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + 60.0)


@pytest.mark.parametrize("is_enclosing", [False, True])
def test_an_overslept_deadline_ends_with_the_last_attempts_own_error(is_enclosing: bool) -> None:
    clock, starts = OversleepingClock(), []

    def failing() -> None:
        starts.append(clock.monotonic())
        raise ConnectionError("down")

    config = RetryConfig(max_attempts=3, base_delay=1.0, deadline=None if is_enclosing else 10.0)
    manager = RetryManager(config, clock=clock)
    with (
        deadline(10.0, clock) if is_enclosing else nullcontext(),
        pytest.raises(ConnectionError, match="down"),
    ):
        manager.execute(failing)
    assert starts == [0.0]
    assert manager.get_statistics()["failed_calls"] == 1
