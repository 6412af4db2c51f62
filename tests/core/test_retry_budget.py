"""RetryBudget: retries stay a fraction of the calls, over the trailing minute."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.exceptions import ConfigurationException
from tradeguard.retry_budget import RetryBudget


def spend_all(budget: RetryBudget, now: float) -> int:
    taken = 0
    while budget.try_spend(now):
        taken += 1
    return taken


def test_the_floor_is_there_without_any_call() -> None:
    assert spend_all(RetryBudget(floor=3), 0.0) == 3


def test_each_call_adds_its_share() -> None:
    budget = RetryBudget(ratio=0.5, floor=2)
    for _ in range(10):
        budget.record_call(0.0)

    assert budget.available(0.0) == 7
    assert spend_all(budget, 0.0) == 7
    assert budget.available(0.0) == 0


def test_a_budget_of_nothing_allows_nothing() -> None:
    budget = RetryBudget(ratio=0, floor=0)
    budget.record_call(0.0)

    assert not budget.try_spend(0.0)


def test_retries_are_forgotten_when_they_are_a_minute_old_and_not_before() -> None:
    budget = RetryBudget(floor=1)
    assert budget.try_spend(5.5)
    assert not budget.try_spend(65.4)
    assert budget.try_spend(65.5)


def test_calls_are_forgotten_with_the_second_in_which_they_were_made() -> None:
    budget = RetryBudget(ratio=1.0, floor=0)
    budget.record_call(0.0)
    budget.record_call(0.9)
    budget.record_call(1.0)

    assert budget.available(59.9) == 3
    assert budget.available(60.0) == 1
    assert budget.available(61.0) == 0


def test_a_refunded_retry_can_be_taken_again() -> None:
    budget = RetryBudget(floor=1)
    budget.refund()
    assert budget.try_spend(0.0)
    budget.refund()
    assert budget.try_spend(0.0)
    assert not budget.try_spend(0.0)


def test_memory_does_not_grow_with_the_calls() -> None:
    budget = RetryBudget(ratio=0, floor=0)
    for number in range(20_000):
        budget.record_call(number / 10)

    assert len(budget._calls) <= 61


@given(
    st.lists(st.tuples(st.sampled_from("cr"), st.floats(min_value=0, max_value=20)), max_size=60),
    st.floats(min_value=0, max_value=3),
    st.integers(min_value=0, max_value=5),
)
def test_over_any_minute_retries_stay_within_the_floor_and_the_share(
    events: list[tuple[str, float]], ratio: float, floor: int
) -> None:
    budget = RetryBudget(ratio=ratio, floor=floor)
    now, calls, retries = 0.0, list[float](), list[float]()
    for kind, wait in events:
        now += wait
        if kind == "c":
            budget.record_call(now)
            calls.append(now)
        elif budget.try_spend(now):
            retries.append(now)
            recent_calls = sum(now - at < 60 for at in calls)
            assert sum(now - at < 60 for at in retries) <= floor + ratio * recent_calls


def test_many_threads_together_take_no_more_than_there_is() -> None:
    budget = RetryBudget(floor=50)
    start = threading.Barrier(8)
    taken: list[int] = []

    def spend() -> None:
        start.wait()
        taken.append(spend_all(budget, 1.0))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(taken) == 50


@pytest.mark.parametrize(
    ("field", "value"), [("ratio", -0.1), ("ratio", 1000.5), ("ratio", "1"), ("floor", -1), ("floor", 1.5)]
)
def test_a_bad_setting_is_named_at_construction(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationException, match=f"^{field} must be"):
        RetryBudget(**{field: value})
    assert repr(RetryBudget()) == "RetryBudget(ratio=0.1, floor=10)"
