"""Each ccxt error has a guarded self that is caught both ways, and survives being sent elsewhere."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import ccxt
import pytest

from tradeguard.exceptions import NetworkException, TradingException
from tradeguard_ccxt.errors import absent_error, guarded_error, guarded_error_class
from tradeguard_ccxt.failures import Answer, FailureKind, classify, in_connect_phase

ERRORS = [
    value
    for value in vars(ccxt.errors).values()
    if isinstance(value, type) and issubclass(value, ccxt.BaseError)
]


@pytest.mark.parametrize("cls", ERRORS, ids=lambda c: c.__name__)
def test_every_ccxt_error_is_guarded_with_its_text_cause_and_class_tree(cls: Any) -> None:
    cause = OSError("reset")
    original = cls("binance said no")
    original.__cause__ = cause
    guarded: Any = guarded_error(original, {"component": "binance.trading", "symbol": "ETH/BTC"})
    assert isinstance(guarded, cls)
    assert isinstance(guarded, TradingException)
    assert str(guarded) == "binance said no"
    assert guarded.__cause__ is cause
    assert guarded.context["symbol"] == "ETH/BTC"
    assert type(guarded) is guarded_error_class(cls)
    for twin in (pickle.loads(pickle.dumps(guarded)), copy.copy(guarded), copy.deepcopy(guarded)):
        assert type(twin) is type(guarded)
        assert twin.args == guarded.args
        assert twin.context == guarded.context


def test_the_error_of_an_absent_order_is_also_what_kept_it_from_being_placed() -> None:
    error: Any = absent_error("gone", ccxt.DDoSProtection("418"), {"symbol": "ETH/BTC"})
    assert isinstance(error, ccxt.DDoSProtection)
    assert isinstance(error, ccxt.NetworkError)
    assert type(pickle.loads(pickle.dumps(error))) is type(error)


def test_a_guarded_error_keeps_the_context_it_has() -> None:
    first: Any = guarded_error(ccxt.NetworkError("x"), {"operation": "fetch_ticker"})
    again: Any = guarded_error(first, {"operation": "other", "attempts": 3})
    assert again is first
    assert first.context["operation"] == "fetch_ticker"
    assert first.context["attempts"] == 3
    assert isinstance(first, NetworkException)


NOW = 1_700_000_000.0
CASES: list[tuple[Exception, Answer | None, FailureKind, float | None]] = [
    (ccxt.RequestTimeout("x"), None, FailureKind.SICK, None),
    (ccxt.ExchangeNotAvailable("x"), Answer(503, {"retry-after": "7"}), FailureKind.SICK, 7.0),
    (ccxt.DDoSProtection("x"), Answer(429, {"retry-after": "3"}), FailureKind.LIMIT, 3.0),
    (ccxt.DDoSProtection("x"), Answer(418, {"retry-after": "30"}), FailureKind.BAN, 30.0),
    (ccxt.DDoSProtection("banned until 1700000060000."), Answer(429, {}), FailureKind.BAN, 60.0),
    (ccxt.RateLimitExceeded("x"), Answer(200, {"retry-after": "soon"}), FailureKind.LIMIT, None),
    (
        ccxt.RateLimitExceeded("x"),
        Answer(429, {"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}),
        FailureKind.LIMIT,
        10.0,
    ),
    (ccxt.OnMaintenance("x"), Answer(503, {}), FailureKind.MAINTENANCE, None),
    (ccxt.InvalidNonce("x"), Answer(400, {}), FailureKind.NONCE, None),
    (ccxt.PermissionDenied("x"), Answer(401, {}), FailureKind.AUTHENTICATION, None),
    (ccxt.InsufficientFunds("x"), Answer(400, {}), FailureKind.BUSINESS, None),
    (ValueError("x"), None, FailureKind.BUSINESS, None),
]


@pytest.mark.parametrize(("error", "answer", "kind", "retry_after"), CASES)
def test_a_failure_says_why_and_how_long_to_wait(
    error: Exception, answer: Answer | None, kind: FailureKind, retry_after: float | None
) -> None:
    failure = classify(error, answer, NOW)
    assert failure.kind is kind
    assert failure.retry_after == retry_after


def test_the_connect_phase_is_known_by_its_cause_and_a_proxy_proves_nothing() -> None:
    import requests
    import urllib3

    pool: Any = urllib3.HTTPConnectionPool("127.0.0.1", 1)
    refused = urllib3.exceptions.NewConnectionError(pool, "refused")
    outer = ccxt.NetworkError("binance POST")
    outer.__cause__ = requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", refused))
    assert in_connect_phase(outer)
    through_proxy = ccxt.NetworkError("binance POST")
    proxied = urllib3.exceptions.ProxyError("tunnel", refused)
    through_proxy.__cause__ = requests.exceptions.ProxyError(
        urllib3.exceptions.MaxRetryError(pool, "/", proxied)
    )
    assert not in_connect_phase(through_proxy)
    timed_out = ccxt.RequestTimeout("binance POST")
    timed_out.__cause__ = requests.exceptions.ReadTimeout()
    assert not in_connect_phase(timed_out)
    timed_out.__cause__ = requests.exceptions.ConnectTimeout()
    assert in_connect_phase(timed_out)
