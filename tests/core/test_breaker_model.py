"""The circuit breaker against a model of it, under any order of starts, ends, waits and interventions."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from tradeguard.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    Permit,
    StateTransition,
)
from tradeguard.testing import ManualClock

HALF_OPEN_TIMEOUT = 7.0


@dataclass
class Model:
    """What DESIGN says of a circuit, written down as plainly as possible."""

    config: CircuitBreakerConfig
    now: float = 0.0
    state: str = "closed"
    forced: bool = False
    epoch: int = 0
    failures: int = 0
    successes: int = 0
    failed_recoveries: int = 0
    open_until: float = 0.0
    banned_until: float = 0.0
    trials: dict[int, float] = field(default_factory=dict)

    def turn(self, state: str, *, forced: bool = False) -> None:
        self.state, self.forced = state, forced
        self.epoch += 1
        self.failures = self.successes = 0
        self.trials = {}

    def open(self, period: float) -> None:
        self.turn("open")
        self.open_until = max(self.now + period, self.banned_until)

    def period(self) -> float:
        grown = self.config.recovery_timeout * self.config.recovery_backoff_factor**self.failed_recoveries
        return min(grown, self.config.max_recovery_timeout)

    def settle(self) -> None:
        if not self.forced and self.state == "open" and self.now >= self.open_until:
            self.turn("half_open")
        self.trials = {key: at for key, at in self.trials.items() if self.now - at < HALF_OPEN_TIMEOUT}

    def admits(self) -> bool:
        self.settle()
        if self.state == "half_open":
            return len(self.trials) < self.config.half_open_max_calls
        return self.state == "closed"

    def finish(self, call: Call, how: str) -> None:
        self.settle()
        if call.epoch != self.epoch or (self.state == "half_open" and call.key not in self.trials):
            return
        self.trials.pop(call.key, None)
        if how == "neutral":
            return
        if self.state == "half_open":
            self.finish_trial(how)
        elif how == "success" or self.forced:
            self.failures = 0
        else:
            self.failures += 1
            if self.failures >= self.config.failure_threshold:
                self.failed_recoveries = 0
                self.open(self.period())

    def finish_trial(self, how: str) -> None:
        if how == "failure":
            self.failed_recoveries += 1
            self.open(self.period())
            return
        self.successes += 1
        if self.successes >= self.config.success_threshold:
            self.failed_recoveries = 0
            self.turn("closed")


@dataclass(eq=False)
class Call:
    """A call that was admitted and has not ended."""

    permit: Permit
    epoch: int
    key: int


class BreakerAgainstModel(RuleBasedStateMachine):
    """Does the same to a real circuit and to the model, and compares them after each step."""

    calls: Bundle[Call] = Bundle("calls")

    @initialize(
        failure_threshold=st.integers(1, 3),
        success_threshold=st.integers(1, 3),
        half_open_max_calls=st.integers(1, 3),
        recovery_backoff_factor=st.sampled_from([1.0, 2.0]),
    )
    def start(self, **config: float) -> None:
        self.clock = ManualClock()
        self.events: list[StateTransition] = []
        self.count = 0
        self.rejections = 0
        self.ended = {"success": 0, "failure": 0, "neutral": 0}
        settled = CircuitBreakerConfig(
            recovery_timeout=10.0,
            max_recovery_timeout=35.0,
            half_open_timeout=HALF_OPEN_TIMEOUT,
            ignore_exceptions=KeyError,
            on_state_change=self.raise_at_change,
            **config,  # type: ignore[arg-type]
        )
        self.breaker = CircuitBreaker("model", settled, clock=self.clock)
        self.breaker.add_listener(self.events.append)
        self.model = Model(settled)

    def raise_at_change(self, old: str, new: str) -> None:
        raise RuntimeError("a listener that fails")

    @rule(target=calls)
    def begin(self) -> Call:  # type: ignore[return]
        admits = self.model.admits()
        try:
            permit = self.breaker.acquire()
        except CircuitBreakerOpenError as error:
            assert not admits
            self.rejections += 1
            forced_or_full = self.model.forced or self.model.state == "half_open"
            left = 0.0 if forced_or_full else self.model.open_until - self.model.now
            assert error.retry_after == left  # noqa: PT017 - which of the two happens is the model's to say
            return multiple()  # type: ignore[return-value]
        assert admits
        self.count += 1
        call = Call(permit, self.model.epoch, self.count)
        if self.model.state == "half_open":
            self.model.trials[call.key] = self.model.now
        return call

    @rule(call=consumes(calls), how=st.sampled_from(["success", "failure", "neutral"]))
    def end(self, call: Call, how: str) -> None:
        {
            "success": call.permit.success,
            "failure": lambda: call.permit.failure(ConnectionError("down")),
            "neutral": call.permit.release,
        }[how]()
        call.permit.failure()  # only the first word counts
        self.ended[how] += 1
        self.model.finish(call, how)

    @rule(
        call=consumes(calls),
        error=st.sampled_from([asyncio.CancelledError(), KeyboardInterrupt(), KeyError()]),
    )
    def end_with_what_is_no_failure(self, call: Call, error: BaseException) -> None:
        assert not call.permit.__exit__(type(error), error, None)
        self.ended["neutral"] += 1
        self.model.finish(call, "neutral")

    @rule(call=consumes(calls))
    def lose(self, call: Call) -> None:
        """A call of which nothing is ever heard again."""

    @rule(how=st.sampled_from(["success", "failure", "ignored"]))
    def call(self, how: str) -> None:
        """A whole call, by whichever path the circuit takes for it."""
        error = {"failure": ConnectionError("down"), "ignored": KeyError("k")}.get(how)

        def function() -> str:
            if error is not None:
                raise error
            return how

        if not self.model.admits():
            self.rejections += 1
            expected: object = CircuitBreakerOpenError
        else:
            self.count += 1
            call = Call(None, self.model.epoch, self.count)  # type: ignore[arg-type]
            if self.model.state == "half_open":
                self.model.trials[call.key] = self.model.now
            ended = "neutral" if how == "ignored" else how
            self.ended[ended] += 1
            self.model.finish(call, ended)
            expected = how if error is None else type(error)
        try:
            outcome: object = self.breaker.call(function)
        except Exception as raised:
            outcome = type(raised)
        assert outcome == expected

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 7.0, 10.0, 20.0, 35.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.model.now += seconds

    @rule()
    def reset(self) -> None:
        self.breaker.reset()
        self.model.settle()
        self.model.failed_recoveries = 0
        self.model.banned_until = 0.0
        self.model.turn("closed")

    @rule(state=st.sampled_from(["open", "closed"]))
    def force(self, state: str) -> None:
        self.breaker.force_open() if state == "open" else self.breaker.force_closed()
        if not (self.model.forced and self.model.state == state):
            self.model.turn(state, forced=True)

    @rule()
    def release(self) -> None:
        self.breaker.release()
        if not self.model.forced:
            return
        self.model.failed_recoveries = 0
        if self.model.state == "open":
            self.model.open(self.model.period())
        elif self.model.banned_until > self.model.now:
            self.model.open(0.0)
        else:
            self.model.turn("closed")

    @rule(seconds=st.sampled_from([-5.0, 0.0, 4.0, 30.0]))
    def open_until(self, seconds: float) -> None:
        self.breaker.open_until(self.clock.time() + seconds)
        until = self.model.now + seconds
        self.model.banned_until = max(self.model.banned_until, until)
        if seconds <= 0 or self.model.forced:
            return
        if self.model.state == "open":
            self.model.open_until = max(self.model.open_until, until)
        else:
            self.model.open(0.0)

    @rule()
    def restart(self) -> None:
        self.breaker.restore(self.breaker.snapshot())
        self.model.settle()
        self.model.epoch += 1
        self.model.trials = {}

    @invariant()
    def circuit_and_model_agree(self) -> None:
        self.model.settle()
        assert self.breaker.get_state() == self.model.state
        assert self.breaker.forced == self.model.forced
        assert self.breaker.machine.consecutive_failures == self.model.failures
        left = self.model.open_until - self.model.now if self.model.state == "open" else 0.0
        if self.model.forced:
            left = math.inf if self.model.state == "open" else 0.0
        assert self.breaker.open_seconds() == left

    @invariant()
    def each_change_starts_where_the_last_one_ended(self) -> None:
        self.breaker.get_state()
        states = ["closed", *(event.new_state for event in self.events)]
        assert [event.old_state for event in self.events] == states[:-1]
        assert states[-1] == self.breaker.get_state()
        assert all(event.old_state != event.new_state for event in self.events)
        assert self.breaker.statistics.listener_errors == len(self.events)

    @invariant()
    def every_call_is_counted_once(self) -> None:
        statistics = self.breaker.statistics
        assert statistics.rejected_calls == self.rejections
        assert statistics.successful_calls == self.ended["success"]
        assert statistics.failed_calls == self.ended["failure"]
        assert statistics.neutral_calls == self.ended["neutral"]
        assert statistics.total_calls == sum(self.ended.values())


TestBreakerAgainstModel = BreakerAgainstModel.TestCase
TestBreakerAgainstModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
