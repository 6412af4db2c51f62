"""Checks of settings: a bad value fails at construction, naming the field, the value and the bound."""

from __future__ import annotations

import math
from typing import Any, NoReturn

from tradeguard.exceptions import ConfigurationException

__all__ = ["refuse", "require_callable", "require_flag", "require_int", "require_number", "require_types"]


def refuse(field: str, value: object, bound: str) -> NoReturn:
    """Raise the error that every bad setting ends in.

    Args:
        field: the setting's name.
        value: what was given.
        bound: what it must be, to follow "must be".

    Raises:
        ConfigurationException: always.
    """
    raise ConfigurationException(f"{field} must be {bound}, got {value!r}", field=field, bound=bound)


def require_number(
    field: str,
    value: Any,
    *,
    minimum: float,
    maximum: float = math.inf,
    exclusive: bool = False,
    optional: bool = False,
) -> None:
    """Check for a finite int or float from `minimum` (itself excluded if `exclusive`) to `maximum`.

    Raises:
        ConfigurationException: if it is anything else; a bool is no number, None passes if `optional`.
    """
    if value is None and optional:
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and -math.inf < value < math.inf
    if number and (minimum < value if exclusive else minimum <= value) and value <= maximum:
        return
    bound = f"a finite number {'>' if exclusive else '>='} {minimum:g}"
    if maximum < math.inf:
        bound = f"{bound} and <= {maximum:g}"
    refuse(field, value, f"{bound} or None" if optional else bound)


def require_int(field: str, value: Any, *, minimum: int, optional: bool = False) -> None:
    """Check for an int of at least `minimum`.

    Raises:
        ConfigurationException: if it is anything else; a bool is no int, None passes if `optional`.
    """
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        refuse(field, value, f"an int >= {minimum}{' or None' if optional else ''}")


def require_flag(field: str, value: Any) -> None:
    """Check for True or False.

    Raises:
        ConfigurationException: if it is anything else.
    """
    if not isinstance(value, bool):
        refuse(field, value, "True or False")


def require_callable(field: str, value: Any) -> None:
    """Check for a callable or None.

    Raises:
        ConfigurationException: if it is anything else.
    """
    if value is not None and not callable(value):
        refuse(field, value, "callable or None")


def require_types(field: str, value: Any) -> tuple[type[Exception], ...]:
    """Return `value`, one class or a tuple of classes as `except` takes them, as a tuple.

    Raises:
        ConfigurationException: if it is anything else, or a class is no Exception: what stops a program or a
            task (KeyboardInterrupt, CancelledError) is never handled as a failure.
    """
    kinds: Any = (value,) if isinstance(value, type) else value
    if not isinstance(kinds, tuple) or not all(
        isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds
    ):
        refuse(field, value, "a subclass of Exception or a tuple of them")
    return kinds
