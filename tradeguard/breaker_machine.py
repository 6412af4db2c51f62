"""The circuit breaker as a state machine and nothing else: no clock, no lock, no I/O, no user code.

          failures reach a threshold            recovery time is over
   CLOSED ------------------------------> OPEN ----------------------> HALF_OPEN
     ^                                     ^                             |    |
     |                                     |        a trial fails        |    |
     |                                     +-----------------------------+    |
     |                         enough trials succeed                          |
     +------------------------------------------------------------------------+

Every call carries the generation in which it was admitted. Each change of state begins a new generation, and
the result of a call from an earlier one changes nothing. Who calls the machine brings the time, in monotonic
seconds that never go back, and keeps two threads out of it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tradeguard.breaker_config import CircuitBreakerConfig, CircuitBreakerState
from tradeguard.breaker_snapshot import MachineSnapshot
from tradeguard.breaker_windows import CallWindow, OutcomeWindow, TimeWindow

__all__ = ["BreakerMachine", "Rejection", "Ticket", "Transition"]

CLOSED: Final = CircuitBreakerState.CLOSED
OPEN: Final = CircuitBreakerState.OPEN
HALF_OPEN: Final = CircuitBreakerState.HALF_OPEN


class Ticket(NamedTuple):
    """The admission of one call: in which generation, and as which trial (0: as none)."""

    generation: int
    trial: int = 0


class Rejection(NamedTuple):
    """The refusal of one call: seconds until a trial may pass, 0.0 where that is not known."""

    retry_after: float


class Transition(NamedTuple):
    """One change of state, at a time in monotonic seconds."""

    old_state: CircuitBreakerState
    new_state: CircuitBreakerState
    at: float
    reason: str


class BreakerMachine:
    """Decides which calls pass.

    Attributes:
        calm: the generation, if a call that starts now passes and the machine does not care for its success;
            else 0. Reading it is all that a healthy call costs.
        config: the settings.
        state: as of the latest call of a method.
        forced: whether `state` is held by force.
        generation: grows with each change.
        consecutive_failures: while closed.
        transitions: the changes that nobody has fetched yet, oldest first.
    """

    __slots__ = (
        "_banned_until", "_failed_recoveries", "_last_trial", "_open_until", "_trial_successes", "_trials", "_window",
        "calm", "config", "consecutive_failures", "forced", "generation", "state", "transitions",
    )  # fmt: skip

    def __init__(self, config: CircuitBreakerConfig) -> None:
        self.config = config
        self.state = CLOSED
        self.forced = False
        self.generation = 1
        self.transitions: list[Transition] = []
        self.consecutive_failures = 0
        self._open_until = 0.0
        self._banned_until = 0.0
        self._failed_recoveries = 0
        self._trial_successes = 0
        self._last_trial = 0
        self._trials: dict[int, float] = {}
        self._window = self._fresh_window()
        self.calm = 0
        self._refresh()

    def settle(self, now: float) -> None:
        """Do what the passing of time does: end the open period, take the places of lost trials."""
        if self.forced:
            return
        if self.state is OPEN and now >= self._open_until:
            self._enter(HALF_OPEN, now, "the recovery time is over")
        if self._trials:
            longest = self.config.half_open_timeout
            self._trials = {trial: start for trial, start in self._trials.items() if now - start < longest}

    def admit(self, now: float) -> Ticket | Rejection:
        """Let a call pass or not."""
        self.settle(now)
        if self.state is CLOSED:
            return Ticket(self.generation)
        if self.state is OPEN:
            return Rejection(self.open_for(now))
        if len(self._trials) >= self.config.half_open_max_calls:
            return Rejection(0.0)
        self._last_trial += 1
        self._trials[self._last_trial] = now
        return Ticket(self.generation, self._last_trial)

    def succeed(self, ticket: Ticket, now: float, *, slow: bool = False) -> bool:
        """Take in a success; return False if it came too late to count."""
        if not self._counts(ticket, now):
            return False
        if self.state is CLOSED:
            self.consecutive_failures = 0
            self._take(now, failed=False, slow=slow)
        elif slow and self.config.slow_call_rate_threshold is not None:
            self._reopen(now, "a trial was slow")
        else:
            self._trial_successes += 1
            if self._trial_successes >= self.config.success_threshold:
                self._failed_recoveries = 0
                self._enter(CLOSED, now, f"{self._trial_successes} successful trial(s)")
        self._refresh()
        return True

    def fail(self, ticket: Ticket, now: float, *, slow: bool = False) -> bool:
        """Take in a failure; return False if it came too late to count."""
        if not self._counts(ticket, now):
            return False
        if self.state is CLOSED:
            self.consecutive_failures += 1
            self._take(now, failed=True, slow=slow)
        else:
            self._reopen(now, "a trial failed")
        self._refresh()
        return True

    def leave(self, ticket: Ticket, now: float) -> bool:
        """Take back a call that was neither; return False if it came too late to matter."""
        return self._counts(ticket, now)

    def open_for(self, now: float) -> float:
        """Return the seconds until a trial may pass: 0.0 if not open, or open by force."""
        self.settle(now)
        if self.state is OPEN and not self.forced:
            return self._open_until - now
        return 0.0

    def force(self, state: CircuitBreakerState, now: float) -> None:
        """Hold `state`, OPEN or CLOSED, until `release`, `reset` or the other `force`."""
        if not (self.forced and self.state is state):
            self._enter(state, now, "forced", forced=True)

    def release(self, now: float) -> None:
        """End a hold: from OPEN begins an ordinary open period, from CLOSED the circuit goes on closed."""
        if not self.forced:
            return
        self._failed_recoveries = 0
        if self.state is OPEN:
            self._open(now, self.config.open_seconds(0), "released")
        elif now < self._banned_until:
            self._open(now, 0.0, "released, but not before the given time")
        else:
            self._enter(CLOSED, now, "released")

    def reset(self, now: float) -> None:
        """Begin anew, closed; calls in flight count for nothing."""
        self._failed_recoveries = 0
        self._banned_until = now
        self._enter(CLOSED, now, "reset")

    def open_until(self, until: float, now: float) -> None:
        """Stay open until `until` at least; a held state stays held, but OPEN is not left earlier."""
        self._banned_until = max(self._banned_until, until)
        if until <= now or self.forced:
            return
        if self.state is OPEN:
            self._open_until = max(self._open_until, until)
        else:
            self._open(now, 0.0, "open until a given time")

    def snapshot(self, now: float) -> MachineSnapshot:
        """Return what outlives a restart."""
        return MachineSnapshot(
            open_for=self.open_for(now),
            state=self.state,
            forced=self.forced,
            banned_for=max(self._banned_until - now, 0.0),
            consecutive_failures=self.consecutive_failures,
            trial_successes=self._trial_successes,
            failed_recoveries=self._failed_recoveries,
        )

    def restore(self, snapshot: MachineSnapshot, now: float) -> None:
        """Go on from `snapshot`; calls in flight count for nothing."""
        self._enter(snapshot.state, now, "restored", forced=snapshot.forced)
        self._open_until = now + snapshot.open_for
        self._banned_until = now + snapshot.banned_for
        self._failed_recoveries = snapshot.failed_recoveries
        self._trial_successes = snapshot.trial_successes
        self.consecutive_failures = snapshot.consecutive_failures
        self._refresh()

    def _counts(self, ticket: Ticket, now: float) -> bool:
        self.settle(now)
        if ticket.generation != self.generation:
            return False
        return not ticket.trial or self._trials.pop(ticket.trial, None) is not None

    def _take(self, now: float, *, failed: bool, slow: bool) -> None:
        if self.forced:
            self.consecutive_failures = 0
            return
        reason = self._judge_rates(now, failed=failed, slow=slow)
        if self.consecutive_failures >= self.config.failure_threshold:
            reason = f"{self.consecutive_failures} consecutive failure(s)"
        if reason is not None:
            self._open(now, self.config.open_seconds(0), reason)

    def _judge_rates(self, now: float, *, failed: bool, slow: bool) -> str | None:
        window, config = self._window, self.config
        if window is None:
            return None
        window.add(now, failed, slow)
        if window.calls < min(config.minimum_calls, config.window_calls or config.minimum_calls):
            return None
        for count, threshold, what in (
            (window.failures, config.failure_rate_threshold, "failed"),
            (window.slow, config.slow_call_rate_threshold, "were slow"),
        ):
            if threshold is not None and count / window.calls >= threshold:
                return f"{count} of {window.calls} calls {what}"
        return None

    def _reopen(self, now: float, reason: str) -> None:
        self._failed_recoveries += 1
        self._open(now, self.config.open_seconds(self._failed_recoveries), reason)

    def _open(self, now: float, seconds: float, reason: str) -> None:
        self._open_until = max(now + seconds, self._banned_until)
        self._enter(OPEN, now, reason)

    def _enter(self, state: CircuitBreakerState, now: float, reason: str, *, forced: bool = False) -> None:
        if state is not self.state:
            self.transitions.append(Transition(self.state, state, now, reason))
        self.state = state
        self.forced = forced
        self.generation += 1
        self.consecutive_failures = 0
        self._trial_successes = 0
        self._trials = {}
        self._window = self._fresh_window()
        self._refresh()

    def _fresh_window(self) -> OutcomeWindow | None:
        if not self.config.has_rates:
            return None
        if self.config.window_seconds is not None:
            return TimeWindow(self.config.window_seconds)
        return CallWindow(self.config.window_calls or 1)

    def _refresh(self) -> None:
        config = self.config
        quiet = (
            self.state is CLOSED
            and not self.forced
            and self.consecutive_failures == 0
            and self._window is None
            and config.slow_call_duration is None
            and config.timeout is None
        )
        self.calm = self.generation if quiet else 0
