"""deadline: one bound for everything inside, however deep and over every await."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from tradeguard.deadlines import bounded, current_deadline, deadline, deadline_error, lifted
from tradeguard.exceptions import CallTimeoutError, ConfigurationException
from tradeguard.testing import ManualClock


def test_outside_of_a_block_nothing_is_bounded() -> None:
    assert current_deadline() is None
    assert bounded(7.0) == 7.0


def test_what_remains_shrinks_with_time_and_never_below_zero(manual: ManualClock) -> None:
    with deadline(5.0, clock=manual) as entered:
        assert current_deadline() is entered
        assert (entered.seconds, entered.remaining()) == (5.0, 5.0)
        manual.advance(3.0)
        assert bounded(7.0) == 2.0
        assert bounded(1.0) == 1.0
        manual.advance(9.0)
        assert entered.remaining() == 0.0
    assert current_deadline() is None


def test_it_counts_from_entering_the_block(manual: ManualClock) -> None:
    scope = deadline(5.0, clock=manual)
    manual.advance(60.0)
    with scope as entered:
        assert entered.remaining() == 5.0


@pytest.mark.parametrize(("outer", "inner", "left"), [(5.0, 9.0, 5.0), (9.0, 5.0, 5.0)])
def test_of_nested_deadlines_the_earliest_counts(
    manual: ManualClock, outer: float, inner: float, left: float
) -> None:
    with deadline(outer, clock=manual) as first:
        with deadline(inner, clock=manual) as second:
            assert second.remaining() == left
        assert current_deadline() is first


def test_the_outer_deadline_is_back_after_an_error(manual: ManualClock) -> None:
    with deadline(9.0, clock=manual) as outer:
        with pytest.raises(KeyError), deadline(5.0, clock=manual):
            raise KeyError
        assert current_deadline() is outer


async def test_it_holds_over_awaits_and_in_tasks_started_inside_and_in_no_other(manual: ManualClock) -> None:
    async def look() -> object:
        await asyncio.sleep(0)
        return current_deadline()

    outside = asyncio.create_task(look())
    async with deadline(5.0, clock=manual) as entered:
        inside = asyncio.create_task(look())
        assert await look() is entered
        assert await inside is entered
        assert await outside is None
    assert await look() is None


def test_leaving_the_block_in_another_context_is_no_error(manual: ManualClock) -> None:
    scope = deadline(5.0, clock=manual)
    contextvars.copy_context().run(scope.__enter__)

    contextvars.copy_context().run(scope.__exit__, None, None, None)

    assert current_deadline() is None


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan"), "5", None])
def test_a_bound_that_is_none_is_refused(seconds: Any) -> None:
    with pytest.raises(ConfigurationException, match="seconds must be a finite number >= 0"):
        deadline(seconds)


def test_the_error_says_that_nothing_was_begun() -> None:
    with deadline(2.5) as entered:
        error = deadline_error("fetch", entered)

    assert isinstance(error, CallTimeoutError)
    assert str(error) == "fetch was not begun: the deadline of 2.5 s has passed"
    assert error.context["timeout"] == 2.5
    assert error.still_running is False


def test_what_must_be_found_out_is_not_bound_and_what_follows_is_again() -> None:
    with deadline(0.0):
        with lifted():
            assert current_deadline() is None
        bound = current_deadline()
        assert bound is not None
        assert bound.remaining() == 0.0
