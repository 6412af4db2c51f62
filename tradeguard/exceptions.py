"""The tree of errors.

Exception
└── TradingException                  anything that goes wrong in trading: catch this to catch all of them
    ├── DataFeedException             market data is missing, late or malformed: use another source or wait
    ├── BrokerException               an order or account call was refused or lost: look before acting again
    ├── StrategyException             the strategy's own code failed: stop opening positions
    ├── ConfigurationException        a setting is wrong (also a ValueError): mend it, retrying is useless
    ├── NetworkException              the exchange was not reached or did not answer: try again later
    │   └── CallTimeoutError          a call outlasted its bound (a TimeoutError too); it may still be running
    ├── ValidationException           an argument or a piece of data is unusable: mend it, retrying is useless
    ├── RecoveryException             retries or recovery did not help: the cause is chained
    └── CircuitBreakerOpenError       the circuit is open and nothing was called: wait `retry_after` seconds

Errors are built in the midst of trouble, so building one never raises: odd arguments are turned into text.
Secrets in messages and contexts are masked at once; see `tradeguard.redaction`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, cast

from tradeguard.redaction import MASK, is_secret_name, redact, redact_value
from tradeguard.serialization import to_jsonable, utc_text

__all__ = [
    "BrokerException",
    "CallTimeoutError",
    "CircuitBreakerOpenError",
    "ConfigurationException",
    "DataFeedException",
    "NetworkException",
    "RecoveryException",
    "StrategyException",
    "TradingException",
    "ValidationException",
]


class TradingException(Exception):  # noqa: N818 - the published names end in Exception
    """Something went wrong in trading; the root of every error of this library.

    Attributes:
        message: what happened, with secrets masked.
        error_code: stable upper-case code for machines.
        severity: `INFO`, `WARNING`, `ERROR` or `CRITICAL`.
        context: what was known at the time, always with `component`; the error's own dictionary.
        timestamp: when it was made, aware UTC.
        recovery_hint: what the caller should do, or None.

    Args:
        message: what happened.
        error_code: instead of the class's own code.
        severity: instead of `ERROR`.
        context: facts to keep; copied, never changed.
        component: the part that failed; wins over `context["component"]`.
        recovery_hint: instead of the class's own hint.
        details: further facts for the context, such as `user_id`; they win over equal keys of `context`.
    """

    default_component: ClassVar[str] = "trading"
    context_keys: ClassVar[tuple[str, ...]] = ()
    """Keys that the context of this class always has, None where they were not given."""

    error_code: str = "TRADING_ERROR"
    severity: str = "ERROR"
    recovery_hint: str | None = None
    message: str
    context: dict[str, Any]
    timestamp: datetime

    def __init__(
        self,
        message: object = "",
        *,
        error_code: str | None = None,
        severity: str | None = None,
        context: Mapping[str, Any] | None = None,
        component: str | None = None,
        recovery_hint: str | None = None,
        **details: Any,
    ) -> None:
        self.message = redact(message if isinstance(message, str) else str(to_jsonable(message)))
        super().__init__(self.message)
        self.timestamp = datetime.now(UTC)
        if error_code is not None:
            self.error_code = str(error_code)
        if severity is not None:
            self.severity = str(severity).upper()
        if recovery_hint is not None:
            self.recovery_hint = str(recovery_hint)
        merged: dict[str, Any] = dict.fromkeys(self.context_keys)
        if context:
            merged.update(context if isinstance(context, Mapping) else {"context": context})  # pyright: ignore[reportUnnecessaryIsInstance] - an error is no place to fail
        merged.update(details)
        named = merged.pop("component", None) if component is None else component
        for key, value in merged.items():
            if value is not None:
                merged[key] = MASK if is_secret_name(key) and value != "" else redact_value(value)
        merged["component"] = self.default_component if named is None else str(named)
        self.context = merged

    @property
    def component(self) -> str:
        """The part that failed: `context["component"]`."""
        return str(self.context.get("component", self.default_component))

    def to_dict(self) -> dict[str, Any]:
        """Return message, error_code, severity, context and timestamp as `json.dumps` takes them."""
        return {
            "message": self.message,
            "error_code": self.error_code,
            "severity": self.severity,
            "context": to_jsonable(self.context),
            "timestamp": utc_text(self.timestamp),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        # Rebuilding by `__init__` would need its arguments, which a subclass may have changed at will.
        state = {name: _portable(value) for name, value in self.__dict__.items() if name != "context"}
        state["context"] = {key: _portable(value) for key, value in self.context.items()}
        if self.__cause__ is not None:
            state["__cause__"] = _portable(self.__cause__)
        return _rebuild, (type(self), self.args), state

    def __copy__(self) -> Self:
        twin = self._twin()
        twin.__dict__.update(self.__dict__, context=dict(self.context))
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = self._twin()
        memo[id(self)] = twin
        for name, value in self.__dict__.items():
            if name != "context":
                twin.__dict__[name] = _deep(value, memo)
        twin.context = {key: _deep(value, memo) for key, value in self.context.items()}
        return twin

    def _twin(self) -> Self:
        twin = cast("Self", _rebuild(type(self), self.args))
        twin.__cause__, twin.__context__ = self.__cause__, self.__context__
        twin.__suppress_context__ = self.__suppress_context__
        twin.__traceback__ = self.__traceback__
        return twin


class DataFeedException(TradingException):
    """Market data is missing, late or malformed; use another source, or wait.

    Its context always has `data_source`, `symbol` and `interval`.
    """

    default_component = "data_feed"
    context_keys = ("data_source", "symbol", "interval")
    error_code = "DATA_FEED_ERROR"
    recovery_hint = "Use another data source or the last known values, and trade nothing on them."


class BrokerException(TradingException):
    """The exchange refused or lost an order or an account call; look at the account before acting again.

    Its context always has `broker_type`, `symbol` and `order_type`.
    """

    default_component = "broker"
    context_keys = ("broker_type", "symbol", "order_type")
    error_code = "BROKER_ERROR"
    recovery_hint = "Look at the open orders and the balance before sending anything again."


class StrategyException(TradingException):
    """The strategy's own code failed; open no further positions until it is understood."""

    default_component = "strategy"
    error_code = "STRATEGY_ERROR"
    recovery_hint = "Open no further positions until the strategy's failure is understood."


class ConfigurationException(TradingException, ValueError):  # noqa: N818 - as above
    """A setting is wrong; mend it, for retrying is useless."""

    default_component = "configuration"
    error_code = "CONFIGURATION_ERROR"
    recovery_hint = "Mend the named setting; retrying is useless."


class NetworkException(TradingException):
    """The exchange was not reached or did not answer; try again later.

    Its context always has `url`, `status_code` (HTTP) and `timeout` (seconds).
    """

    default_component = "network"
    context_keys = ("url", "status_code", "timeout")
    error_code = "NETWORK_ERROR"
    recovery_hint = "Try again after a pause; of a write, find out first whether it took effect."


class ValidationException(TradingException):
    """An argument or a piece of data is unusable; mend it, for retrying is useless."""

    default_component = "validation"
    error_code = "VALIDATION_ERROR"
    recovery_hint = "Mend the named value; retrying is useless."


class RecoveryException(TradingException):
    """Retries or recovery did not help.

    Attributes:
        last_result: what the last attempt returned, where a result was the reason; else None.
    """

    default_component = "recovery"
    error_code = "RECOVERY_ERROR"
    recovery_hint = "Look at the chained cause; automatic recovery has given up."

    def __init__(self, message: object = "", *, last_result: Any = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.last_result = last_result


class CircuitBreakerOpenError(TradingException):
    """The circuit is open: nothing was called.

    Attributes:
        name: the circuit's name.
        retry_after: seconds until the circuit lets a trial through, >= 0; 0.0 also where that is not known.
        cause: the failure that opened the circuit, or None; it is `__cause__` too.
    """

    default_component = "circuit_breaker"
    context_keys = ("circuit", "retry_after")
    error_code = "CIRCUIT_BREAKER_OPEN"
    recovery_hint = "Wait `retry_after` seconds or use a fallback; the service is known to be failing."

    def __init__(
        self,
        name: str,
        retry_after: float = 0.0,
        cause: BaseException | None = None,
        *,
        message: str | None = None,
        **details: Any,
    ) -> None:
        self.name = str(name)
        self.retry_after = _seconds(retry_after)
        self.cause = cause
        if message is None:
            message = f"Circuit {self.name!r} is open; retry in {self.retry_after:.1f} s"
            if cause is not None:
                message = f"{message} (last failure: {to_jsonable(cause)})"
        known: dict[str, Any] = {"circuit": self.name, "retry_after": self.retry_after, **details}
        super().__init__(message, **known)
        self.__cause__ = cause


class CallTimeoutError(NetworkException, TimeoutError):
    """A call outlasted its bound.

    Attributes:
        still_running: True unless the call is known to have been cancelled; what runs may yet take effect.

    Args:
        message: what was called; the text about the call's state is added to it.
        timeout: the bound, in seconds.
        still_running: whether the call may still be running.
        details: as for `TradingException`.
    """

    error_code = "CALL_TIMEOUT"
    recovery_hint = "The call may still be running and take effect: find out before repeating a write."

    def __init__(
        self,
        message: object = "",
        *,
        timeout: float | None = None,
        still_running: bool = True,
        **details: Any,
    ) -> None:
        self.still_running = bool(still_running)
        text = message if isinstance(message, str) else str(to_jsonable(message))
        text = text or (
            "The call timed out" if timeout is None else f"The call took longer than {timeout:g} s"
        )
        if self.still_running and "may still be running" not in text:
            text = f"{text}; the call may still be running"
        super().__init__(text, timeout=timeout, **details)


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _rebuild(kind: type[TradingException], args: tuple[Any, ...]) -> Any:
    error = kind.__new__(kind, *args)
    error.args = args
    return error


def _portable(value: Any) -> Any:
    """Return `value`, or its text where it does not survive a pickle: errors cross process borders."""
    import pickle  # noqa: PLC0415 - whoever comes here has it; at import time all would pay

    if isinstance(value, TradingException) or value is None or type(value) in (str, int, float, bool):
        return value
    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes, made in this line
    except Exception:  # noqa: BLE001 - foreign `__reduce__` methods raise anything
        text = to_jsonable(value)
        return RuntimeError(text) if isinstance(value, BaseException) else text
    return value


def _deep(value: Any, memo: dict[int, Any]) -> Any:
    """Deep-copy `value`; what cannot be copied (a lock, a connection) is shared, as are other exceptions."""
    if isinstance(value, BaseException) and not isinstance(value, TradingException):
        return value
    try:
        return deepcopy(value, memo)
    except Exception:  # noqa: BLE001 - foreign `__deepcopy__` methods raise anything
        return value
