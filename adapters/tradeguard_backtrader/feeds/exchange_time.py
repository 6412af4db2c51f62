# SPDX-License-Identifier: GPL-3.0-or-later
"""What time it is at the exchange, at least."""

from __future__ import annotations

from tradeguard.clock import Clock

__all__ = ["ExchangeTime"]


class ExchangeTime:
    """A lower bound of the exchange's own time.

    The server stamped its answer before it arrived, so its time less our own after the arrival is never too
    much. Our own time is the monotonic one: a machine whose wall clock jumps, or that was asleep, does not
    take an open candle for a closed one.

    Args:
        clock: what `monotonic()` is taken from.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._offset_ms: float | None = None
        self._observed_at: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether the exchange has told its time yet."""
        return self._offset_ms is not None

    def is_due(self, interval: float) -> bool:
        """Whether the last observation is `interval` seconds old, or is to be doubted."""
        return self._observed_at is None or self.clock.monotonic() - self._observed_at >= interval

    def doubt(self) -> None:
        """Have the time observed again: the exchange may have been restarted, or this machine asleep."""
        self._observed_at = None

    def observe(self, server_ms: float) -> None:
        """Take in the server's time in epoch milliseconds; to be called when the answer has arrived."""
        self._observed_at = self.clock.monotonic()
        self._offset_ms = server_ms - self._observed_at * 1000

    def at_least_ms(self, monotonic: float | None = None) -> int:
        """Return the exchange's time in epoch milliseconds, or less, at `monotonic` seconds (now).

        Raises:
            LookupError: the exchange has not told its time yet.
        """
        if self._offset_ms is None:
            raise LookupError("the exchange has not told its time yet")
        moment = self.clock.monotonic() if monotonic is None else monotonic
        return int(moment * 1000 + self._offset_ms)
