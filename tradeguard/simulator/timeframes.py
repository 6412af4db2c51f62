"""Timeframes: how long a candle of each kind lasts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tradeguard.exceptions import ConfigurationException

__all__ = ["TIMEFRAMES_MS", "timeframe_ms"]

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE

TIMEFRAMES_MS: Mapping[str, int] = MappingProxyType(
    {
        "1s": _SECOND,
        "1m": _MINUTE,
        "3m": 3 * _MINUTE,
        "5m": 5 * _MINUTE,
        "15m": 15 * _MINUTE,
        "30m": 30 * _MINUTE,
        "1h": _HOUR,
        "2h": 2 * _HOUR,
        "4h": 4 * _HOUR,
        "6h": 6 * _HOUR,
        "8h": 8 * _HOUR,
        "12h": 12 * _HOUR,
        "1d": 24 * _HOUR,
    }
)
"""Milliseconds of each supported timeframe; every one of them starts at a multiple of itself since the epoch."""


def timeframe_ms(timeframe: str) -> int:
    """Return the length of `timeframe` in milliseconds.

    Raises:
        ConfigurationException: the timeframe is not one of `TIMEFRAMES_MS`.
    """
    try:
        return TIMEFRAMES_MS[timeframe]
    except (KeyError, TypeError):
        known = ", ".join(TIMEFRAMES_MS)
        message = f"timeframe: {timeframe!r} is not one of {known}"
        raise ConfigurationException(message, component="simulator") from None
