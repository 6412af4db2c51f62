"""The types that the core promises; never run, checked by `mypy --strict` and pyright alone.

Each ignore is a promise too: it fails the check when the error that it names is no longer found.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, assert_type

from tradeguard import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerState,
    Clock,
    ErrorMonitor,
    Guard,
    RetryConfig,
    RetryManager,
    StateTransition,
    SystemClock,
    circuit_breaker,
    deadline,
    resilient,
    retry_on_network_error,
)
from tradeguard.circuit_breaker import CircuitBreakerStatistics, Permit
from tradeguard.deadlines import Deadline
from tradeguard.fallback_cache import CachedValue, FallbackCache
from tradeguard.guard import GuardStatistics, Monitor
from tradeguard.testing import ManualClock


def fetch(symbol: str, *, limit: int = 5) -> list[float]:
    return [float(len(symbol))] * limit


async def fetch_async(symbol: str, *, limit: int = 5) -> list[float]:
    return fetch(symbol, limit=limit)


# Parts fit where they are asked for.
clocks: tuple[Clock, Clock] = (SystemClock(), ManualClock())
monitor: Monitor = ErrorMonitor()
manager = RetryManager(RetryConfig(max_attempts=3), clock=ManualClock())
breaker = CircuitBreaker("api", CircuitBreakerConfig(), clock=ManualClock())
guard = Guard("api", retry=manager, breaker=breaker, monitor=monitor, fallback=fetch, timeout=3)

# Calls keep the parameters and the result.
assert_type(manager.execute(fetch, "ETH/BTC", limit=1), list[float])
assert_type(breaker.call(fetch, "ETH/BTC"), list[float])
assert_type(guard.call(fetch, "ETH/BTC"), list[float])
manager.execute(fetch)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
breaker.call(fetch, 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
guard.call(fetch, "ETH/BTC", depth=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def awaited_calls() -> None:
    assert_type(await manager.execute_async(fetch_async, "ETH/BTC", limit=1), list[float])
    assert_type(await breaker.call_async(fetch_async, "ETH/BTC"), list[float])
    assert_type(await guard.call_async(fetch_async, "ETH/BTC"), list[float])
    assert_type(await guard.call_async(partial(fetch_async, "ETH/BTC")), list[float])
    await manager.execute_async(fetch, "ETH/BTC")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    async with deadline(5.0, ManualClock()) as entered:
        assert_type(entered, Deadline)


# Decorators keep the signature, of functions and of coroutine functions.
@guard
def guarded(symbol: str) -> float:
    return 1.0


@resilient(RetryConfig(), CircuitBreakerConfig(failure_threshold=5), fetch, 30.0, monitor=monitor)
def protected(symbol: str, *, limit: int = 5) -> list[float]:
    return fetch(symbol, limit=limit)


@circuit_breaker("typing.api", failure_threshold=5)
@retry_on_network_error(max_attempts=3, base_delay=1.0)
async def protected_async(symbol: str, *, limit: int = 5) -> list[float]:
    return await fetch_async(symbol, limit=limit)


assert_type(guarded("ETH/BTC"), float)
assert_type(protected("ETH/BTC", limit=1), list[float])
protected(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
as_told: Callable[[str], list[float]] = protected
as_awaited: Callable[[str], Coroutine[Any, Any, list[float]]] = protected_async


async def decorated_coroutines() -> None:
    assert_type(await protected_async("ETH/BTC"), list[float])
    await protected_async("ETH/BTC", depth=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


class Bot:
    """Methods, class methods and static methods keep theirs."""

    @resilient(RetryConfig())
    def price(self, symbol: str) -> float:
        return 1.0

    @resilient(RetryConfig())
    async def price_async(self, symbol: str) -> float:
        return 1.0

    @classmethod
    @retry_on_network_error()
    def of(cls, name: str) -> Bot:
        return cls()

    @staticmethod
    @circuit_breaker(failure_threshold=5)
    def fee(amount: float) -> float:
        return amount / 1000

    @property
    @guard
    def balance(self) -> Mapping[str, float]:
        return {}


async def methods(bot: Bot) -> None:
    assert_type(bot.price("ETH/BTC"), float)
    assert_type(await bot.price_async("ETH/BTC"), float)
    assert_type(Bot.of("name"), Bot)
    assert_type(Bot.fee(3.0), float)
    assert_type(bot.balance, Mapping[str, float])
    bot.price()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


# What is asked and told has types as well.
def on_change(event: StateTransition) -> None:
    assert_type(event.new_state, CircuitBreakerState)


breaker.add_listener(on_change)
assert_type(breaker.get_state(), CircuitBreakerState)
assert_type(breaker.statistics, CircuitBreakerStatistics)
assert_type(guard.statistics, GuardStatistics)
assert_type(FallbackCache().get("key", 5.0), CachedValue[Any] | None)
with breaker.acquire() as permit:
    assert_type(permit, Permit)
RetryConfig(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
RetryConfig(jitter="some")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
RetryConfig(retry_on_exceptions=lambda error: "again" in str(error))
CircuitBreakerConfig(on_state_change=lambda old, new: print(old.value, new.value))
