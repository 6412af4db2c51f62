# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store may be told; every default suits a bot on a real exchange."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from tradeguard.exceptions import ConfigurationException

__all__ = ["StoreConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """Settings of a `GuardedStore`; all times are seconds.

    Attributes:
        patience: how long an exchange may keep silent before its data is flagged as late, > 0.
        start_patience: how long `cerebro.run()` waits for the first candles before its loop begins, >= 0.
        stop_patience: how long the end of a run waits for orders that are on their way, >= 0.
        max_poll_pause: the longest pause between two looks at the candles, however long a candle is, > 0.
        retry_pause: the first pause after a failed look; it doubles with each further failure, > 0.
        max_retry_pause: the longest of these pauses, >= `retry_pause`.
        time_sync: how often the exchange is asked for its time, > 0.
        refetches: how often a missing or malformed candle is asked for again before it is a gap, >= 0.
        refetch_pause: the pause before each of these, >= 0.
        stream_grace: how long after its close a candle is waited for on the stream before it is asked for, >= 0.
        trade_poll: the pause between two looks at the public trades, for a feed of ticks, > 0.
        order_poll: how often an open order is looked at, > 0.
        interlock_poll: how often it is looked at whether somebody has halted trading from outside, > 0.
        balance_refresh: how often cash and positions are refreshed, > 0.

    Raises:
        ConfigurationException: a value is out of its bounds.
    """

    patience: float = 10.0
    start_patience: float = 10.0
    stop_patience: float = 10.0
    max_poll_pause: float = 60.0
    retry_pause: float = 0.5
    max_retry_pause: float = 5.0
    time_sync: float = 600.0
    refetches: int = 2
    refetch_pause: float = 0.5
    stream_grace: float = 0.5
    trade_poll: float = 1.0
    order_poll: float = 1.0
    interlock_poll: float = 5.0
    balance_refresh: float = 15.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value < 0:
                raise _refused(field.name, value, "a finite number of at least 0")
            if field.name not in _MAY_BE_ZERO and value == 0:
                raise _refused(field.name, value, "greater than 0")
        if not isinstance(self.refetches, int):
            raise _refused("refetches", self.refetches, "a whole number")
        if self.max_retry_pause < self.retry_pause:
            raise _refused(
                "max_retry_pause", self.max_retry_pause, f"at least retry_pause={self.retry_pause}"
            )


_MAY_BE_ZERO = frozenset({"start_patience", "stop_patience", "refetches", "refetch_pause", "stream_grace"})


def _refused(name: str, value: object, bound: str) -> ConfigurationException:
    return ConfigurationException(
        f"StoreConfig.{name} must be {bound}, not {value!r}", component="tradeguard_backtrader", field=name
    )
