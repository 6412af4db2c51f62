# SPDX-License-Identifier: GPL-3.0-or-later
"""One order that is held here, or that belongs to one that is: when it is due, and how it outlives the process.

Pure. An order is held where the exchange cannot hold it: trailing stops, stops of exchanges that have none,
orders for the session's end, and stops that share their coins with another order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tradeguard_backtrader.accounts.fills import ZERO

__all__ = ["UNSENT", "Bar", "HeldOrder", "Stage"]

UNSENT = "here-"
"""How a client order id begins that no exchange was told, since it is not known to take one."""


class Stage(StrEnum):
    """Where an order stands."""

    WAITING = "waiting"
    """For its parent."""
    HELD = "held"
    """Here, until the price or the time has come."""
    TRIGGERED = "triggered"
    """To be sent as soon as the other orders of its group have left the exchange, and nothing else is in its way."""
    SENT = "sent"
    """Handed over to the exchange; by its client order id the exchange's word on it is found."""
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What the market did up to `stamp_ms` (epoch milliseconds, its close); prices in quote currency."""

    stamp_ms: int
    high: float
    low: float
    close: float


@dataclass(slots=True, kw_only=True, eq=False)
class HeldOrder:
    """One order of a group, which may be a group of one.

    Attributes:
        client_order_id: fixed before it is held, so that it is never sent twice.
        symbol: unified symbol.
        home: the symbol of the group's first order.
        kind: Backtrader's name of its type.
        side: `buy` or `sell`.
        amount: base currency, in the market's precision; what it becomes when it is sent is no more.
        price: stop or limit price, quote currency per base; None for market and closing orders.
        limit: the limit price of a stop-limit order.
        limit_offset: how far a trailing limit price is below the trailing stop.
        trail_amount: distance of a trailing stop, quote currency.
        trail_percent: the same as a fraction of the price, where no amount is given.
        waits_for_price: whether a price triggers it.
        due_ms: when it is due whatever the price, epoch milliseconds; None for never.
        expires_ms: when it expires, epoch milliseconds; None for never.
        since_ms: bars that closed by then are not its business.
        parent: client order id of the order whose fill it waits for.
        group: name of the one-cancels-other group.
        is_native: whether the exchange can hold it, if it shares its coins with no other.
        trade_id: Backtrader's `tradeid`.
        params: the caller's parameters for `create_order`.
        stage: where it stands.
        is_fired: whether it has been triggered here.
        is_cancelled: whether it is to be cancelled, for the sake of another or of its owner.
        filled: what was filled of it, base currency.
        fee_base: the part of the fees that was taken in base currency.
        filled_ms: time of its last fill, epoch milliseconds.
        order_id: the exchange's id, once it is known.
    """

    client_order_id: str
    symbol: str
    home: str
    kind: str
    side: str
    amount: Decimal
    price: float | None = None
    limit: float | None = None
    limit_offset: float = 0.0
    trail_amount: float | None = None
    trail_percent: float | None = None
    waits_for_price: bool = False
    due_ms: int | None = None
    expires_ms: int | None = None
    since_ms: int = 0
    parent: str | None = None
    group: str | None = None
    is_native: bool = True
    trade_id: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    stage: Stage = Stage.HELD
    is_fired: bool = False
    is_cancelled: bool = False
    filled: Decimal = ZERO
    fee_base: Decimal = ZERO
    filled_ms: int | None = None
    order_id: str | None = None

    @property
    def may_rest_here(self) -> bool:
        """Whether it is one that can wait here for its price or its time."""
        return self.waits_for_price or self.due_ms is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.stage is Stage.OVER

    @property
    def is_going(self) -> bool:
        """Whether it was triggered and is to be sent for what the others of its group leave."""
        return self.is_fired and self.stage is Stage.TRIGGERED

    @property
    def brought(self) -> Decimal:
        """Base currency that its fills have moved: what a buy brought is smaller by the fees taken in coin."""
        return self.filled - self.fee_base if self.side == "buy" else self.filled

    def is_due(self, bar: Bar | None, now_ms: int) -> bool:
        """Whether it is to be sent now.

        Args:
            bar: the last bar of its symbol, None where there is none.
            now_ms: the exchange's time, epoch milliseconds.
        """
        if self.due_ms is not None:
            return now_ms >= self.due_ms
        if bar is None or self.price is None or bar.stamp_ms <= self.since_ms:
            return False
        return bar.high >= self.price if self.side == "buy" else bar.low <= self.price

    def trail(self, bar: Bar) -> bool:
        """Draw the stop after the close, as Backtrader does it; True if that moved it."""
        if bar.stamp_ms <= self.since_ms or self.price is None:
            return False
        distance = self.trail_amount or bar.close * (self.trail_percent or 0.0)
        if not distance:
            return False
        stop = bar.close + distance if self.side == "buy" else bar.close - distance
        if not (stop < self.price if self.side == "buy" else stop > self.price):
            return False
        self.price = stop
        if self.limit is not None:
            self.limit = stop - self.limit_offset
        # This bar lies on the way to the new stop, and must not trigger it, in a later process either.
        self.since_ms = bar.stamp_ms
        return True

    def dump(self) -> dict[str, Any]:
        """Return it as JSON can keep it."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        values |= {name: str(values[name]) for name in _DECIMALS}
        values |= {"stage": str(self.stage), "params": dict(self.params)}
        return values

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> HeldOrder:
        """Return what `dump` gave; fields that a later version added are left out.

        Raises:
            KeyError, TypeError, ValueError, ArithmeticError: it is no such thing.
        """
        names = {each.name for each in dataclasses.fields(cls)}
        known = {name: value for name, value in values.items() if name in names}
        known |= {name: Decimal(known[name]) for name in _DECIMALS}
        return cls(**{**known, "stage": Stage(known["stage"])})


_DECIMALS = ("amount", "filled", "fee_base")
