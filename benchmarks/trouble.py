"""Calls that fail and calls that an open circuit rejects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backoff
import circuitbreaker
import interlock
import purgatory
import pybreaker
import stamina
import tenacity
from harness import Contender, Results, measure, repeat
from peers import bare

from tradeguard import CircuitBreaker, CircuitBreakerConfig, ErrorMonitor, Guard, RetryConfig

__all__ = ["run"]

_NEVER = 10**9


def fail() -> None:
    """Fail as a socket does."""
    raise OSError("down")


def run(results: Results, rounds: int) -> None:
    """Measure failures, failures of every attempt, and rejections."""
    for name, contenders in {
        "a failure under a breaker": _failing(),
        "three attempts that fail, without a wait": _retried(),
        "a rejection by an open circuit": _rejected(),
    }.items():
        results.add(measure(name, contenders, rounds=rounds))


def _failing() -> dict[str, Contender]:
    config = CircuitBreakerConfig(failure_threshold=_NEVER)
    ours = CircuitBreaker("bench-failing", config)
    monitored = Guard("bench-failing-guard", breaker=config, monitor=ErrorMonitor())
    watched = interlock.CircuitBreaker(name="bench-failing")
    watched.metrics_only()
    factory = purgatory.SyncCircuitBreakerFactory(default_threshold=_NEVER)
    return {
        "tradeguard CircuitBreaker.call": _quietly(lambda: ours.call(fail)),
        "tradeguard Guard, breaker and monitor": _quietly(monitored(fail)),
        "circuitbreaker": _quietly(circuitbreaker.CircuitBreaker(failure_threshold=_NEVER)(fail)),
        "purgatory": _quietly(factory("bench-failing")(fail)),
        "pybreaker": _quietly(pybreaker.CircuitBreaker(fail_max=_NEVER)(fail)),
        "interlock-cb": _quietly(watched(fail)),
        "bare failure": _quietly(fail),
    }


def _retried() -> dict[str, Contender]:
    guard = Guard("bench-retried", retry=RetryConfig(max_attempts=3, base_delay=0.0))
    stop, wait = tenacity.stop_after_attempt(3), tenacity.wait_none()
    without_wait = {"wait_initial": 0.0, "wait_max": 0.0, "wait_jitter": 0.0}
    return {
        "tradeguard Guard": _quietly(guard(fail)),
        "backoff": _quietly(
            backoff.on_exception(backoff.constant, OSError, max_tries=3, interval=0, jitter=None)(fail)
        ),
        "stamina": _quietly(stamina.retry(on=OSError, attempts=3, **without_wait)(fail)),
        "tenacity": _quietly(tenacity.retry(stop=stop, wait=wait, reraise=True)(fail)),
        "bare failure, three times": repeat(lambda: [_swallow(fail) for _ in range(3)]),
    }


def _rejected() -> dict[str, Contender]:
    ours = CircuitBreaker("bench-open")
    ours.force_open()
    theirs = circuitbreaker.CircuitBreaker(failure_threshold=1, recovery_timeout=_NEVER)(fail)
    purged = purgatory.SyncCircuitBreakerFactory(default_threshold=1, default_ttl=_NEVER)("bench-open")(fail)
    for guarded in (theirs, purged):
        _swallow(guarded)
    py = pybreaker.CircuitBreaker(reset_timeout=_NEVER)
    py.open()
    locked = interlock.CircuitBreaker(name="bench-open")
    locked.force_open()
    return {
        "tradeguard CircuitBreaker.call": _quietly(lambda: ours.call(bare)),
        "circuitbreaker": _quietly(theirs),
        "purgatory": _quietly(purged),
        "pybreaker": _quietly(py(bare)),
        "interlock-cb": _quietly(locked(bare)),
    }


def _quietly(func: Callable[[], Any]) -> Contender:
    return repeat(lambda: _swallow(func))


def _swallow(func: Callable[[], Any]) -> None:
    try:
        func()
    except Exception:  # noqa: BLE001 - each library has an error of its own
        return
