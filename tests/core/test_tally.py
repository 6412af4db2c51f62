"""Tally: exact under any number of threads, without a lock."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from tradeguard.tally import Tally


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_it_counts_increments_and_not_readings() -> None:
    tally = Tally()
    assert [tally.value(), tally.value()] == [0, 0]
    tally.increment()
    tally.increment()
    assert [tally.value(), tally.value()] == [2, 2]
    assert repr(tally) == "Tally(2)"


@pytest.mark.usefixtures("eager_switching")
def test_no_increment_of_many_threads_is_lost_while_others_read() -> None:
    tally = Tally()
    start = threading.Barrier(9)
    readings: list[int] = []

    def increment() -> None:
        start.wait()
        for _ in range(5_000):
            tally.increment()

    def read() -> None:
        start.wait()
        readings.extend(tally.value() for _ in range(500))

    threads = [threading.Thread(target=increment) for _ in range(8)] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tally.value() == 40_000
    assert readings == sorted(readings)
