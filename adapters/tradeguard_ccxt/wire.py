"""What happens on the wire during one request, carried in context variables: instances are shared by threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar

import ccxt

from tradeguard.exceptions import NetworkException
from tradeguard_ccxt.failures import Answer

__all__ = ["ORDER_WIRE", "SendWindowMissedError", "Wire"]


class SendWindowMissedError(NetworkException, ccxt.RequestTimeout):  # type: ignore[misc]
    """The order waited too long in the throttle: it was not signed and not sent."""


class Wire:
    """One request as far as it got.

    Attributes:
        sent: it was handed to the transport; before that it surely did not leave.
        answer: the HTTP answer, or None.
        is_closed: its verdict is given: what has not been sent yet must not be sent any more.
        followed: a further request was made after it was sent: an error may then be that one's, and proves nothing.
        sign_by: by the time of `now` after which it must not be signed any more, or None.
        now: the time by which that is judged.
    """

    __slots__ = ("answer", "followed", "is_closed", "now", "sent", "sign_by")

    def __init__(self, sign_by: float | None = None, now: Callable[[], float] = time.time) -> None:
        self.sent = False
        self.is_closed = False
        self.followed = False
        self.now = now
        self.answer: Answer | None = None
        self.sign_by = sign_by

    @property
    def status(self) -> int | None:
        """HTTP status of the answer, or None."""
        return None if self.answer is None else self.answer.status

    def check_signing(self) -> None:
        """Refuse to send what was signed too late and could outlive the bound that the journal was told.

        Raises:
            SendWindowMissedError: it is too late; nothing was sent.
        """
        late = 0.0 if self.sign_by is None else self.now() - self.sign_by
        if late > 0:
            raise SendWindowMissedError(
                f"the order was not signed within its window ({late:.3f} s late); nothing was sent"
            )

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Note the HTTP answer."""
        self.answer = Answer(status, headers)


ORDER_WIRE: ContextVar[Wire | None] = ContextVar("tradeguard_ccxt_order_wire", default=None)
"""Where the order protocol wants to read of its writing request."""
