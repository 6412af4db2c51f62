"""The circuit breaker: stops calling what keeps failing, and notices at once when it works again.

After Michael Nygard, "Release It!", 2nd ed., Pragmatic Bookshelf, 2018, chapter 5. The decisions are those of
`tradeguard.breaker_machine`; this module adds time, threads, exceptions and listeners. No lock is held while
the caller's code runs.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Final, ParamSpec, TypeVar, cast

from tradeguard.bounds import refuse, require_number
from tradeguard.breaker_config import CircuitBreakerConfig, CircuitBreakerState
from tradeguard.breaker_events import StateChange, StateTransition, TransitionFeed
from tradeguard.breaker_machine import BreakerMachine, Rejection, Ticket
from tradeguard.breaker_permit import Permit, Verdict
from tradeguard.breaker_registry import BreakerRegistry
from tradeguard.breaker_snapshot import MachineSnapshot
from tradeguard.breaker_statistics import BreakerCounts, CircuitBreakerStatistics
from tradeguard.callables import (
    COROUTINE,
    PlainCallError,
    awaited,
    is_cancellation,
    operation_name,
    refuse_coroutine,
)
from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.deadlines import bounded
from tradeguard.exceptions import CircuitBreakerOpenError, ConfigurationException
from tradeguard.tally import Tally
from tradeguard.workers import Workers, await_within

__all__ = [
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CircuitBreakerOpenError",
    "CircuitBreakerState",
    "CircuitBreakerStatistics",
    "Permit",
    "StateTransition",
]

P = ParamSpec("P")
T = TypeVar("T")

_NEUTRAL: Final = (CircuitBreakerOpenError, PlainCallError)
_NO_TICKET: Final = Ticket(0)

_logger = logging.getLogger(__name__)


class CircuitBreaker:
    """Lets calls through while they succeed; for any number of threads and tasks at once.

    Args:
        name: for errors, events and the registry; two breakers may share one.
        config: when to open and close.
        clock: measures; the system's unless given.

    Attributes:
        name: as given.
        config: as given.
        clock: as given.
        machine: the state machine; read `calm` of it and no more.

    Raises:
        ConfigurationException: if an argument is of the wrong kind.
    """

    _registry: ClassVar[BreakerRegistry[CircuitBreaker]] = BreakerRegistry()

    def __init__(
        self, name: str, config: CircuitBreakerConfig | None = None, *, clock: Clock | None = None
    ) -> None:
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not be typed
            refuse("name", name, "a text that is not empty")
        if config is not None and not isinstance(config, CircuitBreakerConfig):  # pyright: ignore[reportUnnecessaryIsInstance] - as above
            refuse("config", config, "a CircuitBreakerConfig or None")
        self.name = name
        self.config = CircuitBreakerConfig() if config is None else config
        self.clock: Clock = SYSTEM_CLOCK if clock is None else clock
        self._ignored = cast("tuple[type[Exception], ...]", self.config.ignore_exceptions)
        self._recorded = cast("tuple[type[Exception], ...]", self.config.record_exceptions)
        self.machine = BreakerMachine(self.config)
        self._lock = threading.RLock()  # a signal handler may come by here too
        self._counts = BreakerCounts()
        self._count_happy_call = self._counts.happy_calls.increment
        self._cause: BaseException | None = None
        self._feed = TransitionFeed()
        self._workers = Workers(name)
        if self.config.on_state_change is not None:
            self._feed.listeners.add(StateChange(self.config.on_state_change))
        self._registry.add(self)

    def call(self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `func(*args, **kwargs)`.

        Raises:
            Exception: its own, the one that opens the circuit included.
            CircuitBreakerOpenError: if the circuit is open; nothing was called.
            CallTimeoutError: if it took longer than `timeout`; it may still be running.
            TypeError: if `func` is a coroutine function.
        """
        # The healthy path, written for speed: an attribute, the call, the attribute again, and a count. Only
        # with keywords is `**kwargs` passed on, for that builds a dictionary.
        machine = self.machine
        generation = machine.calm
        if not generation:
            return self._call(func, args, kwargs)
        try:
            result = func(*args, **kwargs) if kwargs else func(*args)  # type: ignore[call-arg] # P takes none
        except BaseException as error:
            self.conclude(Ticket(generation), self.judge(error), error)
            raise
        if type(result) is COROUTINE:
            refuse_coroutine(result)
        if machine.calm == generation:
            self._count_happy_call()
        else:
            self.conclude(Ticket(generation), "successful", None)
        return result

    async def call_async(self, func: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `await func(*args, **kwargs)`; cancellation counts as neither success nor failure.

        Raises:
            Exception: as `call` does; a coroutine that takes too long is cancelled.
        """
        with self.acquire():
            if self.config.timeout is None:
                return await awaited(func(*args, **kwargs))
            seconds = bounded(self.config.timeout)
            return await await_within(seconds, awaited(func(*args, **kwargs)), operation_name(func))

    def acquire(self) -> Permit:
        """Return the admission of a call that cannot be wrapped.

        Raises:
            CircuitBreakerOpenError: if the circuit is open.
        """
        with self._lock:
            now = self.clock.monotonic()
            ticket = self.machine.admit(now)
            self._fetch_events()
            if isinstance(ticket, Rejection):
                self._counts.add("rejected")
            cause = self._cause
        self._feed.deliver()
        if isinstance(ticket, Ticket):
            return Permit(self, ticket, now)
        if self.config.monitor_only:
            return Permit(self, _NO_TICKET, now)
        _logger.debug("circuit %s rejected a call", self.name)
        raise CircuitBreakerOpenError(self.name, ticket.retry_after, cause)

    def get_state(self) -> CircuitBreakerState:
        """Return the state now: an open circuit whose recovery time is over is half-open."""
        self._change(self.machine.settle)
        return self.machine.state

    @property
    def forced(self) -> bool:
        """Whether the state is held by `force_open` or `force_closed`."""
        return self.machine.forced

    def open_seconds(self) -> float:
        """Return the seconds in which calls are rejected: 0.0 if not open, infinite if open by force."""
        if self.config.monitor_only:
            return 0.0
        with self._lock:
            if self.machine.forced:
                return math.inf if self.machine.state is CircuitBreakerState.OPEN else 0.0
            seconds = self.machine.open_for(self.clock.monotonic())
            self._fetch_events()
        self._feed.deliver()
        return seconds

    def reset(self) -> None:
        """Close the circuit and forget what led to its state; calls in flight count for nothing."""
        self._change(self.machine.reset)

    def force_open(self) -> None:
        """Reject every call until `release`, `reset` or `force_closed`."""
        self._change(partial(self.machine.force, CircuitBreakerState.OPEN))

    def force_closed(self) -> None:
        """Let every call through until `release`, `reset` or `force_open`."""
        self._change(partial(self.machine.force, CircuitBreakerState.CLOSED))

    def release(self) -> None:
        """End a hold.

        What was held open stays so for one more recovery time; what was held closed goes on closed.
        """
        self._change(self.machine.release)

    def open_until(self, epoch_seconds: float) -> None:
        """Open the circuit until a time, such as the end of a ban; an open one is never opened for less long.

        Args:
            epoch_seconds: seconds since the epoch, 0 to 1e11, so that milliseconds do not pass for them; the wall
                clock is read once, and a later jump of it changes nothing.

        Raises:
            ConfigurationException: if it is out of its bounds.
        """
        require_number("epoch_seconds", epoch_seconds, minimum=0, maximum=1e11)
        seconds = epoch_seconds - self.clock.time()
        self._change(lambda now: self.machine.open_until(now + seconds, now))

    def snapshot(self) -> dict[str, Any]:
        """Return what outlives a restart, as JSON can hold it; see `restore`."""
        with self._lock:
            snapshot = self.machine.snapshot(self.clock.monotonic())
            self._fetch_events()
        self._feed.deliver()
        return {"name": self.name, **snapshot.to_dict()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on as a circuit whose `snapshot` was taken: in its state, held if it was, for the time it had left.

        Raises:
            ConfigurationException: if it is no such snapshot.
        """
        restored = MachineSnapshot.from_dict(snapshot)
        self._change(partial(self.machine.restore, restored))

    def add_listener(self, listener: Callable[[StateTransition], object]) -> None:
        """Call `listener` with each change from now on; an equal one is not added twice.

        Changes are told in their order, in the thread that caused them or in one that was just telling of
        another. A listener that raises is counted and logged and harms nobody.
        """
        self._feed.listeners.add(listener)

    def remove_listener(self, listener: Callable[[StateTransition], object]) -> None:
        """Call `listener` no more; one that was never added is none."""
        self._feed.listeners.remove(listener)

    @property
    def statistics(self) -> CircuitBreakerStatistics:
        """What the circuit has seen so far, exactly."""
        state = self.get_state()
        with self._lock:
            return self._counts.statistics(
                state, self.machine.consecutive_failures, self._feed.listeners.failed
            )

    @classmethod
    def registry(cls) -> Mapping[str, CircuitBreaker]:
        """Return the circuits of this process by name; of several with one name, one of them."""
        return cls._registry.by_name()

    @classmethod
    def named(
        cls, name: str, config: CircuitBreakerConfig | None = None, *, clock: Clock | None = None
    ) -> CircuitBreaker:
        """Return the one circuit that decorators share under `name`, made when first asked for.

        Raises:
            ConfigurationException: if it was made with another config or another clock.
        """
        breaker = cls._registry.share(name, lambda: cls(name, config, clock=clock))
        wanted = CircuitBreakerConfig() if config is None else config
        if breaker.config != wanted or (clock is not None and clock is not breaker.clock):
            raise ConfigurationException(
                f"the circuit {name!r} exists with another config: {breaker.config!r}, not {wanted!r}",
                circuit=name,
            )
        return breaker

    def adopt(self, tally: Tally) -> None:
        """Count the calls of `tally` as successful."""
        with self._lock:
            self._counts.adopt(tally)

    def judge(self, error: BaseException | None) -> Verdict:
        """Return what a call counts as that failed with `error`."""
        if error is None:
            return "failed"
        if isinstance(error, (*_NEUTRAL, *self._ignored)) or not isinstance(error, self._recorded):
            return "neutral"
        if is_cancellation(error):
            return "neutral"
        return "failed"

    def conclude(
        self,
        ticket: Ticket,
        verdict: Verdict,
        error: BaseException | None,
        *,
        permit: Permit | None = None,
        started: float = math.inf,
    ) -> None:
        """Take in how an admitted call ended; for `Permit` and for paths that do without one."""
        with self._lock:
            if permit is not None:
                if permit.settled:
                    return
                permit.settled = True
            now = self.clock.monotonic()
            limit = self.config.slow_call_duration
            slow = limit is not None and now - started >= limit and verdict != "neutral"
            if verdict == "successful":
                counted = self.machine.succeed(ticket, now, slow=slow)
            elif verdict == "failed":
                counted = self.machine.fail(ticket, now, slow=slow)
            else:
                counted = self.machine.leave(ticket, now)
            self._counts.add(verdict)
            if slow:
                self._counts.add("slow")
            if not counted and ticket is not _NO_TICKET:
                self._counts.add("late")
            if counted and verdict == "failed":
                self._cause = error
            self._fetch_events()
        self._feed.deliver()

    def _call(self, func: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        with self.acquire():
            if self.config.timeout is None:
                return refuse_coroutine(func(*args, **kwargs))
            return refuse_coroutine(self._workers.run(bounded(self.config.timeout), func, args, kwargs))

    def _change(self, change: Callable[[float], object]) -> None:
        with self._lock:
            change(self.clock.monotonic())
            self._fetch_events()
        self._feed.deliver()

    def _fetch_events(self) -> None:
        machine = self.machine
        if machine.state is CircuitBreakerState.CLOSED and not machine.consecutive_failures:
            self._cause = None  # all is well: an error need not keep its frames alive
        if not machine.transitions:
            return
        transitions, machine.transitions = machine.transitions, []
        timestamp = self.clock.time()
        for old, new, at, reason in transitions:
            if new is CircuitBreakerState.OPEN:
                self._counts.add("opened")
            self._feed.post(
                StateTransition(
                    name=self.name, old_state=old, new_state=new, at=at, timestamp=timestamp, reason=reason
                )
            )

    def __repr__(self) -> str:
        return f"CircuitBreaker({self.name!r}, {self.machine.state.value})"
