# SPDX-License-Identifier: GPL-3.0-or-later
"""An asynchronous exchange that is called as a synchronous one."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader.loop_thread import LoopThread

__all__ = ["AwaitedExchange", "is_asynchronous"]


def is_asynchronous(exchange: Any) -> bool:
    """Whether the methods of an exchange are coroutines, as those of ccxt.async_support and ccxt.pro are."""
    return inspect.iscoroutinefunction(getattr(exchange, "fetch_ohlcv", None))


class AwaitedExchange:
    """The synchronous face of an asynchronous exchange, for threads other than that of its event loop.

    Each coroutine is run to its end on the loop while the calling thread waits; all else is the exchange's own. An
    exchange that is not open when the run begins gets a loop of its own and is closed at the end; one that is open on
    a loop that runs in another thread is used there, and left open.

    Args:
        exchange: of ccxt.async_support or ccxt.pro, guarded or not.
        loop: on which its coroutines run.
    """

    def __init__(self, exchange: Any, loop: LoopThread) -> None:
        self.awaited = exchange
        self.event_loop = loop

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the exchange, a coroutine function as one that waits for its result."""
        value = getattr(self.__dict__["awaited"], name)
        if not inspect.iscoroutinefunction(value):
            return value
        return functools.partial(self.event_loop.call, value)

    def __repr__(self) -> str:
        return f"AwaitedExchange({self.awaited!r})"

    def start(self) -> None:
        """Have an event loop on which the exchange is open.

        Raises:
            ConfigurationException: it is open on a loop that does not run, or that this very call blocks.
        """
        if getattr(self.awaited, "session", None) is not None:
            self.event_loop.adopt(self._loop_in_use())
            return
        self.event_loop.start()
        self.event_loop.call(self._open)

    def stop(self, seconds: float) -> None:
        """End what runs for the run, and close the exchange if it was opened for it; each in at most `seconds`."""
        self.event_loop.stop(self._close, seconds)

    def _loop_in_use(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop | None = getattr(self.awaited, "asyncio_loop", None)
        if loop is None or not loop.is_running() or loop is _loop_here():
            raise ConfigurationException(
                f"{getattr(self.awaited, 'id', 'the exchange')} was opened on another event loop, and its connections "
                "work nowhere else: `await exchange.close()` there before cerebro.run(), or leave that loop running "
                "in another thread",
                component="tradeguard_backtrader",
            )
        return loop

    async def _open(self) -> None:
        if hasattr(self.awaited, "open"):
            self.awaited.open()  # once more, if it was closed by a former run

    async def _close(self) -> None:
        if hasattr(self.awaited, "close"):
            await self.awaited.close()


def _loop_here() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
