"""Errors that differ only in numbers and ids are one; secrets are in none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.fingerprints import FingerprintBook, fingerprint, most_common


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 12345 not found", "order 6 not found"),
        ("at 0xdeadbeef01", "at 0x1"),
        ("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301 gone", "id 00000000-0000-0000-0000-000000000000 gone"),
        ("after 1.5 s", "after 30 s"),
        ("at 12:30:01 in ETH/BTC", "at 09:00:00 in ETH/BTC"),
    ],
)
def test_numbers_ids_and_times_make_no_difference(one: str, other: str) -> None:
    assert fingerprint("NetworkException", one) == fingerprint("NetworkException", other)


def test_type_and_words_make_a_difference() -> None:
    assert fingerprint("A", "down") != fingerprint("B", "down")
    assert fingerprint("A", "ETH/BTC down") != fingerprint("A", "XRP/BTC down")


def test_a_fingerprint_is_readable_short_and_without_secrets() -> None:
    assert fingerprint("A", "HTTP 503 after 2 tries, apiKey=abc") == "A: HTTP # after # tries, apiKey=***"
    assert len(fingerprint("A", "x" * 10_000)) == 203


def test_beyond_the_capacity_errors_share_one_entry() -> None:
    book = FingerprintBook(2)
    for word in ("alpha", "beta", "gamma", "delta"):
        book.add("A", word, 1.0)
    assert sorted((row[0], row[2]) for row in book.copy()) == [
        ("(other)", 2),
        ("A: alpha", 1),
        ("A: beta", 1),
    ]


def test_first_and_last_sight_are_kept() -> None:
    book = FingerprintBook(5)
    book.add("A", "order 1 lost", 1704110400.0)
    book.add("A", "order 22 lost", 1704110460.0)
    assert most_common(book.copy(), 5) == [
        {
            "fingerprint": "A: order # lost",
            "error_type": "A",
            "count": 2,
            "first_seen": "2024-01-01T12:00:00Z",
            "last_seen": "2024-01-01T12:01:00Z",
        }
    ]


@given(st.lists(st.text("ab1\ud800", max_size=4)))
def test_the_counts_equal_a_recount_however_the_memory_of_texts_turns_over(messages: list[str]) -> None:
    book = FingerprintBook(3)
    expected: dict[str, int] = {}
    for message in messages:
        book.add("A", message, 0.0)
        key = fingerprint("A", message)
        key = key if key in expected or len(expected.keys() - {"(other)"}) < 3 else "(other)"
        expected[key] = expected.get(key, 0) + 1
    assert {row[0]: row[2] for row in book.copy()} == expected


def test_the_most_common_come_first_and_only_so_many() -> None:
    book = FingerprintBook(5)
    for message, times in (("b", 1), ("a", 1), ("c", 3)):
        for _ in range(times):
            book.add("E", message, 0.0)
    assert [row["fingerprint"] for row in most_common(book.copy(), 2)] == ["E: c", "E: a"]
