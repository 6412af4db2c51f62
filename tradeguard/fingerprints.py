"""Fingerprints: errors that differ only in their numbers and ids are one error seen many times."""

from __future__ import annotations

import re
from typing import Any

from tradeguard.redaction import redact
from tradeguard.serialization import utc_text

__all__ = ["FingerprintBook", "fingerprint"]

OTHER = "(other)"
_LONGEST = 200
# Every word with a digit in it is a number, a hash, an id or a time; runs of them (12:30:01, 1.5) are one.
_SAME_DIGIT = bytes.maketrans(b"123456789", b"000000000")
_VARIABLE = re.compile(r"\b\w*\d\w*(?:[.,:-]\w*\d\w*)*")


def fingerprint(error_type: str, message: str) -> str:
    """Return `Type: message` with every word that holds a digit replaced by `#`, and secrets masked."""
    return f"{error_type}: {_VARIABLE.sub('#', redact(message))[:_LONGEST]}"


class FingerprintBook:
    """Counts errors by fingerprint, at most `capacity` of them; the rest share `(other)`. Not thread-safe.

    Normalising a text costs some microseconds, so texts seen lately are remembered with their entry, and texts
    that differ in digits alone are one text there; that memory is bounded too.
    """

    __slots__ = ("_capacity", "_entries", "_seen")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: dict[str, _Entry] = {}
        self._seen: dict[tuple[str, bytes], _Entry] = {}

    def add(self, error_type: str, message: str, timestamp: float) -> None:
        """Count one error, seen at `timestamp` (epoch seconds)."""
        likeness = error_type, message.encode("utf-8", "surrogatepass").translate(_SAME_DIGIT)
        entry = self._seen.get(likeness)
        if entry is None:
            entry = self._find(error_type, message, timestamp)
            if len(self._seen) >= 4 * self._capacity:
                self._seen.clear()
            self._seen[likeness] = entry
        entry.count += 1
        entry.last_seen = timestamp

    def copy(self) -> list[tuple[str, str, int, float, float]]:
        """Return (fingerprint, error type, count, first seen, last seen) of each, in no order."""
        return [(key, e.error_type, e.count, e.first_seen, e.last_seen) for key, e in self._entries.items()]

    def _find(self, error_type: str, message: str, timestamp: float) -> _Entry:
        key = fingerprint(error_type, message)
        entry = self._entries.get(key)
        if entry is None and len(self._entries) >= self._capacity:
            key, error_type = OTHER, OTHER
            entry = self._entries.get(OTHER)
        if entry is None:
            entry = self._entries[key] = _Entry(error_type, timestamp)
        return entry


class _Entry:
    __slots__ = ("count", "error_type", "first_seen", "last_seen")

    def __init__(self, error_type: str, timestamp: float) -> None:
        self.error_type = error_type
        self.count = 0
        self.first_seen = timestamp
        self.last_seen = timestamp


def most_common(rows: list[tuple[str, str, int, float, float]], limit: int) -> list[dict[str, Any]]:
    """Return the `limit` most common of what `FingerprintBook.copy` gave, as dictionaries."""
    rows.sort(key=lambda row: (-row[2], row[0]))
    return [
        {
            "fingerprint": key,
            "error_type": error_type,
            "count": count,
            "first_seen": utc_text(first),
            "last_seen": utc_text(last),
        }
        for key, error_type, count, first, last in rows[:limit]
    ]
