"""What an error or an answer of `create_order` proves, row by row; what proves nothing is AMBIGUOUS."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import ccxt
import pytest

from tradeguard.orders import IntentStatus, OrderIntent, Verdict
from tradeguard_ccxt.facts import EXCHANGE_FACTS, ExchangeFacts, MarketKind
from tradeguard_ccxt.failures import Answer, classify
from tradeguard_ccxt.verdicts import outcome_is_known, verdict_of_answer, verdict_of_error
from tradeguard_ccxt.wire import Wire

NOW = 1_700_000_000.0
BINANCE = EXCHANGE_FACTS["binance", MarketKind.SPOT]
CREATED = datetime.fromtimestamp(NOW, UTC)
INTENT = OrderIntent(
    client_order_id="mine",
    symbol="ETH/BTC",
    type="limit",
    side="buy",
    amount=1.0,
    price=0.1,
    status=IntentStatus.SENT,
    created_at=CREATED,
    updated_at=CREATED,
)
ORDER = {"id": "7", "clientOrderId": "mine", "symbol": "ETH/BTC", "side": "buy", "amount": 1.0}

SENT: list[tuple[Exception, int | None, Verdict]] = [
    (ccxt.InsufficientFunds("x"), 400, Verdict.REJECTED),
    (ccxt.InvalidOrder("x"), 400, Verdict.REJECTED),
    (ccxt.BadSymbol("x"), 200, Verdict.REJECTED),
    (ccxt.PermissionDenied("x"), 401, Verdict.REJECTED),
    (ccxt.OperationRejected("x"), 400, Verdict.REJECTED),
    (ccxt.InvalidProxySettings("x"), None, Verdict.REJECTED),
    (ccxt.DDoSProtection("x"), 418, Verdict.NOT_NOW),
    (ccxt.DDoSProtection("x"), 429, Verdict.NOT_NOW),
    (ccxt.RateLimitExceeded("x"), 200, Verdict.NOT_NOW),
    (ccxt.InvalidNonce("x"), 400, Verdict.NOT_NOW),
    (ccxt.OnMaintenance("x"), 503, Verdict.NOT_NOW),
    (ccxt.RequestTimeout("x"), None, Verdict.AMBIGUOUS),
    (ccxt.NetworkError("x"), None, Verdict.AMBIGUOUS),
    (ccxt.ExchangeNotAvailable("x"), 403, Verdict.AMBIGUOUS),
    (ccxt.ExchangeNotAvailable("x"), 503, Verdict.AMBIGUOUS),
    (ccxt.OperationFailed("x"), 500, Verdict.AMBIGUOUS),
    (ccxt.BadResponse("x"), 200, Verdict.AMBIGUOUS),
    (ccxt.ExchangeError("x"), 200, Verdict.AMBIGUOUS),
    (ccxt.OrderNotFound("x"), 400, Verdict.AMBIGUOUS),
    (ccxt.InsufficientFunds("x"), 500, Verdict.AMBIGUOUS),
    (ccxt.InsufficientFunds("x"), None, Verdict.AMBIGUOUS),
    (ccxt.DDoSProtection("x"), 503, Verdict.AMBIGUOUS),
    (KeyError("x"), 200, Verdict.AMBIGUOUS),
    (OSError("x"), None, Verdict.AMBIGUOUS),
]
UNSENT: list[tuple[Exception, Verdict]] = [
    (ccxt.NetworkError("loading markets"), Verdict.NOT_SENT),
    (ccxt.DDoSProtection("loading markets"), Verdict.NOT_NOW),
    (ccxt.InvalidOrder("refused by ccxt itself"), Verdict.REJECTED),
    (TypeError("a wrong argument"), Verdict.REJECTED),
]


def verdict(
    error: Exception, status: int | None, *, sent: bool = True, facts: ExchangeFacts = BINANCE
) -> Any:
    answer = None if status is None else Answer(status, {})
    return verdict_of_error(error, classify(error, answer, NOW), sent=sent, status=status, facts=facts)


@pytest.mark.parametrize(("error", "status", "expected"), SENT)
def test_an_error_after_the_send_proves_what_it_proves(
    error: Exception, status: int | None, expected: Verdict
) -> None:
    outcome = verdict(error, status)
    assert outcome.verdict is expected
    assert outcome.error is error
    assert not outcome.duplicate


@pytest.mark.parametrize(("error", "expected"), UNSENT)
def test_before_the_send_nothing_is_ambiguous(error: Exception, expected: Verdict) -> None:
    assert verdict(error, None, sent=False).verdict is expected


@pytest.mark.parametrize(
    "error",
    [ccxt.DuplicateOrderId("x"), ccxt.InvalidOrder('{"code":-2010,"msg":"Duplicate order sent."}')],
)
def test_a_duplicate_is_no_plain_refusal(error: Exception) -> None:
    outcome = verdict(error, 400)
    assert outcome.verdict is Verdict.REJECTED
    assert outcome.duplicate


@pytest.mark.parametrize(
    ("error", "status", "known"),
    [
        (ccxt.InsufficientFunds("x"), 400, True),
        (ccxt.RequestTimeout("x"), None, False),
        (ccxt.ExchangeError("x"), 200, False),
    ],
)
def test_a_withdrawals_outcome_is_known_only_where_it_was_refused(
    error: Exception, status: int | None, known: bool
) -> None:
    wire = Wire()
    wire.sent = True
    if status is not None:
        wire.answered(status, {})
    assert outcome_is_known(error, wire, NOW) is known
    wire.followed = True  # a further request went out: the error may be that one's
    assert outcome_is_known(error, wire, NOW) is False


WRONG: dict[str, Any] = {
    "clientOrderId": "another",
    "symbol": "LTC/BTC",
    "side": "sell",
    "amount": 2.0,
}


@pytest.mark.parametrize("order", [None, "<html>", [], {}, {"id": None}, {"id": ""}])
def test_an_answer_without_an_id_is_ambiguous(order: Any) -> None:
    outcome = verdict_of_answer(order, INTENT, amount=1.0, client_id="mine")
    assert outcome.verdict is Verdict.AMBIGUOUS
    assert "no order id" in str(outcome.error)


@pytest.mark.parametrize("field", WRONG)
def test_an_answer_about_another_order_is_ambiguous(field: str) -> None:
    other = ORDER | {field: WRONG[field]}
    outcome = verdict_of_answer(other, INTENT, amount=1.0, client_id="mine")
    assert outcome.verdict is Verdict.AMBIGUOUS
    assert field in str(outcome.error)


@pytest.mark.parametrize("amount", ["not a number", [], {}])
def test_an_amount_that_is_no_number_contradicts(amount: Any) -> None:
    outcome = verdict_of_answer(ORDER | {"amount": amount}, INTENT, amount=1.0, client_id="mine")
    assert outcome.verdict is Verdict.AMBIGUOUS


@pytest.mark.parametrize("left_out", [*WRONG])
def test_what_an_answer_leaves_out_is_no_contradiction(left_out: str) -> None:
    order = {key: value for key, value in ORDER.items() if key != left_out}
    assert verdict_of_answer(order, INTENT, amount=1.0, client_id="mine").verdict is Verdict.PLACED


def test_an_exchange_that_takes_no_client_id_may_answer_with_its_own() -> None:
    order = ORDER | {"clientOrderId": "its-own"}
    assert verdict_of_answer(order, INTENT, amount=1.0, client_id=None).verdict is Verdict.PLACED


def test_an_amount_may_be_told_as_the_market_rounds_it() -> None:
    order = ORDER | {"amount": 0.999}
    assert verdict_of_answer(order, INTENT, amount=0.999, client_id="mine").verdict is Verdict.PLACED
