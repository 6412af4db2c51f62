# SPDX-License-Identifier: GPL-3.0-or-later
"""The sequence of candles or trades that a plan asks for, from its beginning."""

from __future__ import annotations

import math

from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.feeds.candle_sequence import CandleSequence
from tradeguard_backtrader.feeds.poll_plan import PollPlan
from tradeguard_backtrader.feeds.trade_sequence import TradeSequence

__all__ = ["sequence_of"]


def sequence_of(
    plan: PollPlan, config: StoreConfig, now_ms: int, *, page: int, is_streamed: bool
) -> CandleSequence | TradeSequence:
    """Return the sequence of a plan, of which nothing is told yet.

    Args:
        plan: which candles are wanted.
        config: how often to ask again, and how often by REST though there is a stream.
        now_ms: the exchange's time, epoch milliseconds.
        page: how many candles or trades come with one page.
        is_streamed: whether there is a stream: corrections are then looked for every `time_sync` seconds, of all
            candles since.
    """
    if plan.timeframe is None:
        return TradeSequence(plan.from_ms, history=plan.history, page=page, refetches=config.refetches)
    length_ms = plan.timeframe.duration_ms
    start_ms = now_ms - (plan.history + 1) * length_ms + 1
    if plan.from_ms is not None:
        start_ms = plan.from_ms - length_ms
    remembered = math.ceil(config.time_sync * 1000 / length_ms) if is_streamed and plan.recheck else 0
    return CandleSequence(
        plan.timeframe,
        start_ms,
        page=page,
        refetches=config.refetches,
        recheck=plan.recheck,
        remembered=remembered,
    )
