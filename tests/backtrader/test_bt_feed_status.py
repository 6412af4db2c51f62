"""The states of a feed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard_backtrader.feeds.feed_status import FeedState, FeedStatus

EVENTS = ("answered", "caught_up", "lagging", "failed", "ended", "unsupported")


def after(*events: str) -> list[FeedState]:
    status = FeedStatus()
    told = [getattr(status, event)() for event in events]
    return [state for state in told if state is not None]


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (("answered", "caught_up", "ended"), "DELAYED LIVE DISCONNECTED"),
        (("failed", "failed", "answered", "caught_up"), "CONNBROKEN DELAYED LIVE"),
        (("answered", "caught_up", "failed", "failed", "answered", "answered", "caught_up", "caught_up"),
         "DELAYED LIVE CONNBROKEN DELAYED LIVE"),
        (("answered", "failed", "answered", "caught_up"), "DELAYED CONNBROKEN DELAYED LIVE"),
        (("answered", "caught_up", "lagging", "lagging", "caught_up"), "DELAYED LIVE DELAYED LIVE"),
        (("unsupported", "answered", "ended"), "NOTSUPPORTED_TF"),
        (("failed", "caught_up", "lagging"), "CONNBROKEN"),
    ],
)  # fmt: skip
def test_each_change_is_told_once(events: tuple[str, ...], told: str) -> None:
    assert after(*events) == told.split()


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_no_state_is_told_twice_in_a_row_and_live_only_after_delayed(events: list[str]) -> None:
    told = after(*events)
    assert all(one != other for one, other in itertools.pairwise(told))
    for before, state in zip([None, *told], told, strict=False):
        if state is FeedState.LIVE:
            assert before is FeedState.DELAYED


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_the_end_is_the_end(events: list[str]) -> None:
    assert after("answered", "ended", *events) == [FeedState.DELAYED, FeedState.ENDED]
