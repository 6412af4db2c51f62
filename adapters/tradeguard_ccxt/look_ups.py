"""Is an order that a look-up returned the one that was meant?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ccxt

from tradeguard.orders import LookUpOutcome, OrderIntent
from tradeguard_ccxt.tickets import OrderTicket
from tradeguard_ccxt.verdicts import contradiction

__all__ = ["match_by_client_id", "match_in_list", "recent_since_ms"]

_CLOCK_ERROR_MS = (
    10_000  # how far the exchange's and our stamps of one moment are believed to lie apart at most
)


def recent_since_ms(intent: OrderIntent, offset_ms: float) -> int:
    """Return from when on the exchange's own stamps can be those of the intent, in ms since the epoch.

    Args:
        intent: what is looked for.
        offset_ms: how far our clock is ahead of the exchange's.
    """
    return int(intent.created_at.timestamp() * 1000 - offset_ms - _CLOCK_ERROR_MS)


def match_by_client_id(order: Mapping[str, Any], ticket: OrderTicket, offset_ms: float) -> LookUpOutcome:
    """Return what an order that bears the intent's client id means.

    A client id may have been used before (Binance keeps it unique among open orders only): an order from before the
    intent, or one that wants something else, is another one.
    """
    problem = contradiction(order, ticket.intent, amount=ticket.amount, client_id=ticket.client_id)
    stamp = order.get("timestamp")
    if (
        problem is None
        and isinstance(stamp, int | float)
        and stamp < recent_since_ms(ticket.intent, offset_ms)
    ):
        problem = "it is older than this order"
    if problem is None and order.get("id") not in (None, ""):
        return LookUpOutcome(order=order)
    error = ccxt.BadResponse(
        f"an order with this client id exists that is not this one: {problem or 'no id'}"
    )
    return LookUpOutcome(other=order, error=error)


def match_in_list(
    orders: Iterable[Mapping[str, Any]], ticket: OrderTicket, offset_ms: float
) -> LookUpOutcome:
    """Return what lists of orders mean, all of which were answered: found, or absent from them."""
    other: LookUpOutcome | None = None
    for order in orders:
        if str(order.get("clientOrderId")) == ticket.client_id:
            seen = match_by_client_id(order, ticket, offset_ms)
            if seen.order is not None:
                return seen
            other = seen
    return LookUpOutcome(absent=True) if other is None else other
