# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders on their way to the exchange, in the background.

Order safety itself (one client order id for each intent, no blind resend) is the guarded exchange's. Here an
order goes out once, and its outcome is taken for what it is: placed, refused, or in doubt.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tradeguard_backtrader.accounts.markets import in_units, market_of
from tradeguard_backtrader.brokers.broker_events import BrokerEvent, InDoubt, Placed, Refused, Withdrawn
from tradeguard_backtrader.brokers.order_routing import OrderRequest
from tradeguard_backtrader.failures import CallFailedError, ask, is_rejection
from tradeguard_backtrader.workers import Worker

__all__ = ["Arrival", "OrderTicket", "SubmitLane", "Traffic"]


class Traffic:
    """Counts the orders that were handed over and those whose outcome is known."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._departed = 0
        self._arrived = 0

    def depart(self) -> None:
        """Count an order that was handed over."""
        with self._lock:
            self._departed += 1

    def arrive(self) -> None:
        """Count an outcome."""
        with self._lock:
            self._arrived += 1

    def mark(self) -> tuple[int, int]:
        """Return how many departed and how many arrived; the same mark twice means that nothing moved."""
        with self._lock:
            return self._departed, self._arrived

    @property
    def is_quiet(self) -> bool:
        """Whether the outcome of every order is known."""
        departed, arrived = self.mark()
        return departed == arrived


def _free() -> float:
    return 0.0


@dataclass(slots=True, eq=False)
class OrderTicket:
    """One order on its way.

    Attributes:
        request: what is asked for.
        withdrawn: set by the loop to take it back; in vain once it is being sent.
        done: set by the loop when the order has come to its end.
        order_id: the exchange's id, once it is known.
        way: returns for how many more seconds it waits for cancels that were asked for before it; 0 is free.
    """

    request: OrderRequest
    withdrawn: bool = False
    done: bool = False
    order_id: str | None = None
    way: Callable[[], float] = _free


@dataclass(frozen=True, slots=True)
class Arrival:
    """An order that the exchange has, for whoever follows it up.

    Attributes:
        ticket: the order.
        answer: what the exchange said of it.
    """

    ticket: OrderTicket
    answer: Mapping[str, Any]


class SubmitLane:
    """Sends the orders of one symbol, one after the other.

    Args:
        exchange: where to.
        post: takes each outcome.
        arrived: takes each order that was placed.
        doubted: takes each order whose outcome is not known, with the error and the client order id, if told.
        traffic: counts.
    """

    worker: Worker

    def __init__(
        self,
        exchange: Any,
        post: Callable[[BrokerEvent], None],
        arrived: Callable[[Arrival], None],
        doubted: Callable[[OrderTicket, BaseException], None],
        traffic: Traffic,
    ) -> None:
        self._exchange = exchange
        self._post = post
        self._arrived = arrived
        self._doubted = doubted
        self._traffic = traffic
        self._queue: deque[OrderTicket] = deque()

    def send(self, ticket: OrderTicket) -> None:
        """Hand over an order; called by the loop."""
        self._traffic.depart()
        self._queue.append(ticket)
        self.worker.wake()

    def step(self) -> float | None:
        """Send the next order, if no cancel is in its way."""
        if not self._queue:
            return None
        ticket = self._queue[0]
        pause = 0.0 if ticket.withdrawn else ticket.way()
        if pause > 0:
            return pause
        self._queue.popleft()
        if ticket.withdrawn:
            self._post(Withdrawn(ticket.request.ref))
        else:
            self._submit(ticket)
        self._traffic.arrive()
        return 0.0

    def _submit(self, ticket: OrderTicket) -> None:
        request = ticket.request
        units = in_units(request.amount, market_of(self._exchange, request.symbol))
        arguments = (request.symbol, request.type, request.side, units, request.price)
        try:
            answer = ask(self._exchange.create_order, *arguments, dict(request.params))
        except CallFailedError as failed:
            if is_rejection(failed.error):
                self._post(Refused(request.ref, failed.error))
            else:
                self._doubt(ticket, failed.error)
            return
        order_id = answer.get("id") if isinstance(answer, dict) else None
        if order_id is None:
            self._doubt(ticket, ValueError(f"{self._exchange.id} answered an order without an id"))
            return
        ticket.order_id = str(order_id)
        self._post(Placed(request.ref, ticket.order_id, answer.get("clientOrderId")))
        self._arrived(Arrival(ticket, answer))

    def _doubt(self, ticket: OrderTicket, error: BaseException) -> None:
        self._post(InDoubt(ticket.request.ref, error))
        self._doubted(ticket, error)
