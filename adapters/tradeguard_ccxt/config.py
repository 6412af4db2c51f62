"""How an exchange is guarded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tradeguard.backoff import Backoff
from tradeguard.circuit_breaker import CircuitBreakerConfig
from tradeguard.clock import Clock
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import OrderJournal
from tradeguard.retry_manager import RetryConfig
from tradeguard.storage import StateStore
from tradeguard_ccxt.stream_kinds import DEFAULT_SILENCE

__all__ = ["DEFAULT_MAX_AGE", "GuardConfig"]

DEFAULT_MAX_AGE: Mapping[str, float] = MappingProxyType(
    {
        "fetch_bids_asks": 10.0,
        "fetch_currencies": 86_400.0,
        "fetch_markets": 86_400.0,
        "fetch_ohlcv": 60.0,
        "fetch_order_book": 5.0,
        "fetch_status": 60.0,
        "fetch_ticker": 10.0,
        "fetch_tickers": 10.0,
        "fetch_trades": 30.0,
    }
)
"""How old, in seconds, a cached result may be served; what is not named here has no fallback."""


def _read_retry() -> RetryConfig:
    return RetryConfig(max_attempts=4, base_delay=0.25, max_delay=8.0, jitter="full")


def _circuit() -> CircuitBreakerConfig:
    return CircuitBreakerConfig(failure_threshold=5, recovery_timeout=10.0, success_threshold=1)


def _redial() -> Backoff:
    return Backoff(base_delay=0.5, max_delay=30.0, jitter="full")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardConfig:
    """How an exchange is guarded; all durations in seconds.

    Attributes:
        retry: how reads are retried. What is retried is decided by the adapter: its `retry_on_exceptions` is not used.
        breaker: the shape of each of the four circuits. What counts as a failure is decided by the adapter.
        deadline: bound on a read with all its retries.
        max_age: how old a cached result may be served, by unified method in snake_case; merged over
            `DEFAULT_MAX_AGE`, 0 switches one off.
        fallback: whether cached results are served at all.
        order_deadline: no send of an order starts later than this after the first.
        order_expiry: the whole time, from the signed timestamp, in which the exchange may still accept a sent order.
            If set it replaces the exchange's fact, and the validity that we ask for is never above it.
        visibility_lag: how long an accepted order may stay invisible; None for the exchange's fact.
        resolve_interval: after how long orders in doubt are looked up in the background, again and again at intervals
            that double up to a minute; 0 for not at all. With a `clock` of your own nothing runs in the background.
        limit_pause: after a 429 that names no time.
        ban_pause: after a 418 that names no time.
        maintenance_pause: after a maintenance notice that names no time.
        redial: how long a lost WebSocket is left alone before it is dialled again.
        silence: after how long without a message a stream is looked after, by method such as `watch_trades`; merged
            over `DEFAULT_SILENCE`, 0 switches one off. The socket of a public stream is dropped and dialled again;
            where silence is normal, in the streams of an account, REST is asked whether anything was missed.
        stream_deadline: how long a stream may deliver nothing for want of both the WebSocket and REST, until the
            caller is told.
        poll_interval: between two REST reads of a stream while its circuit is open.
        journal: where order intents, errors and transitions are kept: a path, a SQLAlchemy URL, a `StateStore` or
            an `OrderJournal`; None for one file of this user, opened at the first order.
        monitor: the error monitor; None for one of its own.
        interlock: options of the interlock: `stale_data` and `authentication`, both True, say which of these causes
            restrict trading.
        clock: the clock of everything, signed timestamps included; None for the system's.
    """

    retry: RetryConfig = field(default_factory=_read_retry)
    breaker: CircuitBreakerConfig = field(default_factory=_circuit)
    deadline: float = 30.0
    max_age: Mapping[str, float] = field(default_factory=dict)
    fallback: bool = True
    order_deadline: float = 30.0
    order_expiry: float | None = None
    visibility_lag: float | None = None
    resolve_interval: float = 5.0
    limit_pause: float = 5.0
    ban_pause: float = 120.0
    maintenance_pause: float = 30.0
    redial: Backoff = field(default_factory=_redial)
    silence: Mapping[str, float] = field(default_factory=dict)
    stream_deadline: float = 60.0
    poll_interval: float = 2.0
    journal: str | Path | StateStore | OrderJournal | None = field(
        default=None, repr=False
    )  # may hold a password
    monitor: ErrorMonitor | None = None
    interlock: Mapping[str, bool] = field(default_factory=dict)
    clock: Clock | None = None

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigurationException: names the field, the value and the bound.
        """
        for name in ("deadline", "order_deadline", "stream_deadline", "poll_interval"):
            _require_seconds(name, getattr(self, name), positive=True)
        for name in ("resolve_interval", "limit_pause", "ban_pause", "maintenance_pause"):
            _require_seconds(name, getattr(self, name))
        if self.order_expiry is not None:
            _require_seconds("order_expiry", self.order_expiry, positive=True)
        if self.visibility_lag is not None:
            _require_seconds("visibility_lag", self.visibility_lag)
        if not isinstance(self.retry, RetryConfig):
            raise _wrong("retry", self.retry, "a RetryConfig")
        if not isinstance(self.breaker, CircuitBreakerConfig):
            raise _wrong("breaker", self.breaker, "a CircuitBreakerConfig")
        if not isinstance(self.max_age, Mapping):
            raise _wrong("max_age", self.max_age, "a mapping of unified methods to seconds")
        for method, seconds in self.max_age.items():
            if not isinstance(method, str) or not method.startswith("fetch_"):
                raise _wrong("max_age", method, "unified reads such as 'fetch_ticker' for its keys")
            _require_seconds(f"max_age[{method!r}]", seconds)
        self._check_streams()
        unknown = set(self.interlock) - {"stale_data", "authentication"}
        if unknown:
            raise _wrong("interlock", sorted(unknown), "the options 'stale_data' and 'authentication'")
        if self.clock is not None and not isinstance(self.clock, Clock):
            raise _wrong("clock", self.clock, "a Clock (monotonic, time, sleep, sleep_async)")

    def _check_streams(self) -> None:
        if not isinstance(self.redial, Backoff):
            raise _wrong("redial", self.redial, "a Backoff")
        if not isinstance(self.silence, Mapping):
            raise _wrong("silence", self.silence, "a mapping of streams to seconds")
        for method, seconds in self.silence.items():
            if method not in DEFAULT_SILENCE:
                raise _wrong("silence", method, "streams such as 'watch_ticker' for its keys")
            _require_seconds(f"silence[{method!r}]", seconds)

    def __deepcopy__(self, memo: dict[int, Any]) -> GuardConfig:
        """Return itself: it never changes, and a monitor, a journal or a clock in it is meant to be shared."""
        return self

    def age_limit(self, method: str) -> float:
        """Return how old a cached result of `method` may be served, in seconds; 0 for not at all."""
        if not self.fallback:
            return 0.0
        return self.max_age.get(method, DEFAULT_MAX_AGE.get(method, 0.0))

    def silence_limit(self, method: str) -> float:
        """Return after how many seconds without a message a stream is looked after; 0 for never."""
        return self.silence.get(method, DEFAULT_SILENCE.get(method, 0.0))


def _require_seconds(name: str, value: object, *, positive: bool = False) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0 or (positive and value == 0):  # type: ignore[arg-type,operator]
        raise _wrong(name, value, f"a finite number of seconds {'>' if positive else '>='} 0")


def _wrong(name: str, value: Any, wanted: str) -> ConfigurationException:
    return ConfigurationException(
        f"GuardConfig.{name} must be {wanted}, not {value!r}", field=name, value=value
    )
