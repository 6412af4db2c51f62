"""What the library takes before it does anything: memory of a breaker, and time to import."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import circuitbreaker
import interlock
import purgatory
import pybreaker
from harness import Results

from tradeguard import CircuitBreaker, ErrorMonitor, ErrorSeverity, NetworkException

__all__ = ["run"]

_MODULES = (
    *("tradeguard", "circuitbreaker", "pybreaker", "purgatory", "interlock"),
    *("tenacity", "stamina", "backoff", "dataclasses, logging"),
)
_TIMED = "import time; t = time.process_time(); import {}; print((time.process_time() - t) * 1e3)"


def run(results: Results, rounds: int) -> None:
    """Measure memory and imports."""
    factory = purgatory.SyncCircuitBreakerFactory()
    makers: dict[str, Callable[[int], object]] = {
        "tradeguard": lambda number: CircuitBreaker(f"memory-{number}"),
        "circuitbreaker": lambda number: circuitbreaker.CircuitBreaker(name=f"memory-{number}"),
        "pybreaker": lambda number: pybreaker.CircuitBreaker(name=f"memory-{number}"),
        "purgatory": lambda number: factory.get_breaker(f"memory-{number}"),
        "interlock-cb": lambda number: interlock.CircuitBreaker(name=f"memory-{number}"),
    }
    for name, make in makers.items():
        results.fact(f"memory of a breaker: {name}", _bytes_each(make), "bytes")
    results.fact("memory of a monitor that is full", _full_monitor() / 1024, "KiB")
    for module, took in _imports(min(rounds, 11)).items():
        results.fact(f"import {module}", took, "ms of CPU", 40.0 if module == "tradeguard" else None)


def _bytes_each(make: Callable[[int], object]) -> float:
    tracemalloc.start()
    kept: list[object] = [make(-1)]
    before = tracemalloc.get_traced_memory()[0]
    kept += [make(number) for number in range(500)]
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown / 500


def _full_monitor() -> float:
    """Return the bytes of a monitor that has seen more of everything than it tells apart."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    monitor = ErrorMonitor()
    for number in range(2_000):
        kind = type(f"Error{number}", (NetworkException,), {})
        error = kind(f"{'no ' * (number % 300)}answer")
        monitor.record_error(error, ErrorSeverity.WARNING, f"component {number}")
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return float(grown)


def _imports(rounds: int) -> dict[str, float]:
    """Return the median CPU milliseconds of importing each module, in interleaved processes of their own."""
    # As users run it: with compiled files, which the first round writes.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    took: dict[str, list[float]] = {module: [] for module in _MODULES}
    for _ in range(rounds + 1):
        for module in _MODULES:
            command = [sys.executable, "-c", _TIMED.format(module)]
            done = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
            took[module].append(float(done.stdout))
    return {module: statistics.median(times[1:]) for module, times in took.items()}
