"""The core against its peers, on a healthy call."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from harness import Comparison, Contender, Goal, Results, measure

from tradeguard import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    ErrorMonitor,
    ErrorSeverity,
    Guard,
    NetworkException,
    RetryConfig,
    resilient,
    retry_on_network_error,
)
from tradeguard import circuit_breaker as circuit_breaker_decorator

__all__ = ["run"]


def bare() -> int:
    """Return a constant: what is guarded costs next to nothing itself."""
    return 1


def repeat(func: Callable[[], Any]) -> Contender:
    """Return a contender that calls `func` n times."""

    def contender(n: int) -> None:
        for _ in range(n):
            func()

    return contender


def breakers() -> dict[str, Contender]:
    """Return the circuit breakers."""
    import circuitbreaker
    import interlock
    import purgatory
    import pybreaker

    ours = CircuitBreaker("bench-breaker")
    theirs = interlock.CircuitBreaker(name="bench")
    factory = purgatory.SyncCircuitBreakerFactory()
    py = pybreaker.CircuitBreaker()
    return {
        "bare call": repeat(bare),
        "tradeguard @circuit_breaker": repeat(circuit_breaker_decorator("bench-decorated")(bare)),
        "tradeguard CircuitBreaker.call": repeat(functools.partial(ours.call, bare)),
        "circuitbreaker": repeat(circuitbreaker.circuit(bare)),
        "purgatory": repeat(factory("bench")(bare)),
        "pybreaker": repeat(py(bare)),
        "interlock-cb": repeat(theirs(bare)),
    }


def retries() -> dict[str, Contender]:
    """Return the retries."""
    import backoff
    import stamina
    import tenacity

    return {
        "bare call": repeat(bare),
        "tradeguard @retry_on_network_error": repeat(retry_on_network_error(max_attempts=3)(bare)),
        "backoff": repeat(backoff.on_exception(backoff.expo, OSError, max_tries=3)(bare)),
        "stamina": repeat(stamina.retry(on=OSError, attempts=3)(bare)),
        "tenacity": repeat(tenacity.retry(stop=tenacity.stop_after_attempt(3))(bare)),
    }


def guards() -> dict[str, Contender]:
    """Return whole compositions."""
    import circuitbreaker
    import interlock
    import tenacity

    def plain(name: str, **layers: Any) -> Contender:
        return repeat(Guard(name, retry=RetryConfig(), breaker=CircuitBreakerConfig(), **layers)(bare))

    builder = interlock.PipelineBuilder().retry(attempts=3)
    pipeline = builder.circuit_breaker(interlock.CircuitBreaker(name="bench-pipeline")).build()
    decorated = resilient(
        retry_config=RetryConfig(), circuit_breaker_config=CircuitBreakerConfig(), monitor=ErrorMonitor()
    )(bare)
    return {
        "bare call": repeat(bare),
        "tradeguard @resilient (retry, breaker, monitor)": repeat(decorated),
        "tradeguard Guard (retry, breaker, fallback)": plain("bench-fallback", fallback=lambda: 0),
        "tradeguard Guard (retry, breaker, timeout)": plain("bench-timeout", timeout=30.0),
        "circuitbreaker": repeat(circuitbreaker.circuit(bare)),
        "tenacity": repeat(tenacity.retry(stop=tenacity.stop_after_attempt(3))(bare)),
        "interlock-cb pipeline (retry, breaker)": repeat(functools.partial(pipeline.call, bare)),
    }


def coroutines() -> dict[str, Contender]:
    """Return compositions around a coroutine."""
    import circuitbreaker
    import tenacity

    async def coroutine() -> int:
        return 1

    def awaiting(func: Callable[[], Any]) -> Contender:
        async def loop(n: int) -> None:
            for _ in range(n):
                await func()

        return lambda n: asyncio.run(loop(n))

    decorated = resilient(
        retry_config=RetryConfig(), circuit_breaker_config=CircuitBreakerConfig(), monitor=ErrorMonitor()
    )(coroutine)
    return {
        "bare await": awaiting(coroutine),
        "tradeguard @resilient": awaiting(decorated),
        "circuitbreaker": awaiting(circuitbreaker.circuit(coroutine)),
        "tenacity": awaiting(tenacity.retry(stop=tenacity.stop_after_attempt(3))(coroutine)),
    }


def troubled() -> dict[str, Contender]:
    """Return failing and rejected calls."""
    import circuitbreaker

    def fail() -> None:
        raise NetworkException("down")

    def quietly(func: Callable[[], Any]) -> Callable[[], None]:
        def call() -> None:
            try:
                func()
            except (NetworkException, CircuitBreakerOpenError, circuitbreaker.CircuitBreakerError):
                return

        return call

    failing = CircuitBreaker("bench-failing", CircuitBreakerConfig(failure_threshold=10**9))
    opened = CircuitBreaker("bench-open")
    opened.force_open()
    peer_open = circuitbreaker.CircuitBreaker(failure_threshold=1, recovery_timeout=10**6)
    guarded = peer_open(fail)
    quietly(guarded)()
    return {
        "bare failure": repeat(quietly(fail)),
        "tradeguard failure": repeat(quietly(lambda: failing.call(fail))),
        "tradeguard rejection": repeat(quietly(lambda: opened.call(bare))),
        "circuitbreaker failure": repeat(
            quietly(circuitbreaker.CircuitBreaker(failure_threshold=10**9)(fail))
        ),
        "circuitbreaker rejection": repeat(quietly(guarded)),
    }


def threaded(threads: int) -> dict[str, Contender]:
    """Return contenders that share their calls among threads."""
    import circuitbreaker

    def spread(func: Callable[[], Any]) -> Contender:
        def contender(n: int) -> None:
            pool = [threading.Thread(target=repeat(func), args=(n // threads,)) for _ in range(threads)]
            for thread in pool:
                thread.start()
            for thread in pool:
                thread.join()

        return contender

    decorated = resilient(
        retry_config=RetryConfig(), circuit_breaker_config=CircuitBreakerConfig(), monitor=ErrorMonitor()
    )(bare)
    return {
        "tradeguard @resilient": spread(decorated),
        "circuitbreaker": spread(circuitbreaker.circuit(bare)),
    }


def run(results: Results, rounds: int) -> None:
    """Measure everything of the core."""
    call, decorated = "tradeguard CircuitBreaker.call", "tradeguard @resilient (retry, breaker, monitor)"
    pipeline = "interlock-cb pipeline (retry, breaker)"
    results.add(
        measure("circuit breakers", breakers(), goals=[Goal(call, "circuitbreaker", 0.4)], rounds=rounds)
    )
    results.add(measure("retries", retries(), number=5000, rounds=rounds))
    goals = [
        Goal(decorated, "circuitbreaker", 0.5),
        Goal(decorated, "tenacity", 0.03),
        Goal(decorated, pipeline, 0.02),
    ]
    results.add(measure("compositions", guards(), goals=goals, number=5000, rounds=rounds))
    results.add(measure("coroutines", coroutines(), number=5000, rounds=rounds))
    results.add(measure("failures and rejections", troubled(), number=5000, rounds=rounds))
    for threads in (1, 4, 16):
        results.add(measure(f"{threads} threads", threaded(threads), rounds=rounds))
    _monitor(results, rounds)
    _footprint(results)


def _monitor(results: Results, rounds: int) -> None:
    monitor, error = ErrorMonitor(), NetworkException("timeout")
    monitor.configure_alerts(
        error_rate_threshold=10**9, severity_threshold=ErrorSeverity.CRITICAL, alert_cooldown=300
    )

    def record() -> None:
        monitor.record_error(error, ErrorSeverity.ERROR, "api")

    comparison: Comparison = measure("recording", {"record_error": repeat(record)}, rounds=rounds)
    results.add(comparison)
    results.fact("record_error", comparison.nanoseconds["record_error"] / 1e3, "microseconds", 3.0)
    for size in (10**3, 10**5, 10**6):
        filled = ErrorMonitor()
        for _ in range(size):
            filled.record_error(error, ErrorSeverity.WARNING, "api")
        began = time.perf_counter()
        for _ in range(20):
            filled.get_error_statistics()
        results.fact(
            f"statistics after {size:,} errors", (time.perf_counter() - began) / 20 * 1e6, "microseconds"
        )


def _footprint(results: Results) -> None:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [CircuitBreaker(f"bench-{n}") for n in range(500)]
    results.fact("memory of a breaker", (tracemalloc.get_traced_memory()[0] - before) / len(kept), "bytes")
    monitor, error = ErrorMonitor(), NetworkException("timeout")
    for n in range(20_000):
        monitor.record_error(error, ErrorSeverity.WARNING, f"component {n % 50}")
    before = tracemalloc.get_traced_memory()[0]
    for n in range(200_000):
        monitor.record_error(error, ErrorSeverity.WARNING, f"component {n % 50}")
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    results.fact("memory grown over 200,000 further errors", grown / 1024, "KiB")
    code = "import time; t = time.perf_counter(); import tradeguard; print((time.perf_counter() - t) * 1e3)"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as users run it
    command = [sys.executable, "-c", code]
    runs = [
        subprocess.run(command, capture_output=True, check=True, text=True, env=environment) for _ in range(8)
    ]
    times = sorted(float(run.stdout) for run in runs[1:])
    results.fact("import tradeguard", times[len(times) // 2], "ms", 40.0)
