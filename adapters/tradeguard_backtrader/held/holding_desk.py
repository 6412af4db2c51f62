# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders that are held here, as the loop deals with them: kept over a restart, judged, sent, cancelled, notified."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import backtrader as bt

from tradeguard.exceptions import TradingException
from tradeguard.orders.errors import DuplicateIntentError, OrderUnknownError
from tradeguard.redaction import redact
from tradeguard_backtrader.accounts.fills import ZERO, Fill, exact
from tradeguard_backtrader.accounts.markets import RefusedError
from tradeguard_backtrader.brokers.desks import Desks
from tradeguard_backtrader.brokers.live_orders import LiveOrder, LiveOrders
from tradeguard_backtrader.brokers.order_life import OrderLife
from tradeguard_backtrader.brokers.order_routing import require_terms, route
from tradeguard_backtrader.brokers.prices import PriceWatch
from tradeguard_backtrader.failures import passes
from tradeguard_backtrader.held.held_book import Cancel, Decision, End, HeldBook, Send
from tradeguard_backtrader.held.held_orders import HeldOrder, Stage
from tradeguard_backtrader.held.held_store import HeldStore
from tradeguard_backtrader.held.holding import held_of, sent_params
from tradeguard_backtrader.held.passed_stops import PassedStops

__all__ = ["HoldingDesk", "resize"]

_logger = logging.getLogger("tradeguard.backtrader")


class HoldingDesk:
    """Carries out what the book of held orders decides; used by the loop alone.

    Args:
        broker: the broker that the orders name.
        book: the held orders and those that belong to them.
        orders: the orders of the run.
        life: moves an order from state to state.
        desks: the background.
        shelf: where the book outlives the process.
        prices: by which held orders are judged.

    Attributes:
        is_restored: whether what a former process held has become orders of this run.
    """

    def __init__(
        self,
        broker: Any,
        book: HeldBook,
        orders: LiveOrders,
        life: OrderLife,
        desks: Desks,
        shelf: HeldStore,
        prices: PriceWatch,
    ) -> None:
        self._broker = broker
        self._store = broker.store
        self._book = book
        self._orders = orders
        self._life = life
        self._desks = desks
        self._shelf = shelf
        self._prices = prices
        self._stops = PassedStops(broker.store, prices)
        self._lives: dict[str, LiveOrder] = {}
        self._again_at: dict[int, float] = {}
        self.is_restored = not len(book)

    # -- from the strategy --------------------------------------------------------------------------------------

    def place(self, lives: Iterable[LiveOrder]) -> None:
        """Take in orders that belong together: submit all, send what waits for nothing and hold the rest."""
        lives = list(lives)
        held = [self.link(live, live.held) for live in lives if live.held is not None]
        decisions = self._book.add(*held)
        for live in lives:
            self._life.submitted(live.order, self._broker)
        try:
            self._save()
        except TradingException as error:
            self._book.drop(held)
            for live in lives:
                self._orders.close(live)
                self._life.rejected(live.order, self._broker, f"it cannot be held safely: {error}")
            return
        for live in lives:
            if live.held is not None and live.held.stage is not Stage.SENT:
                live.order.addinfo(held="here")
                self._life.accepted(live.order, self._broker)
        self._carry_out(decisions)

    def send(self, live: LiveOrder) -> None:
        """Send an order that waits for nothing and has no kin: to the exchange, or, if it is a passed stop, at once."""
        if self._stops.is_passed(live):
            self._carry_out(self._book.fire(self.attach(live)))
        else:
            self._desks.send(live.ticket)

    def link(self, live: LiveOrder, held: HeldOrder) -> HeldOrder:
        """Let `held` be about the order `live`."""
        live.held = held
        self._lives[held.client_order_id] = live
        return held

    def join(self, live: LiveOrder, group: str) -> None:
        """Have an order that was sent before be one of a one-cancels-other group."""
        if live.held is not None:
            self._book.join(live.held, group)

    def attach(self, live: LiveOrder) -> HeldOrder:
        """Take in an order that was sent, or might have been, before it had any kin."""
        held = held_of(live, sent_params(live), self._store.exchange_ms())
        held.stage = Stage.SENT
        held.filled, held.fee_base, held.filled_ms = live.book.filled, live.book.fee_base, live.book.last_ms
        self._book.restore([self.link(live, held)])
        return held

    def cancel(self, live: LiveOrder) -> None:
        """Cancel an order and whatever goes with it."""
        if live.held is not None:
            self._carry_out(self._book.cancel(live.held))

    # -- from the market and the exchange -----------------------------------------------------------------------

    def turn(self) -> None:
        """Judge what is held, and send again what could not be sent."""
        if not self._lives or not self.is_restored:
            return
        now, now_ms = self._store.clock.monotonic(), self._store.exchange_ms()
        decisions: list[Decision] = []
        held = [order for order in self._book if order.stage is Stage.HELD]
        for symbol in {order.symbol for order in held if self._prices.data(order.symbol) is not None}:
            decisions += self._book.judge(symbol, self._prices.bar(symbol), now_ms)
        for order in held:
            self._show(order)
        for order in self._book:
            live = self._lives.get(order.client_order_id)
            if (
                live is not None
                and order.stage is Stage.TRIGGERED
                and now >= self._again_at.get(live.order.ref, now)
            ):
                decisions += self._book.resume(order)
        self._carry_out(decisions)

    def stop(self) -> None:
        """Say so if orders end with the run, since there is no state that would keep them."""
        lost = [order for order in self._book if order.stage not in (Stage.SENT, Stage.OVER)]
        if lost and not self._shelf.is_safe:
            text = f"{len(lost)} orders that were held here end with the run: the exchange keeps no state"
            self._store.notify("held_lost", text, orders=[order.dump() for order in lost])

    def placed(self, live: LiveOrder, order_id: str) -> None:
        """Take note that the exchange has an order."""
        if live.held is not None:
            self._book.placed(live.held, order_id)
            self._carry_out([])

    def filled(self, live: LiveOrder, fill: Fill) -> None:
        """Take note of a fill."""
        held = live.held
        if held is not None:
            held.filled += fill.amount
            held.fee_base += fill.fee_base
            held.filled_ms = held.filled_ms if fill.at_ms is None else fill.at_ms
            self._carry_out(self._book.filled(held))

    def ended(self, live: LiveOrder, how: End) -> None:
        """Take note that an order which was sent has come to its end."""
        if live.held is not None:
            self._carry_out(self._book.ended(live.held, how, self._store.exchange_ms()))

    def refused(self, live: LiveOrder, error: BaseException) -> bool:
        """Take note that an order was refused; False if it will be sent again, or looked for, all the same.

        An exit must not be lost to what passes: a restriction, a full disk, an exchange that cannot be reached.
        """
        if not live.ticket.withdrawn:
            if self._stops.is_refused(live, error):
                self._carry_out(self._book.fire(self.attach(live) if live.held is None else live.held))
                return False
            if live.held is not None and self._must_go(live):
                if isinstance(error, DuplicateIntentError):  # it was sent before this process began
                    self._desks.doubt(live.ticket, error)
                    return False
                if passes(error):
                    self._postpone(live, live.held, error)
                    return False
        self._tell_lost(live, str(error))
        return True

    def _must_go(self, live: LiveOrder) -> bool:
        """Whether an order is an exit, or was accepted to be held here: its owner relies on it."""
        held = live.held
        if held is None:
            return False
        is_new = live.order.status in (bt.Order.Created, bt.Order.Submitted)
        return self._book.is_exit(held) or (held.is_fired and not is_new)

    def _postpone(self, live: LiveOrder, held: HeldOrder, error: BaseException) -> None:
        ref = live.order.ref
        if ref not in self._again_at:
            text = f"order {ref} on {live.symbol} cannot be sent yet: {error}"
            self._store.notify("held_delayed", text, ref=ref, error=error)
        self._again_at[ref] = self._store.clock.monotonic() + self._store.config.max_retry_pause
        self._book.postpone(held)
        self._carry_out([])

    def _tell_lost(self, live: LiveOrder, reason: str) -> None:
        """Say so where an order that its owner relies on is refused for good."""
        if self._must_go(live) and not live.ticket.withdrawn:
            ref = live.order.ref
            text = f"order {ref} on {live.symbol} was refused, and nobody will send it again: {reason}"
            _logger.error("%s", redact(text))
            self._store.notify("held_refused", text, ref=ref)

    # -- a former process's ---------------------------------------------------------------------------------------

    def restore(self, lives: Iterable[LiveOrder], absent: frozenset[str]) -> None:
        """Go on with the orders of a former process; each has its `held`, and is in one of these states.

        One that was handed over is at the exchange (it has an `order_id`), certain not to be there (`absent`), or
        in doubt.
        """
        lives = list(lives)
        self.is_restored = True
        for live in lives:
            if live.held is not None and live.held.stage is not Stage.SENT:
                self._life.accepted(live.order, self._broker)
        for live in lives:
            held = live.held
            if held is None or held.stage is not Stage.SENT:
                continue
            if live.ticket.order_id is not None:
                if held.is_cancelled:
                    self._desks.cancel(live.ticket)
            elif held.client_order_id not in absent:
                live.was_in_doubt = True
                held.filled = held.fee_base = ZERO  # all its fills will be told again
                live.ticket.withdrawn = held.is_cancelled
                self._doubt(live)
            elif held.is_cancelled or not (held.is_fired or held.parent is not None):
                # An entry that never left the former process is as dead as that.
                self._give_up(live, "it was never sent, and the process that should have is gone")
            else:
                self._carry_out(self._book.resume(held))

    def _doubt(self, live: LiveOrder) -> None:
        text = f"order {live.order.ref} on {live.symbol} may have been sent by a former process"
        error = OrderUnknownError(text, client_order_id=live.ticket.request.params.get("clientOrderId"))
        self._store.notify("order_in_doubt", text, ref=live.order.ref, error=error)
        self._desks.doubt(live.ticket, error)

    # -- what is decided ------------------------------------------------------------------------------------------

    def _carry_out(self, decisions: Iterable[Decision]) -> None:
        try:
            self._save()
        except TradingException as error:
            # Nothing is sent twice for that: its client order id is on the shelf since it is held.
            self._store.notify("account", f"held orders cannot be kept: {error}", error=error)
        for decision in decisions:
            live = self._lives.get(decision.order.client_order_id)
            if live is None:
                continue
            match decision:
                case Send():
                    self._send(live, decision.order, decision.amount)
                case Cancel():
                    self._cancel(live, decision.order)

    def _send(self, live: LiveOrder, held: HeldOrder, amount: Decimal) -> None:
        order, exchange = live.order, self._store.exchange
        if held.is_native and self._stops.is_passed(live, 0 if held.parent is None else held.since_ms):
            held.is_fired = True
        is_triggered = held.is_fired or not held.is_native
        self._show(held)
        try:
            request = route(
                order,
                held.symbol,
                exchange,
                held.params,
                triggered=is_triggered,
                size=float(amount),
            )
            require_terms(self._broker.refusals, request)
        except RefusedError as refused:
            if amount < held.amount:  # what the others of its group have left is too little to trade
                self._give_up(live, str(refused))
            else:
                self._orders.close(live)
                self._life.rejected(order, self._broker, str(refused))
                self._tell_lost(live, str(refused))
                self.ended(live, End.REFUSED)
            return
        order.triggered = held.is_fired
        order.info.pop("held", None)
        if request.exact_amount != live.book.amount:
            live.book.amount = request.exact_amount
            resize(order, request.amount)
        live.ticket.request = request
        self._desks.send(live.ticket)

    def _cancel(self, live: LiveOrder, held: HeldOrder) -> None:
        if held.stage is not Stage.OVER:
            self._desks.cancel(live.ticket)
            return
        self._orders.close(live)
        self._life.ended(live.order, self._broker, "expired" if live.has_expired else "canceled")

    def _give_up(self, live: LiveOrder, reason: str) -> None:
        live.order.addinfo(reason=reason)
        self._orders.close(live)
        self._life.ended(live.order, self._broker, "canceled")
        self.ended(live, End.REFUSED)

    def _show(self, held: HeldOrder) -> None:
        """Have the order say that it is active, and where its stop is now."""
        live = self._lives.get(held.client_order_id)
        if live is None:
            return
        live.order.activate()
        if held.price is not None and held.waits_for_price:
            live.order.created.price = held.price
            if held.limit is not None:
                live.order.created.pricelimit = held.limit

    def _save(self) -> None:
        at = self._store.clock.time()
        for home, orders in self._book.changes().items():
            self._shelf.save(home, orders, at)
            self._book.kept(home)


def resize(order: Any, amount: float) -> None:
    """Have `order` say the amount that is really sent, in the market's precision."""
    size = amount if order.isbuy() else -amount
    if exact(size) != exact(order.created.size):
        order.addinfo(requested_size=order.info.get("requested_size", order.created.size))
        order.size = order.created.size = order.created.remsize = order.executed.remsize = size
