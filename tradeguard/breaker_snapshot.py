"""What a circuit keeps over a restart.

Only remaining times are kept: a monotonic time means nothing to another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from tradeguard.bounds import refuse, require_flag, require_int, require_number
from tradeguard.breaker_config import CircuitBreakerState

__all__ = ["MachineSnapshot"]


class MachineSnapshot(NamedTuple):
    """What outlives a restart; times are remaining seconds.

    Attributes:
        state: the state.
        forced: whether it is held by force.
        open_for: until the open period ends.
        banned_for: until the time given to `open_until`.
        consecutive_failures: while closed.
        trial_successes: while half-open.
        failed_recoveries: how often in a row the recovery failed.
    """

    state: CircuitBreakerState
    forced: bool
    open_for: float
    banned_for: float
    consecutive_failures: int
    trial_successes: int
    failed_recoveries: int

    def to_dict(self) -> dict[str, Any]:
        """Return the snapshot as JSON can hold it."""
        return {**self._asdict(), "state": self.state.value}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the snapshot that `to_dict` made `fields` of; further fields are ignored.

        Raises:
            ConfigurationException: if a field is missing or makes no sense.
        """
        known: dict[str, Any] = {name: fields.get(name) for name in cls._fields}
        if known["state"] not in list(CircuitBreakerState):
            refuse("state", known["state"], f"one of {', '.join(CircuitBreakerState)}")
        require_flag("forced", known["forced"])
        if known["forced"] and known["state"] == CircuitBreakerState.HALF_OPEN:
            refuse("forced", True, "False where the state is half_open")
        for name in ("open_for", "banned_for"):
            require_number(name, known[name], minimum=0)
        for name in ("consecutive_failures", "trial_successes", "failed_recoveries"):
            require_int(name, known[name], minimum=0)
        return cls(**{**known, "state": CircuitBreakerState(known["state"])})
