"""Bounds of time on calls.

A coroutine is cancelled. A plain function cannot be: it runs on a worker thread, and when its time is up the
caller goes on without it. Every call in flight has a thread of its own, so that hung calls starve nobody; idle
threads are used again and end after a while. The threads are daemons: no hung call keeps a process alive.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, TypeVar, cast

from tradeguard.callables import operation_name
from tradeguard.exceptions import CallTimeoutError

__all__ = ["Workers", "await_within"]

T = TypeVar("T")

_IDLE_SECONDS: Final = 10.0
_ABSENT: Final = object()


class _Job:
    """One call on its way to a worker and back."""

    __slots__ = ("args", "context", "done", "error", "func", "kwargs", "result", "start")

    def __init__(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.context: Context = copy_context()
        self.start = threading.Lock()
        """Whoever takes it decides: the worker that begins the call, or the caller that gives it up."""
        self.done = threading.Lock()
        self.done.acquire()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        if self.start.acquire(blocking=False):
            try:
                self.result = self.context.run(self.func, *self.args, **self.kwargs)
            except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
                self.error = error

    def give_up(self) -> bool:
        """Return True if the call had not begun; then it never will."""
        return self.start.acquire(blocking=False)

    def outcome(self) -> Any:
        _adopt(self.context)
        error = self.error
        if error is None:
            return self.result
        try:
            raise error
        finally:
            # Else the error, its traceback and these frames keep each other alive.
            self.error = None
            del error


class Workers:
    """Runs plain functions under a bound.

    Args:
        name: what the threads are named after.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._forget_threads()

    def run(self, seconds: float, func: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        """Return `func(*args, **kwargs)`, run on a worker in a copy of the caller's context.

        What the call sets in context variables is set for the caller, as if it had run in place.

        Args:
            seconds: how long to wait; at zero or less the call is not begun.
            func: a plain function.
            args: its arguments.
            kwargs: its keyword arguments.

        Raises:
            CallTimeoutError: if it took longer. A call that has begun runs on in the background; one that has
                not never will.
        """
        job = _Job(func, args, kwargs)
        if seconds > 0:
            self._hand_over(job)
            try:
                if job.done.acquire(timeout=min(seconds, threading.TIMEOUT_MAX)):
                    return cast("T", job.outcome())
            except BaseException:
                job.give_up()
                raise
        what = operation_name(func)
        if job.give_up():
            raise CallTimeoutError(
                f"{what} was not begun within {seconds:g} s", timeout=seconds, still_running=False
            )
        raise CallTimeoutError(f"{what} took longer than {seconds:g} s", timeout=seconds)

    def _hand_over(self, job: _Job) -> None:
        if os.getpid() != self._pid:
            self._forget_threads()
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = queue.SimpleQueue()
            threading.Thread(
                target=self._work, args=(inbox,), name=f"tradeguard-{self._name}", daemon=True
            ).start()
        inbox.put(job)

    def _forget_threads(self) -> None:
        # A forked child has none of its parent's threads, and the lock may have been held when it forked.
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a signal handler may come by here too
        self._idle: list[queue.SimpleQueue[_Job]] = []

    def _work(self, inbox: queue.SimpleQueue[_Job]) -> None:
        while True:
            try:
                job = inbox.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                job = inbox.get()  # it was picked at the last moment
            job.run()
            with self._lock:
                self._idle.append(inbox)  # before the caller goes on: its next call then finds this thread
            job.done.release()
            del job


async def await_within(seconds: float, awaitable: Awaitable[T], what: str) -> T:
    """Await `awaitable`, but cancel it after `seconds`.

    Raises:
        CallTimeoutError: if it was cancelled for that. Its own TimeoutError passes as it is.
    """
    import asyncio  # noqa: PLC0415 - it takes 70 ms to import, and a bot without coroutines never needs it

    try:
        async with asyncio.timeout(seconds) as bound:
            return await awaitable
    except TimeoutError as error:
        if not bound.expired():
            raise
        raise CallTimeoutError(
            f"{what} took longer than {seconds:g} s and was cancelled; what it sent may still be running elsewhere",
            timeout=seconds,
            still_running=False,
        ) from error


def _adopt(context: Context) -> None:
    """Set what a finished call has changed in its copy of the context."""
    for variable, value in context.items():
        if _value(variable) is not value:
            variable.set(value)


def _value(variable: ContextVar[Any]) -> Any:
    return variable.get(_ABSENT)
