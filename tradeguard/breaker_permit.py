"""The admission of one call by a circuit."""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Protocol, Self, final

from tradeguard.breaker_machine import Ticket

__all__ = ["Admitting", "Permit", "Verdict"]

Verdict = Literal["successful", "failed", "neutral"]


class Admitting(Protocol):
    """What a permit needs of its circuit."""

    def judge(self, error: BaseException | None) -> Verdict:
        """Return what a call counts as that failed with `error`."""
        ...

    def conclude(
        self,
        ticket: Ticket,
        verdict: Verdict,
        error: BaseException | None,
        *,
        permit: Permit | None = None,
        started: float = ...,
    ) -> None:
        """Take in how an admitted call ended."""
        ...


@final
class Permit:
    """The admission of one call that cannot be wrapped; say once how it ended.

    As a context manager it does so itself: a block that ends well is a success, an exception is judged as the
    circuit's config says. Only the first word counts. A trial of whose end nothing is heard loses its place
    after `half_open_timeout`.

    Attributes:
        settled: whether it was said how the call ended.
    """

    __slots__ = ("_breaker", "_started", "_ticket", "settled")

    def __init__(self, breaker: Admitting, ticket: Ticket, started: float) -> None:
        self._breaker = breaker
        self._ticket = ticket
        self._started = started
        self.settled = False

    def success(self) -> None:
        """Say that the call succeeded."""
        self._conclude("successful", None)

    def failure(self, error: BaseException | None = None) -> None:
        """Say that the call failed; with an `error` that the config ignores it is neutral."""
        self._conclude(self._breaker.judge(error), error)

    def release(self) -> None:
        """Say that the call was neither: it was cancelled, or never made."""
        self._conclude("neutral", None)

    def _conclude(self, verdict: Verdict, error: BaseException | None) -> None:
        self._breaker.conclude(self._ticket, verdict, error, permit=self, started=self._started)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.success()
        else:
            self.failure(error)
