"""RetryConfig: what it accepts and what it would retry."""

from __future__ import annotations

import dataclasses
from concurrent.futures import CancelledError
from typing import Any

import pytest

from tradeguard.callables import PlainCallError
from tradeguard.exceptions import (
    CircuitBreakerOpenError,
    ConfigurationException,
    NetworkException,
    ValidationException,
)
from tradeguard.retry_manager import RetryConfig, RetryStrategy


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("max_attempts", value) for value in (0, -1, 2.0, True, "3", None)),
        *(("base_delay", value) for value in (-1, float("nan"), float("inf"), "1")),
        ("max_delay", -1),
        ("strategy", "fixed"),
        ("backoff_factor", 0),
        ("jitter", "lots"),
        *(
            ("retry_on_exceptions", value)
            for value in (int, "OSError", [OSError], (OSError, 3), BaseException)
        ),
        ("retry_on_result", 3),
        ("on_retry", "log"),
        ("on_give_up", ()),
        *(("deadline", value) for value in (0, -1, float("inf"), True)),
        ("attempt_timeout", 0),
        ("budget", 0.1),
    ],
)
def test_a_bad_value_is_named_at_construction(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationException, match=f"^{field} must be .*, got ") as caught:
        RetryConfig(**{field: value})
    assert repr(value) in str(caught.value)


def test_it_is_a_value_that_cannot_be_changed() -> None:
    config = RetryConfig(retry_on_exceptions=OSError, strategy=RetryStrategy.LINEAR)

    assert config == RetryConfig(retry_on_exceptions=(OSError,), strategy=RetryStrategy.LINEAR)
    assert not hasattr(config, "__dict__")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.max_attempts = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        RetryConfig(3)  # type: ignore[misc]


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert RetryConfig() == RetryConfig(
        max_attempts=3,
        base_delay=1.0,
        max_delay=60.0,
        strategy=RetryStrategy.EXPONENTIAL,
        backoff_factor=2.0,
        jitter="none",
        retry_on_exceptions=None,
        retry_on_result=None,
        on_retry=None,
        on_give_up=None,
        deadline=None,
        attempt_timeout=None,
        budget=None,
    )


def test_values_at_or_close_to_their_bounds_are_accepted() -> None:
    config = RetryConfig(
        max_attempts=1, base_delay=0, max_delay=0, backoff_factor=1, deadline=0.001, attempt_timeout=0.001
    )
    assert config.backoff().delay(1) == 0.0


def test_by_default_every_exception_is_retried_but_those_that_stay_as_they_are() -> None:
    config = RetryConfig()

    assert all(config.retries(error) for error in (ValueError(), OSError(), NetworkException("down")))
    assert not any(
        config.retries(error) for error in (ConfigurationException("bad"), ValidationException("bad"))
    )


@pytest.mark.parametrize("wanted", [None, Exception, (Exception,), lambda error: True])
def test_an_open_circuit_a_mistaken_call_and_a_cancelled_one_are_never_retried(wanted: Any) -> None:
    config = RetryConfig(retry_on_exceptions=wanted)

    assert not config.retries(CircuitBreakerOpenError("api"))
    assert not config.retries(PlainCallError("coroutine"))
    assert not config.retries(CancelledError())


def test_a_tuple_means_its_classes_and_an_empty_one_means_none() -> None:
    config = RetryConfig(retry_on_exceptions=(NetworkException, ConnectionError))

    assert config.retries(ConnectionResetError())
    assert not config.retries(ValueError())
    assert not RetryConfig(retry_on_exceptions=()).retries(ValueError())


def test_a_predicate_is_asked_about_the_error() -> None:
    config = RetryConfig(retry_on_exceptions=lambda error: "again" in str(error))

    assert config.retries(ValueError("try again"))
    assert not config.retries(ValueError("never"))


def test_a_predicate_that_fails_means_no_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(error: Exception) -> bool:
        raise RuntimeError("no good")

    assert not RetryConfig(retry_on_exceptions=broken).retries(ValueError())
    assert "retry_on_exceptions failed" in caplog.text
