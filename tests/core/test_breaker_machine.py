"""BreakerMachine: each rule of the state machine, without a clock in sight."""

from __future__ import annotations

from typing import Any

import pytest

from tradeguard.breaker_config import CircuitBreakerConfig, CircuitBreakerState
from tradeguard.breaker_machine import BreakerMachine, Rejection, Ticket

CLOSED, OPEN, HALF_OPEN = CircuitBreakerState


def machine(**config: Any) -> BreakerMachine:
    return BreakerMachine(
        CircuitBreakerConfig(**{"failure_threshold": 2, "recovery_timeout": 10.0, **config})
    )


def admitted(subject: BreakerMachine, now: float) -> Ticket:
    ticket = subject.admit(now)
    assert isinstance(ticket, Ticket)
    return ticket


def fail(subject: BreakerMachine, now: float, *, slow: bool = False) -> None:
    subject.fail(admitted(subject, now), now, slow=slow)


def succeed(subject: BreakerMachine, now: float, *, slow: bool = False) -> None:
    subject.succeed(admitted(subject, now), now, slow=slow)


def opened(now: float = 0.0, **config: Any) -> BreakerMachine:
    subject = machine(**config)
    while subject.state is CLOSED:
        fail(subject, now)
    return subject


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not() -> None:
    subject = machine()
    for _ in range(3):
        fail(subject, 0.0)
        succeed(subject, 0.0)
    assert subject.state is CLOSED

    fail(subject, 1.0)
    fail(subject, 1.0)
    assert subject.state is OPEN
    assert [step.reason for step in subject.transitions] == ["2 consecutive failure(s)"]


def test_the_open_period_counts_from_the_failure_that_tripped_it_and_ends_at_exactly_its_length() -> None:
    subject = opened(5.0)

    assert subject.admit(14.75) == Rejection(0.25)
    assert subject.open_for(14.75) == 0.25
    assert isinstance(subject.admit(15.0), Ticket)
    assert subject.state is HALF_OPEN


def test_a_recovery_time_of_zero_lets_the_next_call_try() -> None:
    subject = opened(recovery_timeout=0)

    succeed(subject, 0.0)
    assert subject.state is HALF_OPEN


def test_no_more_trials_than_allowed_run_at_once() -> None:
    subject = opened(half_open_max_calls=2)
    first = admitted(subject, 10.0)
    admitted(subject, 10.0)
    assert subject.admit(10.0) == Rejection(0.0)

    subject.succeed(first, 11.0)
    assert isinstance(subject.admit(11.0), Ticket)
    assert isinstance(subject.admit(11.0), Rejection)


def test_enough_successful_trials_close_it() -> None:
    subject = opened(success_threshold=2)
    succeed(subject, 10.0)
    assert subject.state is HALF_OPEN
    succeed(subject, 10.0)

    assert subject.state is CLOSED
    assert subject.calm == subject.generation


def test_one_failed_trial_opens_it_again_from_then_on() -> None:
    subject = opened(success_threshold=2)
    succeed(subject, 10.0)
    fail(subject, 13.0)

    assert subject.state is OPEN
    assert subject.open_for(13.0) == 10.0
    succeed(subject, 23.0)
    assert subject.state is HALF_OPEN, "the success before the failure no longer counts"


def test_open_periods_grow_while_recovery_fails_and_start_anew_after_it_succeeded() -> None:
    subject = opened(recovery_backoff_factor=2, max_recovery_timeout=35, success_threshold=1)
    now, periods = 0.0, list[float]()
    for _ in range(3):
        periods.append(subject.open_for(now))
        now += periods[-1]
        fail(subject, now)
    periods.append(subject.open_for(now))
    now += periods[-1]
    succeed(subject, now)
    fail(subject, now)
    fail(subject, now)

    assert periods == [10.0, 20.0, 35.0, 35.0]
    assert subject.open_for(now) == 10.0


@pytest.mark.parametrize("end", ["close", "reset", "release"])
def test_failed_recoveries_are_forgotten_when_it_closes_however_it_does(end: str) -> None:
    subject = opened(recovery_backoff_factor=2, max_recovery_timeout=900, success_threshold=1)
    fail(subject, 10.0)
    fail(subject, 30.0)
    if end == "close":
        succeed(subject, 70.0)
    elif end == "reset":
        subject.reset(70.0)
    else:
        subject.force(OPEN, 70.0)
        subject.release(70.0)
    subject.open_until(100.0, 70.0)
    fail(subject, 100.0)

    assert subject.open_for(100.0) == 20.0


def test_trials_of_a_recovery_that_failed_hold_no_places_in_the_next() -> None:
    subject = opened(half_open_max_calls=2)
    admitted(subject, 10.0)
    fail(subject, 10.0)

    assert [type(subject.admit(20.0)) for _ in range(3)] == [Ticket, Ticket, Rejection]


def test_when_the_open_period_is_over_no_time_is_left() -> None:
    subject = opened()
    assert subject.open_for(10.5) == 0.0
    assert subject.state is HALF_OPEN


def test_a_trial_that_was_neither_gives_its_place_back() -> None:
    subject = opened()
    ticket = admitted(subject, 10.0)

    assert subject.leave(ticket, 11.0)
    assert subject.state is HALF_OPEN
    assert isinstance(subject.admit(11.0), Ticket)


def test_a_lost_trial_frees_its_place_after_the_bound_and_its_late_result_counts_for_nothing() -> None:
    subject = opened(half_open_timeout=5.0, success_threshold=1)
    lost = admitted(subject, 10.0)
    assert isinstance(subject.admit(14.9), Rejection)
    trial = admitted(subject, 15.0)

    assert not subject.fail(lost, 15.0)
    assert not subject.succeed(lost, 15.0)
    assert not opened_with_a_lost_trial(now=15.0).transitions[2:], "nobody else needs to have come by"
    assert subject.state is HALF_OPEN
    subject.succeed(trial, 16.0)
    assert subject.state is CLOSED


def opened_with_a_lost_trial(now: float) -> BreakerMachine:
    subject = opened(half_open_timeout=5.0)
    lost = admitted(subject, 10.0)
    assert not subject.fail(lost, now)
    return subject


def test_results_of_an_earlier_generation_change_nothing() -> None:
    subject = machine(success_threshold=1)
    stale = [admitted(subject, 0.0) for _ in range(4)]
    fail(subject, 0.0)
    fail(subject, 0.0)
    assert not subject.succeed(stale[0], 1.0)
    assert subject.state is OPEN

    trial = admitted(subject, 10.0)
    assert not subject.fail(stale[1], 10.0)
    assert not subject.succeed(stale[2], 10.0)
    assert subject.state is HALF_OPEN
    subject.succeed(trial, 10.0)
    assert not subject.fail(stale[3], 10.0)
    assert (subject.state, subject.consecutive_failures) == (CLOSED, 0)


def test_a_failure_rate_opens_it_at_exactly_the_threshold_and_the_minimum() -> None:
    subject = machine(failure_threshold=99, failure_rate_threshold=0.5, window_calls=10, minimum_calls=4)
    fail(subject, 0.0)
    fail(subject, 0.0)
    succeed(subject, 0.0)
    assert subject.state is CLOSED, "three calls are too few to judge"

    succeed(subject, 0.0)
    assert subject.state is OPEN
    assert subject.transitions[-1].reason == "2 of 4 calls failed"


def test_a_rate_below_the_threshold_leaves_it_closed() -> None:
    subject = machine(failure_threshold=99, failure_rate_threshold=0.6, window_calls=4, minimum_calls=4)
    for _ in range(20):
        succeed(subject, 0.0)
        succeed(subject, 0.0)
        fail(subject, 0.0)
    assert subject.state is CLOSED


def test_a_window_smaller_than_the_minimum_is_judged_when_it_is_full() -> None:
    subject = machine(failure_threshold=99, failure_rate_threshold=1.0, window_calls=3)
    fail(subject, 0.0)
    fail(subject, 0.0)
    assert subject.state is CLOSED
    fail(subject, 0.0)
    assert subject.state is OPEN


def test_failures_outside_of_a_time_window_do_not_count() -> None:
    subject = machine(failure_threshold=99, failure_rate_threshold=0.6, window_seconds=10, minimum_calls=3)
    fail(subject, 0.0)
    fail(subject, 0.0)
    succeed(subject, 9.9)
    assert subject.state is OPEN

    subject = machine(failure_threshold=99, failure_rate_threshold=0.6, window_seconds=10, minimum_calls=3)
    fail(subject, 0.0)
    fail(subject, 0.0)
    succeed(subject, 10.0)
    succeed(subject, 10.0)
    succeed(subject, 10.0)
    assert subject.state is CLOSED


def test_slow_calls_open_it_whether_they_succeed_or_fail_and_a_slow_trial_opens_it_again() -> None:
    subject = machine(
        failure_threshold=99,
        slow_call_duration=1.0,
        slow_call_rate_threshold=0.5,
        minimum_calls=4,
        success_threshold=1,
    )
    succeed(subject, 0.0)
    succeed(subject, 0.0, slow=True)
    succeed(subject, 0.0)
    fail(subject, 0.0, slow=True)
    assert subject.state is OPEN
    assert subject.transitions[-1].reason == "2 of 4 calls were slow"

    succeed(subject, 10.0, slow=True)
    assert subject.state is OPEN
    succeed(subject, 20.0)
    assert subject.state is CLOSED


def test_the_window_starts_empty_in_each_state() -> None:
    subject = machine(failure_threshold=99, failure_rate_threshold=0.5, minimum_calls=2, success_threshold=1)
    fail(subject, 0.0)
    fail(subject, 0.0)
    succeed(subject, 10.0)
    fail(subject, 10.0)
    assert subject.state is CLOSED
    fail(subject, 10.0)
    assert subject.state is OPEN


@pytest.mark.parametrize("state", [OPEN, CLOSED])
def test_a_forced_state_holds_whatever_happens_until_it_is_released(state: CircuitBreakerState) -> None:
    subject = machine()
    subject.force(state, 0.0)
    for now in (0.0, 5.0, 100.0, 1e9):
        if state is OPEN:
            assert subject.admit(now) == Rejection(0.0)
        else:
            fail(subject, now)
            fail(subject, now)
        subject.open_until(now + 1, now)
        assert (subject.state, subject.forced) == (state, True)


def test_released_from_open_it_stays_so_for_one_period_and_from_closed_it_goes_on_closed() -> None:
    subject = machine()
    subject.release(0.0)
    subject.force(OPEN, 0.0)
    subject.release(50.0)
    assert subject.open_for(50.0) == 10.0
    subject.settle(60.0)
    assert subject.state is HALF_OPEN

    subject.force(CLOSED, 60.0)
    fail(subject, 60.0)
    subject.release(61.0)
    assert (subject.state, subject.forced, subject.consecutive_failures) == (CLOSED, False, 0)


def test_forcing_twice_is_forcing_once_and_each_force_replaces_the_other() -> None:
    subject = machine()
    subject.force(OPEN, 0.0)
    generation = subject.generation
    subject.force(OPEN, 1.0)
    assert subject.generation == generation

    subject.force(CLOSED, 2.0)
    assert [(step.old_state, step.new_state) for step in subject.transitions] == [
        (CLOSED, OPEN),
        (OPEN, CLOSED),
    ]


def test_a_call_in_flight_when_the_state_is_forced_counts_for_nothing() -> None:
    subject = machine(failure_threshold=1)
    ticket = admitted(subject, 0.0)
    subject.force(CLOSED, 0.0)
    subject.release(0.0)

    assert not subject.fail(ticket, 0.0)
    assert subject.state is CLOSED


def test_reset_closes_it_from_any_state_and_forgets_what_led_there() -> None:
    subject = opened(recovery_backoff_factor=2, success_threshold=1)
    fail(subject, 10.0)
    subject.open_until(1000.0, 10.0)
    subject.force(OPEN, 11.0)
    subject.reset(12.0)
    assert (subject.state, subject.forced) == (CLOSED, False)

    fail(subject, 12.0)
    fail(subject, 12.0)
    assert subject.open_for(12.0) == 10.0


def test_open_until_opens_it_and_never_shortens_an_open_period() -> None:
    subject = machine()
    subject.open_until(0.0, 5.0)
    assert subject.state is CLOSED, "a time that is over opens nothing"

    subject.open_until(5.5, 5.0)
    assert subject.open_for(5.0) == 0.5
    subject.open_until(50.0, 5.0)
    assert subject.open_for(5.0) == 45.0
    subject.open_until(20.0, 6.0)
    assert subject.open_for(6.0) == 44.0
    subject.open_until(70.0, 6.0)
    assert subject.open_for(6.0) == 64.0
    assert isinstance(subject.admit(70.0), Ticket)


def test_a_trial_that_fails_before_the_given_time_waits_for_it() -> None:
    subject = opened()
    trial = admitted(subject, 10.0)
    subject.open_until(100.0, 11.0)

    assert not subject.fail(trial, 12.0)
    assert subject.open_for(12.0) == 88.0


def test_a_given_time_outlasts_a_hold() -> None:
    subject = machine()
    subject.force(CLOSED, 0.0)
    subject.open_until(100.0, 0.0)
    subject.release(99.5)
    assert (subject.state, subject.open_for(99.5)) == (OPEN, 0.5)

    subject.open_until(200.0, 99.5)
    subject.force(OPEN, 99.5)
    subject.release(100.0)
    assert subject.open_for(100.0) == 100.0


@pytest.mark.parametrize(
    "config",
    [{"timeout": 1.0}, {"slow_call_duration": 1.0}, {"failure_rate_threshold": 0.5}],
)
def test_it_is_never_calm_where_every_call_must_be_seen(config: dict[str, Any]) -> None:
    assert machine(**config).calm == 0


def test_it_is_calm_only_while_closed_unforced_and_without_a_failure() -> None:
    subject = machine()
    assert subject.calm == subject.generation
    fail(subject, 0.0)
    assert subject.calm == 0
    succeed(subject, 0.0)
    assert subject.calm == subject.generation
    subject.force(CLOSED, 0.0)
    assert subject.calm == 0
    subject.reset(0.0)
    assert subject.calm == subject.generation


def test_every_change_tells_its_time_and_why() -> None:
    subject = opened(1.0, success_threshold=1)
    subject.settle(11.0)
    fail(subject, 12.0)
    subject.reset(13.0)
    subject.force(OPEN, 14.0)
    subject.release(15.0)
    subject.force(CLOSED, 16.0)
    subject.open_until(99.0, 17.0)
    subject.release(18.0)
    subject.reset(19.0)
    subject.open_until(40.0, 20.0)
    snapshot = subject.snapshot(21.0)
    subject.reset(22.0)
    subject.restore(snapshot, 23.0)
    subject.force(OPEN, 24.0)
    subject.force(CLOSED, 25.0)
    subject.release(26.0)
    subject.settle(42.0)
    succeed(subject, 43.0)

    assert [(step.at, step.old_state, step.new_state, step.reason) for step in subject.transitions] == [
        (1.0, CLOSED, OPEN, "2 consecutive failure(s)"),
        (11.0, OPEN, HALF_OPEN, "the recovery time is over"),
        (12.0, HALF_OPEN, OPEN, "a trial failed"),
        (13.0, OPEN, CLOSED, "reset"),
        (14.0, CLOSED, OPEN, "forced"),
        (16.0, OPEN, CLOSED, "forced"),
        (18.0, CLOSED, OPEN, "released, but not before the given time"),
        (19.0, OPEN, CLOSED, "reset"),
        (20.0, CLOSED, OPEN, "open until a given time"),
        (22.0, OPEN, CLOSED, "reset"),
        (23.0, CLOSED, OPEN, "restored"),
        (25.0, OPEN, CLOSED, "forced"),
        (26.0, CLOSED, OPEN, "released, but not before the given time"),
        (42.0, OPEN, HALF_OPEN, "the recovery time is over"),
        (43.0, HALF_OPEN, CLOSED, "1 successful trial(s)"),
    ]


def test_a_release_changes_the_state_only_where_the_hold_was_another() -> None:
    held = opened(0.0)
    held.force(CLOSED, 1.0)
    held.reset(2.0)
    held.force(OPEN, 3.0)
    held.release(4.0)
    held.settle(14.0)
    assert [(step.at, step.new_state, step.reason) for step in held.transitions[1:]] == [
        (1.0, CLOSED, "forced"),
        (3.0, OPEN, "forced"),
        (14.0, HALF_OPEN, "the recovery time is over"),
    ]


def test_a_slow_trial_reopens_it_and_says_why() -> None:
    slow = {"slow_call_duration": 1.0, "slow_call_rate_threshold": 0.5, "window_calls": 4, "minimum_calls": 4}
    subject = opened(0.0, **slow)
    subject.settle(10.0)
    succeed(subject, 10.5, slow=True)
    last = subject.transitions[-1]
    assert (last.at, last.new_state, last.reason) == (10.5, OPEN, "a trial was slow")
