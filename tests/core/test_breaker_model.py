"""The circuit breaker against a model of it, under any order of starts, ends, waits and interventions.

Calls overlap: some are permits, some run in threads, some are coroutines, and any of them is on its way while others
begin and end, while time passes, and while the circuit is reset, forced, banned or restarted.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from flights import Flight, TaskFlight, ThreadFlight
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
from tradeguard.guard import Guard
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

    permit: Permit | None
    epoch: int
    key: int


MOSTLY = ["returns", "fails"] * 3
ENDS: dict[str, tuple[str, Callable[[], BaseException | None]]] = {
    "returns": ("success", lambda: None),
    "fails": ("failure", lambda: ConnectionError("down")),
    "is ignored": ("neutral", KeyError),
    "is cancelled": ("neutral", asyncio.CancelledError),
    "is interrupted": ("neutral", KeyboardInterrupt),
}
"""How a call that is on its way may end: as what it counts, and what it raises."""


class CallsAgainstModel(RuleBasedStateMachine):
    """Calls a real circuit, does the same to the model, and compares them after each step."""

    calls: Bundle[Call] = Bundle("calls")
    flights: Bundle[tuple[Flight, Call]] = Bundle("flights")

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
        self.in_the_air: list[Flight] = []
        guard = Guard("model", breaker=self.breaker)
        self.begin_call: dict[str, Callable[[], Flight]] = {
            "thread": lambda: ThreadFlight(self.breaker.call),
            "guarded thread": lambda: ThreadFlight(guard.call),
            "task": lambda: TaskFlight(self.breaker.call_async),
            "guarded task": lambda: TaskFlight(guard.call_async),
        }

    def teardown(self) -> None:
        for flight in getattr(self, "in_the_air", []):
            flight.land()

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
        return self.admitted(permit)

    def admitted(self, permit: Permit | None = None) -> Call:
        self.count += 1
        call = Call(permit, self.model.epoch, self.count)
        if self.model.state == "half_open":
            self.model.trials[call.key] = self.model.now
        return call

    @rule(target=flights, how=st.sampled_from(["thread", "guarded thread", "task", "guarded task"]))
    def take_off(self, how: str) -> tuple[Flight, Call]:  # type: ignore[return]
        """Begin a call and leave it on its way."""
        admits = self.model.admits()
        flight = self.begin_call[how]()
        assert flight.inside == admits
        if not admits:
            self.rejections += 1
            assert flight.outcome is CircuitBreakerOpenError
            return multiple()  # type: ignore[return-value]
        self.in_the_air.append(flight)
        return flight, self.admitted()

    @rule(flown=consumes(flights), how=st.sampled_from([*MOSTLY, *sorted(ENDS)]))
    def land(self, flown: tuple[Flight, Call], how: str) -> None:
        """Let a call end that was on its way."""
        flight, call = flown
        self.in_the_air.remove(flight)
        verdict, make_error = ENDS[how]
        error = make_error()
        assert flight.land(error) == ("landed" if error is None else type(error))
        self.ended[verdict] += 1
        self.model.finish(call, verdict)

    @rule(call=consumes(calls), how=st.sampled_from([*MOSTLY, "is lost", "is released", *sorted(ENDS)]))
    def end(self, call: Call, how: str) -> None:
        """Settle a permit, or hear nothing of it ever again."""
        permit = call.permit
        if permit is None or how == "is lost":
            return
        verdict, make_error = ENDS.get(how, ("neutral", lambda: None))
        error = make_error()
        if how == "is released":
            permit.release()
        elif how == "fails":
            permit.failure(error)
        else:
            assert not permit.__exit__(type(error) if error is not None else None, error, None)
        permit.failure()  # only the first word counts
        self.ended[verdict] += 1
        self.model.finish(call, verdict)

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
            call = self.admitted()
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


class BreakerAgainstModel(CallsAgainstModel):
    """Meddles with the circuit while it is called."""

    @rule(
        how=st.sampled_from(["reset", "force_open", "force_closed", "release", "restart"])
        | st.sampled_from([-5.0, 0.0, 4.0, 30.0])
    )
    def intervene(self, how: str | float) -> None:
        """What an operator does; a number is a ban, in seconds from now."""
        if isinstance(how, float):
            self.open_until(how)
        else:
            getattr(self, how)()

    def reset(self) -> None:
        self.breaker.reset()
        self.model.settle()
        self.model.failed_recoveries = 0
        self.model.banned_until = 0.0
        self.model.turn("closed")

    def force_open(self) -> None:
        self.breaker.force_open()
        self.hold("open")

    def force_closed(self) -> None:
        self.breaker.force_closed()
        self.hold("closed")

    def hold(self, state: str) -> None:
        if not (self.model.forced and self.model.state == state):
            self.model.turn(state, forced=True)

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

    def restart(self) -> None:
        self.breaker.restore(self.breaker.snapshot())
        self.model.settle()
        self.model.epoch += 1
        self.model.trials = {}


TestCallsAgainstModel = CallsAgainstModel.TestCase
TestCallsAgainstModel.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestBreakerAgainstModel = BreakerAgainstModel.TestCase
TestBreakerAgainstModel.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
