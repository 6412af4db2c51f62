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
from typing import Any, Protocol

from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.exceptions import ConfigurationException
from tradeguard.listeners import Listeners
from tradeguard.orders.errors import JournalError, TradingRestrictedError

__all__ = ["Interlock", "InterlockCause", "InterlockState", "InterlockStatus", "OperatorMemory"]


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


class OperatorMemory(Protocol):
    """Where the operator's restriction outlives the process, and where other processes put and lift it."""

    def standing(self) -> InterlockCause | None:
        """Return the restriction that stands, or None; cheap enough for every order.

        Raises:
            JournalError: it could not be read.
        """
        ...

    def keep(self, cause: InterlockCause) -> None:
        """Let the restriction stand.

        Raises:
            JournalError: it could not be made durable.
        """
        ...

    def forget(self) -> None:
        """Lift the restriction that was kept here; what concerns more than this account stands.

        Raises:
            JournalError: that could not be made durable.
        """
        ...


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
        self._listeners = Listeners()
        self._lock = threading.Lock()
        self._causes: dict[tuple[str, str | None], InterlockCause] = {}
        self._memory: OperatorMemory | None = None
        self._unkept = False

    def add_listener(self, listener: Callable[[InterlockStatus], object]) -> None:
        """Tell `listener` the new status after each change, in the thread that made it and outside the lock."""
        self._listeners.add(listener)

    def remove_listener(self, listener: Callable[[InterlockStatus], object]) -> None:
        """Tell `listener` no more."""
        self._listeners.remove(listener)

    def remember(self, memory: OperatorMemory) -> None:
        """From now on keep the operator's restriction in `memory`, and follow what others put there."""
        self._memory = memory

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
        self._put(self._cause(kind, state, symbol=symbol, reason=reason, lifted_by=lifted_by))

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
        """Stop all new orders, as the operator, until `resume()`, even in a process that is started meanwhile.

        Raises:
            JournalError: it could not be made durable; this process is halted nevertheless.
        """
        self.restrict(
            "operator", InterlockState.HALTED, reason=reason or "halted by the operator", lifted_by="resume()"
        )
        self._unkept = self._memory is not None
        self.follow()

    def resume(self) -> None:
        """Lift the operator's own restriction; other causes stand until they lift on their own.

        So does a restriction that was put from outside for more than this account: it is lifted where it was put.

        Raises:
            JournalError: that could not be made durable; the restriction stands.
        """
        if self._memory is not None:
            self._memory.forget()
        self._unkept = False
        self.lift("operator")
        self.follow()

    def follow(self) -> None:
        """Take over what the operator has restricted or lifted from outside meanwhile.

        Raises:
            JournalError: nobody can say; no order may go out.
        """
        memory = self._memory
        if memory is None:
            return
        own = self._causes.get(("operator", None))
        if self._unkept and own is not None:
            memory.keep(own)
            self._unkept = False
        standing = memory.standing()
        if standing is None:
            self.lift("operator")
        elif standing != own:
            self._put(standing)

    def check(self, symbol: str, *, reduces: bool, context: Mapping[str, Any] | None = None) -> None:
        """Refuse a new order where a cause forbids it.

        Args:
            symbol: the order's symbol.
            reduces: the order can only reduce a position (`reduceOnly`).
            context: further context of the error.

        Raises:
            TradingRestrictedError: says why, and what lifts it.
            JournalError: what the operator restricts cannot be read.
        """
        self.follow()
        if not self._causes:
            return
        causes = [c for c in self._standing() if c.symbol is None or c.symbol == symbol]
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
        """Return the state and its causes; that the operator's restriction cannot be read is one of them."""
        unreadable: list[InterlockCause] = []
        try:
            self.follow()
        except JournalError as error:
            halted, lifted_by = InterlockState.HALTED, "a state that can be used again"
            unreadable.append(self._cause("journal", halted, reason=error.message, lifted_by=lifted_by))
        return self._status((*self._standing(), *unreadable))

    def _cause(
        self, kind: str, state: InterlockState, *, symbol: str | None = None, reason: str, lifted_by: str
    ) -> InterlockCause:
        return InterlockCause(
            kind=kind,
            state=state,
            symbol=symbol,
            reason=reason,
            lifted_by=lifted_by,
            since=datetime.fromtimestamp(self._clock.time(), UTC),
        )

    def _put(self, cause: InterlockCause) -> None:
        key = cause.kind, cause.symbol
        with self._lock:
            known = self._causes.get(key)
            self._causes[key] = cause
        if known is None or known.state is not cause.state:
            self._changed()

    def _standing(self) -> tuple[InterlockCause, ...]:
        with self._lock:
            return tuple(sorted(self._causes.values(), key=lambda c: c.since))

    def _status(self, causes: tuple[InterlockCause, ...]) -> InterlockStatus:
        state = max((c.state for c in causes), key=lambda s: s.strictness, default=InterlockState.NORMAL)
        return InterlockStatus(state=state, causes=causes)

    def _changed(self) -> None:
        status = self._status(self._standing())
        if self._on_change is not None:
            self._on_change(status)
        self._listeners.tell(status)
