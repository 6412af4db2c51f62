"""The guard of one exchange instance: its circuits, pauses, cache, monitor, interlock and counters.

Everything that is decided about a request is decided here, once, for sync, async and websockets alike; the
exchange classes only call, wait and await.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ccxt

from tradeguard.circuit_breaker import CircuitBreaker, CircuitBreakerConfig, CircuitBreakerState
from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.deadlines import current_deadline
from tradeguard.error_monitor import ErrorMonitor, ErrorSeverity
from tradeguard.exceptions import CircuitBreakerOpenError
from tradeguard.fallback_cache import FallbackCache
from tradeguard.guard import Guard
from tradeguard.orders import Interlock, InterlockState
from tradeguard_ccxt.bans import Bans, host_of
from tradeguard_ccxt.budgets import seconds_to_ease
from tradeguard_ccxt.classes import family
from tradeguard_ccxt.config import GuardConfig
from tradeguard_ccxt.drift import ClockDrift
from tradeguard_ccxt.endpoint_kinds import endpoint_key
from tradeguard_ccxt.errors import CircuitOpenError, guarded_error
from tradeguard_ccxt.failures import Failure, FailureKind, classify
from tradeguard_ccxt.operations import Circuit, Entered, Kind, Operation, implicit_operation
from tradeguard_ccxt.pauses import Pauses
from tradeguard_ccxt.reporting import RequestReports
from tradeguard_ccxt.request import REQUEST, Request
from tradeguard_ccxt.stale import StaleDict, StaleList, as_stale
from tradeguard_ccxt.statistics import Tally
from tradeguard_ccxt.wire import ORDER_WIRE, SendWindowMissedError, Wire

__all__ = ["REQUEST", "ExchangeGuard", "Request"]

_logger = logging.getLogger(
    "tradeguard.ccxt"
)  # beneath "tradeguard", so that one name tells the whole story of a call

# Answers of an exchange that is well, or that asked for peace: they say nothing of its health.
_NEUTRAL = (
    CircuitBreakerOpenError,
    SendWindowMissedError,
    ccxt.DDoSProtection,
    ccxt.InvalidNonce,
    ccxt.OnMaintenance,
    ccxt.RateLimitExceeded,
)
_NO_CONTENT = 204
_RETRIED = frozenset({FailureKind.SICK, FailureKind.LIMIT, FailureKind.BAN, FailureKind.MAINTENANCE})


class ExchangeGuard:
    """What guards one exchange instance.

    Args:
        exchange_id: ccxt id of the exchange.
        config: how it is guarded.
        exchange: the instance.
    """

    def __init__(self, exchange_id: str, config: GuardConfig, exchange: Any) -> None:
        self.exchange_id = exchange_id
        self._exchange = exchange
        self._family = family(type(exchange))
        self._ease_until = 0.0
        self.markets_due = 0.0  # monotonic: when stale markets are to be asked for again
        self.config = config
        self.clock: Clock = SYSTEM_CLOCK if config.clock is None else config.clock
        self.monitor = ErrorMonitor(clock=self.clock) if config.monitor is None else config.monitor
        self.interlock = Interlock(clock=self.clock)
        self.pauses = Pauses(self.clock)
        self.bans = Bans.by(self.clock)
        self.drift = ClockDrift()
        self.cache = FallbackCache(clock=self.clock)
        self.tally = Tally()
        breaker = _breaker_config(config.breaker)
        self.circuits: Mapping[Circuit, CircuitBreaker] = {
            circuit: CircuitBreaker(self.component(circuit), breaker, clock=self.clock) for circuit in Circuit
        }
        self._reports = reports = RequestReports(self.monitor)
        retry = dataclasses.replace(
            config.retry,
            retry_on_exceptions=self._is_retried,
            deadline=config.deadline if config.retry.deadline is None else config.retry.deadline,
        )
        self._retrying = {
            circuit: Guard(breaker.name, retry=retry, breaker=breaker, monitor=reports, clock=self.clock)
            for circuit, breaker in self.circuits.items()
        }
        # A deadline never leaves a write behind on a worker, where it could still be sent.
        self._once = {
            circuit: Guard(breaker.name, breaker=breaker, clock=self.clock, interruptible=False)
            for circuit, breaker in self.circuits.items()
        }

    def component(self, circuit: Circuit | str) -> str:
        """Return the name under which the monitor and the registry know a circuit."""
        return f"{self.exchange_id}.{circuit}"

    # -- one request ------------------------------------------------------------------------------------------

    def request(self, path: str, api: str | Sequence[str], method: str, entered: Entered | None) -> Request:
        """Begin a request: find out what it means, within the operation that was entered, if any."""
        section, began = endpoint_key(path, api, method)[0], self.clock.monotonic()
        if entered is None:
            operation = implicit_operation(path, api, method, self._family)
            request = Request(operation, operation.name, None, began, section=section)
        else:
            request = Request(
                entered.innermost, entered.outermost.name, entered.symbol, began, section=section
            )
        order_wire = ORDER_WIRE.get()
        if order_wire is not None and entered is not None:
            order_wire.followed |= order_wire.sent
            if request.operation.kind is Kind.WRITE:
                request.wire = order_wire
        return request

    def socket_request(self, operation: Operation, symbol: str | None) -> Request:
        """Begin a request over a WebSocket."""
        request = Request(operation, operation.name, symbol, self.clock.monotonic(), circuit=Circuit.STREAMS)
        order_wire = ORDER_WIRE.get()
        if order_wire is not None and operation.kind is Kind.WRITE:
            request.wire = order_wire
        return request

    def guard_of(self, request: Request) -> Guard:
        """Return the composition through which a request goes: writes are sent once."""
        if request.operation.kind is Kind.WRITE:
            return self._once[request.circuit]
        return self._retrying[request.circuit]

    def rest(self, request: Request) -> float:
        """Return for how many seconds to wait before an attempt, since the exchange asked for it.

        Raises:
            CircuitOpenError: the wait would outlast the deadline, or a write must not wait here.
        """
        circuit = request.circuit
        seconds, cause = self.pauses.remaining(circuit), self.pauses.cause(circuit)
        banned_for, ban = self.bans.longest(self._exchange, self.clock.monotonic())
        if banned_for > seconds:  # another instance was told
            seconds, cause = banned_for, ban
        if seconds <= 0 and self._ease_until <= 0:
            return 0.0
        left = self.config.deadline - (self.clock.monotonic() - request.began)
        bound = current_deadline()
        if bound is not None:
            left = min(left, bound.remaining())
        if seconds <= 0:
            return self._ease(request, left)
        if request.operation.kind is Kind.WRITE or seconds >= left:
            raise CircuitOpenError(
                self.component(circuit),
                seconds,
                cause,
                message=f"{self.exchange_id} asked for a pause of its {circuit} traffic; {seconds:.1f} s are left",
                **self.context(request),
            )
        return seconds

    def _ease(self, request: Request, left: float) -> float:
        """Return for how many seconds a read waits for a new budget of weight, where its deadline allows that."""
        seconds = self._ease_until - self.clock.monotonic()
        return seconds if request.operation.kind is Kind.READ and 0 < seconds < left else 0.0

    def sending(self, request: Request, url: str) -> None:
        """Take note of a signed request that is handed to the transport."""
        request.wire.sent = True
        request.host = host_of(url)
        request.asked_at = self.clock.time()

    def received(self, request: Request, status: int, headers: Mapping[str, str]) -> None:
        """Take note of the HTTP answer: what it says of our clock, and of the weight that is left."""
        request.wire.answered(status, headers)
        answer, now = request.wire.answer, self.clock.time()
        if answer is None or request.asked_at <= 0:
            return
        self.drift.observe(answer, request.asked_at, now)
        ease = seconds_to_ease(self._family, request.section, answer, now)
        if ease > 0:
            self._ease_until = self.clock.monotonic() + ease
            self.tally.add("eased")

    def begin_attempt(self, request: Request) -> None:
        """Count an attempt that is about to start."""
        request.attempts += 1
        self.tally.add("attempts")
        if request.attempts > 1:
            self.tally.add("retries")
            if request.wire is not ORDER_WIRE.get():
                request.wire = Wire()

    def wants_resync(self, request: Request, error: ccxt.BaseError) -> bool:
        """Whether to read the exchange's clock and try a read once more, since it refused our timestamp."""
        if (
            not isinstance(error, ccxt.InvalidNonce)
            or request.resynced
            or request.operation.kind is Kind.WRITE
        ):
            return False
        request.resynced = True
        self.tally.add("resyncs")
        return True

    def attempt_failed(
        self, request: Request, error: ccxt.BaseError, secrets: Sequence[str]
    ) -> ccxt.BaseError:
        """Take note of an attempt that failed; returns the error to raise."""
        failure = classify(error, request.wire.answer, self.clock.time())
        guarded = guarded_error(error, self.context(request), secrets=secrets)
        if failure.kind is not FailureKind.CIRCUIT:
            guarded.http_status = request.wire.status
            guarded.retry_after = self._pause(request, failure, guarded)
        _logger.debug(
            "%s %s: attempt %d on the %s circuit failed (%s, HTTP %s): %s",
            self.exchange_id, request.name, request.attempts, request.circuit,
            failure.kind, request.wire.status, guarded,
        )  # fmt: skip
        if failure.kind is FailureKind.AUTHENTICATION and self.restricts("authentication"):
            self.interlock.restrict(
                "authentication",
                InterlockState.HALTED,
                reason=f"{self.exchange_id} refused the key: {guarded}",
                lifted_by="a private call that succeeds",
            )
        return guarded

    def attempt_succeeded(self, request: Request, result: object) -> None:
        """Take note of an attempt that was answered.

        Raises:
            ccxt.NullResponse, ccxt.BadResponse: the answer is empty, HTML or cut short. That of an endpoint which was
                called directly to write is the caller's affair.
        """
        operation = request.operation
        is_callers = operation.kind is Kind.WRITE and request.wire is not ORDER_WIRE.get()
        if not isinstance(result, dict | list) and not is_callers:
            _require_data(result, self.exchange_id, request.name, request.wire.status)
        if operation.circuit is not Circuit.MARKET_DATA:
            self.interlock.lift("authentication")
        _logger.debug(
            "%s %s: attempt %d on the %s circuit was answered",
            self.exchange_id, request.name, request.attempts, request.circuit,
        )  # fmt: skip

    def is_answer_of_a_healthy(self, request: Request, error: ccxt.BaseError) -> bool:
        """Whether a refusal on trial shows that the exchange has recovered: it answered, and said no."""
        if self.circuits[request.circuit].get_state() is not CircuitBreakerState.HALF_OPEN:
            return False
        answer = request.wire.answer
        kind = classify(error, answer, self.clock.time()).kind
        answered = answer is not None and answer.status < 500
        return answered and kind in (FailureKind.BUSINESS, FailureKind.AUTHENTICATION)

    def record_refusal(self, request: Request, error: ccxt.BaseError) -> None:
        """Tell the monitor of a refusal that its circuit took for a success."""
        if request.operation.kind is not Kind.WRITE:  # a write's own protocol tells
            context = {"operation": request.name, "attempt": request.attempts, "rescued": False}
            component = self.component(request.circuit)
            self._reports.record_error(error, ErrorSeverity.ERROR, component, context)

    def context(self, request: Request) -> dict[str, Any]:
        """Return what an error of this request tells of it."""
        return {
            "component": self.component(request.circuit),
            "exchange": self.exchange_id,
            "operation": request.name,
            "symbol": request.symbol,
            "attempts": request.attempts,
        }

    def _pause(self, request: Request, failure: Failure, error: BaseException) -> float | None:
        """Let traffic rest where the failure asks for it; returns the seconds to wait, or None."""
        circuit = (request.circuit,)
        defaults = {
            FailureKind.LIMIT: (self.config.limit_pause, circuit),
            FailureKind.MAINTENANCE: (self.config.maintenance_pause, circuit),
            FailureKind.BAN: (self.config.ban_pause, tuple(Circuit)),
        }
        if failure.kind not in defaults:
            return failure.retry_after
        default, circuits = defaults[failure.kind]
        seconds = default if failure.retry_after is None else failure.retry_after
        self.pauses.pause(seconds, error, *circuits)
        if failure.kind is FailureKind.BAN and request.host is not None:
            self.bans.add(request.host, seconds, self.clock.monotonic(), str(error))
        self.tally.add(f"{failure.kind}s" if failure.kind is not FailureKind.MAINTENANCE else "maintenances")
        return seconds

    def _is_retried(self, error: BaseException) -> bool:
        if not isinstance(error, ccxt.BaseError):
            return False
        return classify(error, None, self.clock.time()).kind in _RETRIED

    def restricts(self, cause: str) -> bool:
        """Whether this cause may restrict trading."""
        return bool(self.config.interlock.get(cause, True))

    # -- results and fallbacks --------------------------------------------------------------------------------

    def trust(self, symbols: Sequence[str]) -> None:
        """Lift what stale market data of `symbols` had restricted, since live data came."""
        for symbol in symbols:
            self.interlock.lift("stale_data", symbol)

    def distrust(self, symbols: Sequence[str], age: float) -> None:
        """Let no entry be made on market data of `symbols` that is `age` seconds old."""
        if not self.restricts("stale_data"):
            return
        for symbol in symbols:
            self.interlock.restrict(
                "stale_data",
                InterlockState.REDUCE_ONLY,
                symbol=symbol,
                reason=f"market data of {symbol} is {age:.1f} s old",
                lifted_by="fresh market data",
            )

    def fallback(
        self, operation: Operation, symbol: str | None, key: tuple[Any, ...], error: BaseException
    ) -> StaleDict | StaleList | None:
        """Return the last known good result of a read that finally failed; None where none may be served."""
        limit = self.config.age_limit(operation.name)
        if limit <= 0 or not isinstance(error, ccxt.OperationFailed):
            return None
        cached = self.cache.get(key, limit)
        if cached is None:
            return None
        stale = as_stale(cached.value, cached.age, self.clock.time() - cached.age)
        if stale is None:
            return None
        self.tally.add("fallbacks")
        self.monitor.record_rescue(
            "fallback",
            self.component(operation.circuit),
            operation=operation.name,
            detail={"age": round(cached.age, 3), "symbol": symbol, "error": type(error).__name__},
        )
        return stale

    def statistics(self) -> dict[str, Any]:
        """Return calls, retries, fallbacks, limits and circuits."""
        counts = self.tally.read("calls", "attempts", "retries", "fallbacks", "failures")
        counts["limits"] = self.tally.read("limits", "bans", "maintenances", "eased")
        counts["limits"]["banned_for"] = round(
            self.bans.longest(self._exchange, self.clock.monotonic())[0], 3
        )
        counts["clock"] = self.drift.read() | self.tally.read("resyncs")
        counts["circuits"] = {
            str(circuit): {
                "state": str(breaker.get_state().value),
                "paused_for": round(self.pauses.remaining(circuit), 3),
            }
            for circuit, breaker in self.circuits.items()
        }
        return counts


def _breaker_config(shape: CircuitBreakerConfig) -> CircuitBreakerConfig:
    return dataclasses.replace(
        shape, record_exceptions=(ccxt.OperationFailed,), ignore_exceptions=_NEUTRAL, timeout=None
    )


def _require_data(result: object, exchange_id: str, name: str, status: int | None) -> None:
    """Refuse an answer that ccxt passes on as text since it is not JSON: it would parse to a record of Nones."""
    if status == _NO_CONTENT:
        return
    if result is None or (isinstance(result, str) and not result.strip()):
        raise ccxt.NullResponse(f"{exchange_id} {name}: the answer is empty")
    if isinstance(result, str) and result.lstrip()[0] in "<{[":
        what = "HTML" if result.lstrip()[0] == "<" else "JSON cut short"
        raise ccxt.BadResponse(f"{exchange_id} {name}: the answer is {what}")
