"""Trades that sockets drop, repeat and mix up, against a REST interface that knows them: each once, in order."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard_ccxt.trade_line import TradeLine

BEGAN = 1_000


def trade(number: int, *, identifier: Any = None) -> dict[str, Any]:
    return {
        "id": str(number) if identifier is None else identifier,
        "timestamp": BEGAN + 10 * (number // 3),  # several in one millisecond
        "price": 1.0 + number % 5,
        "amount": 0.5 + number % 7,
        "side": "buy",
    }


def line_after(*numbers: int) -> TradeLine:
    line = TradeLine(BEGAN)
    line.deliver([trade(number) for number in numbers])
    return line


def numbers_of(trades: list[Any]) -> list[int]:
    return [int(one["id"]) for one in trades]


def dense_line() -> TradeLine:
    return line_after(*range(1, 30))


def test_a_repeated_trade_is_not_new() -> None:
    line = line_after(1, 2)
    assert numbers_of(line.sift([trade(2), trade(3), trade(3)]).fresh) == [3]


def test_what_was_sifted_is_not_delivered_yet() -> None:
    line = line_after(1)
    line.sift([trade(2)])
    assert numbers_of(line.sift([trade(2)]).fresh) == [2]


def test_a_hole_is_suspect_once_ids_are_known_to_have_none() -> None:
    assert not line_after(1, 2).sift([trade(4)]).suspect
    assert dense_line().sift([trade(31)]).suspect
    assert not dense_line().sift([trade(30)]).suspect


def test_ids_with_holes_are_never_suspect() -> None:
    line = line_after(*range(1, 100, 2))
    assert not line.sift([trade(500)]).suspect


def test_missed_trades_come_before_newer_ones() -> None:
    mended = line_after(1, 2).mend([trade(n) for n in (2, 3, 4, 5)], [trade(5), trade(6)])
    assert numbers_of(mended.fresh) == [3, 4, 5, 6]
    assert (mended.healed, mended.whole) == (2, True)


def test_trades_from_before_the_first_one_are_no_news() -> None:
    assert numbers_of(line_after(7, 8).mend([trade(n) for n in range(1, 10)], []).fresh) == [9]


def test_before_the_first_trade_what_happened_since_the_beginning_is_news() -> None:
    old = {**trade(1), "timestamp": BEGAN - 1}
    assert numbers_of(TradeLine(BEGAN).mend([old, trade(2)], [trade(3)]).fresh) == [2, 3]


def test_a_rest_that_begins_too_late_leaves_a_gap_and_says_so() -> None:
    mended = line_after(1, 2).mend([trade(n) for n in (30, 31)], [trade(32)])
    assert numbers_of(mended.fresh) == [30, 31, 32]
    assert not mended.whole


def test_a_hole_that_rest_cannot_fill_is_no_whole() -> None:
    mended = dense_line().mend([], [trade(35)])
    assert numbers_of(mended.fresh) == [35]
    assert not mended.whole


def test_holes_that_rest_denies_again_and_again_are_believed() -> None:
    line = dense_line()
    verdicts = []
    for number in (31, 33, 35, 37):
        read = [trade(n) for n in (number - 2, number)]
        verdicts.append(line.mend(read, [trade(number)]).whole)
    assert verdicts == [False, False, True, True]
    assert not line.sift([trade(40)]).suspect


def test_nothing_new_is_whole() -> None:
    assert line_after(1).mend([trade(1)], []) == ([], 0, True)


def test_trades_without_ids_are_told_by_what_they_are() -> None:
    twins = [{**trade(1), "id": None}, {**trade(2), "id": None}]
    line = TradeLine(BEGAN)
    line.deliver(twins)
    assert line.sift([twins[1], {**trade(9), "id": None}]).fresh == [{**trade(9), "id": None}]


def test_other_ids_on_rest_do_not_double_a_trade() -> None:
    line = line_after(1, 2, 3)
    read = [trade(number, identifier=f"agg{number}") for number in (2, 3, 4, 5)]
    mended = line.mend(read, [])
    assert [one["id"] for one in mended.fresh] == ["agg4", "agg5"]
    assert mended.whole
    assert numbers_of(line.sift([trade(5), trade(6)]).fresh) == [6]  # the socket tells one of them late


def test_a_whole_cache_is_returned_with_the_healed_ones_in_it() -> None:
    line = line_after(1, 2)
    line.mend([trade(n) for n in (2, 3, 4)], [trade(5)])
    assert numbers_of(line.complete([trade(1), trade(2), trade(5), trade(5)])) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("may_be_dense", [True, False])
@given(seed=st.integers(0, 2**32), total=st.integers(1, 200), loss=st.floats(0.0, 0.6))
def test_each_trade_is_delivered_once_and_in_order(
    may_be_dense: bool, seed: int, total: int, loss: float
) -> None:
    """A socket loses, repeats and reorders; after each outage, and wherever it is suspect, REST is read."""
    rng = random.Random(seed)
    line = TradeLine(BEGAN, may_be_dense=may_be_dense)
    exchange = [trade(number) for number in range(1, total + 1)]
    line.deliver(exchange[:1])
    delivered = exchange[:1]
    at = 1
    while at < total:
        reach = min(total, at + rng.randint(1, 12))
        told = [one for one in exchange[at:reach] if rng.random() >= loss]
        if len(told) > 1 and rng.random() < 0.3:
            told[0], told[1] = told[1], told[0]
        told += rng.sample(exchange[:reach], k=min(reach, rng.randint(0, 3)))  # once more
        missing = {one["id"] for one in exchange[:reach]} - {one["id"] for one in [*delivered, *told]}
        sifted = line.sift(told)
        if sifted.suspect or missing:  # an outage, of which the socket itself tells
            since = line.since_ms - rng.choice((0, 20))
            read = [one for one in exchange[:reach] if one["timestamp"] >= since]
            mended = line.mend(read, sifted.fresh)
            assert mended.whole
            delivered = delivered + mended.fresh
        else:
            line.deliver(sifted.fresh)
            delivered = delivered + sifted.fresh
        at = reach
    assert numbers_of(delivered) == list(range(1, total + 1))
