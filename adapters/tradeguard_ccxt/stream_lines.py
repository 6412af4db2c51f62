"""What a stream has delivered so far, and what of a new result, or of a REST read, is still to be delivered.

These decisions have no I/O and no clock: they are given what the socket and the REST interface told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

__all__ = ["Mended", "Sifted", "StreamLine"]


class Sifted(NamedTuple):
    """A result of a socket.

    Attributes:
        fresh: what of it was not delivered yet, in order.
        suspect: something before it seems to be missing.
    """

    fresh: list[Any]
    suspect: bool


class Mended(NamedTuple):
    """A result that was completed by what REST tells.

    Attributes:
        fresh: what is to be delivered, in order.
        healed: how many of these the socket never told.
        whole: whether nothing is missing between what was delivered before and the newest.
    """

    fresh: list[Any]
    healed: int
    whole: bool


class StreamLine(Protocol):
    """The line of one symbol's trades, candles or orders."""

    @property
    def since_ms(self) -> int | None:
        """From when on REST must be read to complete the line, in epoch milliseconds; None while it is empty."""
        ...

    def sift(self, items: Sequence[Any]) -> Sifted:
        """Return what is new in a result of the socket; nothing counts as delivered by that."""
        ...

    def deliver(self, items: Sequence[Any]) -> None:
        """Take note that `items` are delivered."""
        ...

    def mend(self, read: Sequence[Any], live: Sequence[Any]) -> Mended:
        """Return `live` completed by what REST told, which thereby is delivered."""
        ...

    def complete(self, items: Sequence[Any]) -> list[Any]:
        """Return a socket's whole cache with the healed ones in their places, for callers that want it whole."""
        ...
