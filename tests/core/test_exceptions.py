"""Errors carry their context, cross processes, are JSON, hold no secrets, and never fail to be made."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import tradeguard
from tradeguard.exceptions import (
    BrokerException,
    CallTimeoutError,
    CircuitBreakerOpenError,
    ConfigurationException,
    DataFeedException,
    NetworkException,
    RecoveryException,
    StrategyException,
    TradingException,
    ValidationException,
)

CLASSES: dict[type[TradingException], tuple[str, str]] = {
    TradingException: ("TRADING_ERROR", "trading"),
    DataFeedException: ("DATA_FEED_ERROR", "data_feed"),
    BrokerException: ("BROKER_ERROR", "broker"),
    StrategyException: ("STRATEGY_ERROR", "strategy"),
    ConfigurationException: ("CONFIGURATION_ERROR", "configuration"),
    NetworkException: ("NETWORK_ERROR", "network"),
    ValidationException: ("VALIDATION_ERROR", "validation"),
    RecoveryException: ("RECOVERY_ERROR", "recovery"),
    CircuitBreakerOpenError: ("CIRCUIT_BREAKER_OPEN", "circuit_breaker"),
    CallTimeoutError: ("CALL_TIMEOUT", "network"),
}
every_class = pytest.mark.parametrize("kind", CLASSES)


class ForeignTimeoutError(OSError):
    """Stands for another library's error, as ccxt's do in the adapter."""


class GuardedTimeoutError(NetworkException, ForeignTimeoutError):
    """A guarded error: ours and theirs, with a constructor that takes neither's arguments."""

    def __init__(self, exchange: str, *, attempts: int) -> None:
        super().__init__(f"{exchange} timed out", context={"attempts": attempts})
        self.exchange = exchange


class Unpicklable:
    def __reduce__(self) -> Any:
        raise RuntimeError("not me")

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        raise RuntimeError("not me")

    def __str__(self) -> str:
        return "unpicklable"


@every_class
def test_every_class_has_its_code_and_component(kind: type[TradingException]) -> None:
    error = kind("what happened")
    code, component = CLASSES[kind]
    assert (error.error_code, error.severity) == (code, "ERROR")
    assert error.context["component"] == error.component == component
    assert error.to_dict()["context"]["component"] == component


@every_class
def test_every_class_is_a_trading_exception_with_a_moment_in_utc(kind: type[TradingException]) -> None:
    error = kind("what happened")
    assert isinstance(error, TradingException)
    assert error.timestamp.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - error.timestamp) < timedelta(minutes=1)


def test_errors_are_also_what_python_calls_them() -> None:
    assert issubclass(ConfigurationException, ValueError)
    assert issubclass(CallTimeoutError, (NetworkException, TimeoutError))
    assert issubclass(CallTimeoutError, TimeoutError)


def test_the_module_draws_every_class_of_the_tree() -> None:
    drawing = tradeguard.exceptions.__doc__
    assert drawing is not None
    for kind in CLASSES:
        assert kind.__name__ in drawing


def test_a_network_error_prints_its_context_as_documented() -> None:
    error = NetworkException("API call failed", url="https://api.example.com")
    expected = {
        "url": "https://api.example.com",
        "status_code": None,
        "timeout": None,
        "component": "network",
    }
    assert repr(error.context) == repr(expected)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (NetworkException, {"url", "status_code", "timeout"}),
        (CallTimeoutError, {"url", "status_code", "timeout"}),
        (BrokerException, {"broker_type", "symbol", "order_type"}),
        (DataFeedException, {"data_source", "symbol", "interval"}),
        (StrategyException, set()),
    ],
)
def test_the_documented_keys_are_always_there(kind: type[TradingException], keys: set[str]) -> None:
    assert set(kind("x").context) == keys | {"component"}


def test_to_dict_has_exactly_five_keys_and_the_moment_to_the_second() -> None:
    error = TradingException("x")
    error.timestamp = datetime(2024, 1, 1, 12, 0, 0, 999, tzinfo=UTC)
    assert error.to_dict() == {
        "message": "x",
        "error_code": "TRADING_ERROR",
        "severity": "ERROR",
        "context": {"component": "trading"},
        "timestamp": "2024-01-01T12:00:00Z",
    }


def test_code_severity_and_hint_may_be_given() -> None:
    error = NetworkException("x", error_code="E1", severity="warning", recovery_hint="wait")
    assert (error.error_code, error.severity, error.recovery_hint) == ("E1", "WARNING", "wait")
    assert (NetworkException.error_code, NetworkException.severity) == ("NETWORK_ERROR", "ERROR")


@every_class
def test_every_class_but_the_root_hints_at_what_to_do(kind: type[TradingException]) -> None:
    assert (kind("x").recovery_hint is None) == (kind is TradingException)


def test_component_and_context_never_conflict() -> None:
    context = {"component": "from context", "symbol": "ETH/BTC", "url": "https://a"}
    error = NetworkException(
        "x", component="given", context=context, symbol="XRP/BTC", user_id="u", session_id="s"
    )
    assert error.context["component"] == "given"
    assert (error.context["symbol"], error.context["url"]) == ("XRP/BTC", "https://a")
    assert (error.context["user_id"], error.context["session_id"]) == ("u", "s")
    assert context == {"component": "from context", "symbol": "ETH/BTC", "url": "https://a"}
    assert NetworkException("x", context=context).component == "from context"
    assert NetworkException("x", context={"component": None}).component == "network"


def test_odd_arguments_become_text_and_raise_nothing() -> None:
    context: Any = ["no", "mapping"]
    error = TradingException(None, severity=5, error_code=7, context=context, component=3, recovery_hint=1)  # type: ignore[arg-type]
    assert (error.message, error.severity, error.error_code) == ("None", "5", "7")
    assert (error.component, error.recovery_hint) == ("3", "1")
    assert error.context["context"] == context
    assert TradingException().message == ""


def test_an_error_as_message_is_its_type_and_text() -> None:
    assert str(TradingException(ValueError("bad"))) == "ValueError: bad"


def test_secrets_are_masked_in_text_repr_arguments_and_context() -> None:
    key = "s3cr3tV4lue"
    error = NetworkException(
        f"GET https://x/?signature={key}",
        url=f"https://x/?signature={key}",
        apiKey=key,
        headers={"X-MBX-APIKEY": key},
        secret="",
        password=None,
    )
    assert key not in f"{error} {error!r} {error.args} {error.message} {error.context} {error.to_dict()}"
    assert (error.context["secret"], error.context["password"]) == ("", None)
    error.context["late"] = {"token": key}
    assert key not in json.dumps(error.to_dict())


def test_whatever_is_in_the_context_json_takes_it() -> None:
    circular: dict[str, Any] = {}
    circular["self"] = circular
    error = TradingException(
        "x",
        a=float("nan"),
        b=b"\xff",
        c=Decimal("1.0"),
        d=datetime.now(UTC),
        e=ValueError("y"),
        f=threading.Lock(),
        g=circular,
    )
    error.context["self"] = error
    restored = json.loads(json.dumps(error.to_dict(), allow_nan=False))
    assert (restored["context"]["a"], restored["context"]["c"]) == ("NaN", "1.0")


def made() -> list[TradingException]:
    cause = OSError(5, "gone")
    errors: list[TradingException] = [kind("what happened") for kind in CLASSES]
    return [
        *errors,
        GuardedTimeoutError("binance", attempts=3),
        CircuitBreakerOpenError("api", 3.0, cause, exchange="binance"),
        RecoveryException("x", last_result=[1]),
        CallTimeoutError("fetch", timeout=5, still_running=False),
        NetworkException("x", error_code="E", severity="INFO", recovery_hint="h", nested={"list": [1]}),
    ]


@pytest.mark.parametrize("error", made(), ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("clone", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_a_copy_is_equal_in_all_that_counts(error: TradingException, clone: Any) -> None:
    twin = clone(error)
    assert type(twin) is type(error)
    assert twin is not error
    assert (str(twin), twin.args) == (str(error), error.args)
    assert twin.to_dict() == error.to_dict()
    assert twin.context is not error.context
    assert twin.recovery_hint == error.recovery_hint
    assert {k: repr(v) for k, v in vars(twin).items()} == {k: repr(v) for k, v in vars(error).items()}


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_the_cause_survives_the_pickle(protocol: int) -> None:
    error = NetworkException("outer")
    error.__cause__ = ValueError("inner")
    twin = pickle.loads(pickle.dumps(error, protocol))
    assert repr(twin.__cause__) == "ValueError('inner')"
    opened = pickle.loads(
        pickle.dumps(CircuitBreakerOpenError("api", 1.0, NetworkException("why")), protocol)
    )
    assert str(opened.cause) == "why"
    assert opened.__cause__ is opened.cause


def test_what_cannot_be_pickled_becomes_text() -> None:
    class LocalError(Exception):
        pass

    error = NetworkException("x", lock=threading.Lock(), odd=Unpicklable(), fine=[1])
    error.__cause__ = LocalError("cannot travel")
    twin = pickle.loads(pickle.dumps(error))
    assert (twin.context["odd"], twin.context["fine"]) == ("unpicklable", [1])
    assert "lock" in twin.context["lock"]
    assert repr(twin.__cause__) == "RuntimeError('LocalError: cannot travel')"
    opened = pickle.loads(pickle.dumps(CircuitBreakerOpenError("api", 1.0, LocalError("cannot travel"))))
    assert repr(opened.cause) == repr(opened.__cause__) == "RuntimeError('LocalError: cannot travel')"


def test_errors_in_each_others_context_are_pickled_and_copied() -> None:
    error = TradingException("outer")
    error.context["inner"] = TradingException("inner", outer=error)
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert twin.context["inner"].context["outer"] is twin


def test_a_copy_shares_what_hangs_on_and_a_deep_copy_only_what_cannot_be_copied() -> None:
    lock, items, cause = threading.Lock(), [1], ValueError("why")
    error = CircuitBreakerOpenError("api", 1.0, cause, lock=lock, items=items, odd=Unpicklable())
    shallow, deep = copy.copy(error), copy.deepcopy(error)
    assert shallow.context["items"] is items
    assert deep.context["items"] == items
    assert deep.context["items"] is not items
    assert deep.context["lock"] is lock
    assert deep.cause is deep.__cause__ is cause


def test_what_is_shared_inside_an_error_is_shared_inside_its_deep_copy() -> None:
    items = [1]
    error = RecoveryException("x", last_result=items, items=items)
    deep = copy.deepcopy(error)
    assert deep.context["items"] is deep.last_result
    assert deep.last_result is not items


def test_a_copy_keeps_traceback_and_cause() -> None:
    with pytest.raises(NetworkException) as caught:
        raise NetworkException("x") from ValueError("why")
    for twin in (copy.copy(caught.value), copy.deepcopy(caught.value)):
        assert twin.__traceback__ is caught.value.__traceback__
        assert twin.__cause__ is caught.value.__cause__
        assert twin.__suppress_context__


def test_an_open_circuit_says_its_name_the_wait_and_the_cause() -> None:
    cause = NetworkException("no route, apiKey=abc")
    error = CircuitBreakerOpenError("api", 12.34, cause)
    assert (error.name, error.retry_after, error.cause, error.__cause__) == ("api", 12.34, cause, cause)
    assert (error.context["circuit"], error.context["retry_after"]) == ("api", 12.34)
    assert (
        str(error)
        == "Circuit 'api' is open; retry in 12.3 s (last failure: NetworkException: no route, apiKey=***)"
    )
    assert str(CircuitBreakerOpenError("api")) == "Circuit 'api' is open; retry in 0.0 s"
    assert str(CircuitBreakerOpenError("api", message="closed for tests")) == "closed for tests"


@pytest.mark.parametrize("junk", [-1.0, float("nan"), float("inf"), None, "soon"])
def test_the_wait_is_never_negative_or_junk(junk: Any) -> None:
    assert CircuitBreakerOpenError("api", junk).retry_after == 0.0
    assert CircuitBreakerOpenError("api", 0.25).retry_after == 0.25


def test_a_timeout_says_that_the_call_may_still_be_running() -> None:
    assert (
        str(CallTimeoutError(timeout=2.5)) == "The call took longer than 2.5 s; the call may still be running"
    )
    assert str(CallTimeoutError()) == "The call timed out; the call may still be running"
    assert str(CallTimeoutError("fetch: it may still be running")) == "fetch: it may still be running"
    assert str(CallTimeoutError("fetch", still_running=False)) == "fetch"
    assert str(CallTimeoutError(ValueError("odd"))) == "ValueError: odd; the call may still be running"
    assert CallTimeoutError(timeout=2.5, url="u").context["timeout"] == 2.5
    assert CallTimeoutError(timeout=2.5, url="u").context["url"] == "u"
    assert not CallTimeoutError("fetch", still_running=False).still_running


def test_a_recovery_error_keeps_the_last_result() -> None:
    assert RecoveryException("x", last_result={"status": "partial"}).last_result == {"status": "partial"}
    assert RecoveryException("x").last_result is None
    assert str(RecoveryException()) == ""


def test_a_subclass_sets_its_defaults_as_class_attributes() -> None:
    class MarginCall(BrokerException):
        error_code = "MARGIN_CALL"
        severity = "CRITICAL"
        default_component = "margin"
        context_keys = ("level",)

    error = MarginCall("x")
    assert (error.error_code, error.severity) == ("MARGIN_CALL", "CRITICAL")
    assert error.context == {"level": None, "component": "margin"}
