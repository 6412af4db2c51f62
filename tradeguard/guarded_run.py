"""One guarded call's way through the layers: what its circuit, its monitor and its statistics make of each attempt."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

from tradeguard.callables import PlainCallError
from tradeguard.circuit_breaker import CircuitBreaker
from tradeguard.exceptions import CircuitBreakerOpenError
from tradeguard.retry_run import Retrying, RetryRun
from tradeguard.severity import ErrorSeverity

__all__ = ["GuardParts", "GuardedRun", "Monitor"]

_NO_FAILURES: Final = (CircuitBreakerOpenError, PlainCallError)

_logger = logging.getLogger(__name__)


class Monitor(Protocol):
    """What a guard tells; `tradeguard.error_monitor.ErrorMonitor` is one."""

    def record_error(
        self,
        error: BaseException,
        severity: ErrorSeverity,
        component: str,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Take in a failed attempt."""
        ...

    def record_rescue(
        self,
        kind: str,
        component: str,
        *,
        operation: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Take in a failure that the caller was spared."""
        ...

    def record_transition(self, event: Any) -> None:
        """Take in a change of a circuit's state."""
        ...


class GuardParts(Protocol):
    """What a run needs of its guard."""

    @property
    def name(self) -> str:
        """The guard's name."""
        ...

    @property
    def breaker(self) -> CircuitBreaker | None:
        """Its circuit."""
        ...

    @property
    def monitor(self) -> Monitor | None:
        """Its monitor."""
        ...

    @property
    def wait_for_circuit(self) -> bool:
        """Whether it waits for an open circuit."""
        ...

    def count(self, **steps: int) -> None:
        """Add to its statistics."""
        ...


class GuardedRun(RetryRun):
    """A retry run that knows the circuit, and tells the monitor."""

    def __init__(self, guard: GuardParts, manager: Retrying, what: str, began: float | None) -> None:
        super().__init__(manager, what, began)
        self._guard = guard
        self._waits = 0
        self._rejections = 0
        self._rejection: CircuitBreakerOpenError | None = None

    def rejected(self, rejection: CircuitBreakerOpenError) -> None:
        """Note that the guard's own circuit let the attempt not through: then it was none."""
        self._rejection = rejection
        self._rejections += 1
        self.attempts -= 1

    def after_error(self, error: Exception) -> float | None:
        """Return the seconds to wait before the next attempt, or None to let `error` go to the caller."""
        if error is not self._rejection:
            return super().after_error(error)
        delay = self._wait()
        if delay is None:
            self._outcome = "failed"
        return delay

    def adjusted(self, delay: float, error: Exception) -> float | None:
        """Return the delay, or the time until the circuit lets a trial through, or None if that is not waited for."""
        breaker = self._guard.breaker
        closed_for = 0.0 if breaker is None else breaker.open_seconds()
        if closed_for <= delay:
            return delay
        return closed_for if self._guard.wait_for_circuit and math.isfinite(closed_for) else None

    def announce(self, delay: float, error: Exception) -> None:
        """Tell the monitor of a failed attempt after which another follows."""
        self._record(error, ErrorSeverity.WARNING, rescued=True, retry_in=delay)

    def succeeded(self) -> None:
        """Tell and count that the call has succeeded."""
        if self.attempts > 1:
            _logger.debug("%s: succeeded in attempt %d", self.what, self.attempts)
            self._record_rescue("retry")
        self._count(successful=1)

    def interrupted(self) -> None:
        """Count that the call was cancelled or interrupted."""
        self._count(cancelled=1)

    def lost(self, error: Exception) -> None:
        """Tell and count that the call has failed and `error` reaches the caller."""
        self._record(error, ErrorSeverity.ERROR, rescued=False)
        self._count(failed=1)

    @contextmanager
    def rescue(self, error: Exception) -> Iterator[None]:
        """Run the fallback inside; what it raises is raised from `error`."""
        try:
            yield
        except Exception as second:
            self._record(second, ErrorSeverity.ERROR, rescued=False)
            self.lost(error)
            raise second from error
        except BaseException:
            self.interrupted()
            raise
        _logger.debug("%s: the fallback served", self.what)
        self._record(error, ErrorSeverity.WARNING, rescued=True)
        self._record_rescue("fallback")
        self._count(successful=1, fallbacks=1)

    def _wait(self) -> float | None:
        breaker = self._guard.breaker
        if breaker is None or not self._guard.wait_for_circuit or breaker.forced:
            return None
        if self._waits >= self.manager.config.max_attempts:
            return None
        self._waits += 1
        delay = breaker.open_seconds()
        if delay == 0.0:  # all trial places are taken, and nobody knows for how long
            delay = self.manager.backoff.delay(self._waits)
        if not self.fits(delay):
            return None
        _logger.debug("%s: waiting %.3f s for circuit %s", self.what, delay, breaker.name)
        return delay

    def _count(self, **ends: int) -> None:
        retries = max(self.attempts - 1, 0)
        self._guard.count(attempts=self.attempts, retries=retries, rejections=self._rejections, **ends)

    def _record(self, error: Exception, severity: ErrorSeverity, *, rescued: bool, **facts: Any) -> None:
        monitor = self._guard.monitor
        if monitor is None or isinstance(error, _NO_FAILURES):
            return
        context = {"operation": self.what, "attempt": self.attempt, "rescued": rescued, **facts}
        try:
            monitor.record_error(error, severity, self._guard.name, context)
        except Exception:
            _logger.exception("the monitor of %s failed", self._guard.name)

    def _record_rescue(self, kind: str) -> None:
        monitor = self._guard.monitor
        if monitor is None:
            return
        detail = {"attempts": self.attempts, "rejections": self._rejections}
        try:
            monitor.record_rescue(kind, self._guard.name, operation=self.what, detail=detail)
        except Exception:
            _logger.exception("the monitor of %s failed", self._guard.name)
