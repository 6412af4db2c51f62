"""What the monitor is told of a guarded call: every failed attempt, every rescue, and no more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from retry_cases import Flaky, always_failing, as_coroutine

from tradeguard.circuit_breaker import CircuitBreakerConfig, CircuitBreakerOpenError
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.guard import Guard
from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord
from tradeguard.retry_manager import RetryConfig
from tradeguard.testing import ManualClock

Run = Callable[..., Any]


def plain(guard: Guard, func: Any, /, *args: Any) -> Any:
    return guard.call(func, *args)


def awaited(guard: Guard, func: Any, /, *args: Any) -> Any:
    return asyncio.run(guard.call_async(as_coroutine(func), *args))


@pytest.fixture(params=[plain, awaited], ids=["plain", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Both ways of calling; the monitor hears the same of both."""
    return request.param


class Story(list[Any]):
    """Everything that a monitor recorded, in order."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.monitor = ErrorMonitor(clock=clock)
        self.monitor.add_listener(self.append)

    def told(self) -> list[object]:
        return [self.line(record) for record in self]

    @staticmethod
    def line(record: object) -> tuple[object, ...]:
        match record:
            case ErrorRecord():
                return (str(record.severity), record.message, record.context["attempt"], record.rescued)
            case RescueRecord():
                return ("rescue", record.kind, record.detail["attempts"])
            case TransitionRecord():
                return ("circuit", record.new_state)
        return ()


@pytest.fixture
def story(manual: ManualClock) -> Story:
    return Story(manual)


def guarding(manual: ManualClock, story: Story, **layers: Any) -> Guard:
    return Guard("api", clock=manual, monitor=story.monitor, **layers)


def test_a_call_that_succeeds_is_not_worth_a_word(manual: ManualClock, story: Story, run: Run) -> None:
    run(guarding(manual, story, retry=RetryConfig(), breaker=CircuitBreakerConfig()), Flaky())
    assert story == []


def test_nor_is_one_that_had_to_be_watched(manual: ManualClock, story: Story, run: Run) -> None:
    run(guarding(manual, story, retry=RetryConfig(), timeout=10.0), Flaky())
    assert story == []


def test_a_failure_that_reaches_the_caller_is_an_error(manual: ManualClock, story: Story, run: Run) -> None:
    with pytest.raises(ConnectionError):
        run(guarding(manual, story), always_failing())

    assert story.told() == [("ERROR", "down", 1, False)]
    assert story[0].component == "api"
    assert story[0].operation.endswith(("Flaky", "coroutine"))


def test_retried_failures_are_warnings_and_their_success_a_rescue(
    manual: ManualClock, story: Story, run: Run
) -> None:
    run(guarding(manual, story, retry=RetryConfig()), Flaky(ConnectionError("a"), ConnectionError("b")))

    assert story.told() == [("WARNING", "a", 1, True), ("WARNING", "b", 2, True), ("rescue", "retry", 3)]
    assert [record.context.get("retry_in") for record in story[:2]] == [1.0, 2.0]
    rescue = story[2]
    assert (rescue.component, rescue.detail) == ("api", {"attempts": 3, "rejections": 0})
    assert rescue.operation == story[0].operation != ""


def test_when_retries_run_out_the_last_failure_alone_is_an_error(
    manual: ManualClock, story: Story, run: Run
) -> None:
    with pytest.raises(ConnectionError):
        run(guarding(manual, story, retry=RetryConfig(max_attempts=2)), always_failing())

    assert story.told() == [("WARNING", "down", 1, True), ("ERROR", "down", 2, False)]


def test_a_failure_that_a_fallback_rescued_is_a_warning(manual: ManualClock, story: Story, run: Run) -> None:
    guard = guarding(manual, story, retry=RetryConfig(max_attempts=2), fallback=lambda: "cached")
    assert run(guard, always_failing()) == "cached"

    assert story.told() == [
        ("WARNING", "down", 1, True),
        ("WARNING", "down", 2, True),
        ("rescue", "fallback", 2),
    ]
    assert story.monitor.get_error_statistics()["rescues"] == {"fallback": 1}


def test_when_the_fallback_fails_both_are_errors(manual: ManualClock, story: Story, run: Run) -> None:
    guard = guarding(manual, story, fallback=always_failing(LookupError("nothing cached")))
    with pytest.raises(LookupError):
        run(guard, always_failing())

    assert story.told() == [("ERROR", "nothing cached", 1, False), ("ERROR", "down", 1, False)]


def test_changes_of_the_circuit_are_told_and_rejections_are_no_failures(
    manual: ManualClock, story: Story, run: Run
) -> None:
    guard = guarding(manual, story, breaker=CircuitBreakerConfig(failure_threshold=1))
    with pytest.raises(ConnectionError):
        run(guard, always_failing())
    with pytest.raises(CircuitBreakerOpenError):
        run(guard, always_failing())

    assert story.told() == [("circuit", "open"), ("ERROR", "down", 1, False)]
    assert guard.statistics.rejections == 1


def test_a_rejection_that_a_fallback_served_is_a_rescue(manual: ManualClock, story: Story, run: Run) -> None:
    guard = guarding(manual, story, breaker=CircuitBreakerConfig(), fallback=lambda: "cached")
    assert guard.breaker is not None
    guard.breaker.force_open()
    assert run(guard, always_failing()) == "cached"

    assert story.told() == [("circuit", "open"), ("rescue", "fallback", 0)]


def test_a_result_that_will_not_do_is_a_failed_attempt_too(
    manual: ManualClock, story: Story, run: Run
) -> None:
    results: Any = iter([None, "good"])
    guard = guarding(manual, story, retry=RetryConfig(retry_on_result=lambda result: result is None))
    assert run(guard, lambda: next(results)) == "good"

    assert [line[0] for line in story.told()] == ["WARNING", "rescue"]  # type: ignore[index]
    assert story[0].error_type == "RecoveryException"


async def test_a_cancelled_call_is_not_worth_a_word(manual: ManualClock, story: Story) -> None:
    guard = guarding(manual, story, retry=RetryConfig())
    with pytest.raises(asyncio.CancelledError):
        await guard.call_async(as_coroutine(always_failing(asyncio.CancelledError())))
    assert story == []


def test_a_mistaken_call_is_not_worth_a_word(manual: ManualClock, story: Story) -> None:
    with pytest.raises(TypeError):
        guarding(manual, story, timeout=5.0).call(as_coroutine(Flaky()))
    assert story == []


def test_one_monitor_of_two_guards_hears_of_a_shared_circuit_once(manual: ManualClock, story: Story) -> None:
    first = guarding(manual, story, breaker=CircuitBreakerConfig())
    guarding(manual, story, breaker=first.breaker)
    assert first.breaker is not None
    first.breaker.force_open()
    assert story.told() == [("circuit", "open")]


def test_the_log_tells_the_whole_story(
    manual: ManualClock, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    guard = Guard(
        "api",
        retry=RetryConfig(max_attempts=2),
        breaker=CircuitBreakerConfig(failure_threshold=1),
        fallback=lambda: "cached",
        clock=manual,
        wait_for_circuit=True,
    )
    assert guard.breaker is not None
    guard.breaker.acquire().failure()
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "tradeguard"):
        run(guard, Flaky(ConnectionError("down")))
        guard.breaker.force_open()
        run(guard, Flaky())

    told = [record.getMessage().partition(": ")[2] or record.getMessage() for record in caplog.records]
    assert told == [
        "circuit api rejected a call",
        "waiting 30.000 s for circuit api",
        "open -> half_open: the recovery time is over",
        "half_open -> open: a trial failed",
        "attempt 1 failed, next in 30.000 s: ConnectionError: down",
        "open -> half_open: the recovery time is over",
        "succeeded in attempt 2",
        "half_open -> open: forced",
        "circuit api rejected a call",
        "the fallback served",
    ]


class BrokenMonitor:
    """A monitor that cannot record anything."""

    def record_error(self, *args: object) -> None:
        raise OSError("disk full")

    def record_rescue(self, *args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    def record_transition(self, event: object) -> None:
        raise OSError("disk full")


def test_a_monitor_that_fails_harms_no_call(
    manual: ManualClock, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    guard = Guard(
        "api",
        retry=RetryConfig(max_attempts=2),
        breaker=CircuitBreakerConfig(failure_threshold=2),
        fallback=lambda: "cached",
        monitor=BrokenMonitor(),
        clock=manual,
    )
    assert run(guard, always_failing()) == "cached"
    assert caplog.text.count("the monitor of api failed") == 3, "two attempts and a rescue"
