"""Listeners: told of every change, in order, outside of any lock, and harming nobody."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable

import pytest

from tradeguard.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerState,
    StateTransition,
)
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.testing import ManualClock

CLOSED, OPEN, HALF_OPEN = CircuitBreakerState


@pytest.fixture
def breaker(manual: ManualClock) -> CircuitBreaker:
    return CircuitBreaker("api", CircuitBreakerConfig(failure_threshold=1), clock=manual)


def trip(breaker: CircuitBreaker) -> None:
    breaker.acquire().failure(ConnectionError("down"))


def test_an_event_says_what_changed_when_and_why(breaker: CircuitBreaker, manual: ManualClock) -> None:
    events: list[StateTransition] = []
    breaker.add_listener(events.append)
    manual.advance(3.0)
    trip(breaker)

    assert events == [
        StateTransition(
            name="api",
            old_state=CLOSED,
            new_state=OPEN,
            at=3.0,
            timestamp=1_700_000_003.0,
            reason="1 consecutive failure(s)",
        )
    ]
    with pytest.raises(dataclasses.FrozenInstanceError):
        events[0].at = 0.0  # type: ignore[misc]


def test_every_intervention_is_told_with_its_reason(breaker: CircuitBreaker, manual: ManualClock) -> None:
    told: list[tuple[str, str]] = []
    breaker.add_listener(lambda event: told.append((event.new_state, event.reason)))

    breaker.force_open()
    breaker.force_closed()
    breaker.open_until(manual.time() + 5)
    breaker.release()
    manual.advance(5.0)
    breaker.get_state()
    trip(breaker)
    breaker.reset()

    assert told == [
        ("open", "forced"),
        ("closed", "forced"),
        ("open", "released, but not before the given time"),
        ("half_open", "the recovery time is over"),
        ("open", "a trial failed"),
        ("closed", "reset"),
    ]


@pytest.mark.parametrize(
    "notice",
    [
        CircuitBreaker.acquire,
        CircuitBreaker.get_state,
        CircuitBreaker.open_seconds,
        CircuitBreaker.snapshot,
        lambda breaker: breaker.statistics,
    ],
)
def test_whoever_notices_that_the_open_period_is_over_tells_of_it_at_once(
    breaker: CircuitBreaker, manual: ManualClock, notice: Callable[[CircuitBreaker], object]
) -> None:
    trip(breaker)
    told: list[CircuitBreakerState] = []
    breaker.add_listener(lambda event: told.append(event.new_state))
    manual.advance(30.0)
    notice(breaker)
    assert told == [HALF_OPEN]


def test_an_equal_listener_is_told_once_and_a_removed_one_no_more(breaker: CircuitBreaker) -> None:
    monitor = ErrorMonitor()
    events: list[StateTransition] = []
    for _ in range(2):
        breaker.add_listener(events.append)
        breaker.add_listener(monitor.record_transition)
    trip(breaker)
    breaker.remove_listener(events.append)
    breaker.remove_listener(print)
    breaker.reset()

    assert [event.new_state for event in events] == [OPEN]
    assert monitor.get_error_statistics()["circuits"] == {"api": "closed"}


def test_a_listener_that_raises_is_recorded_and_harms_nobody(
    breaker: CircuitBreaker, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: StateTransition) -> None:
        raise RuntimeError("no good")

    events: list[StateTransition] = []
    breaker.add_listener(broken)
    breaker.add_listener(events.append)
    with caplog.at_level(logging.WARNING, "tradeguard"), pytest.raises(ConnectionError):
        breaker.call(fail)

    assert [event.new_state for event in events] == [OPEN]
    assert breaker.statistics.listener_errors == 1
    assert "no good" in caplog.text


def test_a_state_change_hook_that_raises_is_named_in_the_log(
    manual: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    def broken_hook(old: CircuitBreakerState, new: CircuitBreakerState) -> None:
        raise RuntimeError("no good")

    breaker = CircuitBreaker("api", CircuitBreakerConfig(on_state_change=broken_hook), clock=manual)
    with caplog.at_level(logging.WARNING, "tradeguard"):
        breaker.force_open()

    assert breaker.get_state() is OPEN
    assert "broken_hook" in caplog.text


def test_a_change_made_by_a_listener_is_told_after_the_one_it_was_told_of(breaker: CircuitBreaker) -> None:
    told: list[str] = []

    def repair(event: StateTransition) -> None:
        if event.new_state is OPEN:
            breaker.reset()
        told.append(f"first hears {event.new_state}")

    breaker.add_listener(repair)
    breaker.add_listener(lambda event: told.append(f"second hears {event.new_state}"))
    trip(breaker)

    assert told == ["first hears open", "second hears open", "first hears closed", "second hears closed"]


def test_a_listener_may_use_the_circuit_from_another_thread(breaker: CircuitBreaker) -> None:
    states: list[CircuitBreakerState] = []

    def ask(event: StateTransition) -> None:
        thread = threading.Thread(target=lambda: states.append(breaker.get_state()))
        thread.start()
        thread.join(timeout=5.0)

    breaker.add_listener(ask)
    trip(breaker)

    assert states == [OPEN]


def test_changes_of_other_threads_are_told_in_their_order_by_the_thread_that_is_telling(
    breaker: CircuitBreaker,
) -> None:
    told: list[CircuitBreakerState] = []
    listening, resume = threading.Event(), threading.Event()

    def listen(event: StateTransition) -> None:
        if not listening.is_set():
            listening.set()
            assert resume.wait(5.0)
        told.append(event.new_state)

    breaker.add_listener(listen)
    teller = threading.Thread(target=breaker.force_open)
    teller.start()
    assert listening.wait(5.0)
    breaker.force_closed()
    breaker.force_open()
    assert told == []
    resume.set()
    teller.join()

    assert told == [OPEN, CLOSED, OPEN]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_listener_passes_and_later_changes_are_told(
    breaker: CircuitBreaker, stop: type[BaseException]
) -> None:
    told: list[CircuitBreakerState] = []

    def interrupted(event: StateTransition) -> None:
        told.append(event.new_state)
        if event.new_state is OPEN:
            raise stop

    breaker.add_listener(interrupted)
    with pytest.raises(stop):
        breaker.force_open()
    breaker.force_closed()

    assert told == [OPEN, CLOSED]


def fail() -> None:
    raise ConnectionError("down")


def test_the_hook_gets_the_states_themselves(manual: ManualClock) -> None:
    changes: list[tuple[CircuitBreakerState, CircuitBreakerState]] = []

    def note(*states: CircuitBreakerState) -> None:
        changes.append((states[0], states[1]))

    breaker = CircuitBreaker("api", CircuitBreakerConfig(on_state_change=note), clock=manual)
    breaker.force_open()

    assert changes == [(CLOSED, OPEN)]
    assert changes[0][1] is OPEN
