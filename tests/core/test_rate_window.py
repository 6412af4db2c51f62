"""The trailing minute is counted exactly, whenever events come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradeguard.rate_window import RateWindow

gaps = st.integers(0, 200) | st.sampled_from([0, 1, 59, 60, 61, 119, 120, 121, 10**6])


@given(start=st.integers(0, 10**9), steps=st.lists(st.tuples(gaps, st.booleans())))
def test_both_minutes_equal_a_recount_of_all_events(start: int, steps: list[tuple[int, bool]]) -> None:
    window, second, events = RateWindow(), start, list[int]()
    for gap, happens in steps:
        second += gap
        if happens:
            window.add(second)
            events.append(second)
        else:
            window.advance(second)
        assert window.recent == sum(second - 60 < event <= second for event in events)
        assert window.previous == sum(second - 120 < event <= second - 60 for event in events)


def test_an_event_leaves_the_minute_after_sixty_seconds() -> None:
    window = RateWindow()
    window.add(0)
    window.advance(59)
    assert (window.recent, window.previous) == (1, 0)
    window.advance(60)
    assert (window.recent, window.previous) == (0, 1)
    window.advance(120)
    assert (window.recent, window.previous) == (0, 0)


def test_after_a_long_silence_nothing_is_left_whatever_second_it_ends_in() -> None:
    for silence in range(120, 400):
        window = RateWindow()
        window.add(0)
        window.advance(silence)
        assert (window.recent, window.previous) == (0, 0), silence


def test_a_clock_that_goes_back_loses_nothing() -> None:
    window = RateWindow()
    window.add(100)
    window.add(40)
    window.advance(10)
    assert window.recent == 2


def test_the_trend_needs_more_than_chance() -> None:
    window = RateWindow()
    for _ in range(4):
        window.add(0)
    assert window.trend() == {"direction": "stable", "recent": 4, "previous": 0}
    window.add(0)
    assert window.trend() == {"direction": "rising", "recent": 5, "previous": 0}
    window.advance(60)
    assert window.trend() == {"direction": "falling", "recent": 0, "previous": 5}
