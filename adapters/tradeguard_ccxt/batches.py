"""Batches: several orders in one request, each with an intent of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ccxt

from tradeguard.orders import (
    IntentStatus,
    OrderIntent,
    Record,
    Resolution,
    SendOutcome,
    Verdict,
    settle,
    steady_time,
)
from tradeguard_ccxt.errors import OrderUnknownError
from tradeguard_ccxt.flavours import answer_of
from tradeguard_ccxt.gateway import OrderGateway
from tradeguard_ccxt.operations import Operation
from tradeguard_ccxt.order_desk import OrderDesk
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.placing import OrderPlacer, placed_by
from tradeguard_ccxt.tickets import OrderTicket
from tradeguard_ccxt.verdicts import refuses_all
from tradeguard_ccxt.wire import ORDER_WIRE, Wire

__all__ = ["create_orders"]


async def create_orders(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Place several orders in one request, none of them twice.

    The request is sent once. Each order whose fate it leaves in doubt is looked up; what is absent is not sent again.

    Returns:
        One unified order for each that was asked for, in their order. One that does not exist at the exchange has the
        status `rejected`, no id, and the reason under `info["error"]`.

    Raises:
        OrderUnknownError: some may exist; `placed` in its context names those that surely do.
        OrderAbsentError: none exists; trying again is safe.
        TradingRestrictedError: the interlock refused one of them; nothing was journaled or sent.
        ccxt.BaseError: the exchange refused all of them.
    """
    return await placed_by(_Batch(exchange, original).place(*args, **kwargs), exchange, operation, symbol)


class _Batch:
    def __init__(self, exchange: Any, original: Callable[..., Any]) -> None:
        self._exchange = exchange
        self._original = original
        guard, desk, flavour = parts_of(exchange)
        self._clock = guard.clock
        self._desk: OrderDesk = desk
        self._placer = OrderPlacer(exchange, guard, desk, flavour)
        self._now = steady_time(guard.clock)

    async def place(
        self, orders: Sequence[Mapping[str, Any]], params: Mapping[str, Any] | None = None
    ) -> Any:
        common = {} if params is None else dict(params)
        tickets = [
            await self._placer.ticket(
                order.get("symbol", ""),
                order.get("type", ""),
                order.get("side", ""),
                order.get("amount"),
                order.get("price"),
                {**common, **(order.get("params") or {})},
                "create_orders",
            )
            for order in orders
        ]
        await self._placer.admit(tickets)
        with self._desk.submitting(tickets):
            sent = self._record_all(tickets)
            outcomes = await self._send(tickets, orders, common)
            resolutions = [
                await self._settle(ticket, intent, outcome)
                for ticket, intent, outcome in zip(tickets, sent, outcomes, strict=True)
            ]
        return await self._conclude(resolutions)

    def _record_all(self, tickets: Sequence[OrderTicket]) -> list[OrderIntent]:
        """Write every intent down as SENT; where one cannot be, none is sent."""
        writer = self._desk.writer()
        sent: list[OrderIntent] = []
        try:
            for ticket in tickets:
                intent = ticket.intent.replace(status=IntentStatus.SENT, attempts=1)
                bound = ticket.policy.expiry
                if bound is not None:
                    intent = intent.replace(accept_until=self._now() + ticket.policy.send_window + bound)
                writer.write(Record(intent, self._desk.former(ticket), before_send=True))
                sent.append(intent)
        except Exception:
            for intent in sent:
                writer.write(Record(intent.replace(status=IntentStatus.ABSENT), intent, before_send=False))
            raise
        return sent

    async def _send(
        self, tickets: Sequence[OrderTicket], orders: Sequence[Mapping[str, Any]], common: dict[str, Any]
    ) -> list[SendOutcome]:
        """Make the request once; returns what it means for each order."""
        gateways = [self._gateway(ticket) for ticket in tickets]
        window = min((ticket.policy.send_window for ticket in tickets), default=0.0)
        ids = [ticket.client_id for ticket in tickets if ticket.must_bear_its_id]
        wire = Wire(self._now() + window, lambda: max(self._now(), self._clock.time()), ids)
        requests, common = self._requests(tickets, orders, common)
        token = ORDER_WIRE.set(wire)
        try:
            answers = await answer_of(self._original(self._exchange, requests, common))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must have a verdict
            return [_of_all(await gateway.failed(error, wire), sent=wire.sent) for gateway in gateways]
        finally:
            ORDER_WIRE.reset(token)
        return [
            self._answered(ticket, answer)
            for ticket, answer in zip(tickets, _in_order(answers, tickets), strict=True)
        ]

    def _requests(
        self, tickets: Sequence[OrderTicket], orders: Sequence[Mapping[str, Any]], common: dict[str, Any]
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the orders as they are sent, each with its id, and the params of the request, with its expiry."""
        requests = []
        request_params = dict(common)
        for order, ticket in zip(orders, tickets, strict=True):
            own, bound = ticket.batched_params_at(self._now())
            request_params |= bound
            given = order.get("params") or {}
            params = {name: value for name, value in own.items() if name in given or name not in common}
            requests.append({**order, "params": params})
        return requests, request_params

    def _answered(self, ticket: OrderTicket, answer: Mapping[str, Any] | None) -> SendOutcome:
        if answer is None:
            return SendOutcome(
                verdict=Verdict.AMBIGUOUS, error=ccxt.BadResponse("the answer to the batch lacks this order")
            )
        if answer.get("id") in (None, ""):  # its own refusal, in the exchange's words
            refusal = ccxt.InvalidOrder(f"refused within its batch: {answer.get('info')}")
            return SendOutcome(verdict=Verdict.REJECTED, error=refusal, doubtful=True)
        return self._desk.answered(ticket, answer)

    async def _settle(self, ticket: OrderTicket, intent: OrderIntent, outcome: SendOutcome) -> Resolution:
        steps = settle(intent, outcome, ticket.policy, self._now, self._desk.describe)
        return await self._placer.drive(steps, self._gateway(ticket))

    def _gateway(self, ticket: OrderTicket) -> OrderGateway:
        return OrderGateway(self._exchange, self._desk, ticket, lambda: None, self._now)

    async def _conclude(self, resolutions: Sequence[Resolution]) -> list[Any]:
        errors: list[Exception] = []
        orders: list[Any] = []
        for resolution in resolutions:
            try:
                orders.append(await self._placer.concluded(resolution))
            except Exception as error:  # noqa: BLE001 - each order's own end; raised below where it is that of all
                errors.append(error)
                orders.append(self._refused(resolution, error))
        unknown = next((error for error in errors if isinstance(error, OrderUnknownError)), None)
        if unknown is not None:
            unknown.context["placed"] = [order["id"] for order in orders if order["id"] is not None]
            raise unknown
        if errors and len(errors) == len(resolutions):
            raise errors[0]
        return orders

    def _refused(self, resolution: Resolution, error: Exception) -> Any:
        intent = resolution.intent
        known = {name: getattr(intent, name) for name in ("symbol", "type", "side", "amount", "price")}
        known |= {"id": None, "clientOrderId": intent.client_order_id, "status": "rejected"}
        return self._exchange.safe_order(known | {"info": {"error": f"{type(error).__name__}: {error}"}})


def _of_all(outcome: SendOutcome, *, sent: bool) -> SendOutcome:
    """Return what the refusal of a whole batch means for one of its orders: it may be that of another one alone."""
    believed = not sent or outcome.duplicate or refuses_all(outcome.error)
    if outcome.verdict is not Verdict.REJECTED or believed:
        return outcome
    return SendOutcome(verdict=Verdict.REJECTED, error=outcome.error, doubtful=True)


def _in_order(answers: object, tickets: Sequence[OrderTicket]) -> list[Mapping[str, Any] | None]:
    """Return for each ticket the answer that is about it: by its client id, else by its place in a complete list."""
    told = [answer for answer in answers if isinstance(answer, Mapping)] if isinstance(answers, list) else []
    by_id = {str(answer["clientOrderId"]): answer for answer in told if answer.get("clientOrderId")}
    in_place = told if len(told) == len(tickets) else [None] * len(tickets)
    found: list[Mapping[str, Any] | None] = []
    for ticket, candidate in zip(tickets, in_place, strict=True):
        named = by_id.get(ticket.intent.client_order_id)
        unnamed = candidate is not None and not candidate.get("clientOrderId")
        found.append(named if named is not None else candidate if unnamed else None)
    return found
