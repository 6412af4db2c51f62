"""Expiries: how long an exchange may still accept an order that was sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Carrier", "Expiry"]


class Carrier(StrEnum):
    """What of the request bounds its validity."""

    PARAM = "a param with a number of milliseconds"
    DEADLINE = "a param with a moment, RFC 3339"
    OPTION = "an option of ccxt with a number of milliseconds"
    STAMP = "the signed timestamp itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """How long one exchange may still accept an order, from the moment of its signing.

    Attributes:
        carrier: what of the request bounds it.
        name: of the param or option; for a stamp, where it is.
        seconds: the bound; where it is ours to choose, what we choose if the caller names none.
        slack: seconds that the order may take beyond it to reach the book, its clock's error included.
        asks_clock: whether the exchange takes a stamp that lies far in its future, so that our clock alone cannot say
            that the bound is over: the exchange's own must.
    """

    carrier: Carrier
    name: str
    seconds: float
    slack: float
    asks_clock: bool = True
