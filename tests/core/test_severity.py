"""Severities are ordered by gravity, not by their letters."""

from __future__ import annotations

import json
import operator
from typing import Any

import pytest

from tradeguard.error_monitor import ErrorSeverity

ORDER = [ErrorSeverity.INFO, ErrorSeverity.WARNING, ErrorSeverity.ERROR, ErrorSeverity.CRITICAL]


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq])
@pytest.mark.parametrize("left", ORDER)
@pytest.mark.parametrize("right", ORDER)
def test_severities_compare_as_their_ranks_do(
    compare: Any, left: ErrorSeverity, right: ErrorSeverity
) -> None:
    ranks = compare(ORDER.index(left), ORDER.index(right))
    assert compare(left, right) == ranks
    assert compare(left, right.value) == ranks
    assert compare(left.value, right) == ranks


def test_sorting_and_the_gravest_follow_the_order() -> None:
    assert sorted(ErrorSeverity(name) for name in ("ERROR", "INFO", "CRITICAL", "WARNING")) == ORDER
    assert max(ErrorSeverity.CRITICAL, ErrorSeverity.INFO) is ErrorSeverity.CRITICAL


@pytest.mark.parametrize("name", ["error", "ERROR", " Error "])
def test_a_name_in_any_case_makes_a_severity(name: str) -> None:
    assert ErrorSeverity(name) is ErrorSeverity.ERROR
    assert not operator.ge(ErrorSeverity.WARNING, name)
    assert operator.lt(ErrorSeverity.WARNING, name)


@pytest.mark.parametrize("name", ["loud", "", 3, None])
def test_anything_else_makes_none(name: Any) -> None:
    with pytest.raises(ValueError, match="not a valid ErrorSeverity"):
        ErrorSeverity(name)


def test_comparing_with_another_text_is_an_error() -> None:
    with pytest.raises(ValueError, match="loud"):
        _ = ErrorSeverity.ERROR < "loud"


def test_a_severity_is_its_name_as_text() -> None:
    assert {"ERROR": 1}[ErrorSeverity.ERROR] == 1
    assert f"{ErrorSeverity.ERROR}" == "ERROR"
    assert json.dumps(ErrorSeverity.ERROR) == '"ERROR"'
