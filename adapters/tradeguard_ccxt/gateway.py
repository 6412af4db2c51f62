"""One order's way to the exchange and back: its request, and its look-ups."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from tradeguard.orders import LookUpOutcome, OrderIntent, SendOutcome, Verdict
from tradeguard_ccxt.errors import redact_chain
from tradeguard_ccxt.flavours import answer_of
from tradeguard_ccxt.look_ups import Moment, fresh, look_up
from tradeguard_ccxt.order_desk import OrderDesk
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.reporting import expecting
from tradeguard_ccxt.tickets import AMEND, OrderTicket
from tradeguard_ccxt.wire import ORDER_WIRE, Wire

__all__ = ["AMEND", "REPLACE", "OrderGateway", "gateway_of"]

REPLACE = "edit_order"
"""The operation of an intent that puts a new order in the place of another one."""

_SERVER_ERRORS = 500


def gateway_of(
    exchange: Any, desk: OrderDesk, ticket: OrderTicket, send: Callable[[], Any], now: Callable[[], float]
) -> OrderGateway:
    """Return the way of an intent, by what it is; the arguments are those of `OrderGateway`."""
    kinds = {AMEND: AmendGateway, REPLACE: EditGateway}
    return kinds.get(ticket.intent.operation, OrderGateway)(exchange, desk, ticket, send, now)


class OrderGateway:
    """One order's way to the exchange and back.

    Args:
        exchange: the guarded instance.
        desk: its orders.
        ticket: the order.
        send: makes the writing request once, by ccxt's own method.
        now: the time of the submission.
    """

    def __init__(
        self,
        exchange: Any,
        desk: OrderDesk,
        ticket: OrderTicket,
        send: Callable[[], Any],
        now: Callable[[], float],
    ) -> None:
        self._exchange = exchange
        self._desk = desk
        self._ticket = ticket
        self._send = send
        self._now = now
        self._offset_sent = 0.0  # of a former process nobody knows it

    def wire(self, sign_by: float) -> Wire:
        """Return a wire on which nothing is signed after `sign_by`."""
        clock = parts_of(self._exchange).guard.clock
        # Neither a clock that is set back nor a machine that slept may stretch the window.
        ids = [self._ticket.client_id] if self._ticket.must_bear_its_id else []
        return Wire(sign_by, lambda: max(self._now(), clock.time()), ids)

    async def send(self, intent: OrderIntent, sign_by: float) -> SendOutcome:
        """Send the order once; whatever happens is an outcome."""
        wire = self.wire(sign_by)
        self._offset_sent = self._offset_ms()
        token = ORDER_WIRE.set(wire)
        try:
            order = await answer_of(self._send())
        except Exception as error:  # noqa: BLE001 - whatever it is, it must have a verdict
            return await self.failed(error, wire)
        finally:
            ORDER_WIRE.reset(token)
        return self._desk.answered(self._ticket, order)

    async def failed(self, error: Exception, wire: Wire) -> SendOutcome:
        """Return the outcome of a send that raised; where our timestamp was refused, our clock is set right."""
        redact_chain(
            error, self._exchange.guard_secrets()
        )  # ccxt's own are masked already, but any may have come
        outcome = self._desk.failed(self._ticket, error, wire)
        if isinstance(error, ccxt.InvalidNonce):
            await self._resync()
        return outcome

    async def look_up(self, intent: OrderIntent, thorough: bool) -> LookUpOutcome:
        """Look the order up; whatever happens is an outcome."""
        ticket = dataclasses.replace(self._ticket, intent=intent)
        moment = Moment(began=self._now(), offset_ms=self._offset_ms, offset_sent_ms=self._offset_sent)
        try:
            seen = await look_up(self._ask, ticket, moment, thorough=thorough)
        except Exception as error:  # noqa: BLE001 - a failed look-up proves nothing, whatever failed
            return LookUpOutcome(error=error)
        if seen.absent and self._desk.tickets.is_out_of_reach(ticket.facts):
            return LookUpOutcome()  # ccxt found out meanwhile what account it is
        return seen

    async def _ask(self, method: str, *args: Any) -> Any:
        return await answer_of(getattr(self._exchange, method)(*args))

    def _offset_ms(self) -> float:
        """Return how far our clock is ahead of the exchange's, as far as we know, in ms."""
        return float(self._exchange.options.get("timeDifference") or 0)

    async def _resync(self) -> None:
        try:
            await answer_of(self._exchange.load_time_difference())
        except ccxt.BaseError as error:
            self._desk.note_resync_failure(error)


class EditGateway(OrderGateway):
    """The way of an order that replaces another one."""

    async def failed(self, error: Exception, wire: Wire) -> SendOutcome:
        """Return the outcome of an edit that raised: an answer that says no may speak of the cancel alone."""
        outcome = await super().failed(error, wire)
        answered = wire.status is not None and wire.status < _SERVER_ERRORS and not wire.followed
        if outcome.verdict is Verdict.AMBIGUOUS and answered and self._speaks_of_a_part(error):
            return SendOutcome(verdict=Verdict.REJECTED, error=error, doubtful=True)
        return outcome

    def _speaks_of_a_part(self, error: Exception) -> bool:
        pattern = self._ticket.facts.edit_refusal
        return isinstance(error, ccxt.OrderNotFound) or (
            pattern is not None and pattern.search(str(error)) is not None
        )


class AmendGateway(EditGateway):
    """The way of an edit in place: the order itself tells whether it took effect."""

    async def look_up(self, intent: OrderIntent, thorough: bool) -> LookUpOutcome:
        """Fetch the order that is edited, and compare it with what was wanted."""
        try:
            with expecting(ccxt.OrderNotFound):
                order = fresh(await answer_of(self._exchange.fetch_order(intent.order_id, intent.symbol)))
        except ccxt.OrderNotFound:
            return LookUpOutcome(absent=thorough)
        except Exception as error:  # noqa: BLE001 - a failed look-up proves nothing, whatever failed
            return LookUpOutcome(error=error)
        if self._is_as_wanted(order, intent):
            return LookUpOutcome(order=order)
        return LookUpOutcome(absent=thorough)

    def _is_as_wanted(self, order: Mapping[str, Any], intent: OrderIntent) -> bool:
        price = (
            None if intent.price is None else self._exchange.price_to_precision(intent.symbol, intent.price)
        )
        for told, wanted in ((order.get("amount"), self._ticket.amount), (order.get("price"), price)):
            if wanted is not None and (told is None or not math.isclose(told, float(wanted), rel_tol=1e-9)):
                return False
        return True
