"""The request log: what the exchange was asked, so that tests can count it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Lock

__all__ = ["RequestLog", "RequestRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request that reached the exchange.

    Attributes:
        number: counts from 1.
        time: epoch seconds of exchange time.
        method: upper case.
        path: without the query.
        group: the endpoint's group.
        symbol: as it was sent, or None.
        client_order_id: as it was sent, or None.
        weight: request weight that it cost.
        status: HTTP status of the answer; None where there was none.
        fault: what struck it, or None.
    """

    number: int
    time: float
    method: str
    path: str
    group: str
    symbol: str | None
    client_order_id: str | None
    weight: int
    status: int | None
    fault: str | None


class RequestLog:
    """The newest requests, oldest first, and a count of all of them. Thread-safe.

    Args:
        size: how many requests are kept; counts go on.
    """

    def __init__(self, size: int = 100_000) -> None:
        self._lock = Lock()
        self._records: deque[RequestRecord] = deque(maxlen=size)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._total = 0

    def add(self, record: RequestRecord) -> RequestRecord:
        """Enter a request and return it with its number."""
        with self._lock:
            self._total += 1
            numbered = replace(record, number=self._total)
            self._records.append(numbered)
            self._counts[(record.method, record.path)] += 1
            return numbered

    def count(self, method: str | None = None, path: str | None = None) -> int:
        """Return how many requests there were of this method and path.

        Args:
            method: upper case; None for all.
            path: the whole path or its end, such as `/order`; None for all.
        """
        with self._lock:
            return sum(
                number
                for (verb, seen), number in self._counts.items()
                if method in (None, verb) and (path is None or _ends(seen, path))
            )

    def select(self, method: str | None = None, path: str | None = None) -> list[RequestRecord]:
        """Return the kept requests of this method and path, oldest first; arguments as for `count`."""
        return [
            record
            for record in self
            if method in (None, record.method) and (path is None or _ends(record.path, path))
        ]

    def clear(self) -> None:
        """Forget all requests and counts."""
        with self._lock:
            self._records.clear()
            self._counts.clear()
            self._total = 0

    def __len__(self) -> int:
        return self._total

    def __iter__(self) -> Iterator[RequestRecord]:
        with self._lock:
            return iter(list(self._records))

    def __getitem__(self, index: int) -> RequestRecord:
        with self._lock:
            return self._records[index]


def _ends(path: str, end: str) -> bool:
    return path == end or path.endswith(end if end.startswith("/") else f"/{end}")
