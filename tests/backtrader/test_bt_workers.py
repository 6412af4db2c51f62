"""Background work: threads that never hold their caller, and steps that a test turns itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tradeguard.testing import ManualClock
from tradeguard_backtrader import InlineWorkers, ThreadWorkers


@pytest.fixture
def threads() -> Iterator[ThreadWorkers]:
    workers = ThreadWorkers()
    yield workers
    assert workers.stop(5.0)


def test_a_step_is_repeated_after_the_pause_that_it_returns(threads: ThreadWorkers) -> None:
    steps: list[int] = []

    def step() -> float | None:
        steps.append(len(steps))
        return 0.0 if len(steps) < 3 else None

    threads.start("count", step)
    assert threads.wait_for(lambda: len(steps) == 3, 5.0)


def test_a_step_without_a_pause_waits_until_it_is_woken(threads: ThreadWorkers) -> None:
    steps: list[int] = []
    worker = threads.start("count", lambda: steps.append(0))
    assert threads.wait_for(lambda: len(steps) == 1, 5.0)
    worker.wake()
    assert threads.wait_for(lambda: len(steps) == 2, 5.0)


def test_a_step_that_is_woken_while_it_runs_runs_once_more(threads: ThreadWorkers) -> None:
    entered, go_on = threading.Event(), threading.Event()
    steps: list[int] = []

    def step() -> None:
        steps.append(0)
        entered.set()
        assert go_on.wait(5.0)

    worker = threads.start("count", step)
    assert entered.wait(5.0)
    worker.wake()
    go_on.set()
    assert threads.wait_for(lambda: len(steps) == 2, 5.0)


def test_waiting_ends_with_its_time_while_a_step_hangs() -> None:
    threads, release = ThreadWorkers(), threading.Event()

    def hang() -> None:
        release.wait(30.0)

    threads.start("hung", hang)
    assert not threads.wait_for(lambda: False, 0.01)
    assert not threads.stop(0.01)
    release.set()


def test_a_defect_of_a_step_is_raised_where_the_loop_waits() -> None:
    threads = ThreadWorkers()

    def step() -> None:
        raise ZeroDivisionError("a defect")

    threads.start("broken", step)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        threads.wait_for(lambda: False, 5.0)
    assert threads.stop(5.0)


def test_after_the_stop_no_step_is_called(threads: ThreadWorkers) -> None:
    steps: list[int] = []
    worker = threads.start("count", lambda: steps.append(0))
    assert threads.wait_for(lambda: len(steps) == 1, 5.0)
    assert threads.stop(5.0)
    worker.wake()
    assert steps == [0]


def test_inline_steps_are_called_when_they_are_due_and_in_order() -> None:
    clock = ManualClock()
    workers = InlineWorkers(clock)
    calls: list[tuple[str, float]] = []

    def every(name: str, pause: float) -> None:
        def step() -> float:
            calls.append((name, clock.monotonic()))
            return pause

        workers.start(name, step)

    every("slow", 2.0)
    every("fast", 1.0)
    assert not workers.wait_for(lambda: False, 2.5)
    assert calls == [("slow", 0.0), ("fast", 0.0), ("fast", 1.0), ("slow", 2.0), ("fast", 2.0)]
    assert clock.monotonic() == 2.5


def test_inline_waiting_ends_as_soon_as_it_is_ready() -> None:
    clock = ManualClock()
    workers = InlineWorkers(clock)
    done: list[float] = []

    def step() -> float:
        done.append(clock.monotonic())
        return 1.0

    workers.start("work", step)
    assert workers.wait_for(lambda: len(done) == 3, 60.0)
    assert clock.monotonic() == 2.0


def test_an_inline_step_that_sleeps_past_the_end_does_not_drag_the_waiting_on() -> None:
    clock = ManualClock()
    workers = InlineWorkers(clock)
    steps: list[int] = []

    def step() -> float:
        steps.append(0)
        clock.sleep(10.0)
        return 0.0

    workers.start("late", step)
    assert not workers.wait_for(lambda: False, 1.0)
    assert len(steps) == 1


def test_an_inline_step_is_woken_and_retired() -> None:
    workers = InlineWorkers(ManualClock())
    steps: list[int] = []
    worker = workers.start("work", lambda: steps.append(0))
    workers.wait_for(lambda: False, 1.0)
    workers.wait_for(lambda: False, 1.0)
    assert len(steps) == 1
    worker.wake()
    workers.wait_for(lambda: False, 0.0)
    assert len(steps) == 2
    worker.retire()
    worker.wake()
    workers.wait_for(lambda: False, 1.0)
    assert len(steps) == 2
    assert workers.stop(0.0)
