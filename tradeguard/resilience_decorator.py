"""Protection as a decorator, for functions, methods, coroutine functions and any other callable.

Each decorated function has a guard of its own, its attribute `guard`, and a circuit of its own unless it names one.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from tradeguard.bounds import refuse
from tradeguard.callables import operation_name
from tradeguard.circuit_breaker import CircuitBreaker, CircuitBreakerConfig
from tradeguard.clock import Clock
from tradeguard.exceptions import NetworkException
from tradeguard.guard import Guard, Monitor
from tradeguard.retry_config import RetryConfig

__all__ = ["circuit_breaker", "is_network_error", "resilient", "retry_on_network_error"]

P = ParamSpec("P")
T = TypeVar("T")

_NETWORK_ERRORS: Final = (NetworkException, ConnectionError, TimeoutError)
_NETWORK_NUMBERS: Final = frozenset(
    {errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH}
)
_LONGEST_CHAIN: Final = 8


def is_network_error(error: BaseException) -> bool:
    """Tell whether `error` means that the other side was not reached or did not answer.

    Such are NetworkException; ConnectionError (refused, reset, aborted, broken pipe) and TimeoutError; failed
    look-ups of names; an OSError whose number says that the network or the host is down or out of reach; and an
    OSError without a number, as those of urllib and requests are, whose reason, cause or context is one of these.
    Errors of files are not, nor are HTTP answers, whatever their status.
    """
    if not isinstance(error, OSError):
        return isinstance(error, NetworkException)
    source: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        verdict = _verdict(source)
        if verdict is not None or source is None:
            return bool(verdict)
        source = _source(source)
    return False


def retry_on_network_error(
    max_attempts: int = 3, base_delay: float = 1.0, *, clock: Clock | None = None, **config: Any
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Try the decorated function again when it fails with a network error, see `is_network_error`.

    Args:
        max_attempts: calls at most, the first one included; >= 1.
        base_delay: the wait after the first attempt in seconds, >= 0; it doubles with each.
        clock: measures and waits; the system's unless given.
        config: further fields of `RetryConfig`.

    Raises:
        ConfigurationException: if a value is out of its bounds.
        TypeError: if a field is unknown, or at decoration, if it is a generator function.
    """
    config = {"retry_on_exceptions": is_network_error, **config}
    retry = RetryConfig(max_attempts=max_attempts, base_delay=base_delay, **config)

    def decorate(func: Callable[P, T]) -> Callable[P, T]:
        return Guard(_full_name(func), retry=retry, clock=clock)(func)

    return decorate


def circuit_breaker(
    name: str | None = None, *, clock: Clock | None = None, **config: Any
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Stop calling the decorated function while it keeps failing.

    Args:
        name: the circuit; functions that name the same one share it. None: each function has its own.
        clock: measures; the system's unless given.
        config: fields of `CircuitBreakerConfig`.

    Raises:
        ConfigurationException: if a value is out of its bounds, or the named circuit exists with another config.
        TypeError: if a field is unknown, or at decoration, if it is a generator function.
    """
    _refuse_bare("circuit_breaker", name)
    breaker_config = CircuitBreakerConfig(**config)
    shared = None if name is None else CircuitBreaker.named(name, breaker_config, clock=clock)

    def decorate(func: Callable[P, T]) -> Callable[P, T]:
        own = _full_name(func)
        breaker = CircuitBreaker(own, breaker_config, clock=clock) if shared is None else shared
        return Guard(own, breaker=breaker)(func)

    return decorate


def resilient(
    retry_config: RetryConfig | None = None,
    circuit_breaker_config: CircuitBreakerConfig | None = None,
    fallback_func: Callable[..., Any] | None = None,
    timeout: float | None = None,
    *,
    monitor: Monitor | None = None,
    name: str | None = None,
    clock: Clock | None = None,
    wait_for_circuit: bool = False,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Protect the decorated function with the layers that are given; None leaves a layer out.

    Args:
        retry_config: what is tried again and how.
        circuit_breaker_config: when to stop calling.
        fallback_func: called with the arguments of the call, `self` included, as far as it takes them, when the
            call finally failed; its result is returned instead. For a plain function it must be plain.
        timeout: bounds each attempt, in seconds > 0.
        monitor: told of each failed attempt, each rescue and each change of the circuit.
        name: names the guard and the circuit; functions of one name share the circuit. None: the function's
            own name, and a circuit of its own.
        clock: measures and waits; the system's unless given.
        wait_for_circuit: wait for an open circuit, if that fits the deadline, instead of failing at once.

    Raises:
        ConfigurationException: if a value is out of its bounds, or the named circuit exists with another config.
        TypeError: at decoration, if it is a generator function.
    """
    _refuse_bare("resilient", retry_config)
    breaker: CircuitBreakerConfig | CircuitBreaker | None = circuit_breaker_config
    if name is not None and circuit_breaker_config is not None:
        breaker = CircuitBreaker.named(name, circuit_breaker_config, clock=clock)

    def decorate(func: Callable[P, T]) -> Callable[P, T]:
        guard = Guard(
            _full_name(func) if name is None else name,
            retry=retry_config,
            breaker=breaker,
            timeout=timeout,
            fallback=fallback_func,
            monitor=monitor,
            clock=clock,
            wait_for_circuit=wait_for_circuit,
        )
        return guard(func)

    return decorate


def _verdict(error: BaseException | None) -> bool | None:
    """Tell whether `error` is one by itself, or None if that is for its source to say."""
    import socket  # noqa: PLC0415 - who meets its errors has it already, and the import of all need not pay for it

    if isinstance(error, (*_NETWORK_ERRORS, socket.gaierror, socket.herror)):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NETWORK_NUMBERS
    return None


def _source(error: BaseException) -> BaseException | None:
    reason = getattr(error, "reason", None)  # urllib's and urllib3's word for it
    if isinstance(reason, BaseException):
        return reason
    return error.__context__ if error.__cause__ is None else error.__cause__


def _refuse_bare(decorator: str, argument: object) -> None:
    if callable(argument):
        refuse("the first argument", argument, f"a setting: write @{decorator}() with parentheses")


def _full_name(func: object) -> str:
    inner: object = getattr(func, "__func__", func)  # of a classmethod or staticmethod
    module = getattr(inner, "__module__", None)
    name = operation_name(inner)
    return f"{module}.{name}" if isinstance(module, str) else name
