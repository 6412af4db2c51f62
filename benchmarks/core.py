"""The core against its peers: healthy calls, plain and asynchronous, of one thread and of many."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from harness import Contender, Goal, Results, measure, repeat
from peers import async_layers, bare, bare_async, plain_layers

__all__ = ["run"]

_GOALS = {
    "breaker": (Goal("circuitbreaker", 0.4),),
    "retry, breaker and monitor": (
        Goal("circuitbreaker, alone", 0.5),
        Goal("tenacity, alone", 0.03),
        Goal("interlock-cb, retry and breaker", 0.02),
    ),
}
_SHARED = ("breaker", "retry and breaker")


def run(results: Results, rounds: int) -> None:
    """Measure each layer, plain, asynchronous, and shared by threads."""
    layers = plain_layers()
    for layer, calls in layers.items():
        waits = "timeout" in layer
        contenders = {name: repeat(call) for name, call in {**calls, "bare call": bare}.items()}
        timer = time.perf_counter_ns if waits else time.process_time_ns
        goals = _GOALS.get(layer, ())
        results.add(measure(f"plain: {layer}", contenders, goals=goals, rounds=rounds, timer=timer))
    with asyncio.Runner() as runner:
        for layer, calls in async_layers().items():
            contenders = {
                name: _awaiting(runner, call) for name, call in {**calls, "bare await": bare_async}.items()
            }
            results.add(measure(f"async: {layer}", contenders, rounds=rounds))
    for threads in (1, 4, 16):
        for layer in _SHARED:
            contenders = {name: _spread(call, threads) for name, call in layers[layer].items()}
            name = f"{threads} thread{'s' if threads > 1 else ''}: {layer}"
            results.add(measure(name, contenders, number=4_000, rounds=rounds, timer=time.perf_counter_ns))


def _awaiting(runner: asyncio.Runner, func: Callable[[], Any]) -> Contender:
    async def loop(n: int) -> None:
        for _ in range(n):
            await func()

    return lambda n: runner.run(loop(n))


def _spread(func: Callable[[], Any], threads: int) -> Contender:
    """Return a contender that shares its calls among threads."""

    def contender(n: int) -> None:
        pool = [threading.Thread(target=repeat(func), args=(n // threads,)) for _ in range(threads)]
        for thread in pool:
            thread.start()
        for thread in pool:
            thread.join()

    return contender
