"""Workers: plain functions under a bound, which hung calls cannot starve."""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
from typing import Any

import pytest
from pytest_mock import MockerFixture

from tradeguard import workers as workers_module
from tradeguard.exceptions import CallTimeoutError
from tradeguard.workers import Workers, await_within

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")
LONG = 10.0


@pytest.fixture
def workers() -> Workers:
    return Workers("test")


def test_result_arguments_and_errors_pass_through(workers: Workers) -> None:
    assert workers.run(LONG, lambda *args, **kwargs: (args, kwargs), (1,), {"func": 2}) == ((1,), {"func": 2})

    error = KeyError("mine")

    def fail() -> None:
        raise error

    with pytest.raises(KeyError) as caught:
        workers.run(LONG, fail, (), {})
    assert caught.value is error
    assert caught.traceback[-1].name == "fail"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_stops_a_program_stops_the_caller_and_not_the_worker(
    workers: Workers, stop: type[BaseException]
) -> None:
    def interrupted() -> None:
        raise stop

    with pytest.raises(stop):
        workers.run(LONG, interrupted, (), {})
    assert workers.run(LONG, int, (), {}) == 0


def test_a_call_that_outlasts_its_bound_is_left_behind_running(workers: Workers) -> None:
    release, ended = threading.Event(), threading.Event()

    def hang() -> None:
        release.wait(LONG)
        ended.set()

    with pytest.raises(CallTimeoutError) as caught:
        workers.run(0.01, hang, (), {})
    assert "hang took longer than 0.01 s; the call may still be running" in str(caught.value)
    assert (caught.value.still_running, caught.value.context["timeout"]) == (True, 0.01)

    assert not ended.is_set()
    release.set()
    assert ended.wait(LONG)


def test_hung_calls_starve_nobody(workers: Workers) -> None:
    release = threading.Event()
    for _ in range(40):
        with pytest.raises(CallTimeoutError):
            workers.run(0.0005, release.wait, (LONG,), {})

    assert workers.run(LONG, lambda: "served", (), {}) == "served"
    release.set()


def test_without_any_time_the_call_never_begins(workers: Workers, mocker: MockerFixture) -> None:
    hand_over = mocker.spy(workers, "_hand_over")
    begun: list[int] = []
    for seconds in (0.0, -1.0):
        with pytest.raises(CallTimeoutError, match="was not begun within") as caught:
            workers.run(seconds, begun.append, (1,), {})
        assert caught.value.still_running is False
        assert caught.value.context["timeout"] == seconds
    assert begun == []
    hand_over.assert_not_called()


def test_a_call_that_timed_out_before_it_began_never_begins(workers: Workers, mocker: MockerFixture) -> None:
    """The worker gets its call only after the caller has gone."""
    begun: list[int] = []
    held_back: list[Any] = []
    mocker.patch.object(workers, "_hand_over", held_back.append)
    with pytest.raises(CallTimeoutError, match="was not begun within") as caught:
        workers.run(0.001, begun.append, (1,), {})

    held_back[0].run()
    assert begun == []
    assert not caught.value.still_running


def test_a_caller_that_is_interrupted_while_it_waits_takes_its_call_back(
    workers: Workers, mocker: MockerFixture
) -> None:
    jobs: list[Any] = []

    def interrupt(job: Any) -> None:
        job.done = mocker.Mock(acquire=mocker.Mock(side_effect=KeyboardInterrupt))
        jobs.append(job)

    mocker.patch.object(workers, "_hand_over", interrupt)
    with pytest.raises(KeyboardInterrupt):
        workers.run(LONG, pytest.fail, ("it began",), {})

    jobs[0].run()
    assert jobs[0].error is None


def test_one_thread_serves_calls_that_follow_each_other(workers: Workers) -> None:
    idents = {workers.run(LONG, threading.get_ident, (), {}) for _ in range(20)}

    assert len(idents) == 1
    assert idents != {threading.get_ident()}


def test_its_threads_keep_no_process_alive_and_are_named(workers: Workers) -> None:
    thread = workers.run(LONG, threading.current_thread, (), {})

    assert (thread.daemon, thread.name) == (True, "tradeguard-test")


def test_idle_threads_end_after_a_while(workers: Workers, mocker: MockerFixture) -> None:
    mocker.patch.object(workers_module, "_IDLE_SECONDS", 0.001)
    thread = workers.run(LONG, threading.current_thread, (), {})
    thread.join(LONG)

    assert not thread.is_alive()
    assert workers.run(LONG, lambda: "another", (), {}) == "another"


def test_a_thread_that_is_picked_at_the_last_moment_still_serves(workers: Workers) -> None:
    """Its time of idleness is over, but a caller has already chosen it."""
    handed_over = threading.Event()

    class Inbox:
        def __init__(self) -> None:
            self.jobs: list[Any] = []

        def put(self, job: Any) -> None:
            self.jobs.append(job)
            handed_over.set()

        def get(self, timeout: float | None = None) -> Any:
            if timeout is not None:
                raise queue.Empty
            assert handed_over.wait(LONG)
            handed_over.clear()
            if not self.jobs:
                raise SystemExit  # the test is over: let the thread end
            return self.jobs.pop()

    inbox: Any = Inbox()
    threading.Thread(target=workers._work, args=(inbox,), daemon=True).start()
    workers._idle = []
    job = workers_module._Job(lambda: "served", (), {})
    inbox.put(job)

    assert job.done.acquire(timeout=LONG)
    assert job.outcome() == "served"


def test_the_callers_context_goes_with_the_call_and_comes_back_changed(workers: Workers) -> None:
    VARIABLE.set("caller's")
    fresh: contextvars.ContextVar[str] = contextvars.ContextVar("fresh", default="none")
    bare: contextvars.ContextVar[None] = contextvars.ContextVar("bare")

    def look_and_change() -> str:
        seen = VARIABLE.get()
        VARIABLE.set("call's")
        fresh.set("new")
        bare.set(None)
        return seen

    assert workers.run(LONG, look_and_change, (), {}) == "caller's"
    assert (VARIABLE.get(), fresh.get()) == ("call's", "new")
    assert bare.get("never set") is None


def test_a_call_that_was_left_behind_changes_nothing_of_the_callers_context(workers: Workers) -> None:
    VARIABLE.set("caller's")
    begun, release = threading.Event(), threading.Event()

    def change_late() -> None:
        begun.set()
        release.wait(LONG)
        VARIABLE.set("call's")

    with pytest.raises(CallTimeoutError):
        workers.run(0.01, change_late, (), {})
    release.set()
    assert VARIABLE.get() == "caller's"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_workers_of_its_own(workers: Workers) -> None:
    workers.run(LONG, int, (), {})
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child no coverage is kept
        with_result = 1
        try:
            with_result = workers.run(LONG, int, (), {})
        finally:
            os._exit(with_result)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_after_a_fork_the_parents_threads_are_forgotten(workers: Workers, mocker: MockerFixture) -> None:
    parents = workers.run(LONG, threading.get_ident, (), {})
    mocker.patch.object(os, "getpid", return_value=os.getpid() + 1)

    assert workers.run(LONG, threading.get_ident, (), {}) != parents


async def test_an_awaitable_within_its_bound_gives_its_result() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert await await_within(LONG, answer(), "answer") == 42


async def test_an_awaitable_that_outlasts_its_bound_is_cancelled() -> None:
    with pytest.raises(CallTimeoutError) as caught:
        await await_within(0.01, asyncio.Event().wait(), "fetch")

    assert str(caught.value).startswith("fetch took longer than 0.01 s and was cancelled")
    assert caught.value.context["timeout"] == 0.01
    assert caught.value.still_running is False


async def test_a_timeout_error_of_its_own_passes_as_it_is() -> None:
    error = TimeoutError("mine")

    async def fail() -> None:
        raise error

    with pytest.raises(TimeoutError) as caught:
        await await_within(LONG, fail(), "fetch")
    assert caught.value is error


async def test_a_cancellation_from_outside_stays_one() -> None:
    task = asyncio.create_task(await_within(LONG, asyncio.Event().wait(), "fetch"))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
