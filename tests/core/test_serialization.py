"""Whatever an error carries, JSON takes it, secrets masked, and nothing is raised on the way."""

from __future__ import annotations

import json
import math
import time as system_time
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.serialization import _DEEPEST, text_of, to_jsonable, utc_text


class Side(Enum):
    BUY = "buy"


class Level(IntEnum):
    HIGH = 3


class Text(str):
    __slots__ = ()


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Unreadable(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no items")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (10**30, 10**30),
        (1.5, 1.5),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        ("text", "text"),
        (Text("text"), "text"),
        (Level.HIGH, 3),
        (Side.BUY, "buy"),
        (Decimal("0.10"), "0.10"),
        (b"bytes \xff", "bytes \ufffd"),
        (bytearray(b"secret=abc"), "secret=***"),
        (datetime(2024, 1, 1, 13, tzinfo=timezone(timedelta(hours=1))), "2024-01-01T12:00:00Z"),
        (datetime(2024, 1, 1, 12), "2024-01-01T12:00:00"),
        (date(2024, 1, 1), "2024-01-01"),
        (time(12, 30), "12:30:00"),
        (timedelta(minutes=1), 60.0),
        ((1, [2]), [1, [2]]),
        ({"b", "a"}, ["a", "b"]),
        (frozenset({1}), [1]),
        ({1: "x", Side.BUY: 2}, {"1": "x", "Side.BUY": 2}),
        (ValueError("apiKey=abc"), "ValueError: apiKey=***"),
        (Unprintable(), "<unprintable Unprintable: RuntimeError>"),
        (Unreadable(), "<unreadable Unreadable: RuntimeError>"),
        ({"secret": 1, "token": "", "password": None}, {"secret": "***", "token": "", "password": None}),
    ],
)
def test_every_kind_of_value_has_its_form(value: object, expected: object) -> None:
    assert to_jsonable(value) == expected
    assert json.loads(json.dumps(to_jsonable(value), allow_nan=False)) == expected


def test_an_int_of_its_own_class_becomes_a_plain_one() -> None:
    class Count(int):
        pass

    assert type(to_jsonable(Count(3))) is int


def test_circular_and_deep_values_end() -> None:
    circular: list[object] = []
    circular.append(circular)
    assert to_jsonable(circular) == ["<circular>"]
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    assert "<nested too deeply>" in json.dumps(to_jsonable(deep))


def test_the_same_value_twice_is_not_circular() -> None:
    twice = [1]
    assert to_jsonable([twice, twice]) == [[1], [1]]


def test_long_texts_of_objects_are_cut() -> None:
    assert len(text_of(Decimal("1" * 5000))) == 2001


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.binary()
        | st.decimals()
        | st.datetimes(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=10,
    )
)
def test_json_takes_whatever_comes_out(value: object) -> None:
    form = to_jsonable(value)
    assert json.loads(json.dumps(form, allow_nan=False)) == form


@pytest.mark.parametrize("moment", [1704110400.9, datetime(2024, 1, 1, 12, tzinfo=UTC)])
def test_a_moment_is_written_to_the_second_in_utc(moment: datetime | float) -> None:
    assert utc_text(moment) == "2024-01-01T12:00:00Z"


def test_a_text_of_just_the_longest_length_is_whole() -> None:
    assert text_of("x" * 2000) == "x" * 2000
    assert text_of("x" * 2001) == "x" * 2000 + "…"


def test_times_are_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    system_time.tzset()
    try:
        assert utc_text(0.0) == "1970-01-01T00:00:00Z"
        assert to_jsonable(datetime(2024, 1, 1, 12, tzinfo=UTC)) == "2024-01-01T12:00:00Z"
        assert (
            utc_text(datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))) == "2024-01-01T10:00:00Z"
        )
    finally:
        monkeypatch.undo()
        system_time.tzset()


def test_a_set_is_a_list_in_the_order_of_its_texts() -> None:
    assert to_jsonable({9, 10, 100, "a"}) == [10, 100, 9, "a"]
    assert to_jsonable([9, 10, 1]) == [9, 10, 1]


def test_what_is_nested_too_deeply_ends_in_a_word_that_says_so() -> None:
    nested: list[Any] = []
    for _ in range(_DEEPEST):
        nested = [nested]
    told = to_jsonable(nested)
    for _ in range(_DEEPEST):
        [told] = told
    assert told == "<nested too deeply>"
