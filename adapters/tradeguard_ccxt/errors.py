"""Errors that are caught both ways: by `except ccxt.X`, as before, and by `except TradingException`.

Each ccxt error class has a guarded subclass that is also the matching TradingException:

    ccxt.OperationFailed …   NetworkException       RequestTimeout, ExchangeNotAvailable, DDoSProtection…
    ccxt.BadRequest …        ValidationException    BadSymbol, ArgumentsRequired
    ccxt.NotSupported        ConfigurationException
    ccxt.BaseError …         BrokerException        InsufficientFunds, InvalidOrder, AuthenticationError…

The errors of order safety have ccxt bases too, chosen for what a bot's own retry loop does with them:

    OrderAbsentError         ccxt.NetworkError       it does not exist; a retry is safe
    OutcomeUnknownError      ccxt.ExchangeError      no OperationFailed: a retry loop leaves it alone
    └── OrderUnknownError
    TradingRestrictedError   ccxt.OperationRejected
    CircuitOpenError         ccxt.ExchangeNotAvailable
    CallTimeoutError         ccxt.RequestTimeout

The plain ones are here as well: in the mirror of ccxt, this module stands where `ccxt.errors` does.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import ccxt

from tradeguard import exceptions, orders
from tradeguard.exceptions import (
    BrokerException,
    CircuitBreakerOpenError,
    ConfigurationException,
    NetworkException,
    TradingException,
    ValidationException,
)
from tradeguard.redaction import redact

__all__ = [
    "CallTimeoutError",
    "CircuitOpenError",
    "GuardedError",
    "OrderAbsentError",
    "OrderUnknownError",
    "OutcomeUnknownError",
    "TradingRestrictedError",
    "absent_error",
    "from_core",
    "guarded_error",
    "guarded_error_class",
    "redact_chain",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        return getattr(ccxt.errors, name)


class GuardedError:
    """What every guarded ccxt error also tells.

    Attributes:
        retry_after: seconds that the exchange asked to wait, or None.
        http_status: status of the answer, or None where there was none.
    """

    retry_after: float | None = None
    http_status: int | None = None


class CircuitOpenError(CircuitBreakerOpenError, ccxt.ExchangeNotAvailable):  # type: ignore[misc]
    """The exchange's circuit is open, or its traffic paused: nothing was sent."""


class CallTimeoutError(exceptions.CallTimeoutError, ccxt.RequestTimeout):  # type: ignore[misc]
    """A call outlasted a `tradeguard.deadline`; it may still be running."""


class OutcomeUnknownError(orders.OutcomeUnknownError, ccxt.ExchangeError):  # type: ignore[misc]
    """A write was sent and nobody can tell whether it took effect."""


class OrderUnknownError(OutcomeUnknownError, orders.OrderUnknownError):
    """An order was sent and could neither be found nor proved absent; it may exist."""


class OrderAbsentError(orders.OrderAbsentError, ccxt.NetworkError):  # type: ignore[misc]
    """The order is certain not to exist; placing it again is safe."""


class TradingRestrictedError(orders.TradingRestrictedError, ccxt.OperationRejected):  # type: ignore[misc]
    """The interlock refused the order before anything was journaled or sent."""


@functools.cache
def guarded_error_class(cls: Any) -> Any:
    """Return the subclass of a ccxt error class that is also the matching TradingException."""
    if issubclass(cls, TradingException):
        return cls
    return _combine(cls.__name__, (GuardedError, _matching(cls), cls), cls)


@functools.cache
def _absent_error_class(cls: Any) -> type[OrderAbsentError]:
    """Return the OrderAbsentError that is also of the class of the failure behind it, where that is a NetworkError."""
    plain = next((c for c in cls.__mro__ if c.__module__ == ccxt.NetworkError.__module__), None)
    if plain is None or not issubclass(plain, ccxt.NetworkError) or plain is ccxt.NetworkError:
        return OrderAbsentError
    combined = _combine("OrderAbsentError", (OrderAbsentError, plain), plain, _absent_error_class)
    return cast("type[OrderAbsentError]", combined)


def _combine(name: str, bases: tuple[type, ...], key: type, factory: Any = guarded_error_class) -> Any:
    # Classes made at run time are not importable: a pickle names the plain class and the factory instead.
    def reduce(self: TradingException) -> tuple[Any, ...]:
        _, _, state = TradingException.__reduce__(self)
        return _rebuild, (factory, key, self.args), state

    namespace = {"__module__": __name__, "__doc__": bases[-1].__doc__, "__reduce__": reduce}
    return type(name, bases, namespace)


def _rebuild(factory: Any, key: type, args: tuple[Any, ...]) -> Any:
    cls = factory(key)
    error = cls.__new__(cls, *args)
    error.args = args
    return error


def _matching(cls: type[ccxt.BaseError]) -> type[TradingException]:
    if issubclass(cls, ccxt.OperationFailed):
        return NetworkException
    if issubclass(cls, ccxt.BadRequest | ccxt.ArgumentsRequired):
        return ValidationException
    return ConfigurationException if issubclass(cls, ccxt.NotSupported) else BrokerException


def guarded_error(
    error: ccxt.BaseError, context: Mapping[str, Any], *, secrets: Iterable[str] = ()
) -> ccxt.BaseError:
    """Return `error` as its guarded self: same class tree, text, cause and traceback, with context.

    Args:
        error: what ccxt raised. A guarded one is returned itself, with the context that it lacks.
        context: `component`, `exchange`, `operation`, `symbol`, `attempts`…
        secrets: literal secrets to mask wherever they stand in its text.
    """
    if isinstance(error, TradingException):
        for key, value in context.items():
            if error.context.get(key) is None:
                error.context[key] = value
        return cast("ccxt.BaseError", error)
    redact_chain(error, secrets)
    plain: Any = type(error)
    guarded = guarded_error_class(plain)(*error.args[:1], **context)
    guarded.__cause__, guarded.__context__ = error.__cause__, error.__context__
    guarded.__suppress_context__ = error.__suppress_context__
    return guarded.with_traceback(error.__traceback__)


def from_core(error: TradingException, context: Mapping[str, Any]) -> TradingException:
    """Return an error of the core, an open circuit or a passed deadline, as one that `except ccxt.X` catches too."""
    if isinstance(error, ccxt.BaseError):
        return cast("TradingException", error)
    if isinstance(error, CircuitBreakerOpenError):
        return CircuitOpenError(error.name, error.retry_after, error.cause, message=error.message, **context)
    if isinstance(error, exceptions.CallTimeoutError):
        timed_out = CallTimeoutError(
            error.message,
            timeout=error.context.get("timeout"),
            still_running=error.still_running,
            **context,
        )
        timed_out.__cause__ = error.__cause__
        return timed_out
    return error


def absent_error(message: str, cause: BaseException | None, context: Mapping[str, Any]) -> OrderAbsentError:
    """Return the error of an order that is certain not to exist, caught as its cause is where that makes sense."""
    plain: Any = type(cause)
    cls = OrderAbsentError if cause is None else _absent_error_class(plain)
    error = cls(message, **context)
    error.__cause__ = cause
    return error


def redact_chain(error: BaseException | None, secrets: Iterable[str]) -> None:
    """Mask secrets in the text of `error` and of all that it was raised from; signed URLs stand there."""
    secrets = tuple(secrets)
    seen: set[int] = set()
    pending: list[Any] = [error]
    while pending:
        current = pending.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        if current.args and all(isinstance(a, str | BaseException) for a in current.args):
            current.args = tuple(redact(a, secrets) if isinstance(a, str) else a for a in current.args)
        pending += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
