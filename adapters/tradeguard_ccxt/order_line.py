"""An account's orders: each change of state delivered once, and none that goes back to a former state."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tradeguard_ccxt.stream_lines import Mended, Sifted

__all__ = ["OrderLine"]

_REMEMBERED = 5000
_HEALED_KEPT = 1000


class _State(NamedTuple):
    status: Any
    filled: float
    amount: Any
    price: Any


class OrderLine:
    """The orders of one symbol.

    Args:
        began_ms: epoch milliseconds since when the caller watches: what changed before is no news.
    """

    def __init__(self, began_ms: int) -> None:
        self._known: dict[str, _State] = {}
        self._began_ms = began_ms
        self._latest_ms = began_ms
        self._healed: deque[Any] = deque(maxlen=_HEALED_KEPT)

    @property
    def since_ms(self) -> int | None:
        """From when on orders may have changed unseen: the last change that was delivered, or the beginning."""
        return self._latest_ms

    @property
    def open_ids(self) -> list[str]:
        """The ids of the orders that were open when last heard of."""
        return [identifier for identifier, state in self._known.items() if state.status == "open"]

    def sift(self, items: Sequence[Any]) -> Sifted:
        """Return the orders that have changed."""
        return Sifted([order for order in items if self._has_changed(order)], suspect=False)

    def deliver(self, items: Sequence[Any]) -> None:
        """Take note that `items` are delivered."""
        for order in items:
            identifier = str(order.get("id"))
            self._known.pop(identifier, None)
            self._known[identifier] = _state(order)
            self._latest_ms = max(self._latest_ms, _changed_ms(order))
        while len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]

    def mend(self, read: Sequence[Any], live: Sequence[Any]) -> Mended:
        """Return `live` completed by the orders that have changed as REST tells; REST tells how they are now."""
        changed = {str(order.get("id")): order for order in read if self._is_news(order)}
        missed = sorted(changed.values(), key=_changed_ms)
        self.deliver(missed)
        self._healed.extend(missed)
        later = [order for order in live if self._has_changed(order)]
        self.deliver(later)
        return Mended([*missed, *later], len(missed), whole=True)

    def complete(self, items: Sequence[Any]) -> list[Any]:
        """Return a socket's whole cache with the healed orders in it."""
        merged = {str(order.get("id")): order for order in self._healed}
        for order in items:
            told = merged.get(str(order.get("id")))
            if told is None or not _goes_back(_state(order), _state(told)):
                merged[str(order.get("id"))] = order
        return sorted(merged.values(), key=lambda order: order.get("timestamp") or 0)

    def _has_changed(self, order: Mapping[str, Any]) -> bool:
        known = self._known.get(str(order.get("id")))
        if known is None:
            return True
        told = _state(order)
        return not _goes_back(told, known) and not _is_same(told, known)

    def _is_news(self, order: Mapping[str, Any]) -> bool:
        if str(order.get("id")) in self._known:
            return self._has_changed(order)
        return _changed_ms(order) >= self._began_ms


def _state(order: Mapping[str, Any]) -> _State:
    return _State(
        order.get("status"), float(order.get("filled") or 0.0), order.get("amount"), order.get("price")
    )


def _goes_back(told: _State, known: _State) -> bool:
    """Whether a state is one from before: orders do not reopen, and nothing that was filled is unfilled."""
    reopens = told.status == "open" and known.status in ("closed", "canceled", "expired", "rejected")
    return reopens or told.filled < known.filled - 1e-12


def _is_same(told: _State, known: _State) -> bool:
    fields = ((told.filled, known.filled), (told.amount, known.amount), (told.price, known.price))
    return told.status == known.status and all(_agree(*pair) for pair in fields)


def _agree(one: Any, other: Any) -> bool:
    """Whether two numbers agree; what is not told is no contradiction."""
    if not one or not other:  # an exchange may tell 0 for a price that it leaves out elsewhere
        return one is None or other is None or bool(one) == bool(other)
    return math.isclose(float(one), float(other), rel_tol=1e-9)


def _changed_ms(order: Mapping[str, Any]) -> int:
    stamps = (order.get(name) for name in ("lastUpdateTimestamp", "lastTradeTimestamp", "timestamp"))
    return max((int(stamp) for stamp in stamps if stamp), default=0)
