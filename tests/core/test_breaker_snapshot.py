"""Snapshots: what a circuit keeps over a restart, and that nonsense is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tradeguard.breaker_snapshot import MachineSnapshot
from tradeguard.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    CircuitBreakerState,
)
from tradeguard.exceptions import ConfigurationException
from tradeguard.testing import ManualClock

CONFIG = CircuitBreakerConfig(
    failure_threshold=2, recovery_timeout=30.0, success_threshold=2, recovery_backoff_factor=2.0
)


def fail() -> None:
    raise ConnectionError("down")


def attempt_failure(breaker: CircuitBreaker) -> None:
    with pytest.raises(ConnectionError):
        breaker.call(fail)


def restarted(breaker: CircuitBreaker) -> tuple[CircuitBreaker, ManualClock]:
    """Return the circuit as a new process has it, an unknown time later and with another monotonic clock."""
    clock = ManualClock(start=5_000.0, epoch=1_800_000_000.0)
    heir = CircuitBreaker("heir", CONFIG, clock=clock)
    heir.restore(json.loads(json.dumps(breaker.snapshot())))
    return heir, clock


def test_an_open_circuit_stays_open_for_the_time_it_had_left(manual: ManualClock) -> None:
    breaker = CircuitBreaker("api", CONFIG, clock=manual)
    attempt_failure(breaker)
    attempt_failure(breaker)
    manual.advance(12.0)

    heir, clock = restarted(breaker)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        heir.call(lambda: 1)
    assert caught.value.retry_after == 18.0
    clock.advance(18.0)
    assert heir.call(lambda: 1) == 1


def test_failures_so_far_are_kept(manual: ManualClock) -> None:
    breaker = CircuitBreaker("api", CONFIG, clock=manual)
    attempt_failure(breaker)

    heir, _ = restarted(breaker)
    attempt_failure(heir)
    assert heir.get_state() is CircuitBreakerState.OPEN

    heir, _ = restarted(breaker)
    heir.call(int)
    attempt_failure(heir)
    assert heir.get_state() is CircuitBreakerState.CLOSED, "the success between them begins the count anew"


def test_successful_trials_and_failed_recoveries_are_kept(manual: ManualClock) -> None:
    breaker = CircuitBreaker("api", CONFIG, clock=manual)
    attempt_failure(breaker)
    attempt_failure(breaker)
    manual.advance(30.0)
    attempt_failure(breaker)
    manual.advance(60.0)
    breaker.call(lambda: 1)

    heir, _ = restarted(breaker)
    assert heir.get_state() is CircuitBreakerState.HALF_OPEN
    heir.call(lambda: 1)
    assert heir.get_state() is CircuitBreakerState.CLOSED

    heir, _ = restarted(breaker)
    attempt_failure(heir)
    assert heir.open_seconds() == 120.0


@pytest.mark.parametrize("force", [CircuitBreaker.force_open, CircuitBreaker.force_closed])
def test_a_held_state_is_kept_held(manual: ManualClock, force: Any) -> None:
    breaker = CircuitBreaker("api", CONFIG, clock=manual)
    force(breaker)

    heir, clock = restarted(breaker)
    clock.advance(10_000.0)
    assert (heir.get_state(), heir.forced) == (breaker.get_state(), True)


def test_a_ban_is_kept_behind_a_hold(manual: ManualClock) -> None:
    breaker = CircuitBreaker("api", CONFIG, clock=manual)
    breaker.force_closed()
    breaker.open_until(manual.time() + 100)

    heir, _ = restarted(breaker)
    heir.release()
    assert heir.open_seconds() == 100.0


def test_a_call_in_flight_during_a_restore_counts_for_nothing(manual: ManualClock) -> None:
    breaker = CircuitBreaker("api", CONFIG, clock=manual)
    attempt_failure(breaker)
    permit = breaker.acquire()
    breaker.restore(breaker.snapshot())
    permit.failure()

    assert breaker.get_state() is CircuitBreakerState.CLOSED
    assert breaker.statistics.late_results == 1


GOOD = MachineSnapshot(
    state=CircuitBreakerState.OPEN,
    forced=False,
    open_for=1.0,
    banned_for=0.0,
    consecutive_failures=0,
    trial_successes=0,
    failed_recoveries=0,
).to_dict()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("state", "ajar"),
        ("state", ["open"]),
        ("state", None),
        ("forced", 1),
        ("open_for", -1),
        ("open_for", "30"),
        ("banned_for", float("nan")),
        ("consecutive_failures", -1),
        ("trial_successes", 1.5),
        ("failed_recoveries", None),
    ],
)
def test_a_snapshot_that_makes_no_sense_is_refused_and_changes_nothing(
    manual: ManualClock, field: str, value: Any
) -> None:
    breaker = CircuitBreaker("api", CONFIG, clock=manual)
    with pytest.raises(ConfigurationException, match=f"^{field} must be"):
        breaker.restore({**GOOD, field: value})
    with pytest.raises(ConfigurationException, match=f"^{field} must be"):
        breaker.restore({name: kept for name, kept in GOOD.items() if name != field})
    assert breaker.get_state() is CircuitBreakerState.CLOSED


def test_a_half_open_circuit_cannot_be_held(manual: ManualClock) -> None:
    breaker = CircuitBreaker("api", CONFIG, clock=manual)
    with pytest.raises(ConfigurationException, match="forced must be False"):
        breaker.restore({**GOOD, "state": "half_open", "forced": True})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "ajar"}, "state must be one of closed, open, half_open, got 'ajar'"),
        (
            {"state": "half_open", "forced": True},
            "forced must be False where the state is half_open, got True",
        ),
    ],
)
def test_nonsense_is_named_with_what_would_make_sense(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationException) as caught:
        MachineSnapshot.from_dict({**GOOD, **fields})
    assert str(caught.value) == words


def test_a_snapshot_names_its_circuit_and_has_a_field_for_each_fact() -> None:
    assert CircuitBreaker("api").snapshot() == {
        "name": "api",
        "state": "closed",
        "forced": False,
        "open_for": 0.0,
        "banned_for": 0.0,
        "consecutive_failures": 0,
        "trial_successes": 0,
        "failed_recoveries": 0,
    }
