# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions that moved without an order of the run: closed by hand, liquidated, deposited, traded by others.

Pure; amounts are `Decimal`, in base currency, negative where a position is short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tradeguard_backtrader.accounts.fills import ZERO

__all__ = ["OutsideChange", "OutsideChanges"]

_SETTLING = 5.0  # seconds in which an exchange may show a fill, and not yet the balance that it makes


@dataclass(frozen=True, slots=True)
class OutsideChange:
    """A position is not what the fills of the run make it.

    Attributes:
        symbol: unified symbol.
        believed: what it was by those fills.
        actual: what the exchange says.
    """

    symbol: str
    believed: Decimal
    actual: Decimal


class OutsideChanges:
    """Carries positions on with the fills of the run, and compares them with what the exchange says.

    Args:
        least: returns the least amount of a symbol that can be traded; a smaller difference is none.

    Attributes:
        least: the same.
    """

    def __init__(self, least: Callable[[str], Decimal]) -> None:
        self.least = least
        self._believed: dict[str, Decimal] = {}
        self._filled_at: dict[str, float] = {}

    def filled(self, symbol: str, delta: Decimal, at: float) -> None:
        """Carry a position on by a fill that was told at the monotonic second `at`."""
        self._believed[symbol] = self._believed.get(symbol, ZERO) + delta
        self._filled_at[symbol] = at

    def compare(self, symbol: str, actual: Decimal, taken_at: float) -> OutsideChange | None:
        """Return how others have moved a position; None if they have not, or if it is too early to tell.

        Args:
            symbol: unified symbol.
            actual: what the exchange says.
            taken_at: monotonic seconds when it was asked.
        """
        filled_at = self._filled_at.get(symbol)
        if filled_at is not None and taken_at - filled_at < _SETTLING:
            return None
        believed = self._believed.get(symbol, actual)
        self._believed[symbol] = actual
        if abs(actual - believed) < max(self.least(symbol), _NOTHING):
            return None
        return OutsideChange(symbol, believed, actual)


_NOTHING = Decimal("1e-12")
