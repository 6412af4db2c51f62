"""Small programs that show what a retry does; each takes a kind of policy and returns a verdict."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

from retry_peers import Policy
from verdict import Verdict, no, not_applicable, yes

from tradeguard.testing import ManualClock

__all__ = ["RETRY_PROGRAMS"]

HOUR = 3600.0

Kind = type[Policy]


def no_wait_crosses_the_deadline(kind: Kind) -> Verdict:
    deadline, took, wait = 10, 3, 8
    clock = ManualClock()
    policy = kind(clock, attempts=5, wait=wait, deadline=deadline)
    starts: list[float] = []

    def slow() -> None:
        starts.append(clock.monotonic())
        clock.advance(took)
        raise TimeoutError

    with policy.time(), suppress(TimeoutError):
        policy.protect(slow)()
    if clock.monotonic() <= deadline:
        return yes(f"gives up at {clock.monotonic():g} s of {deadline} s")
    return no(f"tries again at {starts[-1]:g} s of {deadline} s")


def wall_clock_changes_nothing(kind: Kind) -> Verdict:
    def attempts(jump: float) -> int:
        clock = ManualClock()
        policy = kind(clock, attempts=50, wait=1, deadline=10)
        made = 0

        def broken() -> None:
            nonlocal made
            made += 1
            clock.advance(1)
            if made == 1:
                clock.set_time(clock.time() + jump)
            raise ConnectionError("down")

        with policy.time(), suppress(ConnectionError):
            policy.protect(broken)()
        return made

    undisturbed, back, forward = attempts(0), attempts(-HOUR), attempts(HOUR)
    if back == forward == undisturbed:
        return yes(f"{undisturbed} attempts either way")
    return no(f"{undisturbed} attempts; set back {back}, set forward {forward}")


def interrupts_are_not_retried(kind: Kind) -> Verdict:
    made = 0

    def interrupted() -> None:
        nonlocal made
        made += 1
        raise KeyboardInterrupt

    policy = kind(ManualClock())
    with policy.time(), suppress(KeyboardInterrupt):
        policy.protect(interrupted)()
    return yes("raised at once") if made == 1 else no(f"{made} attempts")


def interrupts_are_never_asked_for(kind: Kind) -> Verdict:
    made = 0

    def interrupted() -> None:
        nonlocal made
        made += 1
        raise KeyboardInterrupt

    try:
        policy = kind(ManualClock(), on=BaseException)
    except (TypeError, ValueError):
        return yes("asking for BaseException is refused")
    with policy.time(), suppress(KeyboardInterrupt):
        policy.protect(interrupted)()
    return yes("raised at once") if made == 1 else no(f"asked for BaseException: {made} attempts")


def cancellations_are_not_retried(kind: Kind) -> Verdict:
    made = 0
    policy = kind(ManualClock())

    async def cancel() -> None:
        entered = asyncio.Event()

        async def hang() -> None:
            nonlocal made
            made += 1
            entered.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(policy.protect(hang)())
        await entered.wait()
        task.cancel()
        await asyncio.wait([task])

    with policy.time():
        asyncio.run(cancel())
    return yes("ends at once") if made == 1 else no(f"{made} attempts")


def coroutines_are_protected(kind: Kind) -> Verdict:
    made = 0

    async def broken() -> None:
        nonlocal made
        made += 1
        raise ConnectionError("down")

    async def call(protected: Callable[[], Any]) -> None:
        with suppress(ConnectionError):
            await protected()

    policy = kind(ManualClock())
    with policy.time():
        asyncio.run(call(policy.protect(broken)))
    return yes("retried") if made == 3 else no("never retried")


def generators_are_protected_or_refused(kind: Kind) -> Verdict:
    made = 0

    def broken() -> Iterator[int]:
        nonlocal made
        made += 1
        raise ConnectionError("down")
        yield 1

    policy = kind(ManualClock())
    try:
        protected = policy.protect(broken)
    except TypeError:
        return yes("refused when decorated")
    with policy.time(), suppress(ConnectionError):
        list(protected())
    return yes("begun anew") if made == 3 else no("never retried")


def async_generators_are_protected_or_refused(kind: Kind) -> Verdict:
    made = 0

    async def broken() -> AsyncIterator[int]:
        nonlocal made
        made += 1
        raise ConnectionError("down")
        yield 1

    async def iterate(protected: Callable[[], AsyncIterator[int]]) -> None:
        with suppress(ConnectionError):
            async for _ in protected():
                pass

    policy = kind(ManualClock())
    try:
        protected = policy.protect(broken)
    except TypeError:
        return yes("refused when decorated")
    with policy.time():
        asyncio.run(iterate(protected))
    return yes("begun anew") if made == 3 else no("never retried")


def counts_are_exact(kind: Kind) -> Verdict:
    if kind.counts is not None:
        return not_applicable(kind.counts)
    calls, attempts = 500, 2
    policy = kind(ManualClock(), attempts=attempts)

    def broken() -> None:
        raise ConnectionError("down")

    def other() -> None:
        raise ConnectionError("down too")

    def call(protected: Callable[[], Any]) -> None:
        for _ in range(calls):
            with suppress(ConnectionError):
                protected()

    with policy.time():
        threads = [threading.Thread(target=call, args=(policy.protect(func),)) for func in (broken, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    counted, made = policy.counted_attempts(), 2 * calls * attempts
    return (
        yes(f"{made} of {made} attempts") if counted == made else no("each function tells of its latest call")
    )


RETRY_PROGRAMS: dict[str, Callable[[Kind], Verdict]] = {
    "No wait crosses the deadline": no_wait_crosses_the_deadline,
    "A jump of the wall clock changes no deadline": wall_clock_changes_nothing,
    "Ctrl-C is not retried": interrupts_are_not_retried,
    "Ctrl-C cannot be made to be retried": interrupts_are_never_asked_for,
    "A cancelled coroutine is not retried": cancellations_are_not_retried,
    "A decorated coroutine function is retried": coroutines_are_protected,
    "A decorated generator is retried or refused": generators_are_protected_or_refused,
    "A decorated asynchronous generator, too": async_generators_are_protected_or_refused,
    "Two functions in two threads are counted exactly": counts_are_exact,
}
