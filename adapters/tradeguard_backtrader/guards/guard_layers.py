# SPDX-License-Identifier: GPL-3.0-or-later
"""What a feed or a broker class is guarded with, checked when it is guarded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import backtrader as bt

from tradeguard.bounds import refuse
from tradeguard.circuit_breaker import CircuitBreaker, CircuitBreakerConfig
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.guard import Guard
from tradeguard.retry_config import RetryConfig
from tradeguard.retry_manager import RetryManager

__all__ = ["Breaker", "Layers", "Retry", "is_outermost", "next_layer"]

Retry = RetryConfig | RetryManager
Breaker = CircuitBreakerConfig | CircuitBreaker

_TOLD = ("record_error", "record_rescue", "record_transition")
_UNBOUND = "None, since a call that is abandoned goes on: an order is Rejected and then filled, a bar is lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The layers of one guarded class; see `guard_feed` and `guard_broker`.

    Attributes:
        retry: how calls are retried; without an `attempt_timeout`, as what runs in the loop cannot be abandoned.
        breaker: a circuit, or the config of one for each instance; without a `timeout`.
        monitor: told of every failure, retry and fallback.
        fallback: a function that serves when a call finally failed.

    Raises:
        ConfigurationException: if one of them is of the wrong kind or abandons calls.
    """

    retry: Retry | None = None
    breaker: Breaker | None = None
    monitor: ErrorMonitor | None = None
    fallback: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        """Check everything."""
        if self.retry is not None and not isinstance(self.retry, (RetryConfig, RetryManager)):
            refuse("retry", self.retry, "a RetryConfig, a RetryManager or None")
        if self.breaker is not None and not isinstance(self.breaker, (CircuitBreakerConfig, CircuitBreaker)):
            refuse("breaker", self.breaker, "a CircuitBreakerConfig, a CircuitBreaker or None")
        if self.monitor is not None and not all(
            callable(getattr(self.monitor, name, None)) for name in _TOLD
        ):
            refuse("monitor", self.monitor, "an ErrorMonitor or None")
        self._check_fallback()
        attempt_timeout = None if self.retry_config is None else self.retry_config.attempt_timeout
        if attempt_timeout is not None:
            refuse("retry.attempt_timeout", attempt_timeout, _UNBOUND)
        breaker = self.breaker.config if isinstance(self.breaker, CircuitBreaker) else self.breaker
        if breaker is not None and breaker.timeout is not None:
            refuse("breaker.timeout", breaker.timeout, _UNBOUND)

    @property
    def retry_config(self) -> RetryConfig | None:
        """How calls are retried, whoever counts it."""
        return self.retry.config if isinstance(self.retry, RetryManager) else self.retry

    def guard(self, name: str, **layers: Any) -> Guard:
        """Return a guard of the monitor and the layers given, whose calls run to their end in the loop's thread."""
        return Guard(name, monitor=self.monitor, interruptible=False, **layers)

    def _check_fallback(self) -> None:
        fallback = self.fallback
        # Feeds can be called, to be delayed, and so can any class.
        no_function = isinstance(fallback, (type, bt.feed.AbstractDataBase)) or not callable(fallback)
        if fallback is not None and no_function:
            refuse("fallback", fallback, "a function or None; a feed has its bars asked for by a function")


def next_layer(base: Any) -> int:
    """Return the number of the layer to put over `base`, which may be guarded already: from 1."""
    return int(getattr(base, "_guard_layers", 0)) + 1


def is_outermost(guarded: Any, layer: int) -> bool:
    """Whether nobody guards what this layer raises: only then a failure becomes a Rejected order, or an outage."""
    return bool(type(guarded)._guard_layers == layer)
