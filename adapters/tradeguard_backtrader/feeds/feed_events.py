# SPDX-License-Identifier: GPL-3.0-or-later
"""What the poller tells the feed, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass

from tradeguard_backtrader.feeds.candles import Candle, Correction, Gap

__all__ = [
    "Answered",
    "Broken",
    "CaughtUp",
    "Denied",
    "Ended",
    "Event",
    "Filled",
    "Flat",
    "Quiet",
    "UnknownSymbol",
]


@dataclass(frozen=True, slots=True)
class Answered:
    """The exchange gave a good answer, the first or the first after a failure."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Every candle that has closed was told."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """The exchange answers, and has had no candle since `since_ms` (epoch milliseconds) though one was due."""

    since_ms: int


@dataclass(frozen=True, slots=True)
class Filled:
    """What an outage had cost was told: `bars` candles, from `from_ms` to before `to_ms` (epoch milliseconds)."""

    bars: int
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Flat:
    """The `bars` candles from `from_ms` to before `to_ms` are none of the exchange's: nobody traded, they are flat."""

    bars: int
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The exchange failed to answer."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Denied:
    """The exchange refuses to serve us; the poller has stopped."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class UnknownSymbol:
    """The exchange has no such market; the poller has stopped."""

    symbol: str
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The last candle that was wanted was told; the poller has stopped."""


Event = (
    Answered
    | CaughtUp
    | Quiet
    | Filled
    | Flat
    | Broken
    | Denied
    | UnknownSymbol
    | Ended
    | Candle
    | Gap
    | Correction
)
