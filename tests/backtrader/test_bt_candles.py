"""Pages of candles become a sequence: closed ones only, each once, ascending, gaps named."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard_backtrader.feeds.candle_sequence import CandleSequence
from tradeguard_backtrader.feeds.candles import Batch, Candle, Gap, GapReason
from tradeguard_backtrader.feeds.timeframes import Timeframe

MINUTE = Timeframe("1m", 60_000)
DAY = Timeframe("1d", 86_400_000)
START = 1_700_000_040_000
FAR = START + 10**12


def row(number: int, price: float = 1.0, *, start: int = START) -> list[Any]:
    """The `number`th candle after the start."""
    return [start + number * 60_000, price, price, price, price, 1.0]


def opens(items: Any) -> list[int]:
    return [(item.open_ms - START) // 60_000 for item in items if isinstance(item, Candle)]


def gaps(items: Any) -> list[tuple[int, int, str]]:
    return [
        ((item.from_ms - START) // 60_000, (item.to_ms - START) // 60_000, str(item.reason))
        for item in items
        if isinstance(item, Gap)
    ]


def closed_by(number: int) -> int:
    """The time at which the `number`th candle closes."""
    return START + (number + 1) * 60_000


def sequence(**options: Any) -> CandleSequence:
    return CandleSequence(MINUTE, START, **{"page": 100, "refetches": 2, **options})


def test_a_candle_counts_from_the_moment_of_its_close_and_not_before() -> None:
    candles = sequence()
    assert opens(candles.accept([row(0), row(1)], closed_by(1) - 1).items) == [0]
    assert opens(candles.accept([row(1)], closed_by(1)).items) == [1]


def test_candles_that_come_again_are_not_told_again() -> None:
    candles = sequence()
    candles.accept([row(0), row(1)], FAR)
    assert opens(candles.accept([row(0), row(1), row(2)], FAR).items) == [2]


def test_a_page_in_any_order_and_with_repeats_is_told_in_order_and_once() -> None:
    assert opens(sequence().accept([row(2), row(0), row(1), row(0)], FAR).items) == [0, 1, 2]


def test_the_next_page_is_asked_for_from_the_last_candle_on() -> None:
    candles = sequence()
    candles.accept([row(0), row(1)], FAR)
    assert candles.since_ms == START + 2 * 60_000


def test_a_missing_candle_is_asked_for_again_before_anything_behind_it_is_told() -> None:
    candles = sequence()
    first = candles.accept([row(0), row(2)], FAR)
    assert (opens(first.items), first.refetch) == ([0], True)
    assert candles.since_ms == START + 60_000
    second = candles.accept([row(1), row(2)], FAR)
    assert (opens(second.items), second.refetch) == ([1, 2], False)


def test_a_candle_that_stays_missing_is_a_gap_after_the_last_refetch() -> None:
    candles = sequence(refetches=2)
    told: list[Candle | Gap] = []
    for _ in range(3):
        batch = candles.accept([row(0), row(2)], FAR)
        told += batch.items
    assert opens(told) == [0, 2]
    assert gaps(told) == [(1, 2, "missing")]
    assert not batch.refetch


def test_without_refetches_a_hole_is_a_gap_at_once() -> None:
    batch = sequence(refetches=0).accept([row(0), row(5)], FAR)
    assert (opens(batch.items), gaps(batch.items)) == ([0, 5], [(1, 5, "missing")])


@pytest.mark.parametrize(
    "values",
    [
        [None, 1.0, 1.0, 1.0, 1.0],
        [1.0, None, 1.0, 1.0, None],
        [1.0, math.nan, 1.0, 1.0, 1.0],
        [1.0, math.inf, 1.0, 1.0, 1.0],
        [1.0, 1.0, 0.0, 1.0, 1.0],
        [1.0, 1.0, 1.0, 1.0, -1.0],
        [1.0, 0.5, 1.0, 1.0, 1.0],
        [1.0, 1.0, 1.1, 1.0, 1.0],
        ["1.0", 1.0, 1.0, 1.0, 1.0],
        [True, 1.0, 1.0, 1.0, 1.0],
        [1.0, 1.0],
        [],
    ],
)
def test_a_malformed_candle_is_asked_for_again_and_then_a_gap(values: list[Any]) -> None:
    candles = sequence(refetches=1)
    broken = [START + 60_000, *values]
    first = candles.accept([row(0), broken, row(2)], FAR)
    assert (opens(first.items), first.refetch) == ([0], True)
    second = candles.accept([broken, row(2)], FAR)
    assert opens(second.items) == [2]
    assert gaps(second.items) == [(1, 2, "malformed")]


def test_a_candle_that_lacks_its_volume_alone_is_a_gap_that_says_so() -> None:
    candles = sequence(refetches=1)
    broken = [START + 60_000, 1.0, 1.0, 1.0, 1.0, None]
    candles.accept([row(0), broken, row(2)], FAR)
    second = candles.accept([broken, row(2)], FAR)
    assert opens(second.items) == [2]
    assert gaps(second.items) == [(1, 2, "without a volume, which a bar must have")]


def test_a_malformed_candle_that_is_mended_is_told_as_it_is_now() -> None:
    candles = sequence()
    candles.accept([row(0), [START + 60_000, None, 1, 1, 1, 1], row(2)], FAR)
    items = candles.accept([row(1, 7.0), row(2)], FAR).items
    assert opens(items) == [1, 2]
    assert isinstance(items[0], Candle)
    assert items[0].close == 7.0


def test_a_malformed_candle_at_the_very_end_is_asked_for_again() -> None:
    batch = sequence().accept([row(0), [START + 60_000, None, 1, 1, 1, 1]], FAR)
    assert (opens(batch.items), batch.refetch) == ([0], True)


def test_two_candles_of_one_time_that_differ_are_both_doubted() -> None:
    candles = sequence(refetches=1)
    assert candles.accept([row(0), row(1, 1.0), row(1, 2.0), row(2)], FAR).refetch
    assert opens(candles.accept([row(1, 2.0), row(2)], FAR).items) == [1, 2]


def test_rows_that_have_no_time_are_passed_over() -> None:
    rows = [None, 5, [], [None, 1, 1, 1, 1, 1], ["x", 1, 1, 1, 1, 1], [True, 1, 1, 1, 1, 1], row(0)]
    assert opens(sequence().accept(rows, FAR).items) == [0]


def test_a_minute_that_begins_in_the_middle_of_a_minute_is_no_candle() -> None:
    assert opens(sequence().accept([row(0), [START + 90_000, 1, 1, 1, 1, 1], row(1)], FAR).items) == [0, 1]


def test_a_row_of_the_future_changes_nothing() -> None:
    candles = sequence()
    batch = candles.accept([row(0), row(10**6)], closed_by(0))
    assert (opens(batch.items), batch.caught_up) == ([0], True)


def test_days_begin_where_the_exchanges_day_does_and_not_with_a_gap() -> None:
    hong_kong = 8 * 3_600_000
    first = 19_600 * 86_400_000 - hong_kong
    candles = CandleSequence(DAY, first - 1_000_000, page=10)
    items = candles.accept([[first, 1, 1, 1, 1, 1], [first + 86_400_000, 1, 1, 1, 1, 1]], FAR).items
    assert [item.open_ms for item in items if isinstance(item, Candle)] == [first, first + 86_400_000]
    assert gaps(items) == []


def test_up_to_date_is_judged_by_the_time_of_the_exchange() -> None:
    candles = sequence()
    behind = candles.accept([row(0)], closed_by(5))
    assert not behind.caught_up
    assert sequence().accept([row(0)], closed_by(1) - 1).caught_up


def test_a_candle_that_should_be_there_and_is_not_is_overdue() -> None:
    candles = sequence()
    candles.accept([row(0)], closed_by(0))
    assert candles.accept([], closed_by(1)) == Batch(overdue=True)


def test_silence_longer_than_a_page_is_stepped_over_page_by_page() -> None:
    """Some exchanges answer for the time from `since` to a page later, and nothing else."""
    candles = sequence(page=10)
    candles.accept([row(0)], closed_by(40))
    asked = []
    while not (batch := candles.accept([], closed_by(40))).overdue:
        assert batch == Batch()
        asked.append((candles.since_ms - START) // 60_000)
    assert asked == [11, 21, 31]
    found = candles.accept([row(35)], closed_by(40))
    assert found.refetch
    assert candles.since_ms == START + 60_000


def exchange_page(rows: dict[int, list[Any]], since_ms: int, limit: int, window: bool) -> list[list[Any]]:
    """Answer like an exchange that counts candles, or like one that counts time."""
    until = since_ms + limit * 60_000 if window else FAR
    return [rows[time] for time in sorted(rows) if since_ms <= time < until][:limit]


@given(data=st.data())
def test_whatever_is_served_in_whatever_pages_is_told_once_and_in_order(data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, 120), unique=True, max_size=60), label="candles")
    prices = {START + number * 60_000: row(number, 1.0 + number) for number in numbers}
    page = data.draw(st.integers(1, 20), label="page")
    window = data.draw(st.booleans(), label="window")
    candles = CandleSequence(MINUTE, START, page=page, refetches=1)
    told: list[Candle | Gap] = []
    now = closed_by(120)
    for _ in range(2000):
        rows = exchange_page(prices, candles.since_ms, page, window)
        noise = data.draw(st.sampled_from(["none", "shuffled", "repeated", "late"]), label="noise")
        if noise == "shuffled":
            rows = data.draw(st.permutations(rows))
        elif noise == "repeated":
            rows = rows + rows[:3]
        elif noise == "late":
            rows = [*rows, row(121), row(122)]
        batch = candles.accept(rows, now)
        told += batch.items
        if batch.caught_up or batch.overdue:
            break
    else:
        pytest.fail("the sequence never came to its end")
    assert opens(told) == sorted(numbers)
    for item in told:
        if isinstance(item, Candle):
            assert item.close == prices[item.open_ms][4]
    times = [time for item in told for time in _covered(item)]
    assert times == sorted(set(times))
    last = max(numbers, default=-1)
    assert [(time - START) // 60_000 for time in times] == list(range(last + 1))


def _covered(item: Candle | Gap) -> range:
    if isinstance(item, Candle):
        return range(item.open_ms, item.close_ms, 60_000)
    return range(item.from_ms, item.to_ms, 60_000)


@given(
    broken=st.sets(st.integers(0, 29), max_size=12),
    mended_at=st.integers(1, 4),
    refetches=st.integers(0, 3),
)
def test_a_malformed_candle_is_told_exactly_if_it_is_mended_in_time(
    broken: set[int], mended_at: int, refetches: int
) -> None:
    candles = CandleSequence(MINUTE, START, page=100, refetches=refetches)
    told: list[Candle | Gap] = []
    for asked in range(10):
        rows = [row(number) for number in range(30)]
        if asked < mended_at:
            for number in broken:
                rows[number][3] = None
        batch = candles.accept(rows, closed_by(29))
        told += batch.items
        if batch.caught_up:
            break
    expected = set(range(30)) if mended_at <= refetches else set(range(30)) - broken
    assert opens(told) == sorted(expected)
    assert sorted(number for gap in gaps(told) for number in range(gap[0], gap[1])) == sorted(
        set(range(30)) - expected
    )
    assert {gap[2] for gap in gaps(told)} <= {GapReason.MALFORMED}
