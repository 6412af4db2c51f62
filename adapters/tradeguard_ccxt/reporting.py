"""What the circuits' guards tell the monitor: each failure with its exchange and symbol, and no expected answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tradeguard.error_monitor import ErrorMonitor, ErrorSeverity

__all__ = ["RequestReports", "expecting"]

_EXPECTED: ContextVar[tuple[type[BaseException], ...]] = ContextVar("tradeguard_ccxt_expected", default=())


@contextmanager
def expecting(*errors: type[BaseException]) -> Iterator[None]:
    """Let `errors` be answers and no failures, as OrderNotFound is where absence is what is asked for."""
    token = _EXPECTED.set(errors)
    try:
        yield
    finally:
        _EXPECTED.reset(token)


class RequestReports:
    """A monitor for guards that hands on to the exchange's own.

    Args:
        monitor: the exchange's monitor.
    """

    def __init__(self, monitor: ErrorMonitor) -> None:
        self._monitor = monitor

    def record_error(
        self,
        error: BaseException,
        severity: ErrorSeverity,
        component: str,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Take in a failed attempt."""
        if isinstance(error, Exception) and not isinstance(error, _EXPECTED.get()):
            told = getattr(error, "context", {})
            facts = {key: told[key] for key in ("exchange", "symbol") if told.get(key) is not None}
            self._monitor.record_error(error, severity, component, {**(context or {}), **facts})

    def record_rescue(
        self,
        kind: str,
        component: str,
        *,
        operation: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Take in a failure that the caller was spared."""
        self._monitor.record_rescue(kind, component, operation=operation, detail=detail)

    def record_transition(self, event: Any) -> None:
        """Take in a change of a circuit's state."""
        self._monitor.record_transition(event)
