"""Synchronous and asynchronous exchanges: one flow for both, in which only the awaiting differs.

Whatever a guarded call does step by step is written as a coroutine, a *flow*. On an asynchronous exchange it is
awaited. On a synchronous one each of its awaits is answered at once, so it never suspends and is run to its end where
it stands.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

from tradeguard.clock import Clock
from tradeguard.guard import Guard

__all__ = ["Asynchronous", "Flavour", "Synchronous", "answer_of", "run_now"]

T = TypeVar("T")

_LONGEST_INTERVAL = 60.0  # seconds between two rounds in the background


def run_now(flow: Coroutine[Any, Any, T]) -> T:
    """Run a flow whose every await is answered at once, as each one is on a synchronous exchange."""
    try:
        flow.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    flow.close()
    raise AssertionError(f"{flow!r} waits for an event loop; a synchronous exchange has none")


async def answer_of(result: Any) -> Any:
    """Return the answer of a call of ccxt: an asynchronous exchange gives an awaitable."""
    return await result if hasattr(result, "__await__") else result


class Flavour(Protocol):
    """How one kind of exchange waits."""

    def exclusive(self) -> AbstractAsyncContextManager[bool]:
        """Enter the part of a flow that only one may be in; gives False within it, to the same thread or task."""
        ...

    async def sleep_async(self, seconds: float) -> None:
        """Wait."""
        ...

    def repeat(self, seconds: float, flow: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        """Run `flow` in the background, again and again until it gives True; one such at a time."""
        ...

    def stop(self) -> None:
        """End what runs in the background."""
        ...

    async def through(self, guard: Guard, name: str, attempt: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run `attempt` through `guard`, as often as that wants, under the name by which the monitor knows it."""
        ...


class Synchronous:
    """Waits by blocking the thread.

    Args:
        clock: by which it waits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._entered = False
        self._background = threading.Lock()
        self._repeating: tuple[threading.Thread, threading.Event] | None = None
        self._asked = False  # since the flow last began

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[bool]:
        """Enter the part of a flow that only one thread may be in."""
        with self._lock:
            if self._entered:  # by this very thread
                yield False
                return
            self._entered = True
            try:
                yield True
            finally:
                self._entered = False

    async def sleep_async(self, seconds: float) -> None:
        """Block for `seconds`."""
        self._clock.sleep(seconds)

    async def through(self, guard: Guard, name: str, attempt: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run `attempt` through `guard`, blocking."""

        def attempt_now() -> Any:
            return run_now(attempt())

        attempt_now.__qualname__ = name
        return guard.call(attempt_now)

    def repeat(self, seconds: float, flow: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        """Run `flow` on a thread, again and again until it gives True."""
        with self._background:
            self._asked = True
            if self._repeating is not None and self._repeating[0].is_alive():
                return
            stopped = threading.Event()

            def run() -> None:
                pause = seconds
                while not stopped.wait(pause):
                    with self._background:
                        self._asked = False
                    done = run_now(flow())
                    with self._background:
                        if (
                            done and not self._asked
                        ):  # else something has come up that the flow may not have seen
                            if self._repeating is not None and self._repeating[1] is stopped:
                                self._repeating = None
                            return
                    pause = min(pause * 2, _LONGEST_INTERVAL)

            thread = threading.Thread(target=run, name="tradeguard-doubts", daemon=True)
            self._repeating = (thread, stopped)
            thread.start()

    def stop(self) -> None:
        """End what runs in the background; a look-up that is under way is waited for briefly."""
        with self._background:
            repeating, self._repeating = self._repeating, None
        if repeating is not None:
            repeating[1].set()
            if repeating[0] is not threading.current_thread():
                repeating[0].join(timeout=2.0)


class Asynchronous:
    """Waits by giving the event loop a turn.

    Args:
        clock: by which it waits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None
        self._repeating: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[bool]:
        """Enter the part of a flow that only one task may be in."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if self._loop is not loop:  # a lock belongs to the loop on which it was waited for
            self._loop, self._lock, self._owner = loop, asyncio.Lock(), None
        if self._owner is task:
            yield False
            return
        async with self._lock:
            self._owner = task
            try:
                yield True
            finally:
                self._owner = None

    async def sleep_async(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await self._clock.sleep_async(seconds)

    async def through(self, guard: Guard, name: str, attempt: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run `attempt` through `guard`, awaiting."""
        attempt.__qualname__ = name
        return await guard.call_async(attempt)

    def repeat(self, seconds: float, flow: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        """Run `flow` as a task, again and again until it gives True."""
        if self._repeating is not None and not self._repeating.done():
            return

        async def run() -> None:
            pause = seconds
            while True:
                await self._clock.sleep_async(pause)
                if await flow():
                    return
                pause = min(pause * 2, _LONGEST_INTERVAL)

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # the loop is gone, and a coroutine of its last order is cleared away: nothing will run here
        self._repeating = loop.create_task(run(), context=contextvars.Context())

    def stop(self) -> None:
        """End what runs in the background."""
        repeating, self._repeating = self._repeating, None
        if repeating is not None and not repeating.done():
            repeating.cancel()
