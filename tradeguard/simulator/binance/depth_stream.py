"""The depth stream: how a book differs from what it was."""

from __future__ import annotations

from decimal import Decimal

from tradeguard.simulator.binance.serialise import amount, symbol_id
from tradeguard.simulator.orders import Side
from tradeguard.simulator.symbol_book import SymbolBook

__all__ = ["DepthChanges"]

_ALL_LEVELS = 100_000
_SIDES = {"b": Side.BUY, "a": Side.SELL}
_NOTHING = Decimal(0)


class DepthChanges:
    """Follows one book.

    Its update ids line up with `lastUpdateId` of `GET /api/v3/depth`: a client that takes such an answer, and
    then every event that ends after it, has the exchange's book.

    Args:
        book: the symbol's book.
        now_ms: from when on changes are told.
    """

    def __init__(self, book: SymbolBook, now_ms: int) -> None:
        self._book = book
        self._seen_id = self._told_id = book.update_id(now_ms)
        self._levels = {name: self._side(side, now_ms) for name, side in _SIDES.items()}

    def until(self, now_ms: int) -> dict[str, object] | None:
        """Return the event that says what has changed since the last one, or None."""
        update_id = self._book.update_id(now_ms)
        if update_id == self._seen_id:
            return None
        self._seen_id = update_id
        changed = {name: self._changed(name, side, now_ms) for name, side in _SIDES.items()}
        if not any(changed.values()):
            return None
        first_id, self._told_id = self._told_id + 1, update_id
        return {
            "e": "depthUpdate",
            "E": now_ms,
            "s": symbol_id(self._book.feed.symbol),
            "U": first_id,
            "u": update_id,
            **changed,
        }

    def _changed(self, name: str, side: Side, now_ms: int) -> list[list[str]]:
        before, now = self._levels[name], self._side(side, now_ms)
        self._levels[name] = now
        gone = [[amount(price), amount(_NOTHING)] for price in before if price not in now]
        new = [
            [amount(price), amount(quantity)]
            for price, quantity in now.items()
            if before.get(price) != quantity
        ]
        return gone + new

    def _side(self, side: Side, now_ms: int) -> dict[Decimal, Decimal]:
        return dict(self._book.depth(side, _ALL_LEVELS, now_ms))
