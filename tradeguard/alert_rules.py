"""When an alert is due: the rules, and the memory of what was alerted lately."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from tradeguard.bounds import refuse, require_number
from tradeguard.severity import ErrorSeverity

__all__ = ["AlertGate", "AlertRules"]

_MOST_KINDS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules:
    """When an alert is due.

    Attributes:
        error_rate_threshold: an alert is due above this many errors a minute; >= 0, and infinity for never.
        severity_threshold: an alert is due from this severity on.
        alert_cooldown: seconds >= 0 in which one kind of alert is not repeated. A kind is an alert type, a
            component and an error type.
    """

    error_rate_threshold: float = 10.0
    severity_threshold: ErrorSeverity = ErrorSeverity.ERROR
    alert_cooldown: float = 300.0

    def __post_init__(self) -> None:
        if self.error_rate_threshold != math.inf:
            require_number("error_rate_threshold", self.error_rate_threshold, minimum=0)
        require_number("alert_cooldown", self.alert_cooldown, minimum=0)
        if type(self.severity_threshold) is not ErrorSeverity:
            refuse("severity_threshold", self.severity_threshold, "an ErrorSeverity")


class AlertGate:
    """Decides which alerts an error is due, and holds back those of a kind that is cooling down.

    Safe for several threads; as long as no rule is met it takes no lock.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may come by here too
        self._rules = AlertRules()
        self._component_rules: dict[str, AlertRules] = {}
        self._fired: dict[tuple[str, str, str], float] = {}

    def rules(self, component: str | None = None) -> AlertRules:
        """Return the rules of a component, or the general ones."""
        return self._rules if component is None else self._component_rules.get(component, self._rules)

    def set_rules(self, rules: AlertRules, component: str | None = None) -> None:
        """Set the rules of a component, or the general ones."""
        with self._lock:
            if component is None:
                self._rules = rules
            else:
                self._component_rules = {**self._component_rules, component: rules}

    def exceeded_rate(self, component: str, recent: int, component_recent: int) -> tuple[int, float] | None:
        """Return the count and the threshold that it exceeds, or None."""
        if recent > self._rules.error_rate_threshold:
            return recent, self._rules.error_rate_threshold
        own = self._component_rules.get(component)
        if own is not None and component_recent > own.error_rate_threshold:
            return component_recent, own.error_rate_threshold
        return None

    def admit(self, alert_type: str, component: str, error_type: str, now: float) -> bool:
        """Tell whether an alert of this kind may go out at monotonic `now`, and if so start its cooldown."""
        kind = alert_type, component, error_type
        cooldown = self.rules(component).alert_cooldown
        with self._lock:
            fired = self._fired.get(kind)
            if fired is not None and now - fired < cooldown:
                return False
            # Taken out first, so that the dictionary stays in the order of firing.
            self._fired.pop(kind, None)
            self._fired[kind] = now
            if len(self._fired) > _MOST_KINDS:
                # An alert repeated too early is a lesser evil than one withheld.
                del self._fired[next(iter(self._fired))]
            return True
