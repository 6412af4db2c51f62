"""Trades of one symbol: each delivered once, in order, whatever the socket dropped, repeated or mixed up.

A trade is known by its id. Where ids are numbers that rise by one, as on most exchanges, a missing one shows at once.
Where the ids of the REST interface are others than those of the socket, trades are told apart by their time, price,
amount and side, each as often as it was seen.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from tradeguard_ccxt.stream_lines import Mended, Sifted

__all__ = ["TradeLine"]

_REMEMBERED = 20_000
_HEALED_KEPT = 1000
_DENSE_AFTER = 8  # steps of one in a row, until ids are believed to have no holes
_HOLES_BELIEVED = 3  # holes in a row that REST knows nothing of: the ids do have holes


class TradeLine:
    """The trades of one symbol.

    Args:
        began_ms: epoch milliseconds since when the caller watches: former trades are never delivered.
        may_be_dense: whether ids may be numbers without holes; not so for one account's own trades.
        is_dense: whether they are known to be.
    """

    def __init__(self, began_ms: int, *, may_be_dense: bool = True, is_dense: bool = False) -> None:
        self._began: Mapping[str, Any] = {"timestamp": began_ms}
        self._seen: dict[Hashable, None] = {}
        self._prints: Counter[Hashable] = Counter()
        self._order: deque[tuple[Hashable, Hashable]] = deque()
        self._told_by_rest: Counter[Hashable] = Counter()  # with ids that the socket will not use
        self._healed: deque[Any] = deque(maxlen=_HEALED_KEPT)
        self._last: Mapping[str, Any] | None = None
        self._may_be_dense = may_be_dense
        self._steps = _DENSE_AFTER if is_dense else 0
        self._holes = 0

    @property
    def since_ms(self) -> int:
        """The time of the last delivered trade, or of the beginning."""
        return int(self._from.get("timestamp") or 0)

    @property
    def _from(self) -> Mapping[str, Any]:
        return self._began if self._last is None else self._last

    @property
    def last_number(self) -> int | None:
        """The id of the last delivered trade where it is a number, or None."""
        return None if self._last is None else _number(self._last)

    @property
    def is_dense(self) -> bool:
        """Whether the ids are believed to be numbers without holes."""
        return self._may_be_dense and self._steps >= _DENSE_AFTER

    def sift(self, items: Sequence[Any]) -> Sifted:
        """Return the trades that are new."""
        fresh = _in_order(self._unseen(items, self._told_by_rest))
        return Sifted(fresh, suspect=self.is_dense and self._has_hole(fresh))

    def deliver(self, items: Sequence[Any]) -> None:
        """Take note that `items` are delivered."""
        for item in items:
            self._remember(item)
            number, last = _number(item), self.last_number
            if number is not None and last is not None and number > last:
                is_step = number == last + 1
                self._steps = self._steps + 1 if is_step or self.is_dense else 0
            if self._last is None or _place(item) >= _place(self._last):
                self._last = item

    def mend(self, read: Sequence[Any], live: Sequence[Any]) -> Mended:
        """Return `live` completed by what REST told of the time since the last delivered trade."""
        is_alien = self._is_alien(read)
        missed = self._missed(read, live, self._from, is_alien)
        fresh = _in_order([*missed, *live])
        overlaps = any(_key(item) in self._seen or _fingerprint(item) in self._prints for item in read)
        is_whole = self._is_whole(read, fresh, overlaps=overlaps, is_alien=is_alien)
        if is_alien:
            self._may_be_dense = False
            self._told_by_rest.update(_fingerprint(item) for item in missed)
        self.deliver(fresh)
        self._healed.extend(missed)
        return Mended(fresh, len(missed), is_whole)

    def complete(self, items: Sequence[Any]) -> list[Any]:
        """Return a socket's whole cache with the healed trades in their places."""
        known = {_key(item) for item in items}
        start = _place(items[0]) if items else (0, 0)
        lost = [item for item in self._healed if _key(item) not in known and _place(item) >= start]
        unique = {_key(item): item for item in items}
        return _in_order([*unique.values(), *lost])

    def _unseen(self, items: Iterable[Any], told: Counter[Hashable]) -> list[Any]:
        """Return the items that are new, each once; `told` ones are taken for known by what they are."""
        fresh: dict[Hashable, Any] = {}
        for item in items:
            key, fingerprint = _key(item), _fingerprint(item)
            if key in self._seen or key in fresh:
                continue
            if told[fingerprint] > 0:
                told[fingerprint] -= 1
                self._remember(item)
                continue
            fresh[key] = item
        return list(fresh.values())

    def _missed(
        self, read: Sequence[Any], live: Sequence[Any], last: Mapping[str, Any], is_alien: bool
    ) -> list[Any]:
        if not is_alien:
            known = {_key(item) for item in live}
            new = {_key(item): item for item in read if _key(item) not in self._seen}
            return [item for key, item in new.items() if key not in known and _is_after(item, last)]
        counted = Counter(self._prints)
        counted.update(_fingerprint(item) for item in live)
        missed = []
        for item in read:
            if counted[_fingerprint(item)] > 0:
                counted[_fingerprint(item)] -= 1
            elif (item.get("timestamp") or 0) >= (last.get("timestamp") or 0):
                missed.append(item)
        return missed

    def _is_alien(self, read: Sequence[Any]) -> bool:
        """Whether REST tells the very trades that the socket told, but by other ids."""
        by_id = any(_key(item) in self._seen for item in read)
        return not by_id and any(_fingerprint(item) in self._prints for item in read)

    def _is_whole(self, read: Sequence[Any], fresh: Sequence[Any], *, overlaps: bool, is_alien: bool) -> bool:
        if self._last is None:
            return True
        if self.is_dense and not is_alien:
            if not self._has_hole(fresh):
                self._holes = 0
                return True
            self._holes += 1
            if self._holes >= _HOLES_BELIEVED and overlaps:
                self._may_be_dense = False
                return True
            return False
        if overlaps or (bool(read) and (read[0].get("timestamp") or 0) < self.since_ms):
            return True
        number = _number(fresh[0]) if fresh else None
        return not fresh or (number is not None and number - 1 == self.last_number)

    def _has_hole(self, fresh: Sequence[Any]) -> bool:
        expected = self.last_number
        for item in fresh:
            number = _number(item)
            if number is None or expected is None:
                return False
            if number > expected + 1:
                return True
            expected = max(expected, number)
        return False

    def _remember(self, item: Any) -> None:
        key, fingerprint = _key(item), _fingerprint(item)
        if key in self._seen:
            return
        self._seen[key] = None
        self._prints[fingerprint] += 1
        self._order.append((key, fingerprint))
        if len(self._order) > _REMEMBERED:
            old_key, old_print = self._order.popleft()
            self._seen.pop(old_key, None)
            self._prints[old_print] -= 1
            if self._prints[old_print] <= 0:
                del self._prints[old_print]


def _key(trade: Mapping[str, Any]) -> Hashable:
    identifier = trade.get("id")
    return _fingerprint(trade) if identifier in (None, "") else str(identifier)


def _fingerprint(trade: Mapping[str, Any]) -> Hashable:
    return (trade.get("timestamp"), trade.get("price"), trade.get("amount"), trade.get("side"))


def _number(trade: Mapping[str, Any]) -> int | None:
    identifier = str(trade.get("id"))
    return int(identifier) if identifier.isdecimal() else None


def _place(trade: Mapping[str, Any]) -> tuple[int, int]:
    number = _number(trade)
    return (int(trade.get("timestamp") or 0), -1 if number is None else number)


def _is_after(trade: Mapping[str, Any], last: Mapping[str, Any]) -> bool:
    numbers = _number(trade), _number(last)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] > numbers[1]
    return bool((trade.get("timestamp") or 0) >= (last.get("timestamp") or 0))


def _in_order(trades: Iterable[Any]) -> list[Any]:
    return sorted(trades, key=_place)
