# SPDX-License-Identifier: GPL-3.0-or-later
"""From `buy` or `sell` to what is done with the order: refused, sent, held here, or kept until its bracket is whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import backtrader as bt

from tradeguard_backtrader.accounts.markets import RefusedError, market_of
from tradeguard_backtrader.brokers.desks import Desks
from tradeguard_backtrader.brokers.live_orders import LiveOrder, LiveOrders
from tradeguard_backtrader.brokers.order_life import OrderLife
from tradeguard_backtrader.brokers.order_routing import (
    OrderRequest,
    is_native,
    require_terms,
    route,
    symbol_of,
    valid_until_ms,
)
from tradeguard_backtrader.held.held_orders import HeldOrder, Stage
from tradeguard_backtrader.held.holding import SIMPLE, held_of
from tradeguard_backtrader.held.holding_desk import HoldingDesk, resize

__all__ = ["OrderIntake"]


class OrderIntake:
    """Takes orders from strategies; used by the loop alone.

    Args:
        broker: the broker that the orders name.
        orders: the orders of the run.
        life: moves an order from state to state.
        desks: the background.
        holding: the orders that are held here, and those that belong to them.
        make_live: keeps an order and its request among the orders of the run.
    """

    def __init__(
        self,
        broker: Any,
        orders: LiveOrders,
        life: OrderLife,
        desks: Desks,
        holding: HoldingDesk,
        make_live: Callable[[Any, OrderRequest], LiveOrder],
    ) -> None:
        self._broker = broker
        self._exchange = broker.store.exchange
        self._orders = orders
        self._life = life
        self._desks = desks
        self._holding = holding
        self._make_live = make_live
        self._unfinished: dict[int, list[LiveOrder]] = {}

    def take(self, order: Any, params: Mapping[str, Any]) -> None:
        """Take an order that was just made, with the caller's parameters for the exchange."""
        root = order.ref if order.parent is None else order.parent.ref
        try:
            live = self._prepared(order, dict(params), root)
        except RefusedError as refused:
            self._life.rejected(order, self._broker, str(refused))
            self._refuse_rest(root)
            return
        bracket = [*self._unfinished.pop(root, []), live]
        if not order.transmit:
            self._unfinished[root] = bracket
        elif live.held is not None:
            self._holding.place(bracket)
        else:
            self._life.submitted(order, self._broker)
            self._holding.send(live)

    def cancel_unfinished(self, order: Any) -> bool:
        """Cancel an order that waits for the rest of its bracket, and the rest; False if it is none such."""
        root = order.ref if order.parent is None else order.parent.ref
        if not any(live.order is order for live in self._unfinished.get(root, ())):
            return False
        for live in self._unfinished.pop(root):
            self._orders.close(live)
            self._life.ended(live.order, self._broker, "canceled")
        return True

    def is_unfinished(self, live: LiveOrder) -> bool:
        """Whether an order waits for the rest of its bracket, and was not handed over to anyone."""
        return bool(live.order.status == bt.Order.Created)

    # -- one order ------------------------------------------------------------------------------------------------

    def _prepared(self, order: Any, params: dict[str, Any], root: int) -> LiveOrder:
        """Return the order as it will be dealt with, kept among the orders of the run.

        Raises:
            RefusedError: it cannot be sent, now or later.
        """
        symbol = symbol_of(order.data)
        parent, leader = (
            self._kin(order.parent, "parent"),
            self._kin(order.p.oco, "one-cancels-other partner"),
        )
        is_exit = order.parent is not None and order.parent.isbuy() != order.isbuy()
        if is_exit or order.info.get("reduce_only"):
            params = {**market_of(self._exchange, symbol).closing, **params}
        native = is_native(order, symbol, self._exchange)
        waits = parent is not None or not native or (leader is not None and order.exectype not in SIMPLE)
        # Whatever it will be sent as, what the exchange refuses for its size or its prices is refused at once.
        request = route(order, symbol, self._exchange, params, triggered=waits)
        require_terms(self._broker.refusals, request)
        client_order_id = self._client_order_id(symbol, request.type, params)
        if client_order_id is not None:
            params["clientOrderId"] = client_order_id
            request = route(order, symbol, self._exchange, params, triggered=waits)
        resize(order, request.amount)
        live = self._make_live(order, request)
        live.expires_ms = valid_until_ms(order)
        if waits or leader is not None or not order.transmit:
            held = live.held = held_of(live, params, self._broker.store.exchange_ms())
            held.is_native = native
            held.stage = _stage(order, parent, waits)
            self._relate(held, parent, leader)
        return live

    def _kin(self, order: Any, what: str) -> LiveOrder | None:
        if order is None:
            return None
        live = self._orders.get(order.ref)
        if live is None or live.ticket.done or live.ticket.withdrawn:
            raise RefusedError(f"its {what} is over")
        return live

    def _relate(self, held: HeldOrder, parent: LiveOrder | None, leader: LiveOrder | None) -> None:
        if parent is not None:
            kin = self._known(parent)
            held.parent, held.home = kin.client_order_id, kin.home
        if leader is not None:
            kin = self._known(leader)
            if kin.group is None:
                kin.group = kin.client_order_id
                self._holding.join(leader, kin.group)
            held.group = kin.group
            held.home = held.home if parent is not None else kin.home

    def _known(self, live: LiveOrder) -> HeldOrder:
        """Return what is held of an order, which may have been sent before it had any kin."""
        return self._holding.attach(live) if live.held is None else live.held

    def _client_order_id(self, symbol: str, order_type: str, params: Mapping[str, Any]) -> str | None:
        """Return a client order id to send, fixed before anything is: None where the caller or nobody names one."""
        fresh = getattr(self._exchange, "fresh_client_order_id", None)
        if fresh is None or params.get("clientOrderId") is not None:
            return None
        client_order_id: str | None = fresh(symbol, order_type)
        return client_order_id

    def _refuse_rest(self, root: int) -> None:
        """Refuse what waited for an order of its bracket that was refused: no entry without its exits."""
        for live in self._unfinished.pop(root, []):
            self._orders.close(live)
            self._life.rejected(live.order, self._broker, "another order of its bracket was refused")


def _stage(order: Any, parent: LiveOrder | None, waits: bool) -> Stage:
    if parent is not None:
        return Stage.WAITING
    return Stage.HELD if waits and order.exectype not in SIMPLE else Stage.SENT
