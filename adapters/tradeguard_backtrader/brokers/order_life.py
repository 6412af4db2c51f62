# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of an order: each change of state is notified once, in order, on a clone."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Any

import backtrader as bt
import ccxt

from tradeguard.redaction import redact

__all__ = ["OrderLife"]


class OrderLife:
    """Moves orders from state to state and keeps what is to be notified."""

    def __init__(self) -> None:
        self._notifications: deque[Any] = deque()

    def next_notification(self) -> Any:
        """Return the oldest change that was not returned yet, None where there is none."""
        return self._notifications.popleft() if self._notifications else None

    def submitted(self, order: Any, broker: Any) -> None:
        """It was handed over."""
        order.submit(broker)
        self._notify(order)

    def accepted(self, order: Any, broker: Any) -> None:
        """The exchange has it."""
        if order.status in (bt.Order.Created, bt.Order.Submitted):
            order.accept(broker)
            self._notify(order)

    def executed(self, order: Any, filled: Decimal, remaining: Decimal) -> None:
        """A fill was executed on it; `filled` and `remaining` are the exact amounts."""
        # Backtrader adds floats up: ten fills of .1 would leave -2.8e-17, and the order partial for ever.
        sign = 1 if order.isbuy() else -1
        order.executed.size = sign * float(filled)
        order.executed.remsize = sign * float(remaining)
        if remaining:
            order.partial()
        else:
            order.completed()
        self._notify(order)

    def rejected(self, order: Any, broker: Any, reason: str) -> None:
        """It was refused for `reason`."""
        if order.alive():
            order.addinfo(reason=redact(reason))
            order.reject(broker)
            self._notify(order)

    def refused(self, order: Any, broker: Any, error: BaseException) -> None:
        """The exchange does not have it, because of `error`."""
        if isinstance(error, ccxt.InsufficientFunds) and order.alive():
            order.addinfo(reason=redact(str(error)))
            order.margin()
            self._notify(order)
        else:
            self.rejected(order, broker, str(error))

    def ended(self, order: Any, broker: Any, status: str) -> None:
        """The exchange says that nothing more will happen; `status` is ccxt's word for why."""
        if not order.alive():
            return
        if status == "closed":
            order.completed()
        elif status == "expired":
            # `Order.expire()` judges by the data's time; the exchange has judged already.
            order.status = bt.Order.Expired
        elif status == "rejected":
            order.reject(broker)
        else:
            order.cancel()
        self._notify(order)

    def _notify(self, order: Any) -> None:
        # Cloning marks the executions that this notification carries: without it trades would count them twice.
        told = order.clone()
        told.info = order.info.copy()  # what is learned later belongs to later notifications
        self._notifications.append(told)
