"""The interlock: what may be traded right now, and why not.

Causes stack: each restricts one symbol or all of them, to REDUCE_ONLY or to HALTED, and lifts on its own. The
state is the strictest of the causes that stand. Cancels always pass; nothing here ever asks about them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.exceptions import ConfigurationException
from tradeguard.orders.errors import TradingRestrictedError

__all__ = ["Interlock", "InterlockCause", "InterlockState", "InterlockStatus"]


class InterlockState(StrEnum):
    """What the interlock lets through."""

    NORMAL = "NORMAL"  # everything
    REDUCE_ONLY = "REDUCE_ONLY"  # cancels, and orders that can only reduce a position
    HALTED = "HALTED"  # cancels

    @property
    def strictness(self) -> int:
        """0 for NORMAL, 1 for REDUCE_ONLY, 2 for HALTED."""
        return _STRICTNESS[self]


_STRICTNESS = {state: rank for rank, state in enumerate(InterlockState)}


@dataclass(frozen=True, slots=True, kw_only=True)
class InterlockCause:
    """One reason for a restriction.

    Attributes:
        kind: `operator`, `authentication`, `unknown_order`, `stale_data`, `journal`…
        state: what it restricts to.
        symbol: the symbol it concerns; None for all.
        reason: what happened.
        lifted_by: what lifts it.
        since: aware UTC.
    """

    kind: str
    state: InterlockState
    symbol: str | None
    reason: str
    lifted_by: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InterlockStatus:
    """The interlock at one moment: the strictest state over all symbols, and every cause, oldest first."""

    state: InterlockState
    causes: tuple[InterlockCause, ...]


class Interlock:
    """Restricts new orders while something is wrong. Thread-safe.

    Args:
        clock: dates the causes.
        on_change: told of the new status after each change, outside the lock.
    """

    def __init__(
        self, *, clock: Clock = SYSTEM_CLOCK, on_change: Callable[[InterlockStatus], None] | None = None
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._causes: dict[tuple[str, str | None], InterlockCause] = {}

    def restrict(
        self, kind: str, state: InterlockState, *, symbol: str | None = None, reason: str, lifted_by: str
    ) -> None:
        """Let a cause stand; one of the same kind and symbol is replaced.

        Raises:
            ConfigurationException: `state` is NORMAL, which restricts nothing.
        """
        if state is InterlockState.NORMAL:
            raise ConfigurationException(
                "Interlock.restrict: state must be REDUCE_ONLY or HALTED, not NORMAL"
            )
        cause = InterlockCause(
            kind=kind,
            state=state,
            symbol=symbol,
            reason=reason,
            lifted_by=lifted_by,
            since=datetime.fromtimestamp(self._clock.time(), UTC),
        )
        with self._lock:
            known = self._causes.get((kind, symbol))
            self._causes[kind, symbol] = cause
        if known is None or known.state is not state:
            self._changed()

    def lift(self, kind: str, symbol: str | None = None) -> bool:
        """Let the cause of this kind and symbol go; returns whether it stood."""
        if (kind, symbol) not in self._causes:  # the healthy path takes no lock
            return False
        with self._lock:
            lifted = self._causes.pop((kind, symbol), None)
        if lifted is not None:
            self._changed()
        return lifted is not None

    @property
    def is_clear(self) -> bool:
        """Whether nothing restricts anything."""
        return not self._causes

    def stands(self, kind: str, symbol: str | None = None) -> bool:
        """Whether the cause of this kind and symbol stands."""
        return (kind, symbol) in self._causes

    def halt(self, reason: str) -> None:
        """Stop all new orders, as the operator, until `resume()`."""
        self.restrict(
            "operator", InterlockState.HALTED, reason=reason or "halted by the operator", lifted_by="resume()"
        )

    def resume(self) -> None:
        """Lift the operator's own restriction; other causes stand until they lift on their own."""
        self.lift("operator")

    def check(self, symbol: str, *, reduces: bool, context: Mapping[str, Any] | None = None) -> None:
        """Refuse a new order where a cause forbids it.

        Args:
            symbol: the order's symbol.
            reduces: the order can only reduce a position (`reduceOnly`).
            context: further context of the error.

        Raises:
            TradingRestrictedError: says why, and what lifts it.
        """
        if not self._causes:
            return
        causes = [c for c in self.status().causes if c.symbol is None or c.symbol == symbol]
        blocking = [c for c in causes if not (reduces and c.state is InterlockState.REDUCE_ONLY)]
        if not blocking:
            return
        state = max((c.state for c in causes), key=lambda s: s.strictness)
        reasons = "; ".join(f"{c.reason} (lifted by {c.lifted_by})" for c in blocking)
        raise TradingRestrictedError(
            f"order on {symbol} refused, trading is {state}: {reasons}",
            symbol=symbol,
            state=str(state),
            causes=[c.kind for c in blocking],
            **(context or {}),
        )

    def status(self) -> InterlockStatus:
        """Return the state and its causes."""
        with self._lock:
            causes = tuple(sorted(self._causes.values(), key=lambda c: c.since))
        state = max((c.state for c in causes), key=lambda s: s.strictness, default=InterlockState.NORMAL)
        return InterlockStatus(state=state, causes=causes)

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change(self.status())
