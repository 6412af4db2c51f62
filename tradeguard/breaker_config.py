"""When a circuit opens, how long it stays open, and what closes it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tradeguard.bounds import (
    refuse,
    require_callable,
    require_flag,
    require_int,
    require_number,
    require_types,
)

__all__ = ["CircuitBreakerConfig", "CircuitBreakerState"]

_DEFAULT_WINDOW_CALLS: Final = 100


class CircuitBreakerState(StrEnum):
    """What a circuit does with a call, in the words of Michael Nygard, "Release It!", 2nd ed., 2018."""

    CLOSED = "closed"
    """Calls pass."""
    OPEN = "open"
    """Calls are rejected."""
    HALF_OPEN = "half_open"
    """A few trial calls pass, the others are rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerConfig:
    """Settings of a circuit breaker; times in seconds, rates as fractions. A threshold is reached at `>=`.

    Attributes:
        failure_threshold: consecutive failures that open the circuit, >= 1.
        recovery_timeout: how long it stays open before trials are let through, >= 0.
        success_threshold: successful trials that close it again, >= 1; one failed trial opens it again.
        timeout: bounds each call, > 0: a coroutine is cancelled, a plain function left behind on a worker.
        on_state_change: called with the old and the new state after each change.
        failure_rate_threshold: opens the circuit at this share of failures in the window, > 0 and <= 1.
        slow_call_duration: a call that takes this long or longer is slow, > 0.
        slow_call_rate_threshold: opens the circuit at this share of slow calls in the window, successful or
            not, > 0 and <= 1; a slow trial then opens it again. Needs `slow_call_duration`.
        window_calls: rates are taken over this many calls, >= 1; 100 if a rate has no window.
        window_seconds: or over the calls of this time, > 0; not together with `window_calls`.
        minimum_calls: no rate is judged on fewer calls, >= 1; where `window_calls` is less, that counts.
        ignore_exceptions: neither successes nor failures; an exception class or a tuple of them.
        record_exceptions: what counts as failure; likewise. All others are ignored.
        half_open_max_calls: trials that may run at the same time, >= 1.
        half_open_timeout: a trial that takes this long gives up its place, and its result counts for
            nothing; > 0.
        recovery_backoff_factor: each failed recovery makes the next open period this much longer, >= 1.
        max_recovery_timeout: but not longer than this; >= `recovery_timeout`, where the factor is above 1.
        monitor_only: record and tell everything, but reject nothing.

    Raises:
        ConfigurationException: if a value is out of its bounds.
    """

    failure_threshold: int = 5
    recovery_timeout: float = 30.0
    success_threshold: int = 2
    timeout: float | None = None
    on_state_change: Callable[[CircuitBreakerState, CircuitBreakerState], object] | None = None
    failure_rate_threshold: float | None = None
    slow_call_duration: float | None = None
    slow_call_rate_threshold: float | None = None
    window_calls: int | None = None
    window_seconds: float | None = None
    minimum_calls: int = 10
    ignore_exceptions: type[Exception] | tuple[type[Exception], ...] = ()
    record_exceptions: type[Exception] | tuple[type[Exception], ...] = (Exception,)
    half_open_max_calls: int = 1
    half_open_timeout: float = 60.0
    recovery_backoff_factor: float = 1.0
    max_recovery_timeout: float = 600.0
    monitor_only: bool = False

    def __post_init__(self) -> None:
        for field in ("failure_threshold", "success_threshold", "minimum_calls", "half_open_max_calls"):
            require_int(field, getattr(self, field), minimum=1)
        require_number("recovery_timeout", self.recovery_timeout, minimum=0)
        require_number("half_open_timeout", self.half_open_timeout, minimum=0, exclusive=True)
        require_number("recovery_backoff_factor", self.recovery_backoff_factor, minimum=1)
        longest = self.recovery_timeout if self.recovery_backoff_factor > 1 else 0
        require_number("max_recovery_timeout", self.max_recovery_timeout, minimum=longest)
        for field in ("timeout", "slow_call_duration"):
            require_number(field, getattr(self, field), minimum=0, exclusive=True, optional=True)
        for field in ("ignore_exceptions", "record_exceptions"):
            object.__setattr__(self, field, require_types(field, getattr(self, field)))
        require_callable("on_state_change", self.on_state_change)
        require_flag("monitor_only", self.monitor_only)
        self._check_rates()

    def _check_rates(self) -> None:
        for field in ("failure_rate_threshold", "slow_call_rate_threshold"):
            rate: Any = getattr(self, field)
            require_number(field, rate, minimum=0, maximum=1, exclusive=True, optional=True)
        require_int("window_calls", self.window_calls, minimum=1, optional=True)
        require_number("window_seconds", self.window_seconds, minimum=0, exclusive=True, optional=True)
        if self.slow_call_rate_threshold is not None and self.slow_call_duration is None:
            refuse("slow_call_duration", None, "set where slow_call_rate_threshold is")
        if self.window_seconds is not None and self.window_calls is not None:
            refuse("window_seconds", self.window_seconds, f"None where window_calls is {self.window_calls}")
        if self.has_rates and self.window_seconds is None and self.window_calls is None:
            object.__setattr__(self, "window_calls", _DEFAULT_WINDOW_CALLS)

    @property
    def has_rates(self) -> bool:
        """Whether a rate can open the circuit."""
        return self.failure_rate_threshold is not None or self.slow_call_rate_threshold is not None

    def open_seconds(self, failed_recoveries: int) -> float:
        """Return how long the circuit stays open after so many failed recoveries in a row."""
        if self.recovery_backoff_factor == 1 or self.recovery_timeout == 0:
            return float(self.recovery_timeout)
        try:
            grown = self.recovery_timeout * float(self.recovery_backoff_factor) ** failed_recoveries
        except OverflowError:
            grown = self.max_recovery_timeout
        return float(min(grown, self.max_recovery_timeout))
