"""Candles that the exchange itself calls closed, told as they come in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tradeguard_ccxt.facts.candle_flags import CANDLE_FLAGS

__all__ = ["ClosedCandleListener", "ClosedCandles"]

ClosedCandleListener = Callable[[str, str, list[Any]], None]
"""Takes a candle's symbol, its timeframe, and its row as ccxt's OHLCV: open time in ms, o, h, l, c, volume."""

_OPEN = 0
_PARTS = 3  # of what ccxt makes of a message of candles: symbol, timeframe, its cache


class ClosedCandles:
    """Finds them in what the sockets hear.

    Args:
        exchange_id: returns the exchange's id; one that is not known to flag its candles tells nothing.
    """

    def __init__(self, exchange_id: Callable[[], str]) -> None:
        self._exchange_id = exchange_id
        self._listeners: list[ClosedCandleListener] = []

    def listen(self, listener: ClosedCandleListener) -> Callable[[], None]:
        """Have `listener` told each of them, on the event loop's thread; returns what ends it."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def look(self, message: Any, result: Any) -> None:
        """Tell what of `result`, which ccxt made of `message`, is closed by the exchange's own word."""
        flags = CANDLE_FLAGS.get(self._exchange_id()) if self._listeners else None
        if flags is None or not isinstance(message, Mapping) or not _is_of_candles(result):
            return
        symbol, timeframe, rows = result
        closed = set(flags(message))
        for row in reversed(rows) if closed else ():
            if row[_OPEN] in closed:
                for listener in list(self._listeners):
                    listener(symbol, timeframe, list(row))  # ccxt changes its own one in place
            elif row[_OPEN] < min(closed):
                return


def _is_of_candles(result: Any) -> bool:
    return (
        isinstance(result, list)
        and len(result) == _PARTS
        and isinstance(result[0], str)
        and isinstance(result[1], str)
    )
