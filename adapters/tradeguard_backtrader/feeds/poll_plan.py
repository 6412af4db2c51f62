# SPDX-License-Identifier: GPL-3.0-or-later
"""What a feed wants to have."""

from __future__ import annotations

from dataclasses import dataclass

from tradeguard_backtrader.feeds.timeframes import Timeframe

__all__ = ["PollPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPlan:
    """Which candles are wanted.

    Attributes:
        symbol: unified symbol.
        timeframe: the candles' timeframe; None for public trades, each as a candle of no length.
        from_ms: deliver what closes at or after this time, epoch milliseconds; None for `history` candles.
        to_ms: deliver what closes at or before this time; None for no end.
        history: how many candles to begin with where `from_ms` is None, >= 0.
        historical: end where the history ends.
        page: candles a request; None for as many as the exchange gives.
        recheck: how many of the last candles are looked at again for corrections, >= 0.
        fill_empty: have a flat candle without volume for each one that the exchange does not have.
    """

    symbol: str
    timeframe: Timeframe | None
    from_ms: int | None = None
    to_ms: int | None = None
    history: int = 0
    historical: bool = False
    page: int | None = None
    recheck: int = 0
    fill_empty: bool = False
