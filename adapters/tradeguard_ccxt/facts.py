"""What is known of each exchange, as one declarative table. Nothing here is guessed: what has no source is left out.

An exchange without facts gets `CAUTIOUS`: no field is added to its requests, and an order whose outcome is in doubt
stays UNKNOWN until it is found by the operator, since neither its presence nor its absence can be proved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["CAUTIOUS", "EXCHANGE_FACTS", "ExchangeFacts", "facts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFacts:
    """One exchange, as far as order safety must know it.

    Attributes:
        client_id_keys: the params that carry a caller's client order id; the first is the one that we set. Empty
            where the exchange is not known to take one.
        client_id_length: how many of an id's 32 hex digits fit.
        client_id_prefix: what an id must begin with.
        look_up_by_client_id: whether `fetch_order_with_client_order_id` finds exactly the order that bears the id.
        expiry_param: the param that bounds how long a request is valid, in milliseconds; None if there is none.
        expiry_default_ms: its value where the caller names none.
        expiry_slack: seconds that the exchange may still take after that bound, its clock's error included.
        visibility_lag: seconds for which an accepted order may stay invisible to look-ups.
        edit_replaces: whether an edit cancels the order and places a new one, with a client id of its own; otherwise it
            amends the order in place.
        duplicate: what the text of a refusal says where the client id exists already.
        sources: where each of this is documented.
    """

    client_id_keys: tuple[str, ...] = ()
    client_id_length: int = 32
    client_id_prefix: str = ""
    look_up_by_client_id: bool = False
    expiry_param: str | None = None
    expiry_default_ms: int = 5000
    expiry_slack: float = 0.0
    visibility_lag: float = 5.0
    edit_replaces: bool = False
    duplicate: re.Pattern[str] | None = None
    sources: tuple[str, ...] = ()

    def caller_client_id(self, params: Mapping[str, Any]) -> str | None:
        """Return the client order id that the caller put in `params`, or None."""
        for key in (*self.client_id_keys, "clientOrderId"):
            if params.get(key) is not None:
                return str(params[key])
        return None

    def client_id(self, entropy: str) -> str:
        """Render an intent's 128 bits (32 hex digits) as this exchange takes them."""
        return self.client_id_prefix + entropy[: self.client_id_length]


CAUTIOUS = ExchangeFacts()

_BINANCE_SPOT = ExchangeFacts(
    client_id_keys=(
        "newClientOrderId",
        "clientOrderId",
    ),  # of two that are given, ccxt sends the first of these
    look_up_by_client_id=True,
    expiry_param="recvWindow",
    # recvWindow is checked on receipt, and again before the request reaches the matching engine; the answer may then
    # take 10 s (-1007, "execution status unknown"). A timestamp up to 1 s ahead of the server's clock is accepted.
    expiry_slack=11.0,
    visibility_lag=3.0,
    edit_replaces=True,  # POST /api/v3/order/cancelReplace
    duplicate=re.compile(r"Duplicate order sent"),
    sources=(
        "developers.binance.com: Spot REST API, General API information (recvWindow, -1007)",
        "developers.binance.com: Spot REST API, New order (newClientOrderId is unique among open orders)",
        "developers.binance.com: Spot error codes (-2010 Duplicate order sent)",
    ),
)

EXCHANGE_FACTS: Mapping[str, ExchangeFacts] = MappingProxyType(
    {"binance": _BINANCE_SPOT, "binanceus": _BINANCE_SPOT}
)


def facts_of(exchange_id: str) -> ExchangeFacts:
    """Return what is known of an exchange, by its ccxt id."""
    return EXCHANGE_FACTS.get(exchange_id, CAUTIOUS)
