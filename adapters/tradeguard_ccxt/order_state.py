"""Where a guarded instance keeps its state: the journal of its account, and the store behind it."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from tradeguard.orders import OrderJournal
from tradeguard.storage import StateStore
from tradeguard_ccxt.runtime import ExchangeGuard

__all__ = ["OrderState"]


class OrderState:
    """Opens the journal: at once where the user names one, else at the first order.

    Args:
        exchange: the guarded ccxt instance, whose account it is.
        guard: its guard; its monitor writes to the store.

    Raises:
        ConfigurationException: the journal that the user names cannot be used.
    """

    def __init__(self, exchange: Any, guard: ExchangeGuard) -> None:
        self._exchange = exchange
        self._guard = guard
        self._lock = threading.RLock()
        self._journal: OrderJournal | None = None
        self._account: str | None = None  # whose journal it is; the key may be set, or changed, at any time
        self._owned_store: StateStore | None = None
        self._store: StateStore | None = None
        configured = guard.config.journal
        if isinstance(configured, StateStore | str | Path):
            self._open_store(configured)

    @property
    def store(self) -> StateStore | None:
        """The state that this instance writes to, once it is open."""
        return self._store

    def journal(self) -> OrderJournal:
        """Return the journal, opening it at first use.

        Raises:
            ConfigurationException: it cannot be used; no order can go out.
        """
        account = self.account()
        with self._lock:
            if self._journal is None or self._account != account:
                configured = self._guard.config.journal
                if configured is None or isinstance(configured, StateStore | str | Path):
                    store = self._store or self._open_store(
                        user_state_path("tradeguard") / "state.db" if configured is None else configured
                    )
                    self._journal = store.journal(self._guard.exchange_id, account)
                else:
                    self._journal = configured
                self._account = account
            return self._journal

    def close(self) -> None:
        """Write what is queued, and close the state where this instance opened it. It reopens when needed."""
        with self._lock:
            if self._store is not None:
                self._store.flush(timeout=2.0)
            if self._owned_store is not None:
                self._guard.monitor.remove_listener(self._owned_store.record)
                self._owned_store.close()
                self._owned_store = self._store = self._journal = None

    def _open_store(self, where: StateStore | str | Path) -> StateStore:
        if isinstance(where, StateStore):
            store = where
        else:
            store = self._owned_store = StateStore(where, clock=self._guard.config.clock)
        self._store = store
        self._guard.monitor.add_listener(store.record)
        return store

    def account(self) -> str:
        """Return the fingerprint of the account: enough to tell accounts apart, and no key."""
        sandbox = "sandbox:" if self._exchange.isSandboxModeEnabled else ""
        for name in ("apiKey", "walletAddress", "login", "uid", "token"):
            value = getattr(self._exchange, name, None)
            if value:
                return hashlib.sha256(f"{self._guard.exchange_id}:{sandbox}{value}".encode()).hexdigest()[:12]
        return "none"
