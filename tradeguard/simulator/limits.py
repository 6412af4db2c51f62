"""Request weights: a budget a minute and address, 429 beyond it, and a ban for those who go on.

Source: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Refusal", "WeightLimiter"]

_MINUTE_MS = 60_000
_FIRST_BAN_MS = 120_000
_LONGEST_BAN_MS = 3 * 86_400_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not even looked at.

    Attributes:
        banned: 418 rather than 429.
        until_ms: epoch milliseconds from which on requests are served again.
    """

    banned: bool
    until_ms: int


@dataclass(slots=True)
class _Address:
    minute: int = -1
    used: int = 0
    refused: int = 0
    bans: int = 0
    banned_until_ms: int = 0


class WeightLimiter:
    """Counts request weight by address and clock minute.

    Args:
        limit: weight a minute and address; None for no limit.
        patience: refused requests within one minute that lead to a ban; the first ban lasts two minutes, each
            further one twice as long, at most three days.
    """

    def __init__(self, limit: int | None = 6000, patience: int = 20) -> None:
        self.limit = limit
        self._patience = patience
        self._addresses: dict[str, _Address] = {}

    def admit(self, address: str, weight: int, now_ms: int) -> Refusal | None:
        """Count a request; return why it is refused, or None."""
        state = self._state(address, now_ms)
        if now_ms < state.banned_until_ms:
            return Refusal(True, state.banned_until_ms)
        state.used += weight
        if self.limit is None or state.used <= self.limit:
            return None
        state.refused += 1
        if state.refused > self._patience:
            length = min(_FIRST_BAN_MS * 2**state.bans, _LONGEST_BAN_MS)
            state.bans += 1
            state.banned_until_ms = now_ms + length
            return Refusal(True, state.banned_until_ms)
        return Refusal(False, (state.minute + 1) * _MINUTE_MS)

    def ban(self, address: str, until_ms: int, now_ms: int) -> None:
        """Refuse everything from `address` until then."""
        self._state(address, now_ms).banned_until_ms = until_ms

    def used(self, address: str, now_ms: int) -> int:
        """Return the weight used in the present minute."""
        return self._state(address, now_ms).used

    def _state(self, address: str, now_ms: int) -> _Address:
        state = self._addresses.setdefault(address, _Address())
        minute = now_ms // _MINUTE_MS
        if minute != state.minute:
            state.minute, state.used, state.refused = minute, 0, 0
        return state
