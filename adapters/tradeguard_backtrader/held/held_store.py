# SPDX-License-Identifier: GPL-3.0-or-later
"""Where held orders outlive the process: the state file of the guarded exchange, if it has one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from tradeguard.exceptions import RecoveryException
from tradeguard_backtrader.held.held_orders import HeldOrder

__all__ = ["HeldStore", "NoHeldStore", "StateHeldStore", "held_store_of"]


class HeldStore(Protocol):
    """Keeps the held orders of one account.

    Attributes:
        is_safe: whether what is kept outlives the process.
    """

    is_safe: bool

    def load(self, homes: Iterable[str]) -> list[HeldOrder]:
        """Return the orders of these homes.

        Raises:
            TradingException: they cannot be read.
        """
        ...

    def save(self, home: str, orders: Sequence[Mapping[str, Any]], at: float) -> None:
        """Keep the orders of one home, as `HeldOrder.dump` gives them; they outlive kill -9 when it returns.

        Raises:
            TradingException: they cannot be written.
        """
        ...


class NoHeldStore:
    """Of an exchange without a state: held orders end with the run."""

    is_safe = False

    def load(self, homes: Iterable[str]) -> list[HeldOrder]:
        """Return none."""
        return []

    def save(self, home: str, orders: Sequence[Mapping[str, Any]], at: float) -> None:
        """Do nothing."""


class StateHeldStore:
    """Keeps them among the values of a `tradeguard.storage.StateStore`, by account and symbol.

    So two bots on one account share no entry as long as they trade different symbols.

    Args:
        state: the state.
        account: exchange and fingerprint of the account.
    """

    is_safe = True

    def __init__(self, state: Any, account: str) -> None:
        self._state = state
        self._account = account

    def load(self, homes: Iterable[str]) -> list[HeldOrder]:
        """Return the orders of these homes."""
        orders = []
        for home in homes:
            kept = self._state.get_value(self._key(home))
            try:
                orders += [HeldOrder.load(values) for values in ([] if kept is None else kept[0])]
            except (KeyError, TypeError, ValueError, ArithmeticError) as error:
                raise RecoveryException(
                    f"held orders of {home} cannot be read from the state: {error!r}",
                    component="tradeguard_backtrader",
                ) from error
        return orders

    def save(self, home: str, orders: Sequence[Mapping[str, Any]], at: float) -> None:
        """Keep the orders of one home."""
        self._state.put_value(self._key(home), list(orders), at)

    def _key(self, home: str) -> str:
        return f"backtrader.held.{self._account}.{home}"


def held_store_of(exchange: Any) -> HeldStore:
    """Return where the held orders of an exchange are kept; its journal is opened for that.

    Raises:
        TradingException: the state cannot be used.
    """
    journal = getattr(exchange, "order_journal", None)
    state = getattr(exchange, "state_store", None)
    if journal is None or state is None:
        return NoHeldStore()
    return StateHeldStore(state, f"{journal.exchange}.{journal.account}")
