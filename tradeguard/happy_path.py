"""What a healthy guarded call costs, and nothing else.

This is the one place that is written for speed: the functions that it makes name nothing but closed-over locals,
take no lock, read no clock unless a deadline begins with the call, and build no object, not even the empty
dictionary that passing `**kwargs` on takes. They run while the circuit is calm and nothing is timed; all else they
leave to a slow path, which knows every layer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from tradeguard.breaker_machine import Ticket
from tradeguard.callables import COROUTINE, awaited, refuse_coroutine
from tradeguard.circuit_breaker import CircuitBreaker
from tradeguard.deadlines import current_deadline
from tradeguard.retry_manager import RetryManager
from tradeguard.tally import Tally

__all__ = ["FirstAttempt", "HappyPath", "SlowPath", "call_and_await", "spread", "spread_async"]


class FirstAttempt:
    """A first attempt that failed, for the slow path to go on from.

    Attributes:
        errors: its error, to be taken out: one that a frame of its own traceback refers to would live until the
            collector of cycles comes by.
        began: when, in seconds of the manager's clock; None where no deadline asks for it.
    """

    __slots__ = ("began", "errors")

    def __init__(self, error: Exception, began: float | None) -> None:
        self.errors = [error]
        self.began = began


class SlowPath(Protocol):
    """Makes a call through all layers."""

    def __call__(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], first: FirstAttempt | None = None
    ) -> Any:
        """Return the result, or its coroutine; the first attempt has happened and failed if it is given."""
        ...


class _Calm:
    """Stands in for the state machine where there is no circuit."""

    __slots__ = ()
    calm: Final = 1


class HappyPath:
    """Makes the functions that a guard hands out.

    Args:
        manager: counts the calls that succeed at once as such.
        breaker: likewise, and is asked; or None.
        count: counts what the guard itself wants counted.

    Attributes:
        calls: counts the calls that took no other path, for all three at once.
    """

    def __init__(
        self, manager: RetryManager, breaker: CircuitBreaker | None, count: Callable[..., None]
    ) -> None:
        self._manager = manager
        self._breaker = breaker
        self._count = count
        self._read_clock = None if manager.config.deadline is None else manager.clock.monotonic
        self.calls = Tally()
        manager.adopt(self.calls)
        if breaker is not None:
            breaker.adopt(self.calls)

    def plain(self, func: Callable[..., Any], slow_path: SlowPath) -> Callable[..., Any]:
        """Return a plain function that calls `func`, or takes the slow path."""
        machine = _Calm() if self._breaker is None else self._breaker.machine
        count, note_late, note_interrupt = self.calls.increment, self._note_late, self._note_interrupt
        conclude, read_clock = self._conclude, self._read_clock

        def guarded(*args: Any, **kwargs: Any) -> Any:
            generation = machine.calm
            if not generation or current_deadline() is not None:
                return slow_path(args, kwargs)
            began = None if read_clock is None else read_clock()
            try:
                result = func(*args, **kwargs) if kwargs else func(*args)
            except Exception as error:  # noqa: BLE001 - the slow path raises it, or tries again
                first = FirstAttempt(error, began)
            except BaseException as error:
                note_interrupt(generation, error)
                raise
            else:
                if machine.calm != generation or type(result) is COROUTINE:
                    note_late(generation, result)
                else:
                    count()
                return result
            conclude(generation, first.errors[0])
            return slow_path(args, kwargs, first)

        return guarded

    def coroutine(self, func: Callable[..., Awaitable[Any]], slow_path: SlowPath) -> Callable[..., Any]:
        """Return a coroutine function that awaits `func`, or takes the slow path."""
        machine = _Calm() if self._breaker is None else self._breaker.machine
        count, note_late, note_interrupt = self.calls.increment, self._note_late, self._note_interrupt
        conclude, read_clock = self._conclude, self._read_clock

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            generation = machine.calm
            if not generation or current_deadline() is not None:
                return await slow_path(args, kwargs)
            began = None if read_clock is None else read_clock()
            try:
                result = await (func(*args, **kwargs) if kwargs else func(*args))
            except Exception as error:  # noqa: BLE001 - the slow path raises it, or tries again
                first = FirstAttempt(error, began)
            except BaseException as error:
                note_interrupt(generation, error)
                raise
            else:
                if machine.calm != generation:
                    note_late(generation, None)
                else:
                    count()
                return result
            conclude(generation, first.errors[0])
            return await slow_path(args, kwargs, first)

        return guarded

    def _note_late(self, generation: int, result: object) -> None:
        refuse_coroutine(result)
        self._conclude(generation, None)
        self._manager.record("successful", 1, 0.0)
        self._count(successful=1, attempts=1)

    def _note_interrupt(self, generation: int, error: BaseException) -> None:
        self._conclude(generation, error)
        self._manager.record("cancelled", 1, 0.0)
        self._count(cancelled=1, attempts=1)

    def _conclude(self, generation: int, error: BaseException | None) -> None:
        breaker = self._breaker
        if breaker is not None:
            verdict = "successful" if error is None else breaker.judge(error)
            breaker.conclude(Ticket(generation), verdict, error)


def spread(slow_path: SlowPath) -> Callable[..., Any]:
    """Return a plain function that always takes the slow path."""

    def guarded(*args: Any, **kwargs: Any) -> Any:
        return slow_path(args, kwargs)

    return guarded


def spread_async(slow_path: SlowPath) -> Callable[..., Any]:
    """Return a coroutine function that always takes the slow path."""

    async def guarded(*args: Any, **kwargs: Any) -> Any:
        return await slow_path(args, kwargs)

    return guarded


async def call_and_await(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Return what `func(*args, **kwargs)` comes to."""
    return await awaited(func(*args, **kwargs))
