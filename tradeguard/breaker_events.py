"""Telling of a circuit's changes: in order, one after the other, and outside every lock."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tradeguard.breaker_config import CircuitBreakerState
from tradeguard.listeners import Listeners

__all__ = ["StateChange", "StateTransition", "TransitionFeed"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTransition:
    """One change of a circuit's state.

    Attributes:
        name: the circuit's name.
        old_state: the state before.
        new_state: the state after.
        at: when it was noticed, in seconds of the monotonic clock.
        timestamp: the same in seconds since the epoch.
        reason: why, in a few words.
    """

    name: str
    old_state: CircuitBreakerState
    new_state: CircuitBreakerState
    at: float
    timestamp: float
    reason: str


class StateChange:
    """A listener that tells an `on_state_change` of the two states."""

    def __init__(self, on_state_change: Callable[[CircuitBreakerState, CircuitBreakerState], object]) -> None:
        self._on_state_change = on_state_change

    def __call__(self, event: StateTransition) -> None:
        """Tell it."""
        self._on_state_change(event.old_state, event.new_state)

    def __repr__(self) -> str:
        return f"on_state_change={self._on_state_change!r}"


class TransitionFeed:
    """Hands events to listeners in the order of their posting, whichever threads post them.

    A thread that finds another one telling leaves its events to that one: nobody waits, and a listener that
    itself changes the circuit is told of that when it has returned.
    """

    def __init__(self) -> None:
        self.listeners = Listeners()
        self._lock = threading.RLock()  # a signal handler may come by here too
        self._events: deque[StateTransition] = deque()
        self._telling = False

    def post(self, event: StateTransition) -> None:
        """Queue `event`; to be called under the lock that orders the events."""
        self._events.append(event)

    def deliver(self) -> None:
        """Tell the listeners of what is queued; to be called under no lock."""
        while self._events:
            with self._lock:
                if self._telling or not self._events:
                    return
                self._telling = True
                event = self._events.popleft()
            try:
                _logger.info(
                    "circuit %s: %s -> %s: %s", event.name, event.old_state, event.new_state, event.reason
                )
                self.listeners.tell(event)
            finally:
                with self._lock:
                    self._telling = False
