"""Small programs that show what a circuit breaker does; each takes a kind of circuit and returns a verdict."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from breaker_peers import RECOVERY, Circuit
from in_flight import InFlight, Where
from verdict import Verdict, no, not_applicable, partly, yes

from tradeguard.testing import ManualClock

__all__ = ["BREAKER_PROGRAMS"]

HOUR = 3600.0
CALLERS = 20

Kind = type[Circuit]


def fail() -> None:
    raise ConnectionError("down")


def failures(protected: Callable[[], Any], count: int = 3) -> list[BaseException | None]:
    """Call `protected` so many times and return what each call raised."""
    errors: list[BaseException | None] = []
    for _ in range(count):
        try:
            protected()
        except BaseException as error:
            errors.append(error)
        else:
            errors.append(None)
    return errors


async def failures_async(protected: Callable[[], Any], count: int = 3) -> None:
    """Await `protected` so many times."""
    for _ in range(count):
        try:
            await protected()
        except Exception as error:
            if not isinstance(error, ConnectionError):
                raise


def passes(circuit: Circuit, protected: Callable[[], Any]) -> bool:
    """Tell whether a call is let through."""
    (error,) = failures(protected, 1)
    return not isinstance(error, circuit.rejection)


def one_trial_at_a_time(kind: Kind) -> Verdict:
    clock = ManualClock()
    circuit = kind(clock)
    with circuit.time(), InFlight() as calls:
        failures(circuit.plain(fail))
        clock.advance(RECOVERY + 1)
        crowd = calls.begin(circuit.plain, CALLERS)
        inside = sum(call.where is Where.INSIDE for call in crowd)
        waiting = sum(call.where is Where.STARTING for call in crowd)
        others = f"{waiting} wait for it" if waiting else f"{CALLERS - inside} are rejected"
    fact = f"{inside} of {CALLERS} pass" + (f", {others}" if inside < CALLERS else "")
    return yes(fact) if inside == 1 else no(fact)


def late_success_while_open(kind: Kind) -> Verdict:
    clock = ManualClock()
    circuit = kind(clock)
    with circuit.time(), InFlight() as calls:
        (slow,) = calls.begin(circuit.plain)
        if calls.begin(circuit.plain, fail=True)[0].where is Where.STARTING:
            return yes("cannot arise: calls wait for each other")
        calls.begin(circuit.plain, 2, fail=True)
        before = circuit.state()
        slow.succeed()
        after = circuit.state()
    fact = f"{before} before it, {after} after"
    return yes(fact) if before == after == "open" else no(fact)


def late_success_while_half_open(kind: Kind) -> Verdict:
    clock = ManualClock()
    circuit = kind(clock)
    with circuit.time(), InFlight() as calls:
        (slow,) = calls.begin(circuit.plain)
        if calls.begin(circuit.plain, fail=True)[0].where is Where.STARTING:
            return yes("cannot arise: calls wait for each other")
        calls.begin(circuit.plain, 2, fail=True)
        clock.advance(RECOVERY + 1)
        calls.begin(circuit.plain)
        before = circuit.state()
        slow.succeed()
        after = circuit.state()
    fact = f"{before} before it, {after} after"
    return yes(fact) if before == after == "half-open" else no(fact)


def calls_overlap(kind: Kind) -> Verdict:
    circuit = kind(ManualClock())
    with circuit.time(), InFlight() as calls:
        crowd = calls.begin(circuit.plain, 2)
        inside = sum(call.where is Where.INSIDE for call in crowd)
    return yes("2 calls run at once") if inside == 2 else no("the second waits for the first")


def listener_harms_nobody(kind: Kind) -> Verdict:
    if not kind.listens:
        return not_applicable("it has no listeners")
    told: list[object] = []

    def listener(change: object) -> None:
        told.append(change)
        raise RuntimeError("a bug of the listener")

    circuit = kind(ManualClock(), listener=listener)
    with circuit.time():
        *_, tripping = failures(circuit.plain(fail))
        state = circuit.state()
    assert told, "the listener must have been told"
    unharmed = isinstance(tripping, ConnectionError)
    whose = "its own" if unharmed else "the listener's"
    fact = f"the caller gets {whose} error, the circuit is {state}"
    if unharmed and state == "open":
        return yes(fact)
    return partly(fact) if unharmed or state == "open" else no(fact)


def cancellation_decides_nothing(kind: Kind) -> Verdict:
    if not kind.knows_asyncio:
        return not_applicable("no asyncio")
    clock = ManualClock()
    circuit = kind(clock)

    async def cancel_a_trial() -> tuple[str, bool]:
        entered = asyncio.Event()
        working = False

        async def call() -> None:
            if not working:
                raise ConnectionError("down")
            entered.set()
            await asyncio.Event().wait()

        async def at_once() -> None: ...

        protected = circuit.coroutine(call)
        await failures_async(protected)
        clock.advance(RECOVERY + 1)
        working = True
        trial = asyncio.create_task(protected())
        await entered.wait()
        trial.cancel()
        await asyncio.wait([trial])
        state = circuit.state()
        try:
            await circuit.coroutine(at_once)()
        except circuit.rejection:
            return state, False
        return state, True

    with circuit.time():
        state, next_passes = asyncio.run(cancel_a_trial())
    if state == "closed":
        return no("counts as a success: the circuit closes")
    if state == "open":
        return no("counts as a failure: the circuit opens again")
    return yes("the next trial passes") if next_passes else no("stuck: its place is never free again")


def wall_clock_changes_nothing(kind: Kind) -> Verdict:
    def open_circuit() -> tuple[ManualClock, Circuit, Callable[[], Any]]:
        clock = ManualClock()
        circuit = kind(clock)
        protected = circuit.plain(fail)
        with circuit.time():
            failures(protected)
        return clock, circuit, protected

    clock, circuit, protected = open_circuit()
    with circuit.time():
        clock.set_time(clock.time() - HOUR)
        clock.advance(RECOVERY + 1)
        ends_in_time = passes(circuit, protected)
    clock, circuit, protected = open_circuit()
    with circuit.time():
        clock.set_time(clock.time() + HOUR)
        clock.advance(1)
        ends_early = passes(circuit, protected)
    if ends_in_time and not ends_early:
        return yes("open for 30 s either way")
    facts = [] if ends_in_time else ["set back an hour: open an hour longer"]
    return no("; ".join([*facts, "set forward: over at once"] if ends_early else facts))


def coroutines_are_protected(kind: Kind) -> Verdict:
    async def broken() -> None:
        raise ConnectionError("down")

    def state_after(decorator: str) -> str:
        circuit = kind(ManualClock())
        with circuit.time():
            try:
                asyncio.run(failures_async(getattr(circuit, decorator)(broken)))
            except TypeError:
                return "refused"
            return circuit.state()

    as_meant, as_plain = state_after("coroutine"), state_after("plain")
    if as_meant != "open":
        return no("failures pass uncounted")
    if as_plain == "closed":
        return partly("by its asynchronous decorator; by the plain one, failures pass uncounted")
    return yes("failures are counted")


def generators_are_protected_or_refused(kind: Kind) -> Verdict:
    def broken() -> Iterator[int]:
        raise ConnectionError("down")
        yield 1

    circuit = kind(ManualClock())
    with circuit.time():
        try:
            protected = circuit.plain(broken)
        except TypeError:
            return yes("refused when decorated")
        failures(lambda: list(protected()))
        state = circuit.state()
    return yes("protected") if state == "open" else no("failures pass uncounted")


def async_generators_are_protected_or_refused(kind: Kind) -> Verdict:
    async def broken() -> AsyncIterator[int]:
        raise ConnectionError("down")
        yield 1

    circuit = kind(ManualClock())

    async def iterate(protected: Callable[[], AsyncIterator[int]]) -> None:
        made = protected()
        if inspect.iscoroutine(made):
            made.close()  # else Python warns of it besides
        async for _ in made:
            pass

    with circuit.time():
        try:
            protected = circuit.coroutine(broken)
        except TypeError:
            return yes("refused when decorated")
        try:
            asyncio.run(failures_async(lambda: iterate(protected)))
        except TypeError:
            return partly("a TypeError when iterated")
        state = circuit.state()
    return yes("protected") if state == "open" else no("failures pass uncounted")


def counts_are_exact(kind: Kind) -> Verdict:
    calls = 500
    circuit = kind(ManualClock(), failures=10 * calls)

    def other() -> None:
        raise ConnectionError("down too")

    with circuit.time():
        threads = [
            threading.Thread(target=failures, args=(circuit.plain(func), calls)) for func in (fail, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counted = circuit.counted_failures()
    fact = f"{counted} of {2 * calls} failures"
    return yes(fact) if counted == 2 * calls else no(fact)


def interrupts_decide_nothing(kind: Kind) -> Verdict:
    circuit = kind(ManualClock())

    def interrupted() -> None:
        raise KeyboardInterrupt

    with circuit.time():
        failures(circuit.plain(fail), 2)
        failures(circuit.plain(interrupted), 1)
        if circuit.state() == "open":
            return no("counts as a failure")
        failures(circuit.plain(fail), 1)
        state = circuit.state()
    return yes("neither success nor failure") if state == "open" else no("counts as a success")


BREAKER_PROGRAMS: dict[str, Callable[[Kind], Verdict]] = {
    "Half-open, one trial passes at a time": one_trial_at_a_time,
    "A success that comes late does not close an open circuit": late_success_while_open,
    "nor a half-open one": late_success_while_half_open,
    "No lock is held during a call": calls_overlap,
    "A listener that raises harms neither caller nor circuit": listener_harms_nobody,
    "A trial that is cancelled decides nothing": cancellation_decides_nothing,
    "Ctrl-C decides nothing": interrupts_decide_nothing,
    "A jump of the wall clock changes no open period": wall_clock_changes_nothing,
    "A decorated coroutine function is protected": coroutines_are_protected,
    "A decorated generator is protected or refused": generators_are_protected_or_refused,
    "A decorated asynchronous generator, too": async_generators_are_protected_or_refused,
    "Two functions in two threads are counted exactly": counts_are_exact,
}
