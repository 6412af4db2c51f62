"""Values as JSON can hold them: the form in which an error, an alert or a record leaves the process."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any, TypeGuard

from tradeguard.redaction import MASK, is_secret_name, redact

__all__ = ["text_of", "to_jsonable", "utc_text"]

_AS_THEY_ARE = frozenset({bool, int})
_SETS: tuple[type, ...] = (set, frozenset)
_CONTAINERS: tuple[type, ...] = (Mapping, list, tuple, *_SETS)
_DEEPEST = 32
_LONGEST_REPR = 2_000


def utc_text(moment: datetime | float) -> str:
    """Return an aware datetime, or seconds since the epoch, as `2024-01-01T12:00:00Z`, to the second."""
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text_of(value: Any) -> str:
    """Return the text of any object, however ill-behaved, cut after 2,000 characters; never raises."""
    try:
        text = f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)
    except Exception as error:  # noqa: BLE001 - `__str__` is the caller's code and may raise anything
        return f"<unprintable {type(value).__name__}: {type(error).__name__}>"
    return text if len(text) <= _LONGEST_REPR else f"{text[:_LONGEST_REPR]}…"


def to_jsonable(value: Any) -> Any:
    """Return `value` as `json.dumps` takes it, with secrets masked; never raises, never changes `value`.

    Numbers that JSON lacks become `"NaN"`, `"Infinity"` and `"-Infinity"`; aware datetimes ISO text in UTC,
    naive ones ISO text; durations seconds; bytes text; enums their value; exceptions `Type: message`;
    mappings dictionaries with text keys; sequences and sets lists; anything else its `str`, cut after 2,000
    characters. A circular reference becomes `"<circular>"`.
    """
    return _convert(value, ())


def _convert(value: Any, path: tuple[int, ...]) -> Any:
    if value is None or value.__class__ in _AS_THEY_ARE:
        return value
    if isinstance(value, Enum):
        return _convert(value.value, path)
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, _CONTAINERS):
        return _container(value, path)
    return _scalar(value)


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _container(value: Any, path: tuple[int, ...]) -> Any:
    if id(value) in path:
        return "<circular>"
    if len(path) >= _DEEPEST:
        return "<nested too deeply>"
    path = (*path, id(value))
    try:
        if _is_mapping(value):
            pairs = [(key if type(key) is str else text_of(key), item) for key, item in value.items()]
            return {
                key: MASK if is_secret_name(key) and item not in (None, "") else _convert(item, path)
                for key, item in pairs
            }
        items: list[Any] = [_convert(item, path) for item in value]
        # The order of a set is an accident; sorted text makes equal errors equal when stored.
        return sorted(items, key=str) if isinstance(value, _SETS) else items
    except Exception as error:  # noqa: BLE001 - a container of the caller's own class may raise anything
        return f"<unreadable {type(value).__name__}: {type(error).__name__}>"


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _scalar(value: Any) -> Any:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray)):
        return redact(value.decode("utf-8", "replace"))
    return redact(str.__str__(value) if isinstance(value, str) else text_of(value))
