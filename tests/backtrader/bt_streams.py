"""Runs on websockets in exchange time: the clock moves only when everything that was sent has been heard."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bt_runs import EventClock, Log, cut, run

from tradeguard.backoff import Backoff
from tradeguard.simulator import FaultPlan, SimulatedExchange, StreamFault, StreamFaultKind
from tradeguard_backtrader import GuardedStore, InlineWorkers, StoreConfig
from tradeguard_ccxt import GuardConfig, async_support, pro

_STEP = 0.25  # seconds of exchange time
_TURNS = 40  # of the event loop, after which what was read has been handled
_PATIENCE = 10.0  # real seconds
_ON_HANDSHAKES = (StreamFaultKind.REFUSED, StreamFaultKind.HUNG)
_driving: ContextVar[bool] = ContextVar("driving", default=False)


class StreamClock(EventClock):
    """Time that passes in small steps, in the thread of the run and in the calls that it waits for.

    What runs in the background waits for it to pass.

    Attributes:
        dials_at_once: whether a connection that is being made is waited for.
    """

    def __init__(self, simulated: SimulatedExchange | None = None) -> None:
        super().__init__(start=1000.0)
        self._runner = threading.current_thread()
        self.simulated = simulated
        self.store: Any = None
        self.dials_at_once = True
        _driving.set(True)

    def advance(self, seconds: float) -> None:
        if threading.current_thread() is not self._runner:
            super().advance(seconds)
            return
        while seconds > 0:
            super().advance(min(seconds, _STEP))
            seconds -= _STEP
            self._settle()

    async def sleep_async(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        while self.monotonic() < until:
            if _driving.get():
                EventClock.advance(self, min(_STEP, until - self.monotonic()))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)

    def _settle(self) -> None:
        """Wait until the exchange has sent what it had to say, and the run's event loop has heard it."""
        if self.simulated is None or self.store is None:
            return
        self.simulated.orders()  # brings the exchange to the present
        give_up = time.monotonic() + _PATIENCE
        while any(socket.is_open and socket.waiting for socket in self.simulated.sockets):
            assert time.monotonic() < give_up
            time.sleep(0.0002)
        loop = self.store.exchange.event_loop
        if loop._loop is not None:
            loop.call(_turns)
            while self.dials_at_once and self._is_dialling():
                assert time.monotonic() < give_up
                time.sleep(0.001)
                loop.call(_turns)

    def _is_dialling(self) -> bool:
        """Whether a connection is on its way, which takes real time and no time of the exchange."""
        clients = list(getattr(self.store.exchange, "clients", {}).values())
        sockets = [socket for socket in self.simulated.sockets if socket.is_open] if self.simulated else []
        return any(not client.isConnected for client in clients) or any(
            not socket.streams for socket in sockets
        )


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


@dataclass
class Stage:
    """A simulated exchange, a guarded one of ccxt.pro on it, and a store."""

    clock: StreamClock
    simulated: SimulatedExchange
    exchange: Any
    store: GuardedStore

    def asked(self, path: str = "/klines") -> int:
        """How often the exchange was asked over REST."""
        return self.simulated.requests.count("GET", f"/api/v3{path}")


@contextmanager
def stage(
    folder: Path,
    *faults: StreamFault,
    flavour: Any = pro,
    config: StoreConfig | None = None,
    simulated: dict[str, Any] | None = None,
    **guard: Any,
) -> Iterator[Stage]:
    """Equal seeds, equal markets; keywords go to GuardConfig."""
    clock = StreamClock()
    options = {"seed": 3, "faults": FaultPlan(faults), "clock": clock, **(simulated or {})}
    with SimulatedExchange(**options) as exchange_itself:
        options = {
            "clock": clock,
            "journal": folder / "orders.sqlite",
            "redial": Backoff(base_delay=0.25),
            **guard,
        }
        exchange = flavour.GuardedExchange(
            "binance", exchange_itself.ccxt_config(timeout=2000), guard=GuardConfig(**options)
        )
        exchange.timeout_on_exit = 0
        store = GuardedStore(exchange, clock=clock, workers=InlineWorkers(clock), config=config)
        clock.simulated, clock.store = exchange_itself, store
        clock.dials_at_once = not any(fault.kind in _ON_HANDSHAKES for fault in faults)
        yield Stage(clock, exchange_itself, exchange, store)


def streamed(
    folder: Path,
    *faults: StreamFault,
    cuts: Sequence[tuple[float, float]] = (),
    feed: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[Log, Stage]:
    """Run a feed on a stage of its own; `cuts` are outages: when they begin and how long they last, in seconds."""
    with stage(folder, *faults, **options) as set_up:
        for after, seconds in cuts:
            cut(set_up.clock, set_up.simulated, after=after, seconds=seconds)
        return run(set_up.store, **(feed or {})), set_up


__all__ = ["Stage", "StreamClock", "async_support", "pro", "stage", "streamed"]
