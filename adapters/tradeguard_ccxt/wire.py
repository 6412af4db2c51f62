"""What happens on the wire during one request, carried in context variables: instances are shared by threads."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

import ccxt

from tradeguard.exceptions import NetworkException
from tradeguard_ccxt.failures import Answer

__all__ = ["ORDER_WIRE", "WIRE", "SendWindowMissedError", "Wire"]


class SendWindowMissedError(NetworkException, ccxt.RequestTimeout):  # type: ignore[misc]
    """The order waited too long in the throttle: it was not signed and not sent."""


class Wire:
    """One request as far as it got.

    Attributes:
        sent: it was handed to the transport; before that it surely did not leave.
        answer: the HTTP answer, or None.
        sign_by: epoch seconds after which it must not be signed any more, or None.
    """

    __slots__ = ("answer", "sent", "sign_by")

    def __init__(self, sign_by: float | None = None) -> None:
        self.sent = False
        self.answer: Answer | None = None
        self.sign_by = sign_by

    @property
    def status(self) -> int | None:
        """HTTP status of the answer, or None."""
        return None if self.answer is None else self.answer.status

    def check_signing(self, now: float) -> None:
        """Refuse to sign what could outlive the bound that the journal was told.

        Raises:
            SendWindowMissedError: it is too late; nothing was sent.
        """
        if self.sign_by is not None and now > self.sign_by:
            raise SendWindowMissedError(
                f"the order was not signed within its window ({now - self.sign_by:.3f} s late); nothing was sent"
            )

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Note the HTTP answer."""
        self.answer = Answer(status, headers)


WIRE: ContextVar[Wire | None] = ContextVar("tradeguard_ccxt_wire", default=None)
"""The request that is under way in this context."""

ORDER_WIRE: ContextVar[Wire | None] = ContextVar("tradeguard_ccxt_order_wire", default=None)
"""Where the order protocol wants to read of its writing request."""
