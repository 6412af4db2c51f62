"""Tickets: an order written out, with what must be added to its request so that it can be found again."""

from __future__ import annotations

import math
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ccxt

from tradeguard.orders import IntentStatus, OrderIntent, SubmissionPolicy
from tradeguard.redaction import redact_mapping
from tradeguard_ccxt.facts import CAUTIOUS, Carrier, ExchangeFacts, Guarantee, facts_of, kind_of
from tradeguard_ccxt.runtime import ExchangeGuard

__all__ = ["AMEND", "OrderTicket", "TicketOffice"]

AMEND = "amend_order"
"""The operation of an intent that changes an order in place."""

# By which names ccxt looks for an option of the calls that place an order and find it again.
_METHODS = (
    "createOrder",
    "fetchCanceledAndClosedOrders",
    "fetchClosedOrders",
    "fetchOpenOrders",
    "fetchOrder",
    "fetchOrders",
    "fetchOrdersByStatus",
)
# How ccxt makes the request; the exchange sees none of them.
_CCXTS_OWN_PARAMS = frozenset({"maxRetriesOnFailure", "maxRetriesOnFailureDelay"})
_COST_PARAMS = frozenset({"cost", "funds", "quoteOrderQty"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTicket:
    """One order on its way: the intent, and how it is put to the exchange.

    Attributes:
        intent: what is journaled.
        params: the params of the call, with the client id and the expiry added where the exchange takes them.
        facts: what is known of the exchange for an order of this kind.
        policy: the bounds of its submission.
        amount: the amount as the exchange will round it, or None.
        is_callers_id: the client order id is the caller's own, who may have used it before.
        validity: seconds from the send to the deadline, where the exchange is given one.
    """

    intent: OrderIntent
    params: Mapping[str, Any]
    facts: ExchangeFacts
    policy: SubmissionPolicy
    amount: float | None
    is_callers_id: bool = False
    validity: float = 0.0

    @property
    def client_id(self) -> str | None:
        """The client order id as it was sent; None where the exchange takes none."""
        return None if self.facts.client_id is None else self.intent.client_order_id

    @property
    def must_bear_its_id(self) -> bool:
        """Whether its absence may be proved by its client id, which must then be in what is sent."""
        return self.client_id is not None and self.facts.guarantee is Guarantee.EXACTLY_ONCE

    def params_at(self, now: float) -> dict[str, Any]:
        """Return the params of a send at `now` (epoch seconds): with the deadline that holds from then on."""
        sent = dict(self.params)
        expiry = self.facts.expiry
        if expiry is not None and expiry.carrier is Carrier.DEADLINE and expiry.name not in sent:
            moment = datetime.fromtimestamp(now + self.validity, UTC)
            sent[expiry.name] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return sent

    def batched_params_at(self, now: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the params of a batch sent at `now`: those of this order, and those of the request that bound it."""
        own = self.params_at(now)
        taken, expiry = self.facts.client_id, self.facts.expiry
        if taken is not None:
            for name in taken.params:  # ccxt's own name is the one that it knows in every batch
                own.pop(name, None)
            own["clientOrderId"] = self.intent.client_order_id
        if expiry is None or expiry.name not in own:
            return own, {}
        return own, {expiry.name: own.pop(expiry.name)}


class TicketOffice:
    """Writes tickets for one guarded exchange instance.

    Args:
        exchange: the guarded ccxt instance.
        guard: its guard.
    """

    def __init__(self, exchange: Any, guard: ExchangeGuard) -> None:
        self._exchange = exchange
        self._guard = guard

    def fresh_client_id(self, symbol: str, order_type: str) -> str | None:
        """Return a new client order id as the exchange takes it; None where it is not known to take one.

        Raises:
            ccxt.BadSymbol: the exchange has no such market.
        """
        facts = self._facts(self._exchange.market(symbol), order_type, {}, "create_order")
        return None if facts.client_id is None else facts.own_client_id(uuid.uuid4().hex)

    def write(
        self,
        symbol: str,
        order_type: str,
        side: str,
        amount: object,
        price: object,
        params: Mapping[str, Any],
        *,
        account: str,
        operation: str = "create_order",
    ) -> OrderTicket:
        """Write out one order; the markets must be loaded.

        Raises:
            ccxt.InvalidOrder: the amount or the price is no usable number.
            ccxt.ArgumentsRequired: the type or the side is missing.
            ccxt.BadSymbol: the exchange has no such market.
        """
        market = self._exchange.market(symbol)
        if not isinstance(order_type, str) or not isinstance(side, str):
            raise ccxt.ArgumentsRequired(f"type and side must be texts, not {order_type!r} and {side!r}")
        facts = self._facts(market, order_type, params, operation)
        amount_wanted = None if amount is None else _number("amount", amount)
        price_wanted = None if price is None else _number("price", price)
        caller_id = facts.caller_client_id(params)
        client_id = facts.own_client_id(uuid.uuid4().hex) if caller_id is None else caller_id
        now = datetime.fromtimestamp(self._guard.clock.time(), UTC)
        sent = _with_client_id(params, facts, client_id, is_callers_id=caller_id is not None)
        validity, expiry = self._expiry(facts, sent, operation)
        intent = OrderIntent(
            client_order_id=client_id,
            symbol=market["symbol"],
            type=order_type,
            side=side.lower(),
            amount=None if self._is_sized_by_cost(market, order_type, side, price, params) else amount_wanted,
            price=price_wanted,
            status=IntentStatus.PENDING,
            created_at=now,
            updated_at=now,
            exchange=self._guard.exchange_id,
            account=account,
            operation=operation,
            params=redact_mapping(params, self._exchange.guard_secrets()),
            owner=f"{socket.gethostname()}:{os.getpid()}",
        )
        return OrderTicket(
            intent=intent,
            params=sent,
            facts=facts,
            policy=self._policy(facts, expiry),
            amount=self._rounded(market["symbol"], amount_wanted),
            is_callers_id=caller_id is not None,
            validity=validity,
        )

    def rewrite(self, intent: OrderIntent) -> OrderTicket:
        """Return the ticket of an intent from the journal, for looking it up."""
        try:
            market = self._exchange.market(intent.symbol)
            facts = self._facts(market, intent.type, intent.params, intent.operation)
        except ccxt.BadSymbol:  # delisted since
            facts = CAUTIOUS
        return OrderTicket(
            intent=intent,
            params=intent.params,
            facts=facts,
            policy=self._policy(facts, None),
            amount=self._rounded(intent.symbol, intent.amount),
        )

    def is_test(self, symbol: str, order_type: object, params: Mapping[str, Any]) -> bool:
        """Whether ccxt is known to have this order validated and never placed; the markets must be loaded.

        Where it is not, ccxt may not know the param `test`, and the exchange place what it ignores it on.
        """
        if not params.get("test") or not isinstance(order_type, str):
            return False
        rest = {name: value for name, value in params.items() if name != "test"}
        try:
            return self._facts(self._exchange.market(symbol), order_type, rest, "create_order").takes_tests
        except ccxt.BadSymbol:
            return False

    def is_out_of_reach(self, facts: ExchangeFacts) -> bool:
        """Whether the instance is set up so that orders, or the look-ups of them, go where these facts do not hold."""
        reach = facts.reach
        brings_token = bool(self._exchange.token) or "Authorization" in (self._exchange.headers or {})
        return (reach.needs_own_tokens and brings_token) or any(
            self._exchange.handle_option_and_params({}, method, option)[0]
            for option in reach.barred_options
            for method in _METHODS
        )

    def _facts(
        self, market: Mapping[str, Any], order_type: str, params: Mapping[str, Any], operation: str
    ) -> ExchangeFacts:
        facts = facts_of(self._guard.exchange_id, kind_of(market))
        if facts is CAUTIOUS:
            return CAUTIOUS
        reach = facts.reach
        known = set(reach.params | _CCXTS_OWN_PARAMS)
        if facts.client_id is not None:
            known |= {*facts.client_id.params, "clientOrderId"}
        if facts.expiry is not None and facts.expiry.carrier in (Carrier.PARAM, Carrier.DEADLINE):
            known.add(facts.expiry.name)
        out_of_reach = (
            operation not in reach.operations
            or (reach.types is not None and order_type.lower() not in reach.types)
            or any(value for name, value in params.items() if name not in known)
            or self.is_out_of_reach(facts)
        )
        return CAUTIOUS if out_of_reach else facts

    def _expiry(
        self, facts: ExchangeFacts, params: dict[str, Any], operation: str
    ) -> tuple[float, float | None]:
        """Bound how long the request stays acceptable, in `params` where it is said there.

        Returns:
            Seconds of validity that we ask for, and the seconds from signing in which the order may be accepted; None
            where nobody knows.
        """
        bound = self._guard.config.order_expiry
        expiry = facts.expiry
        if facts.client_id is None and operation != AMEND:
            return 0.0, None  # what bears no id that was sent can never be proved absent
        if expiry is None:
            return 0.0, bound
        seconds = expiry.seconds
        if expiry.carrier in (Carrier.PARAM, Carrier.OPTION):
            named = params.get(expiry.name) if expiry.carrier is Carrier.PARAM else None
            wanted = self._exchange.options.get(expiry.name, seconds * 1000) if named is None else named
            seconds = _number(expiry.name, wanted) / 1000
        elif expiry.carrier is Carrier.DEADLINE and params.get(expiry.name) is not None:
            moment = self._exchange.parse8601(params[expiry.name])
            if moment is None:
                return 0.0, None  # the exchange may read what we cannot
            seconds = max(0.0, moment / 1000 - self._guard.clock.time())
        if bound is not None and expiry.carrier is not Carrier.STAMP:
            seconds = min(seconds, bound)
        if expiry.carrier is Carrier.PARAM:
            params[expiry.name] = max(1, int(seconds * 1000 + 1e-6))
        elif expiry.carrier is Carrier.OPTION and bound is not None:
            self._exchange.options[expiry.name] = max(1, int(seconds * 1000 + 1e-6))
        return seconds, seconds + expiry.slack if bound is None else bound

    def _policy(self, facts: ExchangeFacts, expiry: float | None) -> SubmissionPolicy:
        config = self._guard.config
        lag = facts.visibility_lag if config.visibility_lag is None else config.visibility_lag
        return SubmissionPolicy(order_deadline=config.order_deadline, expiry=expiry, visibility_lag=lag)

    def _is_sized_by_cost(
        self,
        market: Mapping[str, Any],
        order_type: str,
        side: str,
        price: object,
        params: Mapping[str, Any],
    ) -> bool:
        """Whether the exchange is told what to spend; ccxt makes a market order with a price one of amount x price."""
        if _COST_PARAMS & params.keys():
            return True
        if order_type.lower() != "market" or not market.get("spot"):
            return False
        option = "createMarketBuyOrderRequiresPrice"  # without it, ccxt takes the amount of a market buy for the cost
        told = self._exchange.handle_option_and_params(dict(params), "createOrder", option)[0]
        return price is not None or (side.lower() == "buy" and told is False)

    def _rounded(self, symbol: str, amount: float | None) -> float | None:
        if amount is None:
            return None
        try:
            return float(self._exchange.amount_to_precision(symbol, amount))
        except (ccxt.BaseError, ArithmeticError, ValueError):
            return None  # the exchange's own refusal of it is worth more than ours


def _number(name: str, value: object) -> float:
    """Return a positive finite number.

    Raises:
        ccxt.InvalidOrder: `value` is none.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or number < 0:
        raise ccxt.InvalidOrder(f"{name} must be a finite number >= 0, not {value!r}")
    return number


def _with_client_id(
    params: Mapping[str, Any], facts: ExchangeFacts, client_id: str, *, is_callers_id: bool
) -> dict[str, Any]:
    """Return the params with the client id where the exchange takes it; a caller's stays where it is if it counts."""
    sent = dict(params)
    taken = facts.client_id
    if taken is None or (is_callers_id and any(params.get(name) is not None for name in taken.params)):
        return sent
    if taken.translates:
        sent.pop("clientOrderId", None)
    sent[taken.params[0]] = client_id if is_callers_id else taken.as_param(client_id)
    return sent
