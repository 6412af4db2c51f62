"""The healthy path: it counts exactly, keeps nothing alive, and gives way when all is not well."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from retry_cases import Flaky, as_coroutine

from tradeguard.circuit_breaker import CircuitBreakerConfig, CircuitBreakerOpenError
from tradeguard.guard import Guard
from tradeguard.happy_path import HappyPath
from tradeguard.resilience_decorator import resilient
from tradeguard.retry_manager import RetryBudget, RetryConfig
from tradeguard.testing import ManualClock

THREADS = 8


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def succeed() -> int:
    return 0


class FailingEveryOtherTime:
    """Fails, succeeds, fails…"""

    def __init__(self) -> None:
        self.failed = False

    def __call__(self) -> None:
        self.failed = not self.failed
        if self.failed:
            raise ConnectionError("down")


def full_guard(manual: ManualClock, **layers: Any) -> Guard:
    return Guard(
        "api",
        **{"retry": RetryConfig(), "breaker": CircuitBreakerConfig(failure_threshold=10**6), **layers},
        clock=manual,
    )


@pytest.mark.usefixtures("eager_switching")
def test_guard_manager_and_circuit_count_exactly_under_threads(manual: ManualClock) -> None:
    guard = full_guard(manual)
    start = threading.Barrier(THREADS)
    healthy = guard(succeed)

    def work() -> None:
        recovering = guard(FailingEveryOtherTime())
        start.wait()
        for step in range(300):
            if step % 12 == 0:
                recovering()
            else:
                healthy()

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    statistics = guard.statistics
    assert guard.retry is not None
    assert guard.breaker is not None
    totals = guard.retry.get_statistics()
    assert statistics.calls == statistics.successful == totals["total_calls"] == THREADS * 300
    assert statistics.attempts == totals["total_attempts"] == THREADS * 325
    assert statistics.retries == totals["total_retries"] == THREADS * 25
    assert guard.breaker.statistics.successful_calls == THREADS * 300
    assert guard.breaker.statistics.failed_calls == THREADS * 25


def test_a_success_that_overlaps_a_failure_is_counted_once_by_all(manual: ManualClock) -> None:
    guard = full_guard(manual)
    assert guard.breaker is not None
    permit = guard.breaker.acquire()
    guard(permit.failure)()

    assert guard.retry is not None
    totals = guard.retry.get_statistics()
    assert (totals["successful_calls"], totals["total_attempts"], totals["total_delay"]) == (1, 1, 0.0)
    assert (guard.statistics.successful, guard.statistics.attempts) == (1, 1)
    assert guard.breaker.statistics.successful_calls == 1
    assert guard.breaker.statistics.consecutive_failures == 0


async def test_the_same_for_a_coroutine(manual: ManualClock) -> None:
    guard = full_guard(manual)
    assert guard.breaker is not None
    permit = guard.breaker.acquire()
    await guard(as_coroutine(permit.failure))()

    assert guard.statistics.successful == guard.breaker.statistics.successful_calls == 1
    assert guard.breaker.statistics.consecutive_failures == 0


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_an_interrupt_is_counted_as_such_by_all(
    manual: ManualClock, stop: type[BaseException], kind: str
) -> None:
    guard = full_guard(manual)
    func = Flaky(stop())
    call = guard(func) if kind == "plain" else partial(next, guard(as_coroutine(func))().__await__())
    with pytest.raises(stop):
        call()

    assert guard.retry is not None
    assert guard.breaker is not None
    totals = guard.retry.get_statistics()
    assert (totals["cancelled_calls"], totals["total_attempts"], totals["total_delay"]) == (1, 1, 0.0)
    assert (guard.statistics.cancelled, guard.statistics.attempts) == (1, 1)
    assert guard.breaker.statistics.neutral_calls == 1
    assert guard.breaker.statistics.late_results == 0


def test_a_healthy_call_takes_no_lock_and_reads_no_clock(manual: ManualClock) -> None:
    """So it can be no slower among many threads than alone."""
    guard = full_guard(manual)
    guarded = guard(succeed)
    assert guard.breaker is not None
    used: list[str] = []

    def watch(frame: Any, event: str, arg: Any) -> None:
        if event in ("call", "c_call"):
            used.append(frame.f_code.co_name if event == "call" else arg.__name__)

    sys.setprofile(watch)
    try:
        guarded()
    finally:
        sys.setprofile(None)

    assert used == ["guarded", "get", "succeed", "setprofile"]


def test_neither_does_a_healthy_awaited_call(manual: ManualClock) -> None:
    call = full_guard(manual)(as_coroutine(succeed))()
    used: list[str] = []

    def watch(frame: Any, event: str, arg: Any) -> None:
        if event in ("call", "c_call"):
            used.append(frame.f_code.co_name if event == "call" else arg.__name__)

    sys.setprofile(watch)
    try:
        with pytest.raises(StopIteration):
            call.send(None)
    finally:
        sys.setprofile(None)

    assert [name for name in used if name in ("monotonic", "acquire", "admit", "conclude")] == []
    begin = used.index("guarded")
    assert used[begin : begin + 4] == ["guarded", "get", "coroutine", "succeed"]


def test_only_a_deadline_that_begins_with_the_call_reads_the_clock(manual: ManualClock) -> None:
    read: list[float] = []

    class Watched(ManualClock):
        def monotonic(self) -> float:
            read.append(super().monotonic())
            return read[-1]

    for deadline, readings in ((None, 0), (5.0, 1)):
        guard = Guard("api", retry=RetryConfig(deadline=deadline), clock=Watched())
        guard(succeed)()
        assert len(read) == readings


class WatchedError(ConnectionError):
    """One that, unlike the built-in kind, can be watched by a weak reference."""


@pytest.mark.parametrize("retry", [None, RetryConfig(max_attempts=2)])
@pytest.mark.parametrize("way", ["call", "decorator", "worker", "call_async", "async decorator"])
def test_an_error_that_was_handled_is_gone_at_once(
    manual: ManualClock, retry: RetryConfig | None, way: str
) -> None:
    """Its frames, and all that the bot holds in them, do not wait for the collector of cycles."""
    watched: list[weakref.ref[BaseException]] = []
    timeout = 10.0 if way == "worker" else None
    guard = Guard("api", retry=retry, timeout=timeout, fallback=lambda: "cached", clock=manual)

    def fail() -> None:
        error = WatchedError("down")
        watched.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    async def fail_async() -> None:
        fail()

    gc.collect()
    gc.disable()
    try:
        if way in ("call", "worker"):
            guard.call(fail)
        elif way == "decorator":
            guard(fail)()
        elif way == "call_async":
            asyncio.run(guard.call_async(fail_async))
        else:
            asyncio.run(guard(fail_async)())
        assert [ref() for ref in watched] == [None] * (1 if retry is None else 2)
    finally:
        gc.enable()


@resilient(RetryConfig(), CircuitBreakerConfig())
def importable() -> int:
    return 42


def test_a_decorated_function_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(importable)) is importable


class SignallingClock(ManualClock):
    """A clock that runs something whenever it is read: it is read in the midst of bookkeeping."""

    def __init__(self) -> None:
        super().__init__()
        self.handler: Callable[[], object] | None = None

    def monotonic(self) -> float:
        handler, self.handler = self.handler, None
        if handler is not None:
            handler()
        return super().monotonic()


def test_a_signal_handler_that_makes_a_guarded_call_amid_the_bookkeeping_of_another_does_not_hang() -> None:
    clock = SignallingClock()
    guard = Guard(
        "api",
        retry=RetryConfig(max_attempts=2, budget=RetryBudget()),
        breaker=CircuitBreakerConfig(failure_threshold=2, success_threshold=1),
        fallback=lambda: "cached",
        clock=clock,
    )
    outcomes: list[object] = []

    def handled() -> None:
        outcomes.append(guard.call(Flaky(ConnectionError(), ConnectionError())))

    def work() -> None:
        assert guard.breaker is not None
        for ask in (guard.breaker.get_state, guard.breaker.acquire().failure, guard.breaker.snapshot):
            clock.handler = handled
            ask()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout=10.0)

    assert not thread.is_alive()
    assert outcomes == ["cached"] * 3


def test_a_guarded_function_looks_like_the_one_inside(manual: ManualClock) -> None:
    def fetch(symbol: str, *, limit: int = 5) -> list[str]:
        """Fetch it."""
        return [symbol] * limit

    for layers in ({}, {"timeout": 5.0}):
        guard = full_guard(manual, **layers)
        for func in (fetch, as_coroutine(fetch)):
            guarded: Any = guard(func)
            assert guarded.__wrapped__ is func
            assert guarded.guard is guard
            assert inspect.signature(guarded) == inspect.signature(func)
            assert inspect.iscoroutinefunction(guarded) == inspect.iscoroutinefunction(func)
            assert (guarded.__name__, guarded.__doc__) == (func.__name__, func.__doc__)


def test_what_a_function_was_marked_with_stays_on_it_and_the_state_of_an_object_does_not(
    manual: ManualClock,
) -> None:
    def marked() -> None: ...

    marked.mark = "slow"  # type: ignore[attr-defined]
    guard = full_guard(manual)

    assert guard(marked).mark == "slow"  # type: ignore[attr-defined]
    assert not hasattr(guard(Flaky()), "calls")


def test_a_plain_function_that_returns_a_coroutine_is_refused_and_not_let_through(
    manual: ManualClock,
) -> None:
    coroutine = as_coroutine(Flaky())

    def disguised() -> object:
        return coroutine()

    guarded = full_guard(manual)(disguised)
    with pytest.raises(TypeError, match="is a coroutine function"):
        guarded()


def test_the_happy_path_needs_no_circuit(manual: ManualClock) -> None:
    guard = Guard("api", clock=manual)
    assert isinstance(guard._happy_path, HappyPath)
    assert [guard(succeed)(), guard.statistics.successful] == [0, 1]


def test_the_error_that_opens_a_healthy_circuit_is_the_cause_of_the_rejections(manual: ManualClock) -> None:
    error = ConnectionError("down")
    guarded = Guard("api", breaker=CircuitBreakerConfig(failure_threshold=1), clock=manual)(Flaky(error))
    with pytest.raises(ConnectionError):
        guarded()
    with pytest.raises(CircuitBreakerOpenError) as caught:
        guarded()
    assert caught.value.cause is error
