"""What several rows have in common."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tradeguard_ccxt.facts.expiries import Carrier, Expiry
from tradeguard_ccxt.facts.look_ups import By, LookUp, Sees, SinceUnit

__all__ = ["ON_ITS_WAY", "PLAIN", "by_client_id", "by_list", "stamp"]

ON_ITS_WAY = 30.0
"""Seconds that a request may take between the check of its timestamp and the book. No exchange but Binance documents
it: half a minute is an assumption, and `docs/orders.md` names it."""

PLAIN = frozenset({"cost", "hedged", "postOnly", "reduceOnly", "timeInForce"})
"""Params that leave an order in its exchange's plain book."""


def stamp(seconds: float, name: str) -> Expiry:
    """Return the expiry of a signed timestamp that may differ from the exchange's time by `seconds`."""
    return Expiry(carrier=Carrier.STAMP, name=name, seconds=seconds, slack=ON_ITS_WAY)


def by_client_id(sees: Sees, *, authoritative: bool = False) -> LookUp:
    """Return the look-up by `fetch_order_with_client_order_id`; where not finding has no clear answer, no authority."""
    return LookUp(
        method="fetch_order_with_client_order_id", by=By.CLIENT_ID, sees=sees, authoritative=authoritative
    )


def by_list(
    method: str,
    sees: Sees,
    since: str = "",
    *,
    since_unit: SinceUnit = SinceUnit.MILLISECONDS,
    page: int | None = None,
    limit: int | None = None,
    params: Mapping[str, Any] = MappingProxyType({}),
    authoritative: bool = True,
) -> LookUp:
    """Return the look-up that searches a list of orders."""
    return LookUp(
        method=method,
        by=By.LIST,
        sees=sees,
        since=since,
        since_unit=since_unit,
        page=page,
        limit=limit,
        params=params,
        authoritative=authoritative,
    )
