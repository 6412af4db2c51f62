# SPDX-License-Identifier: GPL-3.0-or-later
"""One event loop on a thread of its own, on which the coroutines of an asynchronous exchange run."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

__all__ = ["LoopEndedError", "LoopThread"]


class LoopEndedError(RuntimeError):
    """The event loop does not run: the store's run has not begun, or is over."""


class LoopThread:
    """Runs coroutines for other threads. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._futures: set[Future[Any]] = set()

    def start(self) -> None:
        """Begin; starting twice is no error."""
        if self._loop is not None:
            return
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="tradeguard-event-loop", daemon=True
        )
        self._thread.start()
        started.result()

    def adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use a loop that runs in another thread already, and leave it running."""
        self._loop = loop

    def call(self, make: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any) -> Any:
        """Run a coroutine in the caller's context, and wait for its result.

        Raises:
            LoopEndedError: the loop does not run.
            concurrent.futures.CancelledError: it ended before the coroutine did.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("a coroutine of the event loop cannot block it to wait for another one")
        return self._begin(lambda: make(*args, **kwargs)).result()

    def spawn(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> Future[Any]:
        """Run a coroutine in the background, in a context of its own: no deadline of the caller bounds it.

        Raises:
            LoopEndedError: the loop does not run.
        """
        return contextvars.Context().run(self._begin, make)

    def stop(self, last: Callable[[], Coroutine[Any, Any, Any]], seconds: float) -> None:
        """Cancel what runs for others, and end the loop unless it was adopted; stopping twice is no error.

        Args:
            last: closes what is open on the loop; run before an end of the loop alone.
            seconds: how long to wait for each of both.

        Raises:
            Exception: what `last` raised, once the loop has ended.
        """
        thread, loop, ending = self._thread, self._loop, self._ending
        if loop is None:
            return
        try:
            if thread is not None:
                self._begin(last).result(seconds)
        finally:
            with self._lock:
                self._loop = self._thread = self._ending = None
                if ending is not None:
                    loop.call_soon_threadsafe(ending.set)
            if thread is not None:
                thread.join(seconds)
            for future in list(self._futures):  # those that came too late for the loop to begin with, too
                future.cancel()

    def _begin(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> Future[Any]:
        with self._lock:
            if self._loop is None:
                raise LoopEndedError(
                    "the exchange is asynchronous, and its event loop runs while cerebro.run() does"
                )
            # The context of this thread goes with it.
            future = asyncio.run_coroutine_threadsafe(make(), self._loop)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def _run(self, started: Future[None]) -> None:
        with asyncio.Runner() as runner:  # which cancels, at its end, what is still running
            runner.run(self._serve(started))

    async def _serve(self, started: Future[None]) -> None:
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        started.set_result(None)
        await self._ending.wait()
