"""Results that were read by REST in the place of a stream: live, but not from the socket."""

from __future__ import annotations

from typing import Any

__all__ = ["PolledDict", "PolledList", "PolledResult", "as_polled"]


class PolledResult:
    """What every result says of itself that was read by REST while the socket could not be had.

    Attributes:
        is_polled: always True; a result of the socket has no such attribute.
    """

    is_polled = True


class PolledDict(dict[Any, Any], PolledResult):
    """A dictionary that was read by REST, such as a ticker."""


class PolledList(list[Any], PolledResult):
    """A list that was read by REST, such as trades."""


def as_polled(value: Any) -> Any:
    """Return a live result as one that says it was read by REST; what cannot carry the mark is returned as it is."""
    if isinstance(value, dict):
        return PolledDict(value)
    return PolledList(value) if isinstance(value, list) else value
