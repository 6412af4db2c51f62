# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exchange's interlock restricts, told to `notify_store` whenever it changes."""

from __future__ import annotations

import threading
from typing import Any

from tradeguard.orders.interlock import InterlockState, InterlockStatus

__all__ = ["InterlockWatch"]


class InterlockWatch:
    """Tells a store each change of the interlock of its exchange, once.

    What this process restricts or lifts is told at once; what somebody else does, such as `tradeguard halt`,
    within `interlock_poll` seconds. An exchange without an interlock is never restricted.

    Args:
        store: the `GuardedStore`.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._interlock: Any = getattr(store.exchange, "interlock", None)
        self._lock = threading.Lock()
        self._told: frozenset[Any] = frozenset()

    def start(self) -> None:
        """Begin to watch; restrictions that stand already are told."""
        if self._interlock is None:
            return
        self._told = frozenset()
        self._interlock.add_listener(self._tell)
        self._store.workers.start("interlock", self._look)

    def stop(self) -> None:
        """Watch no more."""
        if self._interlock is not None:
            self._interlock.remove_listener(self._tell)

    def _look(self) -> float:
        self._tell(self._interlock.status())
        pause: float = self._store.config.interlock_poll
        return pause

    def _tell(self, status: InterlockStatus) -> None:
        standing = frozenset((cause.kind, cause.symbol, cause.state) for cause in status.causes)
        with self._lock:
            if standing == self._told:
                return
            self._told = standing
        if status.state is InterlockState.NORMAL:
            text = "trading is NORMAL again"
        else:
            reasons = "; ".join(f"{cause.reason} (lifted by {cause.lifted_by})" for cause in status.causes)
            text = f"trading is {status.state}: {reasons}"
        self._store.notify(
            "interlock", text, state=str(status.state), causes=status.causes, store=self._store
        )
