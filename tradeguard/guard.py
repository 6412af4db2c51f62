"""The one composition of all protections; decorators and adapters use it.

Outermost first: monitor, fallback, retry, breaker, timeout, call.
"""

from __future__ import annotations

import inspect
import operator
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import WRAPPER_UPDATES, partial, wraps
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar, cast

from tradeguard.bounds import refuse, require_callable, require_flag, require_number
from tradeguard.callables import (
    PlainCallError,
    adapt,
    awaited,
    is_coroutine_callable,
    operation_name,
    refuse_coroutine,
    refuse_unguardable,
)
from tradeguard.circuit_breaker import CircuitBreaker, CircuitBreakerConfig, Permit
from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.deadlines import current_deadline
from tradeguard.exceptions import CircuitBreakerOpenError
from tradeguard.guarded_run import GuardedRun, Monitor
from tradeguard.happy_path import FirstAttempt, HappyPath, call_and_await, spread, spread_async
from tradeguard.retry_config import RetryConfig
from tradeguard.retry_manager import RetryManager
from tradeguard.workers import Workers, await_within

__all__ = ["Guard", "GuardStatistics", "Monitor"]

P = ParamSpec("P")
T = TypeVar("T")

_UNGUARDED: Final[AbstractContextManager[None]] = nullcontext()


class GuardStatistics(NamedTuple):
    """What a guard has done since it was made.

    Attributes:
        calls: guarded calls that have ended.
        successful: of these, those that gave the caller a result, one of the fallback included.
        failed: of these, those that gave the caller an error, a rejection included.
        cancelled: of these, those that were cancelled or interrupted.
        attempts: calls of the guarded functions.
        retries: of these, those beyond each call's first.
        rejections: attempts that the circuit did not let through.
        fallbacks: calls in which the fallback served.
    """

    calls: int
    successful: int
    failed: int
    cancelled: int
    attempts: int
    retries: int
    rejections: int
    fallbacks: int


class Guard:
    """Protects calls of plain functions and of coroutine functions; for any number of threads and tasks at once.

    Args:
        name: names the guard in the monitor and the circuit that it makes.
        retry: a config, or a manager that others use too. None: nothing is retried.
        breaker: a config, or a circuit that others use too. None: there is no circuit.
        timeout: bounds each attempt, in seconds > 0: a coroutine is cancelled, a plain function is left behind on
            a worker. The shortest of it, the retry's `attempt_timeout` and the breaker's `timeout` counts.
        fallback: called with the arguments of the call, as far as it takes them, when that finally failed; its
            result is returned instead.
        monitor: told of each failed attempt, each rescue and each change of the circuit.
        clock: of the parts that the guard makes from configs; the system's unless given.
        wait_for_circuit: wait for an open circuit, if that fits the deadline, instead of failing at once.
        interruptible: whether an enclosing `deadline` may leave a plain function behind on a worker. False for
            what must run to its end in the caller's thread, such as the sending of an order: the deadline then
            keeps it from beginning, and no more. A coroutine is cancelled in either case.

    Attributes:
        name: as given.
        retry: the manager, or None.
        breaker: the circuit, or None.
        timeout: the bound of an attempt, or None.
        fallback: as given.
        monitor: as given.
        wait_for_circuit: as given.
        interruptible: as given.

    Raises:
        ConfigurationException: if an argument is of the wrong kind or out of its bounds.
    """

    def __init__(  # noqa: PLR0913 - an argument for each layer
        self,
        name: str,
        *,
        retry: RetryConfig | RetryManager | None = None,
        breaker: CircuitBreakerConfig | CircuitBreaker | None = None,
        timeout: float | None = None,
        fallback: Callable[..., Any] | None = None,
        monitor: Monitor | None = None,
        clock: Clock | None = None,
        wait_for_circuit: bool = False,
        interruptible: bool = True,
    ) -> None:
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not be typed
            refuse("name", name, "a text that is not empty")
        require_number("timeout", timeout, minimum=0, exclusive=True, optional=True)
        require_callable("fallback", fallback)
        require_flag("wait_for_circuit", wait_for_circuit)
        require_flag("interruptible", interruptible)
        clock = SYSTEM_CLOCK if clock is None else clock
        self.name = name
        self.retry = _manager(retry, clock)
        self.breaker = _circuit(breaker, name, clock)
        self.fallback = fallback
        self.monitor = monitor
        self.wait_for_circuit = wait_for_circuit
        self.interruptible = interruptible
        self._manager = (
            RetryManager(RetryConfig(max_attempts=1), clock=clock) if self.retry is None else self.retry
        )
        bounds = (
            timeout,
            self._manager.config.attempt_timeout,
            None if self.breaker is None else self.breaker.config.timeout,
        )
        self.timeout = min((bound for bound in bounds if bound is not None), default=None)
        self._workers = Workers(name)
        self._lock = threading.RLock()  # a signal handler may come by here too
        self._counts = dict.fromkeys(GuardStatistics._fields, 0)
        self._happy_path = HappyPath(self._manager, self.breaker, self.count)
        if self.breaker is not None and monitor is not None:
            self.breaker.add_listener(monitor.record_transition)
        self._called = self._guarded(operator.call, self._call_first)
        self._awaited = self._guarded_async(call_and_await, self._call_first_async)

    def call(self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `func(*args, **kwargs)`, or that of the fallback.

        Raises:
            Exception: its own, of the last attempt.
            CircuitBreakerOpenError: if the circuit is open; nothing was called.
            CallTimeoutError: if it took too long; it may still be running.
            RecoveryException: if no attempt had an acceptable result.
            TypeError: if `func` is a coroutine function.
        """
        return cast("T", self._called(func, *args, **kwargs))

    async def call_async(self, func: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `await func(*args, **kwargs)`, or that of the fallback.

        Raises:
            Exception: as `call` does; a coroutine that takes too long is cancelled.
        """
        return cast("T", await self._awaited(func, *args, **kwargs))

    def __call__(self, func: Callable[P, T]) -> Callable[P, T]:
        """Return `func` guarded, of the same kind and signature; the guard is its attribute `guard`.

        Raises:
            TypeError: if it is no function or other callable, or is a generator function.
        """
        if isinstance(func, (classmethod, staticmethod)):
            inner = cast("Any", func)
            return cast("Callable[P, T]", type(inner)(self(inner.__func__)))
        refuse_unguardable(func)
        if is_coroutine_callable(func):
            guarded = self._guarded_async(func, partial(self._call_async, cast("Any", func)))
        elif self.fallback is not None and is_coroutine_callable(self.fallback):
            raise TypeError(
                f"the fallback of the plain function {operation_name(func)} is a coroutine function"
            )
        else:
            guarded = self._guarded(func, partial(self._call, func))
        wraps(func, updated=WRAPPER_UPDATES if inspect.isroutine(func) else ())(guarded)
        guarded.guard = self
        return cast("Callable[P, T]", guarded)

    @property
    def statistics(self) -> GuardStatistics:
        """What the guard has done so far, exactly."""
        with self._lock:
            counts = dict(self._counts)
            happy = self._happy_path.calls.value()
        counts["successful"] += happy
        counts["attempts"] += happy
        counts["calls"] = counts["successful"] + counts["failed"] + counts["cancelled"]
        return GuardStatistics(**counts)

    def count(self, **steps: int) -> None:
        """Add to the statistics; for the run of a call."""
        with self._lock:
            for name, step in steps.items():
                self._counts[name] += step

    def _guarded(self, func: Callable[..., Any], slow_path: Callable[..., Any]) -> Any:
        return self._happy_path.plain(func, slow_path) if self._is_simple() else spread(slow_path)

    def _guarded_async(self, func: Callable[..., Any], slow_path: Callable[..., Any]) -> Any:
        return self._happy_path.coroutine(func, slow_path) if self._is_simple() else spread_async(slow_path)

    def _is_simple(self) -> bool:
        config = self._manager.config
        return self.timeout is None and config.retry_on_result is None and config.budget is None

    def _call_first(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], first: FirstAttempt | None = None
    ) -> Any:
        return self._call(args[0], args[1:], kwargs, first)

    async def _call_first_async(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], first: FirstAttempt | None = None
    ) -> Any:
        return await self._call_async(args[0], args[1:], kwargs, first)

    def _call(
        self,
        func: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        first: FirstAttempt | None = None,
    ) -> T:
        """Call `func` through all layers; its first attempt has happened if it is given."""
        run = GuardedRun(self, self._manager, operation_name(func), None if first is None else first.began)

        def attempt() -> T:
            if first is not None and first.errors:
                raise first.errors.pop()
            with self._admission(run):
                seconds = self._seconds() if self.interruptible else self.timeout
                if seconds is None:
                    return refuse_coroutine(func(*args, **kwargs))
                return refuse_coroutine(self._workers.run(seconds, func, args, kwargs))

        try:
            result = self._manager.drive(run, attempt)
        except Exception as error:
            if self.fallback is None or isinstance(error, PlainCallError):
                run.lost(error)
                raise
            with run.rescue(error):
                return cast("T", refuse_coroutine(adapt(self.fallback, args, kwargs)()))
        except BaseException:
            run.interrupted()
            raise
        run.succeeded()
        return result

    async def _call_async(
        self,
        func: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        first: FirstAttempt | None = None,
    ) -> T:
        run = GuardedRun(self, self._manager, operation_name(func), None if first is None else first.began)

        async def attempt() -> T:
            if first is not None and first.errors:
                raise first.errors.pop()
            with self._admission(run):
                seconds = self._seconds()
                if seconds is None:
                    return await awaited(func(*args, **kwargs))
                return await await_within(seconds, awaited(func(*args, **kwargs)), run.what)

        try:
            result = await self._manager.drive_async(run, attempt)
        except Exception as error:
            if self.fallback is None:
                run.lost(error)
                raise
            with run.rescue(error):
                return cast("T", await awaited(adapt(self.fallback, args, kwargs)()))
        except BaseException:
            run.interrupted()
            raise
        run.succeeded()
        return result

    def _admission(self, run: GuardedRun) -> AbstractContextManager[Permit | None]:
        if self.breaker is None:
            return _UNGUARDED
        try:
            return self.breaker.acquire()
        except CircuitBreakerOpenError as rejection:
            run.rejected(rejection)
            raise

    def _seconds(self) -> float | None:
        enclosing = current_deadline()
        if enclosing is None:
            return self.timeout
        remaining = enclosing.remaining()
        return remaining if self.timeout is None else min(remaining, self.timeout)

    def __repr__(self) -> str:
        return f"Guard({self.name!r})"


def _manager(retry: RetryConfig | RetryManager | None, clock: Clock) -> RetryManager | None:
    if isinstance(retry, RetryConfig):
        return RetryManager(retry, clock=clock)
    if retry is not None and not isinstance(retry, RetryManager):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not be typed
        refuse("retry", retry, "a RetryConfig, a RetryManager or None")
    return retry


def _circuit(
    breaker: CircuitBreakerConfig | CircuitBreaker | None, name: str, clock: Clock
) -> CircuitBreaker | None:
    if isinstance(breaker, CircuitBreakerConfig):
        return CircuitBreaker(name, breaker, clock=clock)
    if breaker is not None and not isinstance(breaker, CircuitBreaker):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not be typed
        refuse("breaker", breaker, "a CircuitBreakerConfig, a CircuitBreaker or None")
    return breaker
