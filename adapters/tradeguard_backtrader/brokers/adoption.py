# SPDX-License-Identifier: GPL-3.0-or-later
"""What was there before the run, made orders of the run: open orders of the account, and those held for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt

from tradeguard_backtrader.brokers.broker_events import Adopted, AdoptedOrder
from tradeguard_backtrader.brokers.desks import Desks
from tradeguard_backtrader.brokers.live_orders import LiveOrder
from tradeguard_backtrader.brokers.order_life import OrderLife
from tradeguard_backtrader.brokers.order_routing import OrderRequest, adopted_order
from tradeguard_backtrader.brokers.prices import PriceWatch
from tradeguard_backtrader.held.held_book import HeldBook
from tradeguard_backtrader.held.held_orders import HeldOrder, Stage
from tradeguard_backtrader.held.holding_desk import HoldingDesk

__all__ = ["Adoption"]


class Adoption:
    """Adopts orders as soon as their data has a bar; none of them has an owner.

    Args:
        broker: the broker that the orders name.
        book: what a former process held, and what belongs to it.
        life: moves an order from state to state.
        desks: the background.
        holding: goes on with what was held.
        prices: knows the data of a symbol.
        make_live: keeps an order and its request among the orders of the run.
    """

    def __init__(
        self,
        broker: Any,
        book: HeldBook,
        life: OrderLife,
        desks: Desks,
        holding: HoldingDesk,
        prices: PriceWatch,
        make_live: Callable[[Any, OrderRequest], LiveOrder],
    ) -> None:
        self._broker = broker
        self._life = life
        self._desks = desks
        self._holding = holding
        self._prices = prices
        self._make_live = make_live
        self._held = [order for order in book if order.stage is not Stage.OVER]
        self._found: dict[str, AdoptedOrder] = {}
        self._orders: list[AdoptedOrder] = []
        self._absent: frozenset[str] = frozenset()
        self._is_known = False

    def take(self, event: Adopted, adopt_orders: bool) -> None:
        """Take in what the account told; orders of others are adopted only where that is asked for."""
        self._is_known = True
        self._absent = event.absent
        others = [adopted for adopted in event.orders if adopted.client_order_id is None]
        self._found = {
            each.client_order_id: each for each in event.orders if each.client_order_id is not None
        }
        if adopt_orders:
            self._orders = others
        else:
            self._desks.account.disown(others)

    def go_on(self) -> None:
        """Adopt what can be adopted by now."""
        if self._orders:
            self._orders = [adopted for adopted in self._orders if not self._adopt(adopted)]
        if not self._held or not self._is_known:
            return
        # All at once, since what becomes of one may be the business of another.
        here = [held for held in self._held if self._prices.data(held.symbol) is not None]
        if all(len(self._prices.data(held.symbol)) for held in here):
            known = {held.client_order_id for held in here}
            self._desks.account.disown(each for name, each in self._found.items() if name not in known)
            lives = [self._adopt_held(held) for held in here]
            self._held = []
            self._holding.restore(lives, self._absent)

    def _adopt(self, adopted: AdoptedOrder, held: HeldOrder | None = None) -> LiveOrder | None:
        """Give an order of the account a `bt.Order`; None as long as its data has no bar."""
        data = self._prices.data(str(adopted.order.get("symbol")))
        if data is None or not len(data):
            return None
        if held is None:
            order, request = adopted_order(adopted, data)
        else:
            order, request = _held_order(held, data, adopted.remaining)
        live = self._make_live(order, request)
        live.ticket.order_id = order_id = str(adopted.order["id"])
        order.addinfo(order_id=order_id, client_order_id=adopted.order.get("clientOrderId"), adopted=True)
        if held is not None:
            self._holding.link(live, held)
            held.filled, held.fee_base = adopted.book.filled, adopted.book.fee_base
            held.filled_ms = adopted.book.last_ms
            live.expires_ms = held.expires_ms
        self._life.accepted(order, self._broker)
        self._desks.account.claim(order.ref, adopted)
        return live

    def _adopt_held(self, held: HeldOrder) -> LiveOrder:
        found = self._found.get(held.client_order_id)
        live = None if found is None else self._adopt(found, held)
        if live is not None:
            return live
        order, request = _held_order(held, self._prices.data(held.symbol), float(held.amount))
        order.addinfo(adopted=True)
        if held.stage is not Stage.SENT:
            order.addinfo(held="here")
        live = self._make_live(order, request)
        self._holding.link(live, held)
        live.expires_ms = held.expires_ms
        return live


def _held_order(held: HeldOrder, data: Any, size: float) -> tuple[Any, OrderRequest]:
    """Return a Backtrader order without an owner for what a former process held, and its request, were it sent."""
    make = bt.order.BuyOrder if held.side == "buy" else bt.order.SellOrder
    order = make(
        owner=None,
        data=data,
        size=size,
        price=held.price,
        pricelimit=held.limit,
        exectype=bt.Order.ExecType(held.kind),
        tradeid=held.trade_id,
        trailamount=held.trail_amount,
        trailpercent=held.trail_percent,
    )
    order.created.price, order.created.pricelimit = held.price, held.limit  # a trailing stop would move again
    price = held.price if held.kind == "Limit" else held.limit
    request = OrderRequest(
        ref=order.ref,
        symbol=held.symbol,
        type="market" if price is None else "limit",
        side=held.side,
        amount=size,
        price=price,
        params=held.params,
        trigger=None if held.is_fired else held.price,
    )
    return order, request
