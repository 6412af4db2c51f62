"""What is known of one exchange and one kind of market, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tradeguard_ccxt.facts.client_ids import ClientId
from tradeguard_ccxt.facts.expiries import Expiry
from tradeguard_ccxt.facts.look_ups import LookUp, covers_everything

if TYPE_CHECKING:
    import re

__all__ = ["CAUTIOUS", "ExchangeFacts", "Guarantee", "MarketKind", "Reach", "kind_of"]


class MarketKind(StrEnum):
    """Markets that an exchange keeps apart: other endpoints, other ids, other look-ups."""

    SPOT = "spot"
    LINEAR = "linear swap"
    INVERSE = "inverse swap"


class Guarantee(StrEnum):
    """What the guard can promise of an order."""

    EXACTLY_ONCE = "exactly once"
    AT_MOST_ONCE = "at most once"
    NOT_GUARDABLE = "not guardable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The orders for which facts hold; any other may lie where the look-ups do not see it.

    Attributes:
        params: the params that are known to leave an order where the look-ups see it, beside the client id's and the
            expiry's. Any other that is set puts it out of reach.
        types: the order types that do so; None for all.
        operations: the calls of which this is known. A batch and an edit are other requests, with other fields. In a
            batch, each order has its client id, and the request as a whole its expiry.
        barred_options: options that put every order, or the look-ups of it, elsewhere while they are set.
        needs_own_tokens: whether the expiry is that of the token that ccxt makes for each request, so that one which
            the user brings undoes it.
        words: what this means in words, if anything.
    """

    params: frozenset[str] = frozenset()
    types: frozenset[str] | None = frozenset({"limit", "market"})
    operations: frozenset[str] = frozenset({"create_order"})
    barred_options: tuple[str, ...] = ()
    needs_own_tokens: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFacts:
    """One exchange and kind of market, as far as order safety must know it.

    Attributes:
        client_id: how it takes client order ids; None where it is not known to.
        look_ups: the calls that find an order, in the order in which they are made.
        expiry: how long it may still accept a sent order; None where nobody knows.
        visibility_lag: seconds for which an accepted order may stay invisible to look-ups.
        takes_tests: whether ccxt makes a call with the param `test` a request that is validated and never placed.
        edit_replaces: whether an edit cancels the order and places a new one, with a client id of its own; otherwise it
            amends the order in place.
        edit_refusal: what the text of a refusal says that speaks of a part of an edit, the cancel or the new order.
        duplicate: what the text of a refusal says where the client id exists already.
        reach: the orders for which this holds.
        sources: where each of this is documented.
        doubt: why it is not more, in words; for the operator.
    """

    client_id: ClientId | None = None
    look_ups: tuple[LookUp, ...] = ()
    expiry: Expiry | None = None
    visibility_lag: float = 5.0
    takes_tests: bool = False
    edit_replaces: bool = False
    edit_refusal: re.Pattern[str] | None = None
    duplicate: re.Pattern[str] | None = None
    reach: Reach = Reach()
    sources: tuple[str, ...] = ()
    doubt: str = ""

    @property
    def guarantee(self) -> Guarantee:
        """What follows: exactly once needs an id, look-ups that see every order, and an end to acceptance."""
        if self.client_id is not None and covers_everything(self.look_ups) and self.expiry is not None:
            return Guarantee.EXACTLY_ONCE
        return Guarantee.AT_MOST_ONCE

    @property
    def reason(self) -> str:
        """Why it is not more, or on what it rests, in one sentence."""
        if self.guarantee is Guarantee.EXACTLY_ONCE and self.expiry is not None:
            longest = self.expiry.seconds + self.expiry.slack + self.visibility_lag
            told = f"found by its client id, or proved absent after {longest:.0f} s"
            return f"{told}; {self.reach.words}" if self.reach.words else told
        return self.doubt or "no verified facts: what is in doubt stays unknown until you decide"

    def own_client_id(self, entropy: str) -> str:
        """Return an intent's 128 bits (32 hex digits) as the exchange takes them."""
        return entropy if self.client_id is None else self.client_id.form.render(entropy)

    def caller_client_id(self, params: Mapping[str, Any]) -> str | None:
        """Return the client order id that the caller put in `params`, as it will be sent; None if there is none."""
        names = () if self.client_id is None else self.client_id.params
        for name in (*names, "clientOrderId"):
            if params.get(name) is not None:
                given = params[name]
                return str(given) if self.client_id is None else self.client_id.as_sent(given)
        return None


CAUTIOUS = ExchangeFacts()
"""Of an exchange of which nothing is known: no field is added to its requests, nothing is sent twice."""


def kind_of(market: Mapping[str, Any]) -> MarketKind | None:
    """Return the kind of a unified market; None for one of which no facts are known: futures, options, stocks."""
    if market.get("stock"):
        return None
    if market.get("spot"):
        return MarketKind.SPOT
    if not market.get("swap"):
        return None
    if market.get("linear"):
        return MarketKind.LINEAR
    return MarketKind.INVERSE if market.get("inverse") else None
