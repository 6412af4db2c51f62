"""Circuit breakers, each made as its documentation says and asked for the same.

That is: open after so many consecutive failures, for `RECOVERY` seconds; one trial at a time; one successful trial
closes it; the error of a call that opens it reaches the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol
from unittest import mock

from tradeguard import CircuitBreaker, CircuitBreakerConfig, CircuitBreakerOpenError, Guard
from tradeguard.testing import ManualClock

__all__ = ["BREAKERS", "RECOVERY", "Circuit"]

RECOVERY = 30

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Circuit(Protocol):
    """One circuit of a library.

    Attributes:
        distribution: the library's name in the package index.
        rejection: what it raises when it is open.
        listens: whether it can have listeners.
        knows_asyncio: whether it is meant for coroutines of asyncio.
    """

    distribution: ClassVar[str]
    rejection: type[BaseException]
    listens: ClassVar[bool]
    knows_asyncio: ClassVar[bool]

    def __init__(
        self, clock: ManualClock, *, failures: int = 3, listener: Callable[..., Any] | None = None
    ) -> None: ...

    def time(self) -> AbstractContextManager[Any]:
        """Let the library read the clock, where it does not take one."""
        ...

    def plain(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a plain function."""
        ...

    def coroutine(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a coroutine function."""
        ...

    def state(self) -> str:
        """Return `closed`, `open` or `half-open`; some say `open` until the first trial comes."""
        ...

    def counted_failures(self) -> int:
        """Return how many failures the circuit has counted."""
        ...


class TradeGuardCircuit:
    distribution = "tradeguard"
    rejection = CircuitBreakerOpenError
    listens = True
    knows_asyncio = True

    def __init__(
        self, clock: ManualClock, *, failures: int = 3, listener: Callable[..., Any] | None = None
    ) -> None:
        config = CircuitBreakerConfig(
            failure_threshold=failures, recovery_timeout=RECOVERY, success_threshold=1, half_open_max_calls=1
        )
        self._circuit = CircuitBreaker("api", config, clock=clock)
        if listener is not None:
            self._circuit.add_listener(listener)
        self._guard = Guard("api", breaker=self._circuit, clock=clock)
        self.plain: Decorator = self._guard
        self.coroutine: Decorator = self._guard

    def time(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def state(self) -> str:
        return self._circuit.get_state().value.replace("_", "-")

    def counted_failures(self) -> int:
        return self._circuit.statistics.failed_calls


class CircuitbreakerCircuit:
    distribution = "circuitbreaker"
    listens = False
    knows_asyncio = True

    def __init__(
        self, clock: ManualClock, *, failures: int = 3, listener: Callable[..., Any] | None = None
    ) -> None:
        import circuitbreaker

        self._clock = clock
        self.rejection: type[BaseException] = circuitbreaker.CircuitBreakerError
        with self.time():
            self._circuit = circuitbreaker.CircuitBreaker(
                failure_threshold=failures, recovery_timeout=RECOVERY, name="api"
            )
        self.plain: Decorator = self._circuit
        self.coroutine: Decorator = self._circuit

    def time(self) -> AbstractContextManager[Any]:
        return mock.patch("circuitbreaker.monotonic", self._clock.monotonic)

    def state(self) -> str:
        return str(self._circuit.state).replace("_", "-")

    def counted_failures(self) -> int:
        return int(self._circuit.failure_count)


class PybreakerCircuit:
    distribution = "pybreaker"
    listens = True
    knows_asyncio = False

    def __init__(
        self, clock: ManualClock, *, failures: int = 3, listener: Callable[..., Any] | None = None
    ) -> None:
        import pybreaker

        class Listener(pybreaker.CircuitBreakerListener):
            def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
                if listener is not None:
                    listener(new_state)

        self._clock = clock
        self.rejection: type[BaseException] = pybreaker.CircuitBreakerError
        self._circuit = pybreaker.CircuitBreaker(
            fail_max=failures, reset_timeout=RECOVERY, listeners=[Listener()], throw_new_error_on_trip=False
        )
        self.plain: Decorator = self._circuit
        self.coroutine: Decorator = self._circuit

    def time(self) -> AbstractContextManager[Any]:
        shown = SimpleNamespace(now=lambda zone: datetime.fromtimestamp(self._clock.time(), zone))
        return mock.patch("pybreaker.datetime", shown)

    def state(self) -> str:
        return str(self._circuit.current_state)

    def counted_failures(self) -> int:
        return int(self._circuit.fail_counter)


class PurgatoryCircuit:
    distribution = "purgatory"
    listens = True
    knows_asyncio = True

    def __init__(
        self, clock: ManualClock, *, failures: int = 3, listener: Callable[..., Any] | None = None
    ) -> None:
        import purgatory
        from purgatory.domain.model import OpenedState

        self._clock = clock
        self.rejection: type[BaseException] = OpenedState
        factory = purgatory.SyncCircuitBreakerFactory(default_threshold=failures, default_ttl=RECOVERY)
        factory_async = purgatory.AsyncCircuitBreakerFactory(default_threshold=failures, default_ttl=RECOVERY)
        if listener is not None:
            told = listener
            factory.add_listener(lambda name, kind, event: told(event) if kind == "state_changed" else None)
        self._factories = (factory, factory_async)
        self.plain: Decorator = factory("api")
        self.coroutine: Decorator = factory_async("api")

    def time(self) -> AbstractContextManager[Any]:
        return mock.patch("purgatory.domain.model.time", SimpleNamespace(time=self._clock.time))

    def state(self) -> str:
        states = [context.state for context in self._contexts()] or ["closed"]
        return str(states[0]).replace("opened", "open")

    def counted_failures(self) -> int:
        return sum(context.failure_count for context in self._contexts())

    def _contexts(self) -> list[Any]:
        return [context for each in self._factories for context in each.uow.contexts.breakers.values()]


class InterlockCircuit:
    distribution = "interlock-cb"
    listens = True
    knows_asyncio = True

    def __init__(
        self, clock: ManualClock, *, failures: int = 3, listener: Callable[..., Any] | None = None
    ) -> None:
        import interlock

        config = interlock.Config(  # it counts rates: all of the latest calls is its word for consecutive
            failure_rate_threshold=1.0,
            minimum_number_of_calls=failures,
            window_size=failures,
            permitted_calls_in_half_open=1,
            max_concurrent_probes=1,
            wait_duration_in_open=RECOVERY,
        )
        hooks = (
            None if listener is None else SimpleNamespace(on_state_change=lambda **change: listener(change))
        )
        self.rejection: type[BaseException] = interlock.CircuitOpenError
        self._circuit = interlock.CircuitBreaker(name="api", config=config, clock=clock, listener=hooks)  # type: ignore[arg-type] # one hook of several
        self.plain: Decorator = self._circuit
        self.coroutine: Decorator = self._circuit

    def time(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def state(self) -> str:
        return str(self._circuit.state).replace("_", "-")

    def counted_failures(self) -> int:
        return self._circuit.snapshot().failed_calls


BREAKERS: tuple[type[Circuit], ...] = (
    TradeGuardCircuit,
    CircuitbreakerCircuit,
    PybreakerCircuit,
    PurgatoryCircuit,
    InterlockCircuit,
)
