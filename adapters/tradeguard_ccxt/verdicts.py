"""What an error or an answer of `create_order` proves. What proves nothing is AMBIGUOUS."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import ccxt

from tradeguard.orders import OrderIntent, SendOutcome, Verdict
from tradeguard_ccxt.facts import CAUTIOUS, ExchangeFacts
from tradeguard_ccxt.failures import Failure, FailureKind, classify, in_connect_phase
from tradeguard_ccxt.wire import Wire

__all__ = ["contradiction", "outcome_is_known", "refuses_all", "verdict_of_answer", "verdict_of_error"]

_REFUSALS = (
    ccxt.ArgumentsRequired,
    ccxt.AuthenticationError,
    ccxt.BadRequest,
    ccxt.InsufficientFunds,
    ccxt.InvalidOrder,
    ccxt.NotSupported,
    ccxt.OperationRejected,
)
# Said of a request before any of its orders is looked at.
_REFUSALS_OF_ALL = (
    ccxt.ArgumentsRequired,
    ccxt.AuthenticationError,
    ccxt.BadSymbol,
    ccxt.InvalidProxySettings,
    ccxt.NotSupported,
)
_NOT_NOW = frozenset({FailureKind.LIMIT, FailureKind.BAN, FailureKind.MAINTENANCE, FailureKind.NONCE})


def verdict_of_error(
    error: BaseException, failure: Failure, *, sent: bool, status: int | None, facts: ExchangeFacts
) -> SendOutcome:
    """Return the verdict on a send that raised.

    Args:
        error: what was raised.
        failure: what it says of the exchange.
        sent: whether a writing request was handed to the transport.
        status: HTTP status of the answer, or None where there was none.
        facts: the exchange's.
    """
    if not sent:
        return _unsent(error, failure)
    if isinstance(error, ccxt.InvalidProxySettings):  # found out before the connection
        return SendOutcome(verdict=Verdict.REJECTED, error=error)
    if in_connect_phase(error):
        return SendOutcome(verdict=Verdict.NOT_SENT, error=error)
    refused = status is not None and status < 500  # behind a 5xx anything may have happened
    if failure.kind in _NOT_NOW and (refused or failure.kind is FailureKind.MAINTENANCE):
        return SendOutcome(verdict=Verdict.NOT_NOW, error=error, retry_after=failure.retry_after)
    if refused and _is_duplicate(error, facts):
        return SendOutcome(verdict=Verdict.REJECTED, error=error, duplicate=True)
    if refused and isinstance(error, _REFUSALS) and not isinstance(error, ccxt.OrderNotFound):
        return SendOutcome(verdict=Verdict.REJECTED, error=error)
    return SendOutcome(verdict=Verdict.AMBIGUOUS, error=error)


def outcome_is_known(error: BaseException, wire: Wire, now: float) -> bool:
    """Whether a write that raised `error` surely took no effect."""
    if wire.followed:
        return False
    failure = classify(error, wire.answer, now)
    outcome = verdict_of_error(error, failure, sent=wire.sent, status=wire.status, facts=CAUTIOUS)
    return outcome.verdict is not Verdict.AMBIGUOUS


def refuses_all(error: BaseException | None) -> bool:
    """Whether the refusal of a batch is one of every order in it."""
    return isinstance(error, _REFUSALS_OF_ALL)


def _unsent(error: BaseException, failure: Failure) -> SendOutcome:
    """Return the verdict where nothing was sent: the order surely does not exist."""
    if failure.kind is FailureKind.CIRCUIT or failure.kind in _NOT_NOW:
        return SendOutcome(verdict=Verdict.NOT_NOW, error=error, retry_after=failure.retry_after)
    if failure.kind is FailureKind.SICK:
        return SendOutcome(verdict=Verdict.NOT_SENT, error=error)
    return SendOutcome(verdict=Verdict.REJECTED, error=error)


def _is_duplicate(error: BaseException, facts: ExchangeFacts) -> bool:
    if isinstance(error, ccxt.DuplicateOrderId):
        return True
    return facts.duplicate is not None and facts.duplicate.search(str(error)) is not None


def verdict_of_answer(
    order: object, intent: OrderIntent, *, amount: float | None, client_id: str | None
) -> SendOutcome:
    """Return the verdict on a send that was answered.

    Args:
        order: what `create_order` returned.
        intent: what was wanted.
        amount: the intent's amount, rounded to the market's precision as it was sent.
        client_id: the client order id that was sent; None where the exchange takes none.
    """
    if not isinstance(order, Mapping) or order.get("id") in (None, ""):
        return SendOutcome(
            verdict=Verdict.AMBIGUOUS, error=ccxt.BadResponse("the answer to the order has no order id")
        )
    problem = contradiction(order, intent, amount=amount, client_id=client_id)
    if problem is not None:
        return SendOutcome(
            verdict=Verdict.AMBIGUOUS,
            error=ccxt.BadResponse(f"the answer is not about this order: {problem}"),
        )
    return SendOutcome(verdict=Verdict.PLACED, order=order)


def contradiction(
    order: Mapping[str, Any], intent: OrderIntent, *, amount: float | None, client_id: str | None
) -> str | None:
    """Return in words what of `order` contradicts the intent, or None.

    What an exchange leaves out is no contradiction. The arguments are those of `verdict_of_answer`.
    """
    for field, wanted in (("clientOrderId", client_id), ("symbol", intent.symbol), ("side", intent.side)):
        told = order.get(field)
        if told not in (None, "") and wanted and str(told) != wanted:
            return f"{field} is {told!r} and not {wanted!r}"
    told_amount = order.get("amount")
    if told_amount is None or intent.amount is None:
        return None
    wanted_amounts = [intent.amount] if amount is None else [intent.amount, amount]
    try:
        matches = any(math.isclose(float(told_amount), a, rel_tol=1e-9) for a in wanted_amounts)
    except (TypeError, ValueError):
        matches = False
    if matches:
        return None
    return f"amount is {told_amount!r} and not {wanted_amounts[-1]!r}"
