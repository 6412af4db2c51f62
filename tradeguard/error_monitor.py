"""The monitor: every failure, retry, transition and rescue is recorded, countable and alertable.

Recording an error takes about two microseconds and never waits for anything: alert functions run in the
background, memory is bounded however many errors or kinds of them come, and a statistic costs the same after
ten million errors as after ten.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from tradeguard.alert_delivery import AlertFunction
from tradeguard.alerting import Alerting
from tradeguard.bounds import refuse, require_int
from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.error_statistics import ErrorStatistics, Sighting
from tradeguard.exceptions import TradingException, ValidationException
from tradeguard.listeners import Listeners
from tradeguard.records import ErrorRecord, RescueRecord, Transition, TransitionRecord
from tradeguard.redaction import redact
from tradeguard.serialization import text_of, to_jsonable
from tradeguard.severity import ErrorSeverity

__all__ = ["ErrorMonitor", "ErrorSeverity"]

LONGEST_MESSAGE = 500
_logger = logging.getLogger(__name__)

Listener = Callable[[ErrorRecord | TransitionRecord | RescueRecord], object]


class ErrorMonitor:
    """Records errors and rescues, counts them, and alerts. Safe for several threads.

    Args:
        clock: the system's unless given.
        keep_latest: how many of the latest errors the statistics show, >= 1.
        max_distinct: how many distinct types, components, fingerprints… are told apart, >= 1; what comes beyond
            that is counted as `(other)`.
        alert_queue_size: alerts that may wait for one alert function, >= 1; further ones are dropped.

    Raises:
        ConfigurationException: an argument is out of its bounds.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        keep_latest: int = 50,
        max_distinct: int = 200,
        alert_queue_size: int = 100,
    ) -> None:
        require_int("keep_latest", keep_latest, minimum=1)
        require_int("max_distinct", max_distinct, minimum=1)
        require_int("alert_queue_size", alert_queue_size, minimum=1)
        clock = SYSTEM_CLOCK if clock is None else clock
        self._statistics = ErrorStatistics(clock, keep_latest=keep_latest, max_distinct=max_distinct)
        self._alerting = Alerting(clock, self._statistics, alert_queue_size)
        self._delivery = self._alerting.delivery
        self._listeners = Listeners()

    def record_error(
        self,
        error: BaseException,
        severity: ErrorSeverity | str,
        component: str,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Record one error, tell the listeners, and send the alerts that are due.

        Args:
            error: any exception; its text and its context are kept, never its frames.
            severity: an `ErrorSeverity` or its name.
            component: the part that failed.
            context: further facts; `operation` (text) and `rescued` (bool) become fields of the record.

        Raises:
            ValidationException: an argument is of the wrong kind.
        """
        if not isinstance(severity, ErrorSeverity):
            severity = _severity(severity)
        if not (isinstance(component, str) and component):  # pyright: ignore[reportUnnecessaryIsInstance]
            _refuse("component", component, "a name")
        if context is not None:
            context = _own(context)
        if isinstance(error, TradingException):
            code, message, own = error.error_code, error.message, error.context
        else:
            code, message, own = "UNKNOWN_ERROR", _message(error), None
        row, now, recent, component_recent = self._statistics.add(
            component, error.__class__.__name__, code, message[:LONGEST_MESSAGE], severity, own, context
        )
        if _logger.isEnabledFor(logging.DEBUG):
            _logger.debug("%s in %s: %s: %s", severity, component, row[2], redact(row[4]))
        if self._listeners.functions:
            self._listeners.tell(Sighting(*row).record())
        if self._delivery.channels:
            self._alerting.check(row, now, recent, component_recent)

    def record_rescue(
        self,
        kind: str,
        component: str,
        *,
        operation: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Record that the caller was spared a failure, and tell the listeners.

        Args:
            kind: such as `retry` or `fallback`; see `tradeguard.records.RescueRecord`.
            component: the part that had failed.
            operation: what was being done.
            detail: further facts.
        """
        timestamp = self._statistics.add_rescue(kind)
        _logger.debug("rescued by %s in %s: %s", kind, component, operation)
        if self._listeners.functions:
            self._listeners.tell(
                RescueRecord(
                    timestamp=timestamp,
                    component=component,
                    kind=kind,
                    operation=operation,
                    detail=to_jsonable(detail or {}),
                )
            )

    def record_transition(self, event: Transition) -> None:
        """Record a circuit's change of state, and tell the listeners; meant for `CircuitBreaker.add_listener`."""
        record = TransitionRecord(
            timestamp=event.timestamp,
            circuit=event.name,
            old_state=_state(event.old_state),
            new_state=_state(event.new_state),
            reason=event.reason,
        )
        self._statistics.set_circuit(record.circuit, record.new_state)
        _logger.debug("circuit %s: %s -> %s", record.circuit, record.old_state, record.new_state)
        if self._listeners.functions:
            self._listeners.tell(record)

    def get_error_statistics(self) -> dict[str, Any]:
        """Return what was counted, as `json.dumps` takes it but for the tuples in `common_errors`.

        - `total_errors`; `error_rate`: errors of the trailing 60 s, to the second;
        - `common_errors`: (type, count), most common first; `by_component`; `by_severity`;
        - `by_minute`: the minutes of the trailing hour that had errors, oldest first;
        - `trend`: `direction` (`rising`, `falling`, `stable`) of the trailing minute against the one before, and
          both counts as `recent` and `previous`;
        - `latest`: the latest errors, newest first;
        - `health`: by component, its `status` (`degraded` if it had an error in the trailing 60 s, else
          `healthy`), `total_errors`, `error_rate`, `trend`, `last_error` and `last_error_at`;
        - `fingerprints`: the most common errors, those that differ in numbers and ids alone counted as one;
        - `rescues`: by kind; `circuits`: their states;
        - `dropped_alerts`, `failed_alerts`, `listener_errors`: what did not get through.
        """
        return {
            **self._statistics.snapshot(),
            "dropped_alerts": self._delivery.dropped.value(),
            "failed_alerts": self._delivery.failed.value(),
            "listener_errors": self._listeners.failed,
        }

    def add_alert_function(self, alert_func: AlertFunction) -> None:
        """Tell `alert_func`, plain or a coroutine function, of every alert from now on, in the background.

        Each function gets its alerts in order, on a thread of its own, as a dictionary of its own: `message`,
        `alert_type` (`severity`, `error_rate` or `recovery`), `severity`, `component`, `error_type`, `timestamp`
        (text), `context` and `statistics`. Adding an equal function twice is adding it once.

        Raises:
            ConfigurationException: it is not callable.
        """
        if not callable(alert_func):
            refuse("alert_func", alert_func, "callable")
        self._delivery.add(alert_func)

    def remove_alert_function(self, alert_func: AlertFunction) -> None:
        """Send `alert_func` no further alerts; those on their way still arrive."""
        self._delivery.remove(alert_func)

    def configure_alerts(
        self,
        error_rate_threshold: float | None = None,
        severity_threshold: ErrorSeverity | str | None = None,
        alert_cooldown: float | None = None,
        *,
        component: str | None = None,
    ) -> None:
        """Set when alerts are due; what is left out stays as it is.

        Args:
            error_rate_threshold: alert above this many errors a minute, >= 0; infinity for never.
            severity_threshold: alert from this severity on.
            alert_cooldown: seconds >= 0 in which an alert of the same type, component and error type is not
                repeated.
            component: set the rules of this component alone. Its error rate is that of its own errors, and is
                watched besides the rate of all errors.

        Raises:
            ConfigurationException: a value is out of its bounds.
        """
        self._alerting.configure(
            component,
            {
                "error_rate_threshold": error_rate_threshold,
                "severity_threshold": severity_threshold,
                "alert_cooldown": alert_cooldown,
            },
        )

    def send_alert(
        self,
        alert_type: str,
        message: str,
        *,
        severity: ErrorSeverity,
        component: str,
        error_type: str = "",
        context: Mapping[str, Any] | None = None,
    ) -> bool:
        """Send an alert unless one of its kind is cooling down; return whether any function is sent it."""
        return self._alerting.send(
            alert_type,
            message,
            severity=severity,
            component=component,
            error_type=error_type,
            context=context,
        )

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait up to `timeout` seconds until every alert sent was delivered; return whether it was."""
        return self._delivery.flush(timeout)

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every record of an error, a rescue or a transition, in the recording thread.

        One that raises is counted and harms nobody; one that is slow delays the caller, so it had better queue.
        Adding an equal listener twice is adding it once.
        """
        self._listeners.add(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Call `listener` no more."""
        self._listeners.remove(listener)


def _message(error: BaseException) -> str:
    if not isinstance(error, BaseException):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
        _refuse("error", error, "an exception")
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - `__str__` is foreign code and may raise anything
        return text_of(error)


def _severity(severity: str) -> ErrorSeverity:
    try:
        return ErrorSeverity(severity)
    except ValueError:
        _refuse("severity", severity, "an ErrorSeverity or its name")


def _own(context: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(context, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
        _refuse("context", context, "a mapping or None")
    return dict(context)


def _refuse(argument: str, value: object, expected: str) -> NoReturn:
    raise ValidationException(f"{argument} must be {expected}, got {text_of(value)}", argument=argument)


def _state(state: object) -> str:
    """Return a breaker's state as text, be it an enum or text already."""
    return str(getattr(state, "value", state))
