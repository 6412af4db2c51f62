# SPDX-License-Identifier: GPL-3.0-or-later
"""Backfill: the bars of another feed, such as a file, that come before the exchange's own."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

from tradeguard.exceptions import ConfigurationException, DataFeedException
from tradeguard_backtrader.stamps import epoch_ms

__all__ = ["Backfill"]

_COMPONENT = "tradeguard_backtrader"


class Backfill:
    """All bars of a feed, read at once, to be taken one by one.

    What they are is decided before the exchange is asked for what comes after them, so that nothing overlaps and
    nothing is missing in between. A bar that is not later than the one before it is left out and counted.

    Args:
        source: a Backtrader feed that is no part of the run itself and is not live.
        env: the Cerebro of the run.
        close_ms: returns the stamp of a bar, its close, of the stamp that `source` gives; epoch milliseconds.

    Attributes:
        last_ms: the stamp of the last bar; None where there are none.
        dropped: how many bars were left out.

    Raises:
        ConfigurationException: `source` is live, which has no end.
        DataFeedException: it failed, or stopped before its end.
    """

    def __init__(self, source: Any, env: Any, close_ms: Callable[[int], int]) -> None:
        if source.islive():
            raise ConfigurationException(
                "backfill_from must be a feed that ends, not a live one", component=_COMPONENT
            )
        self.last_ms: int | None = None
        self.dropped = 0
        self._stamps = array("q")
        self._values = array("d")  # six a bar: open, high, low, close, volume, open interest
        self._taken = 0
        source.setenvironment(env)
        source.reset()  # from its beginning, in a second run too
        try:
            source._start()
            while loaded := source.next():
                self._keep(source, close_ms)
        finally:
            source.stop()
        if loaded is None:
            raise DataFeedException(
                "backfill_from has stopped before its end: it said that nothing was there yet",
                component=_COMPONENT,
            )

    def __bool__(self) -> bool:
        return self._taken < len(self._stamps)

    def __len__(self) -> int:
        return len(self._stamps) - self._taken

    @property
    def next_ms(self) -> int:
        """The stamp of the next bar, epoch milliseconds."""
        return self._stamps[self._taken]

    def take(self) -> tuple[int, tuple[float, ...]]:
        """Return the next bar: its stamp in epoch milliseconds and its six values."""
        number = self._taken
        self._taken += 1
        return self._stamps[number], tuple(self._values[number * 6 : number * 6 + 6])

    def _keep(self, source: Any, close_ms: Callable[[int], int]) -> None:
        stated = epoch_ms(source.lines.datetime[0])
        stamp_ms = 0 if stated is None else close_ms(stated)
        if self.last_ms is not None and stamp_ms <= self.last_ms:
            self.dropped += 1
            return
        self.last_ms = stamp_ms
        self._stamps.append(stamp_ms)
        lines = source.lines
        self._values.extend(
            (
                lines.open[0],
                lines.high[0],
                lines.low[0],
                lines.close[0],
                lines.volume[0],
                lines.openinterest[0],
            )
        )
