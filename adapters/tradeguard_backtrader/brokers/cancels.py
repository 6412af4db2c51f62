# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancels on their way to the exchange, in the background, and the orders that wait for them."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from tradeguard.clock import Clock
from tradeguard_backtrader.brokers.broker_events import FINAL, BrokerEvent, OrderSeen, Refused, Withdrawn
from tradeguard_backtrader.brokers.submission import OrderTicket
from tradeguard_backtrader.failures import CallFailedError, ask
from tradeguard_backtrader.workers import Worker

__all__ = ["CancelLane", "PendingCancels"]


class PendingCancels:
    """The cancels that were asked for, until the end of each order is known in the background.

    An order that comes after the cancel of another may need what that one locks: `self.cancel(stop)` and
    `self.close()`. So it waits, for at most `patience` seconds from the cancel on.

    Args:
        clock: measures.
        patience: seconds.
    """

    def __init__(self, clock: Clock, patience: float) -> None:
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()
        self._until: dict[str, dict[int, float]] = defaultdict(dict)
        self._ended: set[int] = set()

    def sent(self, ticket: OrderTicket) -> None:
        """Take note that an order goes out, and have it wait for the cancels of its symbol that are pending."""
        with self._lock:
            self._ended.discard(ticket.request.ref)
            before = dict(self._until[ticket.request.symbol])
        ticket.way = lambda: self._wait(before)

    def asked(self, ticket: OrderTicket) -> None:
        """Take note of a cancel."""
        ref = ticket.request.ref
        with self._lock:
            if ref not in self._ended:
                self._until[ticket.request.symbol].setdefault(ref, self._clock.monotonic() + self._patience)

    def heard(self, event: BrokerEvent) -> str | None:
        """Take in what the background tells; returns the symbol of a cancel that is pending no longer."""
        if not isinstance(event, (OrderSeen, Refused, Withdrawn)):
            return None
        if isinstance(event, OrderSeen) and event.status not in FINAL:
            return None
        with self._lock:
            self._ended.add(event.ref)
            for symbol, pending in self._until.items():
                if pending.pop(event.ref, None) is not None:
                    return symbol
        return None

    def _wait(self, before: dict[int, float]) -> float:
        with self._lock:
            pending = [until for ref, until in before.items() if ref not in self._ended]
        return max([until - self._clock.monotonic() for until in pending], default=0.0)


class CancelLane:
    """Asks the exchange to cancel the orders of one symbol until each has come to its end, whatever that is.

    Whether an order was cancelled is never concluded from the answer: it may have been filled meanwhile. The
    order itself is looked at.

    Args:
        exchange: where to.
        look: has the orders looked at soon.
        failed: told once when a cancel does not get through.
        pauses: the first pause between two tries, in seconds, and the longest.
    """

    worker: Worker

    def __init__(
        self,
        exchange: Any,
        look: Callable[[], None],
        failed: Callable[[OrderTicket, BaseException], None],
        pauses: tuple[float, float],
    ) -> None:
        self._exchange = exchange
        self._look = look
        self._failed = failed
        self._pauses = pauses
        self._queue: deque[OrderTicket] = deque()
        self._tries: dict[int, int] = {}

    def send(self, ticket: OrderTicket) -> None:
        """Hand over an order to be cancelled; called by the loop."""
        if not any(each is ticket for each in list(self._queue)):
            self._queue.append(ticket)
        self.worker.wake()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits to be cancelled."""
        return all(ticket.done for ticket in list(self._queue))

    def step(self) -> float | None:
        """Make one try for each order that is not at its end."""
        waiting = [ticket for ticket in list(self._queue) if not ticket.done]
        for ticket in waiting:
            self._cancel(ticket)
        for ticket in list(self._queue):
            if ticket.done:
                self._queue.remove(ticket)
                self._tries.pop(ticket.request.ref, None)
        if not waiting:
            return None
        first, longest = self._pauses
        return min(first * 2.0 ** min(self._tries.get(ticket.request.ref, 1) for ticket in waiting), longest)

    def _cancel(self, ticket: OrderTicket) -> None:
        tries = self._tries[ticket.request.ref] = self._tries.get(ticket.request.ref, 0) + 1
        try:
            ask(self._exchange.cancel_order, ticket.order_id, ticket.request.symbol)
        except CallFailedError as failed:
            if tries == 1:
                self._failed(ticket, failed.error)
        self._look()
