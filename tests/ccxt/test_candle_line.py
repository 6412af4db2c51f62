"""Candles that sockets drop, repeat and mix up: none missing, none doubled, the closed ones final."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from tradeguard_ccxt.candle_line import CandleLine

STEP = 60_000


def candle(number: int, volume: float = 10.0) -> list[float]:
    return [number * STEP, 1.0, 2.0, 0.5, 1.0 + volume / 100, volume]


def line_after(*candles: list[float]) -> CandleLine:
    line = CandleLine(STEP)
    line.deliver(candles)
    return line


def test_a_candle_that_has_grown_is_news_and_a_repeated_one_is_not() -> None:
    line = line_after(candle(1, 3.0))
    assert line.sift([candle(1, 3.0)]).fresh == []
    assert line.sift([candle(1, 4.0)]).fresh == [candle(1, 4.0)]


def test_a_candle_never_goes_back() -> None:
    line = line_after(candle(2, 5.0))
    assert line.sift([candle(2, 4.0), candle(1)]).fresh == []


def test_a_leap_is_suspect() -> None:
    assert line_after(candle(1)).sift([candle(3)]).suspect
    assert not line_after(candle(1)).sift([candle(2)]).suspect


def test_the_last_candle_is_completed_and_the_missing_ones_follow() -> None:
    read = [candle(1, 9.0), candle(2), candle(3), candle(4, 1.0)]
    mended = line_after(candle(1, 3.0)).mend(read, [candle(4, 2.0)])
    assert mended.fresh == [candle(1, 9.0), candle(2), candle(3), candle(4, 2.0)]
    assert (mended.healed, mended.whole) == (3, True)


def test_rest_is_believed_where_it_is_ahead() -> None:
    mended = line_after(candle(1)).mend([candle(1), candle(2, 7.0)], [candle(2, 2.0)])
    assert mended.fresh == [candle(2, 7.0)]


def test_a_rest_that_begins_too_late_leaves_a_gap_and_says_so() -> None:
    assert not line_after(candle(1)).mend([candle(5)], [candle(6)]).whole


def test_a_market_without_trades_has_no_gap() -> None:
    assert line_after(candle(1)).mend([candle(1), candle(4)], [candle(4)]).whole


def test_before_the_first_candle_only_the_newest_is_delivered() -> None:
    assert CandleLine(STEP).mend([candle(1), candle(2)], []).fresh == [candle(2)]
    assert CandleLine(STEP).mend([candle(1), candle(2)], [candle(2)]).fresh == [candle(2)]


def test_what_ccxt_changes_in_place_later_changes_nothing_here() -> None:
    kept = candle(1, 3.0)
    line = line_after(kept)
    kept[5] = 4.0
    assert line.sift([kept]).fresh == [kept]


def test_a_whole_cache_is_returned_with_the_healed_ones_in_it() -> None:
    line = line_after(candle(1, 3.0))
    line.mend([candle(1, 9.0), candle(2), candle(3)], [])
    assert line.complete([candle(1, 3.0), candle(4)]) == [candle(1, 9.0), candle(2), candle(3), candle(4)]


@given(seed=st.integers(0, 2**32), total=st.integers(2, 60))
def test_each_candle_ends_as_the_exchange_has_it(seed: int, total: int) -> None:
    rng = random.Random(seed)
    line = CandleLine(STEP)
    heard: list[list[float]] = []
    is_up = True
    for number in range(1, total + 1):
        for volume in (1.0, 2.0, 10.0):
            wants_rest = not is_up
            is_up = rng.random() < 0.7
            if not is_up:
                continue
            live = [candle(number, volume)] * rng.randint(1, 2)
            sifted = line.sift(live)
            if wants_rest or sifted.suspect:
                since = line.since_ms or 0
                read = [candle(n) for n in range(1, number) if n * STEP >= since] + live[:1]
                fresh = line.mend(read, sifted.fresh).fresh
            else:
                fresh = sifted.fresh
                line.deliver(fresh)
            heard = heard + [list(one) for one in fresh]
    opens = list(dict.fromkeys(int(one[0]) // STEP for one in heard))
    assert opens == list(range(opens[0], opens[-1] + 1)) if opens else True
    last = {one[0]: one for one in heard}
    assert all(last[number * STEP] == candle(number) for number in opens[:-1])
    assert all(one[0] <= other[0] for one, other in itertools.pairwise(heard))
