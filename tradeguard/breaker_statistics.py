"""What a circuit has seen."""

from __future__ import annotations

from typing import NamedTuple

from tradeguard.breaker_config import CircuitBreakerState
from tradeguard.tally import Tally

__all__ = ["BreakerCounts", "CircuitBreakerStatistics"]


class CircuitBreakerStatistics(NamedTuple):
    """What a circuit has seen since it was made; `reset` leaves the totals alone.

    Attributes:
        state: now.
        total_calls: calls that were let through and have ended.
        successful_calls: of these.
        failed_calls: of these.
        neutral_calls: of these: cancelled, interrupted, or failed in a way that does not count.
        slow_calls: of these: lasted `slow_call_duration` or longer.
        late_results: of these: came too late to count, as the circuit had changed its state meanwhile.
        rejected_calls: calls that were not let through, or, with `monitor_only`, would not have been.
        times_opened: changes to OPEN.
        consecutive_failures: now.
        listener_errors: how often a listener or `on_state_change` raised.
    """

    state: CircuitBreakerState
    total_calls: int
    successful_calls: int
    failed_calls: int
    neutral_calls: int
    slow_calls: int
    late_results: int
    rejected_calls: int
    times_opened: int
    consecutive_failures: int
    listener_errors: int


class BreakerCounts:
    """Counts for the statistics; but for `happy_calls`, to be changed and read under the circuit's lock.

    Attributes:
        happy_calls: the calls that succeeded while all was well.
    """

    def __init__(self) -> None:
        self.happy_calls = Tally()
        self._tallies = [self.happy_calls]
        self._counts: dict[str, int] = dict.fromkeys(
            ("successful", "failed", "neutral", "slow", "late", "rejected", "opened"), 0
        )

    def adopt(self, tally: Tally) -> None:
        """Count what `tally` counts as successful calls too."""
        self._tallies.append(tally)

    def add(self, what: str) -> None:
        """Add one."""
        self._counts[what] += 1

    def statistics(
        self, state: CircuitBreakerState, consecutive_failures: int, listener_errors: int
    ) -> CircuitBreakerStatistics:
        """Return the counts together with what the circuit says of now."""
        counts = self._counts
        successful = counts["successful"] + sum(tally.value() for tally in self._tallies)
        return CircuitBreakerStatistics(
            state=state,
            total_calls=successful + counts["failed"] + counts["neutral"],
            successful_calls=successful,
            failed_calls=counts["failed"],
            neutral_calls=counts["neutral"],
            slow_calls=counts["slow"],
            late_results=counts["late"],
            rejected_calls=counts["rejected"],
            times_opened=counts["opened"],
            consecutive_failures=consecutive_failures,
            listener_errors=listener_errors,
        )
