"""Records: what the monitor tells its listeners, and what a store keeps.

They are frozen values of plain types, so they may be handed to another thread, queued or written anywhere.
Secrets are masked in them already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["ErrorRecord", "RescueRecord", "Transition", "TransitionRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """One recorded error.

    Attributes:
        timestamp: seconds since the epoch.
        component: the part that failed.
        error_type: the class's name.
        error_code: such as `NETWORK_ERROR`; `UNKNOWN_ERROR` for errors of other libraries.
        message: the error's text, secrets masked, at most 500 characters.
        severity: the name of an `ErrorSeverity`; it is one, when the monitor made the record.
        operation: what was being done, such as `fetch_ticker`, where known.
        rescued: whether a retry or a fallback is going to spare, or has spared, the caller the error.
        context: further facts, as JSON can hold them.
    """

    timestamp: float
    component: str
    error_type: str
    error_code: str
    message: str
    severity: str
    operation: str | None = None
    rescued: bool = False
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRecord:
    """One change of a circuit's state.

    Attributes:
        timestamp: seconds since the epoch.
        circuit: the circuit's name.
        old_state: `closed`, `open`, `half_open` or another state of the breaker, as text.
        new_state: likewise.
        reason: why, in a few words.
    """

    timestamp: float
    circuit: str
    old_state: str
    new_state: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueRecord:
    """One failure that the caller was spared.

    Attributes:
        timestamp: seconds since the epoch.
        component: the part that had failed.
        kind: `retry` (a retried call succeeded), `fallback` (a fallback served), `order_found` (an ambiguous
            send was found on the exchange's book), `order_resent` (proved absent and sent again),
            `order_recovered` (resolved after a crash), `gap_filled` (missed candles came), or another.
        operation: what was being done, such as `create_order`, where known.
        detail: further facts, as JSON can hold them.
    """

    timestamp: float
    component: str
    kind: str
    operation: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Transition(Protocol):
    """What is read of a circuit breaker's event to make a `TransitionRecord`."""

    @property
    def name(self) -> str:
        """The circuit's name."""
        ...

    @property
    def old_state(self) -> object:
        """The state before."""
        ...

    @property
    def new_state(self) -> object:
        """The state after."""
        ...

    @property
    def timestamp(self) -> float:
        """When, in seconds since the epoch."""
        ...

    @property
    def reason(self) -> str:
        """Why, in a few words."""
        ...
