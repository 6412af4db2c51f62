"""Windows: the counts are those of the latest outcomes, and memory is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.breaker_windows import CallWindow, TimeWindow

outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80)
waits = st.sampled_from([0.0, 0.5, 1.0, 3.0, 9.0, 10.0, 11.0])


@given(st.integers(min_value=1, max_value=30), outcomes)
def test_a_call_window_counts_the_latest_calls(size: int, events: list[tuple[bool, bool]]) -> None:
    window = CallWindow(size)
    for failed, slow in events:
        window.add(0.0, failed, slow)

    latest = events[-size:]
    assert window.calls == len(latest)
    assert window.failures == sum(failed for failed, _ in latest)
    assert window.slow == sum(slow for _, slow in latest)


@given(st.lists(st.tuples(waits, st.booleans(), st.booleans()), max_size=80))
def test_a_time_window_counts_the_calls_of_its_time(events: list[tuple[float, bool, bool]]) -> None:
    window = TimeWindow(10.0)
    now, seen = 0.0, list[tuple[float, bool, bool]]()
    for wait, failed, slow in events:
        now += wait
        seen.append((now, failed, slow))
        window.add(now, failed, slow)
        latest = [event for event in seen if now - event[0] < 10.0]
        assert window.calls == len(latest)
        assert window.failures == sum(event[1] for event in latest)
        assert window.slow == sum(event[2] for event in latest)


@pytest.mark.parametrize("per_second", [10, 10_000])
def test_a_time_window_remembers_a_bounded_number_of_moments(per_second: int) -> None:
    window = TimeWindow(3.0)
    for number in range(4 * per_second):
        window.add(number / per_second, number % 2 == 0, False)

    assert len(window._slices) <= 1025
    assert window.calls == pytest.approx(3 * per_second, rel=0.01)
    assert window.failures == pytest.approx(1.5 * per_second, rel=0.01)
