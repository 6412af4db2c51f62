"""What users test with: a clock that moves when told, calls that fail as told, guards that never sleep."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from tradeguard import (
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    ErrorMonitor,
    RetryConfig,
    ValidationException,
)
from tradeguard.clock import Clock
from tradeguard.testing import ManualClock, ScriptedCall, instant_guard

pytest_plugins = ["pytester"]


def test_a_manual_clock_stands_still_until_advanced() -> None:
    clock = ManualClock(5.0, epoch=100.0)
    assert (clock.monotonic(), clock.time()) == (5.0, 100.0)
    clock.advance(2.5)
    assert (clock.monotonic(), clock.time()) == (7.5, 102.5)
    assert isinstance(clock, Clock)
    assert repr(clock) == "ManualClock(monotonic=7.5, time=102.5)"


def test_sleeping_advances_the_clock_at_once_and_is_noted() -> None:
    clock = ManualClock()
    start = time.monotonic()
    clock.sleep(3600.0)
    clock.sleep(-1.0)
    assert time.monotonic() - start < 60.0
    assert clock.monotonic() == 3600.0
    assert clock.sleeps == [3600.0, -1.0]


async def test_an_asynchronous_sleep_lets_other_tasks_run() -> None:
    clock = ManualClock()
    seen: list[float] = []

    async def other() -> None:
        seen.append(clock.monotonic())

    task = asyncio.create_task(other())
    await clock.sleep_async(60.0)
    assert seen == [60.0]
    await task


def test_the_wall_clock_may_jump_while_no_time_passes() -> None:
    clock = ManualClock()
    clock.set_time(50.0)
    assert (clock.monotonic(), clock.time()) == (0.0, 50.0)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_time_cannot_go_back_or_nowhere(seconds: float) -> None:
    with pytest.raises(ValidationException, match="seconds must be finite and >= 0"):
        ManualClock().advance(seconds)


def test_threads_lose_no_advance() -> None:
    clock, barrier = ManualClock(), threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        for _ in range(500):
            clock.sleep(1.0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() == len(clock.sleeps) == 2000


def test_a_scripted_call_raises_and_returns_in_turn_and_repeats_the_last() -> None:
    call = ScriptedCall(ValueError("one"), KeyError, {"price": 1.0}, int)
    with pytest.raises(ValueError, match="one"):
        call(1, symbol="ETH/BTC")
    with pytest.raises(KeyError):
        call()
    assert (call(), call(), call()) == ({"price": 1.0}, int, int)
    assert call.calls[0] == ((1,), {"symbol": "ETH/BTC"})
    assert len(call.calls) == 5


def test_a_scripted_call_needs_an_outcome() -> None:
    with pytest.raises(ValidationException, match="must not be empty"):
        ScriptedCall()


def test_an_instant_guard_retries_without_sleeping() -> None:
    clock = ManualClock()
    guard = instant_guard(clock=clock, retry=RetryConfig(max_attempts=3, base_delay=600.0, max_delay=6000.0))
    assert guard.call(ScriptedCall(OSError(), OSError(), "fine")) == "fine"
    assert clock.sleeps == [600.0, 1200.0]


def test_an_instant_guard_takes_the_parts_of_a_guard() -> None:
    clock, monitor = ManualClock(), ErrorMonitor()
    guard = instant_guard(
        "api",
        clock=clock,
        retry=RetryConfig(max_attempts=1),
        breaker=CircuitBreakerConfig(failure_threshold=1, recovery_timeout=30),
        fallback=ScriptedCall("cached"),
        monitor=monitor,
    )
    assert guard.call(ScriptedCall(OSError())) == "cached"
    assert monitor.get_error_statistics()["by_component"] == {"api": 1}
    bare = instant_guard(breaker=CircuitBreakerConfig(failure_threshold=1))
    with pytest.raises(OSError, match="down"):
        bare.call(ScriptedCall(OSError("down")))
    with pytest.raises(CircuitBreakerOpenError):
        bare.call(ScriptedCall("fine"))


def test_the_fixture_gives_every_test_a_clock_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_one(manual_clock):
            manual_clock.sleep(10)
            assert manual_clock.monotonic() == 10

        def test_two(manual_clock):
            assert manual_clock.monotonic() == 0
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio")
    assert result.parseoutcomes() == {"passed": 2}


def test_the_fixture_runs_an_exchange_as_marked_and_on_the_tests_own_clock(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import urllib.request
        import pytest

        kept = []

        @pytest.mark.simulated_exchange(seed=3)
        def test_marked(simulated_exchange, manual_clock):
            assert simulated_exchange.seed == 3
            manual_clock.set_time(1_600_000_000.0)
            assert simulated_exchange.time_ms() == 1_600_000_000_000
            urllib.request.urlopen(simulated_exchange.url + "/api/v3/ping").close()
            kept.append(simulated_exchange.url)

        def test_unmarked(simulated_exchange):
            assert simulated_exchange.seed == 0
            assert simulated_exchange.time_ms() > 1_700_000_000_000  # the system's clock
            assert simulated_exchange.url not in kept
            with pytest.raises(OSError):
                urllib.request.urlopen(kept[0] + "/api/v3/ping")
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio", "--strict-markers")
    assert result.parseoutcomes() == {"passed": 2}
