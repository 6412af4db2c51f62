"""What the monitor counts: bounded memory for any number of errors, and statistics that cost the same for all.

Everything distinct (types, components, fingerprints, rescue kinds, circuits) is counted up to a capacity; what
comes beyond it shares the bucket `(other)`, so that the sums stay exact.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from copy import copy
from typing import Any, NamedTuple

from tradeguard.clock import Clock
from tradeguard.fingerprints import OTHER, FingerprintBook, most_common
from tradeguard.rate_window import RateWindow
from tradeguard.records import ErrorRecord
from tradeguard.redaction import redact
from tradeguard.serialization import to_jsonable, utc_text
from tradeguard.severity import ErrorSeverity

__all__ = ["ErrorStatistics", "Row", "Sighting"]

Row = tuple[float, str, str, str, str, ErrorSeverity, Mapping[str, Any] | None, Mapping[str, Any] | None]
MINUTES = 60
FINGERPRINTS_SHOWN = 20


class Sighting(NamedTuple):
    """One recorded error, as cheap to keep as can be; the error itself, with its frames, is let go."""

    timestamp: float
    component: str
    error_type: str
    error_code: str
    message: str
    severity: ErrorSeverity
    own_context: Mapping[str, Any] | None
    context: Mapping[str, Any] | None

    def facts(self) -> dict[str, Any]:
        """Return the error's own context with the caller's over it."""
        return {**(self.own_context or {}), **(self.context or {})}

    def summary(self) -> str:
        """Return `Type: message` with secrets masked."""
        return f"{self.error_type}: {redact(self.message)}"

    def record(self) -> ErrorRecord:
        """Return it as listeners and stores take it: secrets masked, context as JSON can hold it."""
        context: dict[str, Any] = to_jsonable(self.facts())
        operation = context.pop("operation", None)
        return ErrorRecord(
            timestamp=self.timestamp,
            component=self.component,
            error_type=self.error_type,
            error_code=self.error_code,
            message=redact(self.message),
            severity=self.severity,
            operation=None if operation is None else str(operation),
            rescued=context.pop("rescued", False) is True,
            context=context,
        )


class ErrorStatistics:
    """Counts of errors and rescues; safe for several threads.

    Args:
        clock: rates use its monotonic time, timestamps its wall clock.
        keep_latest: how many of the latest errors are kept.
        max_distinct: capacity of each table of distinct things.
    """

    def __init__(self, clock: Clock, *, keep_latest: int, max_distinct: int) -> None:
        self._monotonic = clock.monotonic
        self._time = clock.time
        self._capacity = max_distinct
        # Reentrant, since a signal handler or a finaliser that records an error may interrupt the recording of one.
        self._lock = threading.RLock()
        self._window = RateWindow()
        self._types: dict[str, int] = {}
        self._components: dict[str, _Component] = {}
        self._severities = dict.fromkeys(ErrorSeverity, 0)
        self._minutes: dict[int, int] = {}
        self._latest: deque[Row] = deque(maxlen=keep_latest)
        self._fingerprints = FingerprintBook(max_distinct)
        self._rescues: dict[str, int] = {}
        self._circuits: dict[str, str] = {}

    def add(
        self,
        component: str,
        error_type: str,
        error_code: str,
        message: str,
        severity: ErrorSeverity,
        own_context: Mapping[str, Any] | None,
        context: Mapping[str, Any] | None,
    ) -> tuple[Row, float, int, int]:
        """Count one error; return its `Sighting` as a bare tuple, the monotonic time, and two counts.

        The counts are of the trailing minute: all errors, and those of this component.
        """
        with self._lock:
            now = self._monotonic()
            timestamp = self._time()
            second = int(now)
            self._window.add(second)
            self._severities[severity] += 1
            types = self._types
            if error_type in types:
                types[error_type] += 1
            else:
                self._count_new(types, error_type)
            cell = self._components.get(component)
            if cell is None:
                cell = self._new_component(component)
            cell.total += 1
            cell.window.add(second)
            minute = int(timestamp // 60)
            if minute in self._minutes:
                self._minutes[minute] += 1
            else:
                self._new_minute(minute)
            self._fingerprints.add(error_type, message, timestamp)
            # A bare tuple costs a sixth of a named one.
            row = timestamp, component, error_type, error_code, message, severity, own_context, context
            cell.last = row
            self._latest.append(row)
            return row, now, self._window.recent, cell.window.recent

    def add_rescue(self, kind: str) -> float:
        """Count one rescue of `kind`; return the epoch seconds."""
        with self._lock:
            self._count_new(self._rescues, kind)
            return self._time()

    def set_circuit(self, name: str, state: str) -> None:
        """Remember the present state of a circuit."""
        with self._lock:
            if name in self._circuits or len(self._circuits) < self._capacity:
                self._circuits[name] = state

    def summary(self) -> dict[str, Any]:
        """Return the counts alone: what an alert carries."""
        with self._lock:
            counts = self._counts()
        return _summarise(*counts)

    def snapshot(self) -> dict[str, Any]:
        """Return everything counted; the cost depends on the capacities alone, never on the history."""
        with self._lock:
            counts = self._counts()
            second = int(self._monotonic())
            this_minute = int(self._time() // 60)
            minutes = sorted(item for item in self._minutes.items() if item[0] > this_minute - MINUTES)
            latest = list(self._latest)
            health = {name: cell.health(second) for name, cell in self._components.items()}
            fingerprints = self._fingerprints.copy()
            rescues, circuits = dict(self._rescues), dict(self._circuits)
        return {
            **_summarise(*counts),
            "by_minute": {utc_text(minute * 60): count for minute, count in minutes},
            "latest": [_as_dict(Sighting(*row).record()) for row in reversed(latest)],
            "health": health,
            "fingerprints": most_common(fingerprints, FINGERPRINTS_SHOWN),
            "rescues": rescues,
            "circuits": circuits,
        }

    def _counts(self) -> tuple[RateWindow, dict[str, int], dict[str, int], dict[ErrorSeverity, int]]:
        self._window.advance(int(self._monotonic()))
        components = {name: cell.total for name, cell in self._components.items()}
        return copy(self._window), dict(self._types), components, dict(self._severities)

    def _count_new(self, table: dict[str, int], key: str) -> None:
        if key not in table and len(table) >= self._capacity:
            key = OTHER
        table[key] = table.get(key, 0) + 1

    def _new_component(self, name: str) -> _Component:
        if len(self._components) >= self._capacity:
            name = OTHER
        return self._components.setdefault(name, _Component())

    def _new_minute(self, minute: int) -> None:
        self._minutes[minute] = 1
        # A wall clock may jump either way; the ring stays bounded, and old minutes go first.
        while len(self._minutes) > MINUTES:
            del self._minutes[min(self._minutes)]


class _Component:
    __slots__ = ("last", "total", "window")

    def __init__(self) -> None:
        self.total = 0
        self.window = RateWindow()
        self.last: Row | None = None

    def health(self, second: int) -> dict[str, Any]:
        self.window.advance(second)
        recent, last = self.window.recent, None if self.last is None else Sighting(*self.last)
        return {
            "status": "degraded" if recent else "healthy",
            "total_errors": self.total,
            "error_rate": float(recent),
            "trend": self.window.trend()["direction"],
            "last_error": None if last is None else last.summary(),
            "last_error_at": None if last is None else utc_text(last.timestamp),
        }


def _summarise(
    window: RateWindow,
    types: dict[str, int],
    components: dict[str, int],
    severities: dict[ErrorSeverity, int],
) -> dict[str, Any]:
    return {
        "total_errors": sum(severities.values()),
        "error_rate": float(window.recent),
        "common_errors": sorted(types.items(), key=lambda row: (-row[1], row[0])),
        "by_component": components,
        "by_severity": {severity.value: count for severity, count in severities.items() if count},
        "trend": window.trend(),
    }


def _as_dict(record: ErrorRecord) -> dict[str, Any]:
    return {
        "timestamp": utc_text(record.timestamp),
        "component": record.component,
        "error_type": record.error_type,
        "error_code": record.error_code,
        "message": record.message,
        "severity": record.severity,
        "operation": record.operation,
        "rescued": record.rescued,
        "context": record.context,
    }
