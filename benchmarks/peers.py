"""The same function guarded by each library: by layer, by name; ours comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import backoff
import circuitbreaker
import interlock
import purgatory
import pybreaker
import stamina
import tenacity

from tradeguard import (
    CircuitBreaker,
    CircuitBreakerConfig,
    ErrorMonitor,
    Guard,
    RetryConfig,
    resilient,
    retry_on_network_error,
)
from tradeguard import circuit_breaker as our_circuit_breaker

__all__ = ["async_layers", "bare", "bare_async", "plain_layers"]

Calls = dict[str, Callable[..., Any]]
_ATTEMPTS = tenacity.stop_after_attempt(3)


def bare() -> int:
    """Return a constant: what is guarded costs next to nothing itself."""
    return 1


async def bare_async() -> int:
    """Return a constant."""
    return 1


def _guard(name: str, **layers: Any) -> Guard:
    return Guard(name, retry=RetryConfig(), breaker=CircuitBreakerConfig(), **layers)


def _resilient(**layers: Any) -> Any:
    return resilient(retry_config=RetryConfig(), circuit_breaker_config=CircuitBreakerConfig(), **layers)


def _pipeline(name: str) -> interlock.PipelineBuilder:
    return interlock.PipelineBuilder().retry(attempts=3).circuit_breaker(interlock.CircuitBreaker(name=name))


def _monitored(func: Callable[..., Any]) -> Callable[..., Any]:
    guarded: Callable[..., Any] = _resilient(monitor=ErrorMonitor())(func)
    return guarded


def plain_layers() -> dict[str, Calls]:
    """Return plain functions, by layer and name."""
    retried = tenacity.retry(stop=_ATTEMPTS)
    pipeline = interlock.PipelineBuilder
    with_fallback = pipeline().fallback(lambda error: 0).retry(attempts=3)
    return {
        "breaker": {
            "tradeguard CircuitBreaker.call": partial(CircuitBreaker("bench-call").call, bare),
            "tradeguard @circuit_breaker": our_circuit_breaker("bench-decorated")(bare),
            "circuitbreaker": circuitbreaker.circuit(bare),
            "purgatory": purgatory.SyncCircuitBreakerFactory()("bench")(bare),
            "pybreaker": pybreaker.CircuitBreaker()(bare),
            "interlock-cb": interlock.CircuitBreaker(name="bench")(bare),
        },
        "retry": {
            "tradeguard @retry_on_network_error": retry_on_network_error(max_attempts=3)(bare),
            "backoff": backoff.on_exception(backoff.expo, OSError, max_tries=3)(bare),
            "stamina": stamina.retry(on=OSError, attempts=3)(bare),
            "tenacity": retried(bare),
            "interlock-cb": partial(pipeline().retry(attempts=3).build().call, bare),
        },
        "retry and breaker": {
            "tradeguard @resilient": _resilient()(bare),
            "backoff and circuitbreaker": backoff.on_exception(backoff.expo, OSError, max_tries=3)(
                circuitbreaker.circuit(bare)
            ),
            "stamina and purgatory": stamina.retry(on=OSError, attempts=3)(
                purgatory.SyncCircuitBreakerFactory()("bench-both")(bare)
            ),
            "tenacity and pybreaker": retried(pybreaker.CircuitBreaker()(bare)),
            "interlock-cb": partial(_pipeline("bench-both").build().call, bare),
        },
        "retry, breaker and monitor": {  # nobody else has a monitor
            "tradeguard @resilient": _monitored(bare),
            "circuitbreaker, alone": circuitbreaker.circuit(bare),
            "tenacity, alone": retried(bare),
            "interlock-cb, retry and breaker": partial(_pipeline("bench-monitor").build().call, bare),
        },
        "retry, breaker and fallback": {
            "tradeguard Guard": _guard("bench-fallback", fallback=lambda: 0)(bare),
            "circuitbreaker, no retry": circuitbreaker.circuit(fallback_function=lambda: 0)(bare),
            "tenacity, no breaker": tenacity.retry(stop=_ATTEMPTS, retry_error_callback=lambda state: 0)(
                bare
            ),
            "interlock-cb": partial(
                with_fallback.circuit_breaker(interlock.CircuitBreaker(name="f")).build().call, bare
            ),
        },
        "retry, breaker and timeout": {  # a plain function is bounded by a worker thread: the one way that there is
            "tradeguard Guard": _guard("bench-timeout", timeout=30.0)(bare),
            "interlock-cb": partial(_pipeline("bench-timeout").timeout(30.0).build().call, bare),
        },
    }


def async_layers() -> dict[str, Calls]:
    """Return coroutine functions, by layer and name; pybreaker has none without Tornado."""
    retried = tenacity.retry(stop=_ATTEMPTS)
    with_fallback = interlock.PipelineBuilder().fallback(lambda error: 0).retry(attempts=3)

    async def timed() -> int:
        async with asyncio.timeout(30.0):
            return await bare_async()

    return {
        "breaker": {
            "tradeguard @circuit_breaker": our_circuit_breaker("bench-async-decorated")(bare_async),
            "tradeguard CircuitBreaker.call_async": partial(
                CircuitBreaker("bench-async").call_async, bare_async
            ),
            "circuitbreaker": circuitbreaker.circuit(bare_async),
            "purgatory": purgatory.AsyncCircuitBreakerFactory()("bench")(bare_async),
            "interlock-cb": interlock.CircuitBreaker(name="bench")(bare_async),
        },
        "retry": {
            "tradeguard @retry_on_network_error": retry_on_network_error(max_attempts=3)(bare_async),
            "backoff": backoff.on_exception(backoff.expo, OSError, max_tries=3)(bare_async),
            "stamina": stamina.retry(on=OSError, attempts=3)(bare_async),
            "tenacity": retried(bare_async),
        },
        "retry and breaker": {
            "tradeguard @resilient": _resilient()(bare_async),
            "backoff and circuitbreaker": backoff.on_exception(backoff.expo, OSError, max_tries=3)(
                circuitbreaker.circuit(bare_async)
            ),
            "stamina and purgatory": stamina.retry(on=OSError, attempts=3)(
                purgatory.AsyncCircuitBreakerFactory()("bench-both")(bare_async)
            ),
            "interlock-cb": partial(_pipeline("bench-async").build().call, bare_async),
        },
        "retry, breaker and monitor": {
            "tradeguard @resilient": _monitored(bare_async),
            "circuitbreaker, alone": circuitbreaker.circuit(bare_async),
            "tenacity, alone": retried(bare_async),
        },
        "retry, breaker and fallback": {
            "tradeguard Guard": _guard("bench-async-fallback", fallback=lambda: 0)(bare_async),
            "interlock-cb": partial(
                with_fallback.circuit_breaker(interlock.CircuitBreaker(name="g")).build().call, bare_async
            ),
        },
        "retry, breaker and timeout": {
            "asyncio.timeout, alone": timed,
            "tradeguard Guard": _guard("bench-async-timeout", timeout=30.0)(bare_async),
            "interlock-cb": partial(_pipeline("bench-async-timeout").timeout(30.0).build().call, bare_async),
        },
    }
