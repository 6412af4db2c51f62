"""CircuitBreakerConfig: what it accepts, and how long a circuit stays open."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.circuit_breaker import CircuitBreakerConfig, CircuitBreakerState
from tradeguard.exceptions import ConfigurationException


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            (field, value)
            for field in ("failure_threshold", "success_threshold")
            for value in (0, 1.5, True, None)
        ),
        *((field, value) for field in ("minimum_calls", "half_open_max_calls") for value in (0, "1")),
        ("recovery_timeout", -1),
        ("recovery_timeout", float("nan")),
        ("timeout", 0),
        ("timeout", float("inf")),
        ("on_state_change", "print"),
        *(("failure_rate_threshold", value) for value in (0, 1.01, 50, True)),
        ("slow_call_duration", 0),
        ("window_calls", 0),
        ("window_seconds", 0),
        ("ignore_exceptions", [KeyError]),
        ("record_exceptions", KeyboardInterrupt),
        ("half_open_timeout", 0),
        ("recovery_backoff_factor", 0.5),
        ("max_recovery_timeout", -1),
        ("monitor_only", 1),
    ],
)
def test_a_bad_value_is_named_at_construction(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationException, match=f"^{field} must be .*, got "):
        CircuitBreakerConfig(**{field: value})


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert CircuitBreakerConfig() == CircuitBreakerConfig(
        failure_threshold=5,
        recovery_timeout=30.0,
        success_threshold=2,
        timeout=None,
        on_state_change=None,
        failure_rate_threshold=None,
        slow_call_duration=None,
        slow_call_rate_threshold=None,
        window_calls=None,
        window_seconds=None,
        minimum_calls=10,
        ignore_exceptions=(),
        record_exceptions=(Exception,),
        half_open_max_calls=1,
        half_open_timeout=60.0,
        recovery_backoff_factor=1.0,
        max_recovery_timeout=600.0,
        monitor_only=False,
    )


def test_values_at_or_close_to_their_bounds_are_accepted() -> None:
    config = CircuitBreakerConfig(
        failure_threshold=1,
        recovery_timeout=0,
        success_threshold=1,
        timeout=0.001,
        failure_rate_threshold=0.001,
        slow_call_duration=0.001,
        slow_call_rate_threshold=1,
        window_seconds=0.001,
        minimum_calls=1,
        half_open_max_calls=1,
        half_open_timeout=0.001,
        recovery_backoff_factor=1,
        max_recovery_timeout=0,
    )
    assert config.open_seconds(0) == 0.0


def test_a_slow_call_rate_needs_to_know_what_is_slow() -> None:
    with pytest.raises(ConfigurationException, match="slow_call_duration must be set"):
        CircuitBreakerConfig(slow_call_rate_threshold=0.5)
    with pytest.raises(ConfigurationException, match="slow_call_rate_threshold must be"):
        CircuitBreakerConfig(slow_call_rate_threshold=2, slow_call_duration=1.0)


def test_a_rate_is_over_calls_or_over_time_and_over_a_hundred_calls_by_default() -> None:
    assert CircuitBreakerConfig(failure_rate_threshold=0.5).window_calls == 100
    assert CircuitBreakerConfig(failure_rate_threshold=0.5, window_seconds=10).window_calls is None
    assert CircuitBreakerConfig().window_calls is None
    with pytest.raises(ConfigurationException, match="window_seconds must be None where window_calls is 5"):
        CircuitBreakerConfig(failure_rate_threshold=0.5, window_calls=5, window_seconds=10)


def test_the_longest_open_period_is_bounded_below_only_where_periods_grow() -> None:
    assert CircuitBreakerConfig(recovery_timeout=3600).open_seconds(9) == 3600.0
    with pytest.raises(ConfigurationException, match="max_recovery_timeout must be a finite number >= 3600"):
        CircuitBreakerConfig(recovery_timeout=3600, recovery_backoff_factor=2)


def test_open_periods_grow_by_the_factor_up_to_the_cap() -> None:
    config = CircuitBreakerConfig(recovery_timeout=10, recovery_backoff_factor=3, max_recovery_timeout=100)

    assert [config.open_seconds(failed) for failed in range(4)] == [10.0, 30.0, 90.0, 100.0]


@given(
    st.floats(min_value=0, max_value=500), st.floats(min_value=1, max_value=1e300), st.integers(0, 100_000)
)
def test_no_open_period_is_shorter_than_the_first_or_longer_than_the_cap(
    recovery: float, factor: float, failed: int
) -> None:
    config = CircuitBreakerConfig(recovery_timeout=recovery, recovery_backoff_factor=factor)

    assert recovery <= config.open_seconds(failed) <= 600.0


def test_exceptions_come_as_one_class_or_as_a_tuple() -> None:
    config = CircuitBreakerConfig(ignore_exceptions=KeyError, record_exceptions=(OSError,))

    assert (config.ignore_exceptions, config.record_exceptions) == ((KeyError,), (OSError,))


def test_it_is_a_value_that_cannot_be_changed() -> None:
    config = CircuitBreakerConfig()

    assert config == CircuitBreakerConfig()
    assert hash(config) == hash(CircuitBreakerConfig())
    assert not hasattr(config, "__dict__")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.failure_threshold = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        CircuitBreakerConfig(5)  # type: ignore[misc]


def test_states_are_known_by_their_text() -> None:
    assert [str(state) for state in CircuitBreakerState] == ["closed", "open", "half_open"]
