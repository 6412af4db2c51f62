"""The system's clock is time's own, and sleeping for no time returns at once."""

from __future__ import annotations

import time

from tradeguard.clock import SYSTEM_CLOCK, Clock, SystemClock


def test_the_system_clock_reads_the_machine() -> None:
    before = time.monotonic(), time.time()
    now = SYSTEM_CLOCK.monotonic(), SYSTEM_CLOCK.time()
    after = time.monotonic(), time.time()
    assert all(first <= second <= third for first, second, third in zip(before, now, after, strict=True))


def test_the_system_clock_is_a_clock_and_says_so() -> None:
    assert isinstance(SYSTEM_CLOCK, Clock)
    assert repr(SystemClock()) == "SystemClock()"


def test_a_sleep_lasts_at_least_what_was_asked() -> None:
    start = time.monotonic()
    SYSTEM_CLOCK.sleep(0.001)
    assert time.monotonic() - start >= 0.001


async def test_an_asynchronous_sleep_lasts_at_least_what_was_asked() -> None:
    start = time.monotonic()
    await SYSTEM_CLOCK.sleep_async(0.002)
    assert time.monotonic() - start >= 0.001


async def test_a_sleep_of_nothing_or_less_returns_at_once() -> None:
    start = time.monotonic()
    SYSTEM_CLOCK.sleep(0.0)
    SYSTEM_CLOCK.sleep(-60.0)
    await SYSTEM_CLOCK.sleep_async(-60.0)
    assert time.monotonic() - start < 30.0
