# SPDX-License-Identifier: GPL-3.0-or-later
"""The orders that are held here and those that belong to them: which is to be sent, and which to be cancelled.

Pure: it is told of prices, fills and ends, and hands out decisions. The rules are those of Backtrader's own
broker, where these leave nobody with more exposure than was asked for, and no position without its exit:

- The children of a bracket are active once their parent has come to its end, for what that was filled.
- Exits share their coins: a held one that is triggered has those at the exchange cancelled, waits for their
  end, and is sent for what they have left.
- A fill has the others of the group that rest at the exchange cancelled; held ones shrink by it.
- Completed, cancelled or expired, an order takes the others of its group with it. Refused, it does not.
- An exit that was refused for what passes is sent again, unless another of its group was triggered before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import Any

from tradeguard_backtrader.accounts.fills import ZERO
from tradeguard_backtrader.held.held_orders import Bar, HeldOrder, Stage

__all__ = ["Cancel", "Decision", "End", "HeldBook", "Send"]


class End(Enum):
    """How an order came to its end."""

    COMPLETED = auto()
    CANCELLED = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Send:
    """Send the order for `amount` of base currency, not yet in the market's precision."""

    order: HeldOrder
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the order: at the exchange, or, where its stage is OVER, by saying so."""

    order: HeldOrder


Decision = Send | Cancel


class HeldBook:
    """All such orders of a run."""

    def __init__(self) -> None:
        self._orders: dict[str, HeldOrder] = {}
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[HeldOrder]:
        return iter(list(self._orders.values()))

    def add(self, *orders: HeldOrder) -> list[Decision]:
        """Take in orders that belong together; those that wait for nothing are to be sent."""
        for order in orders:
            self._orders[order.client_order_id] = order
            self._changed.add(order.home)
        return [Send(order, order.amount) for order in orders if order.stage is Stage.SENT]

    def restore(self, orders: Iterable[HeldOrder]) -> None:
        """Take in orders as they stand: those of a former process, and one that was sent before it had a group."""
        self._orders |= {order.client_order_id: order for order in orders}

    def drop(self, orders: Iterable[HeldOrder]) -> None:
        """Forget orders that never came to life."""
        for order in orders:
            self._orders.pop(order.client_order_id, None)
            self._changed.add(order.home)

    def join(self, order: HeldOrder, group: str) -> None:
        """Have `order` be one of a group of which one cancels the others."""
        order.group = group
        self._changed.add(order.home)

    def changes(self) -> dict[str, list[dict[str, Any]]]:
        """Return, by home, the orders of each home where something changed that was not kept yet."""
        return {home: [each.dump() for each in self if each.home == home] for home in sorted(self._changed)}

    def kept(self, home: str) -> None:
        """Take note that the orders of this home were kept."""
        self._changed.discard(home)

    # -- what happens -------------------------------------------------------------------------------------------

    def judge(self, symbol: str, bar: Bar | None, now_ms: int) -> list[Decision]:
        """Judge the held orders of a symbol by its last bar and the exchange's time."""
        decisions: list[Decision] = []
        for order in self:
            if order.symbol != symbol or order.stage is not Stage.HELD or self._is_overtaken(order):
                continue
            if order.is_due(bar, now_ms):
                decisions += self._fire(order)
            elif bar is not None and order.trail(bar):
                self._changed.add(order.home)
        return decisions

    def placed(self, order: HeldOrder, order_id: str) -> None:
        """Take note that the exchange has an order."""
        order.order_id = order_id
        self._changed.add(order.home)

    def filled(self, order: HeldOrder) -> list[Decision]:
        """Take note of a fill: `filled`, `fee_base` and `filled_ms` were set."""
        self._changed.add(order.home)
        return [
            decision
            for other in self._others(order)
            if other.stage is Stage.SENT and not other.is_cancelled
            for decision in self._cancel(other)
        ]

    def ended(self, order: HeldOrder, how: End, now_ms: int) -> list[Decision]:
        """Take note that an order which was sent has come to its end."""
        if order.is_over:
            return []
        order.stage = Stage.OVER
        self._changed.add(order.home)
        decisions = self._after_parent(order, now_ms)
        if how is End.COMPLETED or (how is End.CANCELLED and not order.is_cancelled):
            decisions += self._take_along(order)
        for other in self._others(order):
            if other.stage is Stage.TRIGGERED:
                decisions += self._release(other)
        self._prune(order)
        return decisions

    def cancel(self, order: HeldOrder) -> list[Decision]:
        """Cancel an order and its group, because its owner wants it or its time is over."""
        parent = self._parent(order)
        decisions: list[Decision] = []
        for each in (order, *self._others(order), *([] if parent is None else [parent])):
            if not each.is_over:
                decisions += self._cancel(each)
        self._prune(order)
        return decisions

    def is_exit(self, order: HeldOrder) -> bool:
        """Whether it leaves what its parent has entered."""
        parent = self._parent(order)
        return parent is not None and parent.side != order.side

    def fire(self, order: HeldOrder) -> list[Decision]:
        """Have an order whose price was passed before the exchange could hold it be sent in its triggered form."""
        return self._fire(order)

    def postpone(self, order: HeldOrder) -> None:
        """Have an order that could not be sent be sent again later; `resume` does it."""
        order.stage = Stage.TRIGGERED
        self._changed.add(order.home)

    def resume(self, order: HeldOrder) -> list[Decision]:
        """Send an order that was triggered, or handed over and never sent, if nothing is in its way."""
        return self._release(order)

    # -- rules --------------------------------------------------------------------------------------------------

    def _fire(self, order: HeldOrder) -> list[Decision]:
        order.is_fired = True
        order.stage = Stage.TRIGGERED
        self._changed.add(order.home)
        decisions: list[Decision] = []
        for other in self._others(order):
            if other.stage is Stage.SENT and not other.is_cancelled:
                decisions += self._cancel(other)
        return decisions + self._release(order)

    def _release(self, order: HeldOrder) -> list[Decision]:
        if any(other.stage is Stage.SENT for other in self._others(order)):
            return []
        if not order.is_fired and self._is_overtaken(order):
            return []
        return self._send(order)

    def _send(self, order: HeldOrder) -> list[Decision]:
        self._changed.add(order.home)
        amount = self._left(order)
        order.stage = Stage.SENT if amount > 0 else Stage.OVER
        return [Send(order, amount) if amount > 0 else Cancel(order)]

    def _after_parent(self, parent: HeldOrder, now_ms: int) -> list[Decision]:
        """Have the children of an order that is over become active, or go with it if it brought nothing."""
        decisions: list[Decision] = []
        children = [child for child in self._children(parent) if child.stage is Stage.WAITING]
        for child in children:
            if parent.filled <= 0:
                decisions += self._cancel(child)
                continue
            child.since_ms = now_ms if parent.filled_ms is None else parent.filled_ms
            if child.may_rest_here and not (child.is_native and len(children) == 1):
                child.stage = Stage.HELD
            else:
                decisions += self._send(child)
        return decisions

    def _take_along(self, order: HeldOrder) -> list[Decision]:
        return [
            decision
            for other in self._others(order)
            if not (other.is_over or other.is_cancelled or other.is_going)
            for decision in self._cancel(other)
        ]

    def _cancel(self, order: HeldOrder) -> list[Decision]:
        order.is_cancelled = True
        self._changed.add(order.home)
        if order.stage is Stage.SENT:
            return [Cancel(order)]
        order.stage = Stage.OVER
        waiting = [child for child in self._children(order) if child.stage is Stage.WAITING]
        return [Cancel(order), *(decision for child in waiting for decision in self._cancel(child))]

    def _left(self, order: HeldOrder) -> Decimal:
        """Return what is left for an order after what the others of its group were filled."""
        amount = left = self._whole(order)
        for other in self._others(order):
            whole = self._whole(other)
            left -= other.filled * amount / whole if whole else ZERO
        return max(left, ZERO)

    def _whole(self, order: HeldOrder) -> Decimal:
        parent = self._parent(order)
        if parent is None:
            return order.amount
        return min(order.amount, parent.brought if parent.side != order.side else parent.filled)

    def _is_overtaken(self, order: HeldOrder) -> bool:
        """Whether another of the group was triggered and is not over."""
        going = (Stage.TRIGGERED, Stage.SENT)
        return any(other.is_fired and other.stage in going for other in self._others(order))

    # -- kinship ------------------------------------------------------------------------------------------------

    def _parent(self, order: HeldOrder) -> HeldOrder | None:
        return None if order.parent is None else self._orders.get(order.parent)

    def _children(self, order: HeldOrder) -> list[HeldOrder]:
        return [each for each in self if each.parent == order.client_order_id]

    def _others(self, order: HeldOrder) -> list[HeldOrder]:
        """Return the orders of which one cancels the others, without the order itself."""
        return [
            each
            for each in self
            if each is not order
            and (
                (order.parent is not None and each.parent == order.parent)
                or (order.group is not None and each.group == order.group)
            )
        ]

    def _prune(self, order: HeldOrder) -> None:
        """Forget the kin of an order once all of it is over."""
        kin, found = [order], {order.client_order_id}
        for each in kin:
            parent = self._parent(each)
            near = [*self._others(each), *self._children(each), *([] if parent is None else [parent])]
            kin += [other for other in near if other.client_order_id not in found]
            found |= {other.client_order_id for other in near}
        if all(each.is_over for each in kin):
            self.drop(kin)
