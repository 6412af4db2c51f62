"""How grave an error is."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ErrorSeverity"]


class ErrorSeverity(StrEnum):
    """How grave an error is: INFO < WARNING < ERROR < CRITICAL.

    A member equals its name as text, and its name in any case of letters makes it: `ErrorSeverity("error")`.
    """

    INFO = "INFO"  # worth counting, nothing to do
    WARNING = "WARNING"  # it was retried or rescued; the caller saw a result
    ERROR = "ERROR"  # it reached the caller
    CRITICAL = "CRITICAL"  # money or the account is at risk until somebody looks

    @classmethod
    def _missing_(cls, value: object) -> ErrorSeverity | None:
        return cls.__members__.get(value.strip().upper()) if isinstance(value, str) else None

    # Text would compare by its letters, under which CRITICAL is the least.
    def __lt__(self, other: str) -> bool:
        return _RANK[self] < _rank(other)

    def __le__(self, other: str) -> bool:
        return _RANK[self] <= _rank(other)

    def __gt__(self, other: str) -> bool:
        return _RANK[self] > _rank(other)

    def __ge__(self, other: str) -> bool:
        return _RANK[self] >= _rank(other)


_RANK: dict[str, int] = {severity: rank for rank, severity in enumerate(ErrorSeverity)}


def _rank(severity: str) -> int:
    rank = _RANK.get(severity)
    return _RANK[ErrorSeverity(severity)] if rank is None else rank
