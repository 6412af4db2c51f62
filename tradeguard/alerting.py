"""Alerts: which errors are worth telling somebody, in what words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tradeguard.alert_delivery import AlertDelivery
from tradeguard.alert_rules import AlertGate
from tradeguard.bounds import refuse
from tradeguard.clock import Clock
from tradeguard.error_statistics import ErrorStatistics, Row, Sighting
from tradeguard.redaction import redact
from tradeguard.serialization import to_jsonable, utc_text
from tradeguard.severity import ErrorSeverity

__all__ = ["ERROR_RATE", "RECOVERY", "SEVERITY", "Alerting"]

ERROR_RATE, RECOVERY, SEVERITY = "error_rate", "recovery", "severity"


class Alerting:
    """Puts the rules, the words and the delivery of alerts together.

    Args:
        clock: cooldowns use its monotonic time, timestamps its wall clock.
        statistics: every alert carries their summary.
        queue_size: alerts that may wait for one function.
    """

    def __init__(self, clock: Clock, statistics: ErrorStatistics, queue_size: int) -> None:
        self._clock = clock
        self._statistics = statistics
        self._gate = AlertGate()
        self.delivery = AlertDelivery(queue_size)

    def configure(self, component: str | None, changes: Mapping[str, Any]) -> None:
        """Change the rules of a component, or the general ones; what is None stays as it is.

        Raises:
            ConfigurationException: a value is out of its bounds.
        """
        given = {field: value for field, value in changes.items() if value is not None}
        severity = given.get("severity_threshold")
        if severity is not None:
            try:
                given["severity_threshold"] = ErrorSeverity(severity)
            except ValueError:
                refuse("severity_threshold", severity, "an ErrorSeverity or its name")
        self._gate.set_rules(replace(self._gate.rules(component), **given), component)

    def check(self, row: Row, now: float, recent: int, component_recent: int) -> None:
        """Send the alerts that an error is due.

        Args:
            row: the error's sighting.
            now: the monotonic time of its recording.
            recent: errors of the trailing minute, this one included.
            component_recent: those among them of this component.
        """
        component, error_type, severity = row[1], row[2], row[5]
        gate = self._gate
        grave = severity >= gate.rules(component).severity_threshold
        if grave and gate.admit(SEVERITY, component, error_type, now):
            sighting = Sighting(*row)
            self._send(SEVERITY, f"{severity} in {component}: {sighting.summary()}", sighting)
        exceeded = gate.exceeded_rate(component, recent, component_recent)
        if exceeded is not None and gate.admit(ERROR_RATE, component, error_type, now):
            count, threshold = exceeded
            sighting = Sighting(*row)
            text = (
                f"{count} errors a minute exceed {threshold:g}; latest in {component}: {sighting.summary()}"
            )
            graver = max(severity, ErrorSeverity.WARNING)
            self._send(ERROR_RATE, text, sighting._replace(severity=graver))

    def send(
        self,
        alert_type: str,
        message: str,
        *,
        severity: ErrorSeverity,
        component: str,
        error_type: str,
        context: Mapping[str, Any] | None,
    ) -> bool:
        """Send an alert unless one of its kind is cooling down; return whether any function is sent it."""
        now = self._clock.monotonic()
        if not (self.delivery.channels and self._gate.admit(alert_type, component, error_type, now)):
            return False
        sighting = Sighting(self._clock.time(), component, error_type, "", message, severity, context, None)
        self._send(alert_type, message, sighting)
        return True

    def _send(self, alert_type: str, message: str, sighting: Sighting) -> None:
        self.delivery.send(
            {
                "message": redact(message),
                "alert_type": alert_type,
                "severity": sighting.severity,
                "component": sighting.component,
                "error_type": sighting.error_type,
                "timestamp": utc_text(sighting.timestamp),
                "context": to_jsonable(sighting.facts()),
                "statistics": self._statistics.summary(),
            }
        )
