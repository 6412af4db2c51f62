"""Accounts and their balances. Nothing is created or destroyed: what one gains, another or the fees lose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from tradeguard.simulator.candles import ZERO
from tradeguard.simulator.rejections import EngineRejection, Reason
from tradeguard.simulator.symbols import PRECISION

__all__ = ["MARKET", "Balance", "Ledger", "round_down", "round_up"]

MARKET = ""
"""Name of the account of everybody else: it has no bounds, and may be negative."""

_UNIT = Decimal(1).scaleb(-PRECISION)


def round_down(amount: Decimal) -> Decimal:
    """Return `amount` cut to the exchange's precision."""
    return amount.quantize(_UNIT, ROUND_DOWN)


def round_up(amount: Decimal) -> Decimal:
    """Return `amount` raised to the exchange's precision."""
    return amount.quantize(_UNIT, ROUND_UP)


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has of one asset."""

    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked


class Ledger:
    """The balances of every account, of the market at large, and the fees taken."""

    def __init__(self) -> None:
        self._free: dict[str, dict[str, Decimal]] = {}
        self._locked: dict[str, dict[str, Decimal]] = {}
        self._market: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self._fees: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self._outside: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)

    def open(self, account: str, balances: Mapping[str, Decimal]) -> None:
        """Open an account with `balances`, by asset."""
        self._free[account] = dict(balances)
        self._locked[account] = dict.fromkeys(balances, ZERO)

    def free(self, account: str, asset: str) -> Decimal:
        """Return what may be spent or locked."""
        return self._free[account].get(asset, ZERO)

    def balances(self, account: str) -> dict[str, Balance]:
        """Return every asset that the account has or had, by name."""
        free, locked = self._free[account], self._locked[account]
        names = sorted(free.keys() | locked.keys())
        return {name: Balance(free.get(name, ZERO), locked.get(name, ZERO)) for name in names}

    def totals(self) -> dict[str, Decimal]:
        """Return the sum of each asset over accounts, market, fees and payouts; it never changes."""
        sums: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        books = (*self._free.values(), *self._locked.values(), self._market, self._fees, self._outside)
        for book in books:
            for asset, amount in book.items():
                sums[asset] += amount
        return dict(sums)

    def lock(self, account: str, asset: str, amount: Decimal) -> None:
        """Move `amount` from free to locked.

        Raises:
            EngineRejection: there is not as much free.
        """
        free = self.free(account, asset)
        if amount > free:
            raise EngineRejection(Reason.INSUFFICIENT_BALANCE)
        self._free[account][asset] = free - amount
        locked = self._locked[account]
        locked[asset] = locked.get(asset, ZERO) + amount

    def unlock(self, account: str, asset: str, amount: Decimal) -> None:
        """Move `amount` back from locked to free."""
        self._locked[account][asset] -= amount
        self._free[account][asset] += amount

    def take_out(self, account: str, asset: str, amount: Decimal) -> None:
        """Let `amount` leave the exchange.

        Raises:
            EngineRejection: there is not as much free.
        """
        self.lock(account, asset, amount)
        self._locked[account][asset] -= amount
        self._outside[asset] += amount

    def pay_locked(self, account: str, asset: str, amount: Decimal) -> None:
        """Take `amount` out of what the account has locked."""
        if account == MARKET:
            self._market[asset] -= amount
        else:
            self._locked[account][asset] -= amount

    def pay_fee(self, account: str, asset: str, fee: Decimal) -> None:
        """Keep `fee` of what the account has locked."""
        self._locked[account][asset] -= fee
        self._fees[asset] += fee

    def pay(self, account: str, asset: str, amount: Decimal, fee: Decimal) -> None:
        """Let the market pay `amount` to the account, or be paid where it is negative, and take `fee` from it.

        Nothing bounds it: a loss may exceed what the account has.
        """
        free = self._free[account]
        free[asset] = free.get(asset, ZERO) + amount - fee
        self._locked[account].setdefault(asset, ZERO)
        self._market[asset] -= amount
        self._fees[asset] += fee

    def receive(self, account: str, asset: str, amount: Decimal, fee: Decimal) -> None:
        """Give `amount` to the account and keep `fee` of it."""
        self._fees[asset] += fee
        if account == MARKET:
            self._market[asset] += amount - fee
        else:
            free = self._free[account]
            free[asset] = free.get(asset, ZERO) + amount - fee
