"""A bad setting fails at construction and says which, what and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tradeguard.bounds import (
    require_callable,
    require_flag,
    require_int,
    require_number,
    require_types,
)
from tradeguard.exceptions import ConfigurationException

NAN = float("nan")
INF = float("inf")


@pytest.mark.parametrize("value", [0, 0.0, 1.5, 10, 10**400])
def test_finite_numbers_from_the_minimum_on_pass(value: float) -> None:
    require_number("delay", value, minimum=0)
    assert value >= 0


@pytest.mark.parametrize("value", [-1, -0.001, NAN, INF, -INF, "1", True, None, [], 1j])
def test_anything_else_is_refused_with_field_value_and_bound(value: Any) -> None:
    with pytest.raises(ConfigurationException) as caught:
        require_number("delay", value, minimum=0)

    text = str(caught.value)
    assert text.startswith("delay must be a finite number >= 0")
    assert repr(value) in text
    assert caught.value.context["field"] == "delay"
    assert caught.value.context["bound"] == "a finite number >= 0"


def test_an_exclusive_minimum_is_refused_itself() -> None:
    require_number("timeout", 0.001, minimum=0, exclusive=True)
    with pytest.raises(ConfigurationException, match="timeout must be a finite number > 0, got 0"):
        require_number("timeout", 0, minimum=0, exclusive=True)


def test_a_maximum_is_allowed_itself_and_nothing_above() -> None:
    require_number("rate", 1.0, minimum=0, maximum=1)
    with pytest.raises(
        ConfigurationException, match=r"rate must be a finite number >= 0 and <= 1, got 1\.01"
    ):
        require_number("rate", 1.01, minimum=0, maximum=1)


@pytest.mark.parametrize("check", [require_number, require_int])
def test_none_passes_where_it_is_optional_only(check: Callable[..., None]) -> None:
    check("deadline", None, minimum=1, optional=True)
    with pytest.raises(ConfigurationException, match=r"deadline must be .* 1, got None"):
        check("deadline", None, minimum=1)
    with pytest.raises(ConfigurationException, match="or None, got 0"):
        check("deadline", 0, minimum=1, optional=True)


@pytest.mark.parametrize("value", [0, 1.0, True, "3", NAN])
def test_an_int_is_an_int_of_the_minimum_at_least(value: Any) -> None:
    require_int("max_attempts", 1, minimum=1)
    with pytest.raises(ConfigurationException, match="max_attempts must be an int >= 1"):
        require_int("max_attempts", value, minimum=1)


@pytest.mark.parametrize("value", [0, 1, None, "True"])
def test_a_flag_is_a_bool_and_nothing_like_one(value: Any) -> None:
    require_flag("monitor_only", False)
    with pytest.raises(ConfigurationException, match="monitor_only must be True or False"):
        require_flag("monitor_only", value)


def test_a_hook_is_callable_or_none() -> None:
    require_callable("on_retry", None)
    require_callable("on_retry", print)
    with pytest.raises(ConfigurationException, match="on_retry must be callable or None, got 3"):
        require_callable("on_retry", 3)


def test_exception_classes_come_as_one_or_as_a_tuple() -> None:
    assert require_types("ignore", KeyError) == (KeyError,)
    assert require_types("ignore", (KeyError, OSError)) == (KeyError, OSError)
    assert require_types("ignore", ()) == ()


@pytest.mark.parametrize(
    "value", [None, [KeyError], "KeyError", (KeyError, 1), int, KeyboardInterrupt, (BaseException,)]
)
def test_what_is_no_exception_class_is_refused_and_so_is_what_stops_a_program(value: Any) -> None:
    with pytest.raises(ConfigurationException, match="ignore must be a subclass of Exception"):
        require_types("ignore", value)
