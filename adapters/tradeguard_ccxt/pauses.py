"""Leaving an exchange alone that asked for it: limits and maintenance pause a circuit, a ban pauses everything."""

from __future__ import annotations

import threading

from tradeguard.clock import Clock
from tradeguard_ccxt.operations import Circuit

__all__ = ["Pauses"]


class Pauses:
    """Until when each circuit's traffic rests. Thread-safe; measured in monotonic time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[Circuit, float] = {}
        self._causes: dict[Circuit, BaseException] = {}

    def pause(self, seconds: float, cause: BaseException, *circuits: Circuit) -> None:
        """Let `circuits` rest for `seconds`; a longer rest that they have already stands."""
        until = self._clock.monotonic() + seconds
        with self._lock:
            for circuit in circuits:
                if until > self._until.get(circuit, 0.0):
                    self._until[circuit] = until
                    self._causes[circuit] = cause

    def remaining(self, circuit: Circuit) -> float:
        """Return for how many seconds `circuit` still rests; 0.0 for not at all."""
        until = self._until.get(circuit)
        if until is None:
            return 0.0
        return max(until - self._clock.monotonic(), 0.0)

    def cause(self, circuit: Circuit) -> BaseException | None:
        """Return what asked for the circuit's last rest, or None."""
        return self._causes.get(circuit)
