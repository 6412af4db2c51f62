# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders in doubt: sent, and nobody can tell yet whether the exchange has them."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tradeguard.clock import Clock
from tradeguard.orders import IntentStatus, OrderIntent
from tradeguard.orders.errors import OrderAbsentError
from tradeguard_backtrader.accounts.markets import in_units, market_of
from tradeguard_backtrader.brokers.broker_events import BrokerEvent, Placed, Refused
from tradeguard_backtrader.brokers.submission import Arrival, OrderTicket
from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.failures import CallFailedError, ask
from tradeguard_backtrader.workers import Worker

__all__ = ["DoubtDesk"]

_AHEAD = 5.0  # seconds by which the journal's clock may lag ours


@dataclass(slots=True, eq=False)
class _Doubt:
    ticket: OrderTicket
    client_order_id: str | None
    since: float


class DoubtDesk:
    """Asks the guarded exchange again and again what became of the orders in doubt.

    An exchange without a journal cannot tell: such an order stays in doubt, and is never taken for dead.

    Args:
        exchange: the guarded exchange.
        post: takes each outcome.
        arrived: takes each order that turns out to be placed.
        config: pauses.
        clock: tells the time of a doubt.
    """

    worker: Worker

    def __init__(
        self,
        exchange: Any,
        post: Callable[[BrokerEvent], None],
        arrived: Callable[[Arrival], None],
        config: StoreConfig,
        clock: Clock,
    ) -> None:
        self._exchange = exchange
        self._post = post
        self._arrived = arrived
        self._config = config
        self._clock = clock
        self._doubts: deque[_Doubt] = deque()
        self._claimed: set[str] = set()
        self._rounds = 0

    @property
    def is_quiet(self) -> bool:
        """Whether no doubt is left that the exchange can resolve."""
        return not self._doubts or not hasattr(self._exchange, "recover_orders")

    def add(self, ticket: OrderTicket, error: BaseException) -> None:
        """Take in an order; `error` is how its submission ended."""
        context = getattr(error, "context", None)
        client_order_id = context.get("client_order_id") if isinstance(context, dict) else None
        if client_order_id is None:
            client_order_id = ticket.request.params.get("clientOrderId")
        self._rounds = 0
        self._doubts.append(_Doubt(ticket, client_order_id, self._clock.time()))
        self.worker.wake()

    def step(self) -> float | None:
        """Ask once for all."""
        if not self._doubts:
            return None
        intents: list[OrderIntent] = []
        with contextlib.suppress(CallFailedError, AttributeError):
            # An exchange that does not answer leaves the doubt as it is, and so does one without a journal.
            intents += ask(self._exchange.recover_orders)
        with contextlib.suppress(CallFailedError, AttributeError):
            intents += ask(self._exchange.order_journal.intents)
        for doubt in list(self._doubts):
            intent = self._find(doubt, intents)
            if intent is not None and self._settle(doubt.ticket, intent):
                self._claimed.add(intent.client_order_id)
                self._doubts.remove(doubt)
        self._rounds += 1
        return min(self._config.order_poll * 2.0 ** min(self._rounds, 30), self._config.max_retry_pause)

    def _find(self, doubt: _Doubt, intents: Iterable[OrderIntent]) -> OrderIntent | None:
        """Return the intent of the order: by its client id, else the only one that can be it."""
        if doubt.client_order_id is not None:
            return next((each for each in intents if each.client_order_id == doubt.client_order_id), None)
        request = doubt.ticket.request
        units = in_units(request.amount, market_of(self._exchange, request.symbol))
        wanted = (request.symbol, request.type, request.side, units)
        alike = {
            each.client_order_id: each
            for each in intents
            if (each.symbol, each.type, each.side, each.amount) == wanted
            and each.client_order_id not in self._claimed
            and each.updated_at.timestamp() >= doubt.since - _AHEAD
        }
        return next(iter(alike.values())) if len(alike) == 1 else None

    def _settle(self, ticket: OrderTicket, intent: OrderIntent) -> bool:
        ref = ticket.request.ref
        if intent.status is IntentStatus.PLACED and intent.order_id is not None:
            ticket.order_id = intent.order_id
            self._post(Placed(ref, intent.order_id, intent.client_order_id))
            self._arrived(Arrival(ticket, {"id": intent.order_id}))
            return True
        if intent.status in (IntentStatus.ABSENT, IntentStatus.REJECTED):
            text = f"order {intent.client_order_id} does not exist at the exchange: {intent.error}"
            self._post(Refused(ref, OrderAbsentError(text, client_order_id=intent.client_order_id)))
            return True
        return False
