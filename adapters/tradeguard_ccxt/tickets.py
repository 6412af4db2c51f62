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
from tradeguard_ccxt.facts import CAUTIOUS, ExchangeFacts, facts_of
from tradeguard_ccxt.runtime import ExchangeGuard

__all__ = ["OrderTicket", "TicketOffice"]

# Endpoints and accounts that the spot look-ups do not reach.
_ELSEWHERE = ("clientAlgoId", "marginMode", "papi", "portfolioMargin", "sor", "SOR", "stock", "type", "test")
_ELSEWHERE_BY_OPTION = ("marginMode", "papi", "portfolioMargin")
_METHODS = ("createOrder", "fetchOrder", "fetchOpenOrders", "fetchOrders")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTicket:
    """One order on its way: the intent, and how it is put to the exchange.

    Attributes:
        intent: what is journaled.
        params: the params of the call, with the client id and the expiry added where the exchange takes them.
        facts: what is known of the exchange for an order of this kind.
        policy: the bounds of its submission.
        amount: the amount as the exchange will round it, or None.
        amount_sent: the amount as the caller gave it.
        is_callers_id: the client order id is the caller's own, who may have used it before.
    """

    intent: OrderIntent
    params: Mapping[str, Any]
    facts: ExchangeFacts
    policy: SubmissionPolicy
    amount: float | None
    amount_sent: float | None = None
    is_callers_id: bool = False

    @property
    def client_id(self) -> str | None:
        """The client order id as it was sent; None where the exchange takes none."""
        return self.intent.client_order_id if self.facts.client_id_keys else None


class TicketOffice:
    """Writes tickets for one guarded exchange instance.

    Args:
        exchange: the guarded ccxt instance.
        guard: its guard.
    """

    def __init__(self, exchange: Any, guard: ExchangeGuard) -> None:
        self._exchange = exchange
        self._guard = guard

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
        facts = self._facts(market, params)
        amount_wanted = None if amount is None else _number("amount", amount)
        price_wanted = None if price is None else _number("price", price)
        caller_id = facts.caller_client_id(params)
        client_id = facts.client_id(uuid.uuid4().hex) if caller_id is None else caller_id
        now = datetime.fromtimestamp(self._guard.clock.time(), UTC)
        sent = dict(params)
        if caller_id is None and facts.client_id_keys:
            sent[facts.client_id_keys[0]] = client_id
        expiry = self._expiry(facts, sent)
        intent = OrderIntent(
            client_order_id=client_id,
            symbol=market["symbol"],
            type=order_type,
            side=side.lower(),
            amount=None if _is_sized_by_cost(market, order_type, price, params) else amount_wanted,
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
            amount_sent=amount_wanted,
            is_callers_id=caller_id is not None,
        )

    def rewrite(self, intent: OrderIntent) -> OrderTicket:
        """Return the ticket of an intent from the journal, for looking it up."""
        try:
            facts = self._facts(self._exchange.market(intent.symbol), intent.params)
        except ccxt.BadSymbol:  # delisted since
            facts = CAUTIOUS
        return OrderTicket(
            intent=intent,
            params=intent.params,
            facts=facts,
            policy=self._policy(facts, None),
            amount=self._rounded(intent.symbol, intent.amount),
        )

    def _facts(self, market: Mapping[str, Any], params: Mapping[str, Any]) -> ExchangeFacts:
        elsewhere = (
            not market.get("spot")
            or any(params.get(key) for key in _ELSEWHERE)
            or self._is_routed_by_options()
        )
        return CAUTIOUS if elsewhere else facts_of(self._guard.exchange_id)

    def _is_routed_by_options(self) -> bool:
        """Whether the instance's options send orders, or the look-ups of them, to another account than spot."""
        return any(
            self._exchange.handle_option_and_params({}, method, option)[0]
            for method in _METHODS
            for option in _ELSEWHERE_BY_OPTION
        )

    def _expiry(self, facts: ExchangeFacts, params: dict[str, Any]) -> float | None:
        """Bound how long the request stays acceptable, in `params`; returns the seconds, or None for no bound."""
        bound = self._guard.config.order_expiry
        if facts.expiry_param is None:
            return bound
        options = self._exchange.options
        wanted = params.get(facts.expiry_param, options.get(facts.expiry_param, facts.expiry_default_ms))
        milliseconds = int(_number(facts.expiry_param, wanted))
        if bound is not None:
            milliseconds = max(1, min(milliseconds, int(bound * 1000)))
        params[facts.expiry_param] = milliseconds
        return milliseconds / 1000 + facts.expiry_slack if bound is None else bound

    def _policy(self, facts: ExchangeFacts, expiry: float | None) -> SubmissionPolicy:
        config = self._guard.config
        lag = facts.visibility_lag if config.visibility_lag is None else config.visibility_lag
        return SubmissionPolicy(order_deadline=config.order_deadline, expiry=expiry, visibility_lag=lag)

    def _rounded(self, symbol: str, amount: float | None) -> float | None:
        if amount is None:
            return None
        try:
            return float(self._exchange.amount_to_precision(symbol, amount))
        except (ccxt.BaseError, ArithmeticError, ValueError):
            return None  # the exchange's own refusal of it is worth more than ours


def _is_sized_by_cost(
    market: Mapping[str, Any], order_type: str, price: object, params: Mapping[str, Any]
) -> bool:
    """Whether the exchange is told what to spend; ccxt makes a market order with a price one of amount x price."""
    at_market = order_type.lower() == "market" and bool(market.get("spot"))
    return bool({"cost", "quoteOrderQty"} & params.keys()) or (at_market and price is not None)


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
