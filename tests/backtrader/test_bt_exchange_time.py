"""The exchange's time is never taken for later than it is."""

from __future__ import annotations

import pytest

from tradeguard.testing import ManualClock
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime


def test_before_the_first_answer_nothing_is_known() -> None:
    time = ExchangeTime(ManualClock())
    assert not time.is_known
    with pytest.raises(LookupError, match="not told"):
        time.at_least_ms()


def test_an_answer_that_was_long_under_way_only_makes_it_earlier() -> None:
    clock = ManualClock(start=50.0)
    time = ExchangeTime(clock)
    server_ms = 1_000_000  # stamped now, arrives three seconds later
    clock.advance(3.0)
    time.observe(server_ms)
    clock.advance(2.0)
    assert time.at_least_ms() == 1_002_000  # it is 1,005,000 there
    assert time.at_least_ms(monotonic=54.0) == 1_001_000


def test_a_jump_of_the_wall_clock_changes_nothing() -> None:
    clock = ManualClock()
    time = ExchangeTime(clock)
    time.observe(1_000_000)
    clock.set_time(4_000_000_000.0)
    assert time.at_least_ms() == 1_000_000


def test_it_is_due_again_after_the_interval_and_after_a_doubt() -> None:
    clock = ManualClock()
    time = ExchangeTime(clock)
    assert time.is_due(60.0)
    time.observe(1_000_000)
    clock.advance(59.9)
    assert not time.is_due(60.0)
    clock.advance(0.1)
    assert time.is_due(60.0)
    time.observe(1_060_000)
    time.doubt()
    assert time.is_due(60.0)
    assert time.at_least_ms() == 1_060_000
