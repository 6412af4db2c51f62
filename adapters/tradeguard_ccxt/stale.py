"""Results from the cache: equal to the original, and unmistakably not live."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

__all__ = ["StaleDict", "StaleList", "StaleResult", "as_stale"]


class StaleResult:
    """What every result from the cache says of itself.

    Attributes:
        is_stale: always True; a live result has no such attribute.
        age: seconds since it was live.
        cached_at: aware UTC, when it was live.
    """

    is_stale = True
    age: float
    cached_at: datetime


class StaleDict(dict[Any, Any], StaleResult):
    """A cached dictionary, such as a ticker."""


class StaleList(list[Any], StaleResult):
    """A cached list, such as candles."""


def as_stale(value: object, age: float, cached_at: float) -> StaleDict | StaleList | None:
    """Return `value` as a result that says it is stale; None for what cannot carry that mark.

    Args:
        value: a result, owned by the caller of this function.
        age: seconds since it was live.
        cached_at: epoch seconds at which it was live.
    """
    stale: StaleDict | StaleList
    if isinstance(value, dict):
        stale = StaleDict(value)
    elif isinstance(value, list):
        stale = StaleList(value)
    else:
        return None
    stale.age = age
    stale.cached_at = datetime.fromtimestamp(cached_at, UTC)
    return stale
