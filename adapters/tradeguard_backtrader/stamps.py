# SPDX-License-Identifier: GPL-3.0-or-later
"""Time stamps: epoch milliseconds here, naive UTC and day numbers there."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import backtrader as bt

__all__ = ["epoch_ms", "utc_datetime"]

_EPOCH = datetime(1970, 1, 1)


def utc_datetime(stamp_ms: int) -> datetime:
    """Return epoch milliseconds as a naive datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=stamp_ms)


def epoch_ms(number: float) -> int | None:
    """Return Backtrader's day `number` as epoch milliseconds; None where it is infinite."""
    if math.isinf(number):
        return None
    moment: datetime = bt.num2date(number)
    # A day number is good to some ten microseconds.
    return round((moment - _EPOCH).total_seconds() * 1000)
