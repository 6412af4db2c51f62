"""Candles of one symbol and timeframe: none missing, none doubled, none that goes back to what it was before."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from tradeguard_ccxt.stream_lines import Mended, Sifted

__all__ = ["CandleLine"]

_HEALED_KEPT = 1000
_OPEN, _VOLUME = 0, 5


class CandleLine:
    """The candles of one symbol and timeframe.

    A candle is delivered again and again while it grows, by ccxt's custom; once the next one has begun it is final.

    Args:
        timeframe_ms: from one candle's open to the next, in milliseconds.
    """

    def __init__(self, timeframe_ms: int) -> None:
        self._step = timeframe_ms
        self._last: list[Any] | None = None
        self._healed: deque[list[Any]] = deque(maxlen=_HEALED_KEPT)

    @property
    def since_ms(self) -> int | None:
        """The open of the last delivered candle, which may have grown since; None while there is none."""
        return None if self._last is None else int(self._last[_OPEN])

    def sift(self, items: Sequence[Any]) -> Sifted:
        """Return the candles that are new, or have grown."""
        fresh = self._grown(items)
        reach = self._last[_OPEN] if self._last is not None else None
        suspect = False
        for candle in fresh:
            suspect = suspect or (reach is not None and candle[_OPEN] > reach + self._step)
            reach = candle[_OPEN]
        return Sifted(fresh, suspect)

    def deliver(self, items: Sequence[Any]) -> None:
        """Take note that `items` are delivered."""
        if items:
            self._last = list(items[-1])  # ccxt changes its own one in place

    def mend(self, read: Sequence[Any], live: Sequence[Any]) -> Mended:
        """Return `live` completed by the candles that REST told from the last delivered one on."""
        last = self._last
        if last is None:
            first = list(live or read[-1:])
            self.deliver(first)
            return Mended(first, len(first) - len(live), whole=True)
        merged = {candle[_OPEN]: candle for candle in read}
        for candle in live:  # only the newest may be ahead of what REST told
            told = merged.get(candle[_OPEN])
            if told is None or _volume(candle) > _volume(told):
                merged[candle[_OPEN]] = candle
        fresh = self._grown([merged[opened] for opened in sorted(merged)])
        streamed = {candle[_OPEN] for candle in live}
        healed = [candle for candle in fresh if candle[_OPEN] not in streamed]
        whole = not fresh or fresh[0][_OPEN] <= last[_OPEN] + self._step
        whole = whole or any(candle[_OPEN] <= last[_OPEN] for candle in read)
        self.deliver(fresh)
        self._healed.extend(list(candle) for candle in healed)
        return Mended(fresh, len(healed), whole)

    def complete(self, items: Sequence[Any]) -> list[Any]:
        """Return a socket's whole cache with the healed candles in their places."""
        merged = {candle[_OPEN]: candle for candle in self._healed if not items or candle[0] >= items[0][0]}
        for candle in items:
            told = merged.get(candle[_OPEN])
            if told is None or _volume(candle) >= _volume(told):
                merged[candle[_OPEN]] = candle
        return [merged[opened] for opened in sorted(merged)]

    def _grown(self, items: Sequence[Any]) -> list[Any]:
        """Return the candles that say more than what was delivered, in order."""
        latest: dict[int, Any] = {}
        for candle in items:
            known = latest.get(candle[_OPEN], self._last)
            if known is not None and candle[_OPEN] == known[_OPEN]:
                if _volume(candle) < _volume(known) or list(candle) == list(known):
                    continue
            elif self._last is not None and candle[_OPEN] < self._last[_OPEN]:
                continue
            latest[candle[_OPEN]] = candle
        return [latest[opened] for opened in sorted(latest)]


def _volume(candle: Sequence[Any]) -> float:
    return float(candle[_VOLUME] or 0.0) if len(candle) > _VOLUME else 0.0
