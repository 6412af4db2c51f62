"""CircuitBreaker among threads: exact, overlapping, and never more lenient than it says."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tradeguard.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    CircuitBreakerState,
    StateTransition,
)
from tradeguard.testing import ManualClock

THREADS = 12


@pytest.fixture(autouse=True)
def eager_switching() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def at_once(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """Run `work` in so many threads that start together, and return what each came to."""
    start = threading.Barrier(threads)
    outcomes: list[Any] = [None] * threads

    def run(number: int) -> None:
        start.wait()
        try:
            outcomes[number] = work(number)
        except Exception as error:
            outcomes[number] = error

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return outcomes


def make(manual: ManualClock, **config: Any) -> CircuitBreaker:
    return CircuitBreaker("api", CircuitBreakerConfig(**config), clock=manual)


def fail() -> None:
    raise ConnectionError("down")


def test_calls_overlap_because_no_lock_is_held_during_them(manual: ManualClock) -> None:
    breaker = make(manual)
    inside = threading.Barrier(THREADS)
    for _ in range(2):  # once while calm, once after a failure, when the lock is taken before and after
        assert sorted(at_once(lambda number: breaker.call(inside.wait, 5.0))) == list(range(THREADS))
        breaker.acquire().failure()


def test_many_failures_at_once_open_it_exactly_once(manual: ManualClock) -> None:
    for threshold in (1, 3, THREADS):
        breaker = make(manual, failure_threshold=threshold)
        events: list[StateTransition] = []
        breaker.add_listener(events.append)
        together = threading.Barrier(THREADS)

        def fail_together(together: threading.Barrier = together) -> None:
            together.wait(5.0)
            fail()

        outcomes = at_once(lambda number, breaker=breaker, func=fail_together: breaker.call(func))

        assert {type(outcome) for outcome in outcomes} == {ConnectionError}
        assert [event.new_state for event in events] == [CircuitBreakerState.OPEN]
        assert breaker.statistics.failed_calls == THREADS
        assert breaker.statistics.late_results == THREADS - threshold


@pytest.mark.parametrize("places", [1, 3])
def test_no_more_trials_are_let_through_at_once_than_there_are_places(
    manual: ManualClock, places: int
) -> None:
    breaker = make(manual, failure_threshold=1, half_open_max_calls=places, success_threshold=99)
    breaker.acquire().failure()
    manual.advance(30.0)
    running, most = [0], [0]
    lock = threading.Lock()

    def trial() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.001)
        with lock:
            running[0] -= 1

    def keep_trying(number: int) -> int:
        done = 0
        for _ in range(20):
            try:
                breaker.call(trial)
                done += 1
            except CircuitBreakerOpenError:
                continue
        return done

    done = at_once(keep_trying)

    assert most[0] <= places
    assert breaker.statistics.successful_calls == sum(done) > 0
    assert breaker.statistics.rejected_calls == THREADS * 20 - sum(done)


def test_admission_at_the_end_of_the_open_period_goes_to_as_many_as_there_are_places(
    manual: ManualClock,
) -> None:
    breaker = make(manual, failure_threshold=1, half_open_max_calls=4)
    breaker.acquire().failure()
    manual.advance(30.0)

    outcomes = at_once(lambda number: breaker.acquire())

    assert sum(not isinstance(outcome, CircuitBreakerOpenError) for outcome in outcomes) == 4


def test_statistics_are_exact_under_threads(manual: ManualClock) -> None:
    breaker = make(manual, failure_threshold=10**6)
    each = 400

    def mixed(number: int) -> None:
        for step in range(each):
            if step % 4 == 0:
                with pytest.raises(ConnectionError):
                    breaker.call(fail)
            else:
                breaker.call(int)

    assert at_once(mixed) == [None] * THREADS
    statistics = breaker.statistics
    assert statistics.failed_calls == THREADS * each // 4
    assert statistics.successful_calls == THREADS * each * 3 // 4
    assert statistics.total_calls == THREADS * each


def test_a_success_among_failures_is_never_lost_on_the_healthy_path(manual: ManualClock) -> None:
    """A call that starts while all is well and succeeds after a failure begins the count of failures anew."""
    breaker = make(manual, failure_threshold=2)
    started, finish = threading.Event(), threading.Event()

    def slow_success() -> None:
        started.set()
        finish.wait(5.0)

    caller = threading.Thread(target=breaker.call, args=(slow_success,))
    caller.start()
    assert started.wait(5.0)
    breaker.acquire().failure()
    finish.set()
    caller.join()

    assert breaker.statistics.consecutive_failures == 0
    breaker.acquire().failure()
    assert breaker.get_state() is CircuitBreakerState.CLOSED


def test_a_reset_in_flight_makes_the_calls_before_it_count_for_nothing(manual: ManualClock) -> None:
    breaker = make(manual, failure_threshold=1)
    started, finish = threading.Barrier(THREADS + 1), threading.Event()

    def fail_later() -> None:
        started.wait(5.0)
        finish.wait(5.0)
        fail()

    callers = [threading.Thread(target=swallow, args=(breaker, fail_later)) for _ in range(THREADS)]
    for caller in callers:
        caller.start()
    started.wait(5.0)
    breaker.reset()
    finish.set()
    for caller in callers:
        caller.join()

    assert breaker.get_state() is CircuitBreakerState.CLOSED
    assert breaker.statistics.late_results == THREADS


def swallow(breaker: CircuitBreaker, func: Callable[[], None]) -> None:
    with pytest.raises(ConnectionError):
        breaker.call(func)


def test_events_of_many_threads_form_one_unbroken_chain(manual: ManualClock) -> None:
    breaker = make(manual, failure_threshold=1)
    events: list[StateTransition] = []
    breaker.add_listener(events.append)

    def meddle(number: int) -> None:
        for _ in range(50):
            breaker.force_open() if number % 2 else breaker.reset()

    at_once(meddle)

    states = [CircuitBreakerState.CLOSED, *(event.new_state for event in events)]
    assert [event.old_state for event in events] == states[:-1]
    assert states[-1] is breaker.get_state()
    assert breaker.statistics.times_opened == states.count(CircuitBreakerState.OPEN)


def test_a_permit_settled_by_many_threads_counts_once(manual: ManualClock) -> None:
    breaker = make(manual)
    permit = breaker.acquire()

    at_once(lambda number: permit.failure() if number % 2 else permit.success())

    assert breaker.statistics.total_calls == 1
