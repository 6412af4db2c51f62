# SPDX-License-Identifier: GPL-3.0-or-later
"""Cash and positions: the account's last balance, carried on with every fill since."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tradeguard_backtrader.accounts.fills import ZERO, exact
from tradeguard_backtrader.accounts.net_position import NetPosition

__all__ = ["Balance", "Ledger", "Snapshot", "balances_of", "rates_into"]


@dataclass(frozen=True, slots=True)
class Balance:
    """One currency: what is there in all, profit that is not realised apart, and what open orders lock of it."""

    total: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the account holds at one moment.

    Attributes:
        balances: by currency.
        taken_at: monotonic seconds when it was asked for; it is at least as old.
        positions: of each swap that is traded, by symbol.
    """

    balances: Mapping[str, Balance]
    taken_at: float
    positions: Mapping[str, NetPosition] = field(default_factory=dict)


def balances_of(answer: Mapping[str, Any]) -> dict[str, Balance]:
    """Return what `fetch_balance` answered.

    ccxt leaves out of `free`, `used` and `total` what the exchange does not tell: any two give the third.
    """
    balances = {}
    for currency, told in (answer.get("total") or {}).items():
        of_it = answer.get(currency) or {}
        free, used = of_it.get("free"), of_it.get("used")
        total = exact(free) + exact(used) if told is None else exact(told)
        locked = total - exact(free) if used is None and free is not None else exact(used)
        balances[currency] = Balance(total, locked)
    return balances


def rates_into(currency: str, prices: Mapping[tuple[str, str], Decimal]) -> dict[str, Decimal]:
    """Return what one of each currency is worth in `currency`, by way of as few markets as can be.

    Args:
        currency: in which to count; it is worth 1.
        prices: by base and quote currency; 0 is none.
    """
    rates, found = {currency: Decimal(1)}, [currency]
    for known in found:
        for (base, quote), price in prices.items():
            if price and quote == known and base not in rates:
                rates[base] = rates[known] * price
                found.append(base)
            elif price and base == known and quote not in rates:
                rates[quote] = rates[known] / price
                found.append(quote)
    return rates


@dataclass(slots=True)
class Ledger:
    """What the account holds, as far as we know.

    Attributes:
        taken_at: monotonic seconds of the last snapshot; None before the first.
        positions: of each swap that is traded, by symbol.
    """

    taken_at: float | None = None
    positions: dict[str, NetPosition] = field(default_factory=dict)
    _totals: dict[str, Decimal] = field(default_factory=dict)
    _locked_besides: dict[str, Decimal] = field(default_factory=dict)

    def refresh(
        self, snapshot: Snapshot, reserved: Mapping[str, Decimal], margined: Collection[str] = ()
    ) -> None:
        """Take over a snapshot.

        Args:
            snapshot: the balances and positions; every fill that was applied is in them, and no other.
            reserved: what our own open orders lock, by currency.
            margined: currencies of which margin is locked, which the exchange knows better than we do: if it is
                less than we reckon, that counts.
        """
        self.taken_at = snapshot.taken_at
        self.positions = dict(snapshot.positions)
        self._totals = {currency: balance.total for currency, balance in snapshot.balances.items()}
        self._locked_besides = {
            currency: balance.locked - reserved.get(currency, ZERO)
            for currency, balance in snapshot.balances.items()
            if currency in margined or balance.locked > reserved.get(currency, ZERO)
        }

    def add(self, currency: str, amount: Decimal) -> None:
        """Carry a total on."""
        self._totals[currency] = self.total(currency) + amount

    def total(self, currency: str) -> Decimal:
        """Return what there is of a currency, locked or not."""
        return self._totals.get(currency, ZERO)

    def free(self, currency: str, reserved: Mapping[str, Decimal], bound: Decimal = ZERO) -> Decimal:
        """Return what can be spent of a currency.

        Args:
            currency: which one.
            reserved: what our open orders lock, by currency.
            bound: what positions bind of it; negative where they have won more.
        """
        locked = self._locked_besides.get(currency, ZERO) + reserved.get(currency, ZERO)
        return max(self.total(currency) - max(locked, ZERO) - bound, ZERO)

    def value(self, currency: str, prices: Mapping[tuple[str, str], Decimal]) -> Decimal:
        """Return the worth, in `currency`, of it and of all currencies that have a price.

        Args:
            currency: in which to count.
            prices: by base and quote currency; 0 is none.
        """
        rates = rates_into(currency, prices)
        return sum((self.total(name) * rate for name, rate in rates.items()), ZERO)
