"""Calls that begin now and end when and how a test says: in threads of their own, or as coroutines stepped by hand."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator
from typing import Any

__all__ = ["Flight", "TaskFlight", "ThreadFlight"]

PATIENCE = 10.0
"""Seconds after which a thread that neither begins nor ends its call fails the test."""


class Flight:
    """A call on its way.

    Attributes:
        inside: whether the function was called and has not returned.
        outcome: what the call came to, its result or the type of its error; None as long as it is on its way.
    """

    def __init__(self) -> None:
        self.inside = False
        self.outcome: Any = None
        self.error: BaseException | None = None

    def land(self, error: BaseException | None = None) -> Any:
        """Let the function return "landed", or raise `error`; return the outcome of the call."""
        raise NotImplementedError

    def end(self) -> str:
        """What the function does once it may."""
        self.inside = False
        if self.error is not None:
            raise self.error
        return "landed"


class ThreadFlight(Flight):
    """A plain call, in a thread of its own."""

    def __init__(self, call: Callable[[Callable[[], str]], object]) -> None:
        super().__init__()
        self._call = call
        self._moved, self._may_end = threading.Semaphore(0), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._moved.acquire(timeout=PATIENCE)

    def _run(self) -> None:
        try:
            self.outcome = self._call(self._stay)
        except BaseException as error:
            self.outcome = type(error)
        finally:
            self._moved.release()

    def _stay(self) -> str:
        self.inside = True
        self._moved.release()
        assert self._may_end.wait(PATIENCE)
        return self.end()

    def land(self, error: BaseException | None = None) -> Any:
        self.error = error
        self._may_end.set()
        self._thread.join(PATIENCE)
        return self.outcome


class _Pause:
    def __await__(self) -> Generator[None, None, None]:
        yield


class TaskFlight(Flight):
    """An awaited call, stepped as an event loop would; its error is raised where it waits, as a cancellation is."""

    def __init__(self, call: Callable[[Callable[[], Awaitable[str]]], Awaitable[object]]) -> None:
        super().__init__()
        self._steps = call(self._stay).__await__()
        self._step(lambda: next(self._steps))

    def _step(self, step: Callable[[], object]) -> None:
        try:
            step()
        except StopIteration as end:
            self.outcome = end.value
        except BaseException as error:
            self.outcome = type(error)

    async def _stay(self) -> str:
        self.inside = True
        try:
            await _Pause()
        finally:
            self.inside = False
        return "landed"

    def land(self, error: BaseException | None = None) -> Any:
        self._step(lambda: next(self._steps) if error is None else self._steps.throw(error))
        return self.outcome
