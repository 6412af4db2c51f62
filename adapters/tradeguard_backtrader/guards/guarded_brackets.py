# SPDX-License-Identifier: GPL-3.0-or-later
"""The orders that a guarded broker turned away, and their brackets: all of it is Rejected, or none."""

from __future__ import annotations

from collections import deque
from typing import Any

import backtrader as bt

from tradeguard.redaction import redact

__all__ = ["Rejections", "is_lost"]

_HELD_BACK = ("_pchildren", "opending")
"""Where Backtrader's own brokers keep orders that are not transmitted yet, by the parent's reference."""


def is_lost(parent: Any) -> bool:
    """Whether an order whose parent this is, if it has one, may not go out any more."""
    return parent is not None and parent.status == bt.Order.Rejected


class Rejections:
    """What one broker has to say of orders that failed on their way out.

    Attributes:
        notices: clones of them, to be notified.
    """

    def __init__(self) -> None:
        self.notices: deque[Any] = deque()
        self._waiting: dict[int, list[Any]] = {}

    def note_sent(self, order: Any) -> None:
        """Remember an order that waits for the last one of its bracket, which transmits them."""
        if not isinstance(order, bt.order.OrderBase):
            return  # whatever the broker returned
        if order.transmit:
            self._waiting.pop(_bracket(order), None)
        elif order.alive():
            self._waiting.setdefault(_bracket(order), []).append(order)

    def reject(self, broker: Any, order: Any, reason: str) -> Any:
        """Have the order notified as Rejected, with what waits of its bracket; return it."""
        bracket = _bracket(order)
        waiting = [member for member in self._waiting.pop(bracket, ()) if member is not order]
        for name in _HELD_BACK:
            getattr(broker, name, {}).pop(bracket, None)
        for member in waiting:
            self._reject(broker, member, f"another order of its bracket failed: {reason}")
        self._reject(broker, order, reason)
        return order

    def _reject(self, broker: Any, order: Any, reason: str) -> None:
        order.addinfo(reason=redact(reason))
        if order.comminfo is None:
            order.addcomminfo(broker.getcommissioninfo(order.data))
        order.reject(broker)
        self.notices.append(order.clone())


def _bracket(order: Any) -> int:
    """Return the reference of the order that leads the bracket: its parent, or itself."""
    return int(getattr(order.parent, "ref", order.ref))
