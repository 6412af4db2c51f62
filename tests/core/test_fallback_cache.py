"""FallbackCache: last known good values, their true age, and nobody's later changes."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.exceptions import ConfigurationException, ValidationException
from tradeguard.fallback_cache import CachedValue, FallbackCache
from tradeguard.testing import ManualClock


@pytest.fixture
def cache(manual: ManualClock) -> FallbackCache:
    return FallbackCache(max_entries=3, clock=manual)


def test_a_value_comes_back_with_its_age_and_when_it_was_taken(
    cache: FallbackCache, manual: ManualClock
) -> None:
    cache.put("price", 0.05)
    manual.advance(7.0)

    assert cache.get("price", 10.0) == CachedValue(value=0.05, age=7.0, cached_at=1_700_000_000.0)


def test_a_value_as_old_as_allowed_is_served_and_an_older_one_is_not(
    cache: FallbackCache, manual: ManualClock
) -> None:
    cache.put("price", 0.05)
    manual.advance(10.0)
    assert cache.get("price", 10.0) is not None
    manual.advance(0.001)
    assert cache.get("price", 10.0) is None
    assert cache.get("price", float("inf")) is not None


def test_none_is_a_value_and_a_missing_one_is_none(cache: FallbackCache) -> None:
    cache.put("nothing", None)
    found = cache.get("nothing", 0)
    assert found is not None
    assert found.value is None
    assert cache.get("missing", 1e9) is None


def test_a_jump_of_the_wall_clock_changes_no_age(cache: FallbackCache, manual: ManualClock) -> None:
    cache.put("price", 0.05)
    manual.set_time(9e9)
    found = cache.get("price", 1.0)
    assert found is not None
    assert found.age == 0.0


class Unpicklable:
    """It can be copied, though not by pickle."""

    def __init__(self, items: list[int]) -> None:
        self.items = items
        self.function = lambda: None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unpicklable) and self.items == other.items

    def __hash__(self) -> int:
        return 0


@pytest.mark.parametrize("make", [lambda items: {"items": items}, Unpicklable], ids=["pickled", "copied"])
def test_nobodys_change_reaches_the_cache(cache: FallbackCache, make: Any) -> None:
    items = [1, 2]
    cache.put("key", make(items))
    items.append(3)
    first = cache.get("key", 0)
    assert first is not None
    taken = first.value.items if isinstance(first.value, Unpicklable) else first.value["items"]
    taken.append(4)

    second = cache.get("key", 0)
    assert second is not None
    assert second.value == make([1, 2])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_whatever_an_exchange_answers_comes_back_equal_and_of_the_same_types(value: Any) -> None:
    cache = FallbackCache()
    cache.put("key", value)
    found = cache.get("key", 1e9)
    assert found is not None
    assert repr(found.value) == repr(value)


def test_what_cannot_be_copied_is_refused_and_the_last_good_value_stays(cache: FallbackCache) -> None:
    cache.put("key", "good")
    with pytest.raises(ValidationException, match="a lock cannot be copied"):
        cache.put("key", threading.Lock())
    found = cache.get("key", 1e9)
    assert found is not None
    assert found.value == "good"


def test_the_least_recently_used_entry_goes_first(cache: FallbackCache) -> None:
    for key in "abc":
        cache.put(key, key)
    cache.get("a", 1e9)
    cache.put("b", "b again")
    cache.put("d", "d")

    assert [key for key in "abcd" if cache.get(key, 1e9)] == ["a", "b", "d"]
    assert (len(cache), repr(cache)) == (3, "FallbackCache(3 of 3 entries)")


def test_a_value_that_was_old_already_is_so_in_the_cache_and_replaces_no_younger_one(
    cache: FallbackCache, manual: ManualClock
) -> None:
    cache.put("price", "stored", age=100.0)
    assert cache.get("price", 99.0) is None
    assert cache.get("price", 100.0) == CachedValue("stored", 100.0, 1_699_999_900.0)

    cache.put("price", "live")
    manual.advance(5.0)
    cache.put("price", "stored", age=6.0)
    assert cache.get("price", 10.0) == CachedValue("live", 5.0, 1_700_000_000.0)


def test_of_two_values_of_one_moment_the_later_put_counts(cache: FallbackCache) -> None:
    cache.put("price", "first")
    cache.put("price", "second")
    found = cache.get("price", 0)
    assert found is not None
    assert found.value == "second"


def test_values_can_be_forgotten(cache: FallbackCache) -> None:
    for key in "abc":
        cache.put(key, key)
    cache.discard("a")
    cache.discard("missing")
    assert len(cache) == 2
    cache.clear()
    assert len(cache) == 0


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda cache: FallbackCache(max_entries=0), "max_entries"),
        (lambda cache: cache.put("key", 1, age=-1), "age"),
        (lambda cache: cache.get("key", -1), "max_age"),
        (lambda cache: cache.get("key", None), "max_age"),
        (lambda cache: cache.get("key", float("nan")), "max_age"),
    ],
)
def test_a_bad_argument_is_named(cache: FallbackCache, call: Any, field: str) -> None:
    with pytest.raises(ConfigurationException, match=f"^{field} must be"):
        call(cache)


def test_many_threads_may_use_it_at_once(manual: ManualClock) -> None:
    cache = FallbackCache(max_entries=8, clock=manual)
    start = threading.Barrier(8)
    wrong: list[object] = []

    def work(number: int) -> None:
        start.wait()
        for step in range(200):
            key = (number + step) % 12
            cache.put(key, [key] * 3)
            found = cache.get((key + 1) % 12, 1e9)
            if found is not None and found.value != [(key + 1) % 12] * 3:
                wrong.append(copy.copy(found))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert len(cache) == 8
