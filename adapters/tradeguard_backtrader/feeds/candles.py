# SPDX-License-Identifier: GPL-3.0-or-later
"""Candles, what may stand in their place, and what one page of them brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Batch", "Candle", "Correction", "Gap", "GapReason"]


@dataclass(frozen=True, slots=True)
class Candle:
    """One closed candle.

    Attributes:
        open_ms: when it opened, epoch milliseconds.
        close_ms: when it closed; the open of the next one.
        open, high, low, close: prices in quote currency, > 0.
        volume: in base currency, >= 0.
    """

    open_ms: int
    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class GapReason(StrEnum):
    """Why there is no candle."""

    MISSING = "missing"  # the exchange has none: nobody traded, or it lost it
    MALFORMED = "malformed"  # it has one that is no candle
    NO_VOLUME = "without a volume, which a bar must have"


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time without candles, from `from_ms` to before `to_ms` (opens, epoch milliseconds)."""

    from_ms: int
    to_ms: int
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Correction:
    """A closed candle that the exchange has changed after it was told."""

    told: Candle
    corrected: Candle


@dataclass(frozen=True, slots=True)
class Batch:
    """What one page brought.

    Attributes:
        items: candles and gaps in the order of time.
        refetch: whether the page had holes and should be asked for once more, after a pause.
        overdue: whether a candle should be there by the exchange's time and was not in the page.
        caught_up: whether every candle that has closed by the exchange's time was seen.
        corrections: candles that were told before and have changed since.
    """

    items: Sequence[Candle | Gap] = ()
    refetch: bool = False
    overdue: bool = False
    caught_up: bool = False
    corrections: Sequence[Correction] = ()
