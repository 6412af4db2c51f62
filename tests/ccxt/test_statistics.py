"""Tally: named counters that many threads begin and raise at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from tradeguard_ccxt.statistics import Tally


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_switching")
def test_no_count_is_lost_of_names_that_many_threads_begin_at_once() -> None:
    tally, threads, names = Tally(), 8, [f"name {number}" for number in range(500)]
    start = threading.Barrier(threads)

    def count() -> None:
        for name in names:
            start.wait()
            tally.add(name)

    pool = [threading.Thread(target=count) for _ in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    assert tally.read(*names) == dict.fromkeys(names, threads)


def test_what_was_never_counted_is_zero_and_reading_counts_nothing() -> None:
    tally = Tally()
    tally.add("calls")
    assert [tally.read("calls", "retries") for _ in range(2)] == [{"calls": 1, "retries": 0}] * 2
