# SPDX-License-Identifier: GPL-3.0-or-later
"""What background work tells the broker, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader.accounts.fills import Fill, FillBook
from tradeguard_backtrader.accounts.markets import Market
from tradeguard_backtrader.accounts.snapshot import Snapshot

__all__ = [
    "FINAL",
    "Adopted",
    "AdoptedOrder",
    "BalanceSeen",
    "BrokerEvent",
    "InDoubt",
    "OrderSeen",
    "Placed",
    "Refused",
    "Unfit",
    "Withdrawn",
]

FINAL = frozenset({"closed", "canceled", "expired", "rejected"})
"""ccxt's statuses of an order that has come to its end; it passes on others as the exchange calls them."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The exchange has the order `ref` under `order_id`."""

    ref: int
    order_id: str
    client_order_id: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The order `ref` is certain not to be at the exchange."""

    ref: int
    error: BaseException


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The order `ref` may be at the exchange."""

    ref: int
    error: BaseException


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The order `ref` was cancelled before it was sent."""

    ref: int


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """The exchange's word on the order `ref`.

    Attributes:
        ref: Backtrader's number of the order.
        status: ccxt's status: `open`, `closed`, `canceled`, `expired` or `rejected`; final only when all fills
            are told.
        fills: fills, among them all that were not told before.
    """

    ref: int
    status: str
    fills: Sequence[Fill] = ()


@dataclass(frozen=True, slots=True)
class BalanceSeen:
    """The account's balances, with all fills in them that were told before this, and no other."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class AdoptedOrder:
    """An order that was there before the run: open, or one that a former process waited for.

    Attributes:
        order: as ccxt gives it.
        book: the fills that it has already.
        client_order_id: by which a former process knew it; None for an order of others.
    """

    order: Mapping[str, Any]
    book: FillBook
    client_order_id: str | None = None

    @property
    def remaining(self) -> float:
        """Base currency that is not filled yet."""
        return float(self.book.remaining)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What the account holds as the run begins.

    Attributes:
        snapshot: its balances.
        orders: its open orders, and those that were claimed and found.
        prices: the last price of each symbol that is traded, quote currency per base; 0 where nobody tells it.
        absent: client order ids of claimed orders that are certain not to be at the exchange.
        markets: how each of these symbols deals.
        refusals: by symbol, why no position can be opened there.
    """

    snapshot: Snapshot
    orders: Sequence[AdoptedOrder]
    prices: Mapping[str, Decimal]
    absent: frozenset[str] = frozenset()
    markets: Mapping[str, Market] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unfit:
    """The account cannot be traded as it was asked for, and the run is to end."""

    error: ConfigurationException


BrokerEvent = Placed | Refused | InDoubt | Withdrawn | OrderSeen | BalanceSeen | Adopted | Unfit
