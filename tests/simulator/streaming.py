"""Driving streams: an exchange whose clock is moved by hand, and ccxt.pro's own binance in the same loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tradeguard.simulator import SimulatedExchange

__all__ = ["ended", "moved", "settled", "subscribed", "until"]

_T = TypeVar("_T")
_TURN_SECONDS = 0.02
_GLANCE_SECONDS = 0.002
_PATIENCE_SECONDS = 30.0


async def moved(exchange: SimulatedExchange, wanted: Awaitable[_T], seconds: float = 1.0) -> _T:
    """Move the exchange's clock on, `seconds` a turn, until `wanted` is there."""
    task = asyncio.ensure_future(wanted)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not (await asyncio.wait({task}, timeout=_TURN_SECONDS))[0]:
            exchange.advance(seconds)
    return task.result()


async def ended(watch: Callable[..., Awaitable[object]], *args: object) -> None:
    """Watch on until it fails, since what came before the failure is still delivered."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            await watch(*args)


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks run until the condition holds."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in ccxt, which tells nobody
            await asyncio.sleep(_GLANCE_SECONDS)


async def subscribed(exchange: SimulatedExchange, name: str) -> None:
    """Wait until an open socket listens to the stream, or to the account, of this name."""
    await until(lambda: any(name in (*socket.streams, *socket.accounts) for socket in exchange.sockets))


async def settled(exchange: SimulatedExchange) -> None:
    """Wait until everything has left that the exchange had to send."""
    await until(lambda: not any(socket.is_open and socket.waiting for socket in exchange.sockets))
