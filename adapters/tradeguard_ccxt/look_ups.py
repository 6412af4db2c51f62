"""Finding an order again: the look-ups of its exchange, one after the other, and what their answers mean together.

An answer is never trusted to be the order that was asked for: each order in it must bear the client id, and want the
same symbol, side and amount. That none of them shows the order proves its absence only where they see every order,
open or done, where all that speak with authority have answered in full, and where the exchange's own clock agrees
that the request is over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ccxt

from tradeguard.orders import IntentStatus, LookUpOutcome, OrderIntent
from tradeguard_ccxt.facts import By, LookUp, SinceUnit, covers_everything
from tradeguard_ccxt.reporting import expecting
from tradeguard_ccxt.tickets import OrderTicket
from tradeguard_ccxt.verdicts import contradiction

__all__ = ["Ask", "Moment", "fresh", "look_up", "match_by_client_id", "match_in_list", "recent_since_ms"]

_CLOCK_ERROR_MS = (
    10_000  # how far the exchange's and our stamps of one moment are believed to lie apart at most
)

_MEMORY = 6 * 86_400.0
"""Seconds for which exchanges are believed to show what became of an order: some, asked without a moment, look seven
days back (Bybit's history), others never further (MEXC)."""

Ask = Callable[..., Awaitable[Any]]
"""Calls a unified method, by its name in snake_case, and awaits its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a look-up is made, as the clocks tell it.

    Attributes:
        began: epoch seconds by our clock.
        offset_ms: tells how far our clock is ahead of the exchange's, as far as we know; a look-up may find it out.
        offset_sent_ms: the same as it was known when the order was sent.
    """

    began: float
    offset_ms: Callable[[], float] = lambda: 0.0
    offset_sent_ms: float = 0.0


async def look_up(ask: Ask, ticket: OrderTicket, moment: Moment, *, thorough: bool) -> LookUpOutcome:
    """Look an order up.

    Args:
        ask: calls the exchange.
        ticket: the order.
        moment: when.
        thorough: whether every look-up is made; only then can absence be claimed. Otherwise the first is enough.

    Raises:
        ccxt.BaseError: an authoritative look-up failed, which proves nothing.
    """
    look_ups = ticket.facts.look_ups
    if ticket.client_id is None or not look_ups:
        nowhere = ccxt.NotSupported("orders cannot be looked up by client id here")
        return LookUpOutcome(error=nowhere, hopeless=True)
    outcome = LookUpOutcome(absent=True)
    for each in look_ups if thorough else look_ups[:1]:
        seen = await _try(ask, each, ticket, moment)
        if seen.order is not None:
            return seen
        if each.authoritative or seen.other is not None:
            outcome = _weaker(outcome, seen)
    if not outcome.absent:
        return outcome
    if not thorough or not covers_everything(look_ups):
        return LookUpOutcome()
    if _is_forgotten(ticket.intent, moment):
        return LookUpOutcome(
            error=ccxt.OrderNotFound("the exchange may have forgotten an order as old as this")
        )
    return outcome if await _is_over(ask, ticket, moment) else LookUpOutcome()


def _is_forgotten(intent: OrderIntent, moment: Moment) -> bool:
    """Whether it is so long ago that the look-ups might not show it though it existed."""
    return (
        intent.status is not IntentStatus.PENDING and moment.began - intent.created_at.timestamp() > _MEMORY
    )


def _weaker(one: LookUpOutcome, other: LookUpOutcome) -> LookUpOutcome:
    """Return the one of two that claims less: an order that bears our id but is another one, then no claim at all."""
    if one.other is not None or (not one.absent and other.other is None):
        return one
    return other if other.other is not None or not other.absent else one


async def _try(ask: Ask, each: LookUp, ticket: OrderTicket, moment: Moment) -> LookUpOutcome:
    try:
        return await _make(ask, each, ticket, moment)
    except Exception:  # whatever failed
        if each.authoritative:
            raise
        return LookUpOutcome()  # the monitor has it, and nothing rests on it


async def _make(ask: Ask, each: LookUp, ticket: OrderTicket, moment: Moment) -> LookUpOutcome:
    symbol, client_id = ticket.intent.symbol, ticket.client_id
    if each.by is By.CLIENT_ID:
        try:
            with expecting(ccxt.OrderNotFound):
                order = fresh(await ask(each.method, client_id, symbol))
        except ccxt.OrderNotFound:
            return LookUpOutcome(absent=True)
        return match_by_client_id(order, ticket, moment.offset_ms())
    params = dict(each.params)
    if each.by is By.PARAM:
        params[each.param] = client_id
    if each.since:
        since_ms = recent_since_ms(ticket.intent, moment.offset_ms()) - _ahead_ms(ticket)
        params[each.since] = _written(since_ms, each.since_unit)
    orders: Sequence[Mapping[str, Any]] = fresh(await ask(each.method, symbol, None, each.limit, params))
    seen = match_in_list(orders, ticket, moment.offset_ms())
    is_full = each.page is not None and len(orders) >= each.page
    return LookUpOutcome() if seen.absent and is_full else seen


def fresh(answer: Any) -> Any:
    """Return an answer that the exchange has just given.

    Raises:
        ccxt.BadResponse: it is from the cache, which the user may have asked for.
    """
    if getattr(answer, "is_stale", False):
        raise ccxt.BadResponse("an answer from the cache proves nothing of an order")
    return answer


async def _is_over(ask: Ask, ticket: OrderTicket, moment: Moment) -> bool:
    """Whether the request can no longer be accepted, by the clock that judges it."""
    intent = ticket.intent
    if intent.accept_until is None or intent.status is IntentStatus.PENDING:
        return True
    over_at = intent.accept_until + ticket.policy.visibility_lag
    surplus = (moment.offset_ms() - moment.offset_sent_ms) / 1000
    if surplus > 0 and moment.began < over_at + surplus:
        return False  # it was signed with a stamp further in the exchange's future than was known when it was sent
    expiry = ticket.facts.expiry
    if expiry is None or not expiry.asks_clock or moment.began < over_at:
        return True  # before that moment, absence follows from a refusal and not from the expiry
    behind = max(0.0, -moment.offset_ms(), -moment.offset_sent_ms) / 1000  # stamps were set forward by it
    told_ms = fresh(await ask("fetch_time"))
    return isinstance(told_ms, int | float) and told_ms / 1000 >= over_at + behind


def recent_since_ms(intent: OrderIntent, offset_ms: float) -> int:
    """Return from when on the exchange's own stamps can be those of the intent, in ms since the epoch.

    Args:
        intent: what is looked for.
        offset_ms: how far our clock is ahead of the exchange's.
    """
    return int(intent.created_at.timestamp() * 1000 - offset_ms - _CLOCK_ERROR_MS)


def _ahead_ms(ticket: OrderTicket) -> int:
    """Return how far our clock may have been ahead of the exchange's, which would have accepted the order still."""
    expiry = ticket.facts.expiry
    return int(expiry.seconds * 1000) if expiry is not None and expiry.asks_clock else 0


def match_by_client_id(order: Mapping[str, Any], ticket: OrderTicket, offset_ms: float) -> LookUpOutcome:
    """Return what an order means that was asked for by the intent's client id.

    A client id may have been used before (most exchanges keep it unique among open orders only): an order from before
    the intent, or one that wants something else, is another one. An answer that does not bear the id proves nothing.
    """
    told = _client_id_of(order, ticket)
    if told != ticket.client_id or order.get("id") in (None, ""):
        return LookUpOutcome(error=ccxt.BadResponse("the answer is not the order that was asked for"))
    named = {**order, "clientOrderId": told}
    problem = contradiction(named, ticket.intent, amount=ticket.amount, client_id=ticket.client_id)
    stamp = order.get("timestamp")
    if (
        problem is None
        and isinstance(stamp, int | float)
        and stamp < recent_since_ms(ticket.intent, offset_ms)
    ):
        problem = "it is older than this order"
    if problem is None:
        return LookUpOutcome(order=order)
    error = ccxt.BadResponse(f"an order with this client id exists that is not this one: {problem}")
    return LookUpOutcome(other=order, error=error)


def match_in_list(
    orders: Iterable[Mapping[str, Any]], ticket: OrderTicket, offset_ms: float
) -> LookUpOutcome:
    """Return what lists of orders mean, all of which were answered: found, or absent from them."""
    other: LookUpOutcome | None = None
    for order in orders:
        if _client_id_of(order, ticket) == ticket.client_id:
            seen = match_by_client_id(order, ticket, offset_ms)
            if seen.order is not None:
                return seen
            other = seen
    return LookUpOutcome(absent=True) if other is None else other


def _client_id_of(order: Mapping[str, Any], ticket: OrderTicket) -> str | None:
    told = order.get("clientOrderId")
    taken = ticket.facts.client_id
    if told in (None, "") and taken is not None and taken.echo:
        info = order.get("info")
        told = info.get(taken.echo) if isinstance(info, Mapping) else None
    return None if told in (None, "") else str(told)


def _written(moment_ms: int, unit: SinceUnit) -> int | str:
    if unit is SinceUnit.SECONDS:
        return moment_ms // 1000
    if unit is SinceUnit.ISO8601:
        moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return moment_ms
