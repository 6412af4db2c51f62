"""Delays: each strategy's own series, within its bounds for any settings, with any jitter."""

from __future__ import annotations

import random
from collections import UserDict
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.backoff import Backoff, Jitter, RetryStrategy, retry_hint
from tradeguard.exceptions import ConfigurationException, NetworkException

SERIES = {
    RetryStrategy.FIXED: [2.0, 2.0, 2.0, 2.0, 2.0, 2.0],
    RetryStrategy.LINEAR: [2.0, 4.0, 6.0, 8.0, 10.0, 12.0],
    RetryStrategy.EXPONENTIAL: [2.0, 6.0, 18.0, 54.0, 162.0, 486.0],
    RetryStrategy.FIBONACCI: [2.0, 2.0, 4.0, 6.0, 10.0, 16.0],
}

seconds = st.floats(min_value=0, max_value=1e300) | st.integers(min_value=0, max_value=10**6)
backoffs = st.builds(
    Backoff,
    strategy=st.sampled_from(RetryStrategy),
    base_delay=seconds,
    max_delay=seconds,
    backoff_factor=st.floats(min_value=1, max_value=1e300) | st.integers(min_value=1, max_value=10),
    jitter=st.sampled_from(get_args(Jitter)),
)
attempts = st.integers(min_value=1, max_value=6_000)


@pytest.mark.parametrize("strategy", RetryStrategy)
def test_each_strategy_has_its_own_series(strategy: RetryStrategy) -> None:
    backoff = Backoff(strategy=strategy, base_delay=2.0, backoff_factor=3.0, max_delay=1e6)

    assert [backoff.delay(attempt) for attempt in range(1, 7)] == SERIES[strategy]


@given(backoffs, attempts)
def test_no_delay_is_negative_above_its_cap_or_no_number(backoff: Backoff, attempt: int) -> None:
    delay = backoff.delay(attempt)

    assert isinstance(delay, float)
    assert 0.0 <= delay <= backoff.max_delay


@given(backoffs, st.integers(min_value=1, max_value=300))
def test_delays_never_shrink_from_one_attempt_to_the_next(backoff: Backoff, attempt: int) -> None:
    assert backoff.delay(attempt) <= backoff.delay(attempt + 1)


@given(backoffs, attempts, st.none() | st.floats(min_value=0, max_value=1e300), st.integers())
def test_jitter_stays_between_zero_and_the_cap(
    backoff: Backoff, attempt: int, previous: float | None, seed: int
) -> None:
    if previous is not None:
        previous = min(previous, float(backoff.max_delay))

    delay = backoff.jittered(attempt, previous, random.Random(seed).uniform)

    assert 0.0 <= delay <= backoff.max_delay


@pytest.mark.parametrize(
    ("jitter", "previous", "bounds"),
    [
        ("full", None, (0.0, 8.0)),
        ("equal", None, (0.0, 4.0)),
        ("decorrelated", None, (2.0, 6.0)),
        ("decorrelated", 5.0, (2.0, 15.0)),
        ("decorrelated", 40.0, (2.0, 60.0)),
        ("decorrelated", 0.0, (2.0, 6.0)),
    ],
)
def test_each_jitter_draws_between_its_own_bounds(
    jitter: Jitter, previous: float | None, bounds: tuple[float, float]
) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    backoff = Backoff(base_delay=2.0, jitter=jitter)
    delay = backoff.jittered(3, previous, uniform)

    assert asked == [bounds]
    assert delay == {"full": 0.0, "equal": 4.0, "decorrelated": 2.0}[jitter]


def test_full_and_equal_jitter_reach_up_to_the_delay_itself() -> None:
    for jitter in ("full", "equal"):
        assert Backoff(base_delay=2.0, jitter=jitter).jittered(3, None, lambda low, high: high) == 8.0


def test_no_jitter_draws_nothing() -> None:
    backoff = Backoff(base_delay=2.0)

    assert backoff.jittered(3, None, lambda low, high: pytest.fail("drew")) == 8.0


def test_a_base_delay_of_zero_never_waits_however_many_attempts() -> None:
    for strategy in RetryStrategy:
        assert Backoff(strategy=strategy, base_delay=0).delay(5_000) == 0.0


@pytest.mark.parametrize("strategy", [RetryStrategy.EXPONENTIAL, RetryStrategy.FIBONACCI])
def test_however_small_the_base_no_number_of_attempts_overflows(strategy: RetryStrategy) -> None:
    backoff = Backoff(strategy=strategy, base_delay=5e-324, max_delay=1.0)
    assert 0.0 < backoff.delay(1_477) <= backoff.delay(5_000) == 1.0


def test_a_base_above_the_cap_waits_the_cap() -> None:
    assert Backoff(base_delay=90.0, max_delay=60.0).delay(1) == 60.0
    assert Backoff(base_delay=90.0, jitter="decorrelated").jittered(1, None, random.Random(1).uniform) == 60.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("strategy", "exponential"),
        ("base_delay", -1),
        ("max_delay", float("inf")),
        ("backoff_factor", 0.9),
        ("jitter", "some"),
        ("jitter", None),
    ],
)
def test_a_bad_setting_is_named_at_construction(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationException, match=f"^{field} must be .*{value!r}$"):
        Backoff(**{field: value})


class LimitedError(Exception):
    def __init__(self, retry_after: object) -> None:
        self.retry_after = retry_after


@pytest.mark.parametrize("hint", [0, 0.0, 1, 2.5, 10**400])
def test_a_hint_is_a_finite_number_from_zero_on(hint: float) -> None:
    assert retry_hint(LimitedError(hint)) == hint


@pytest.mark.parametrize(
    "junk",
    [-1, -0.5, float("nan"), float("inf"), -float("inf"), "3", b"3", True, False, None, [], Decimal(3)],
)
def test_junk_is_no_hint(junk: object) -> None:
    assert retry_hint(LimitedError(junk)) is None


def test_a_hint_is_found_on_errors_in_their_context_and_in_results() -> None:
    assert retry_hint(NetworkException("limited", retry_after=7)) == 7
    assert retry_hint({"retry_after": 7}) == 7
    assert retry_hint(UserDict({"retry_after": 7})) == 7
    assert retry_hint(KeyError("retry_after")) is None
    assert retry_hint(None) is None
    assert retry_hint({}) is None
