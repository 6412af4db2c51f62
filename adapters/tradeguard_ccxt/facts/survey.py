"""The guarantee of each exchange that ccxt knows, and why it is not more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import ccxt

from tradeguard_ccxt.facts.records import CAUTIOUS, ExchangeFacts, Guarantee, MarketKind
from tradeguard_ccxt.facts.table import EXCHANGE_FACTS

__all__ = ["Finding", "survey"]

_WAYS_TO_FIND = ("fetchOrder", "fetchOpenOrders", "fetchOpenOrder", "fetchOrders", "fetchClosedOrders")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What holds for one exchange and kind of market.

    Attributes:
        exchange: its ccxt id.
        kind: the kind of market; None for all of which there is no finding of their own.
        guarantee: what can be promised.
        reason: why it is not more, or on what it rests.
        facts: what it follows from.
    """

    exchange: str
    kind: MarketKind | None
    guarantee: Guarantee
    reason: str
    facts: ExchangeFacts = CAUTIOUS


def survey() -> Iterator[Finding]:
    """Yield the findings of every exchange of the installed ccxt, in its order; each has at least one."""
    for exchange_id in ccxt.exchanges:
        known = False
        for kind in MarketKind:
            facts = EXCHANGE_FACTS.get((exchange_id, kind))
            if facts is not None:
                known = True
                yield Finding(
                    exchange=exchange_id,
                    kind=kind,
                    guarantee=facts.guarantee,
                    reason=facts.reason,
                    facts=facts,
                )
        if not known:
            yield _unlisted(exchange_id)


def _unlisted(exchange_id: str) -> Finding:
    can = getattr(ccxt, exchange_id)().has
    if any(can.get(way) for way in _WAYS_TO_FIND):
        guarantee, reason = CAUTIOUS.guarantee, CAUTIOUS.reason
    else:
        guarantee, reason = Guarantee.NOT_GUARDABLE, "ccxt has no call there that finds an order again"
    return Finding(exchange=exchange_id, kind=None, guarantee=guarantee, reason=reason)
