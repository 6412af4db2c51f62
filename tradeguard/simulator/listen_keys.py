"""Listen keys: passwords for a stream of one account's own events, valid for an hour after each renewal."""

from __future__ import annotations

import hashlib

__all__ = ["ListenKeys"]

_LIFE_MS = 3_600_000


class ListenKeys:
    """The keys that are valid, one an account.

    Args:
        seed: what keys are drawn from.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0
        self._keys: dict[str, tuple[str, int]] = {}

    def of(self, account: str, now_ms: int) -> str:
        """Return the account's key, a new one where it has none, and renew it."""
        for key, (owner, until_ms) in list(self._keys.items()):
            if owner == account and now_ms < until_ms:
                self._keys[key] = (account, now_ms + _LIFE_MS)
                return key
        self._count += 1
        key = hashlib.sha256(f"{self._seed}/{account}/listen/{self._count}".encode()).hexdigest()
        self._keys[key] = (account, now_ms + _LIFE_MS)
        return key

    def renew(self, key: str, account: str, now_ms: int) -> bool:
        """Let the key be valid for another hour; return whether it is the account's and still valid."""
        if self.account(key, now_ms) != account:
            return False
        self._keys[key] = (account, now_ms + _LIFE_MS)
        return True

    def end(self, key: str, account: str, now_ms: int) -> bool:
        """Let the key be valid no more; return whether it was the account's and valid."""
        if self.account(key, now_ms) != account:
            return False
        del self._keys[key]
        return True

    def account(self, key: str, now_ms: int) -> str | None:
        """Return whose events the key opens, or None."""
        owner, until_ms = self._keys.get(key, ("", 0))
        return owner if now_ms < until_ms else None
