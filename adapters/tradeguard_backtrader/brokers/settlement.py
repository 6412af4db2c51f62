# SPDX-License-Identifier: GPL-3.0-or-later
"""What the background tells of an order, done to it."""

from __future__ import annotations

from typing import Any

from tradeguard.redaction import redact
from tradeguard_backtrader.accounts.fills import Fill
from tradeguard_backtrader.brokers.broker_events import FINAL, InDoubt, OrderSeen, Placed, Refused, Withdrawn
from tradeguard_backtrader.brokers.desks import Desks
from tradeguard_backtrader.brokers.executions import Executions
from tradeguard_backtrader.brokers.live_orders import LiveOrder, LiveOrders
from tradeguard_backtrader.brokers.order_life import OrderLife
from tradeguard_backtrader.held.held_book import End
from tradeguard_backtrader.held.holding_desk import HoldingDesk

__all__ = ["Settlement"]


class Settlement:
    """Moves the orders of a run; used by the loop alone.

    Args:
        broker: the broker that the orders name.
        orders: the orders of the run.
        life: moves an order from state to state.
        executions: executes fills.
        desks: the background.
        holding: the orders that are held here, and those that belong to them.
    """

    def __init__(
        self,
        broker: Any,
        orders: LiveOrders,
        life: OrderLife,
        executions: Executions,
        desks: Desks,
        holding: HoldingDesk,
    ) -> None:
        self._broker = broker
        self._orders = orders
        self._life = life
        self._executions = executions
        self._desks = desks
        self._holding = holding

    def take(self, event: Placed | Refused | InDoubt | Withdrawn | OrderSeen) -> None:
        """Do to its order what `event` tells."""
        live = self._orders.get(event.ref)
        if live is None:
            return
        match event:
            case Placed():
                self._placed(live, event)
            case Refused():
                if self._holding.refused(live, event.error):
                    self._orders.close(live)
                    self._life.refused(live.order, self._broker, event.error)
                    self._holding.ended(live, End.REFUSED)
            case InDoubt():
                live.was_in_doubt = True
                live.order.addinfo(in_doubt=redact(str(event.error)))
                text = f"order {event.ref} on {live.symbol} may be at the exchange: {event.error}"
                self._broker.store.notify("order_in_doubt", text, ref=event.ref, error=event.error)
            case Withdrawn():
                self._end(live, "canceled")
            case OrderSeen():
                for fill in event.fills:
                    if live.book.new([fill]):
                        self._fill(live, fill)
                if event.status in FINAL:
                    self._end(live, event.status)

    def _placed(self, live: LiveOrder, event: Placed) -> None:
        live.order.addinfo(order_id=event.order_id, client_order_id=event.client_order_id)
        self._life.accepted(live.order, self._broker)
        self._holding.placed(live, event.order_id)
        if live.ticket.withdrawn:
            self._desks.cancel(live.ticket)

    def _fill(self, live: LiveOrder, fill: Fill) -> None:
        self._executions.apply(live, fill)
        self._life.executed(live.order, live.book.filled, live.book.remaining)
        self._holding.filled(live, fill)
        if live.book.is_complete:
            self._orders.close(live)
            self._holding.ended(live, End.COMPLETED)
        self._desks.account.refresh_soon()

    def _end(self, live: LiveOrder, status: str) -> None:
        self._orders.close(live)
        if live.has_expired and status == "canceled":
            status = "expired"
        self._life.ended(live.order, self._broker, status)
        self._holding.ended(live, _ENDS.get(status, End.CANCELLED))
        self._desks.account.refresh_soon()


_ENDS = {"closed": End.COMPLETED, "rejected": End.REFUSED}
