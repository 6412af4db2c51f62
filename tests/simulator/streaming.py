"""Driving streams: an exchange whose clock is moved by hand, and ccxt.pro's own binance in the same loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tradeguard.simulator import SimulatedExchange

__all__ = ["moved", "settled", "subscribed", "until"]

_T = TypeVar("_T")
_TURN_SECONDS = 0.02
_PATIENCE_SECONDS = 10.0


async def moved(exchange: SimulatedExchange, wanted: Awaitable[_T], seconds: float = 1.0) -> _T:
    """Move the exchange's clock on, `seconds` a turn, until `wanted` is there."""
    task = asyncio.ensure_future(wanted)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not (await asyncio.wait({task}, timeout=_TURN_SECONDS))[0]:
            exchange.advance(seconds)
    return task.result()


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks run until the condition holds."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0)


async def subscribed(exchange: SimulatedExchange, name: str) -> None:
    """Wait until an open socket listens to the stream, or to the account, of this name."""
    await until(lambda: any(name in (*socket.streams, *socket.accounts) for socket in exchange.sockets))


async def settled(exchange: SimulatedExchange) -> None:
    """Wait until everything has left that the exchange had to send."""
    await until(lambda: not any(socket.is_open and socket.waiting for socket in exchange.sockets))
