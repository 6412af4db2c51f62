"""What happens on the wire during one request, carried in context variables: instances are shared by threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from urllib.parse import quote, quote_plus

import ccxt

from tradeguard.exceptions import ConfigurationException, NetworkException
from tradeguard_ccxt.failures import Answer

__all__ = ["ORDER_WIRE", "SendWindowMissedError", "UnnamedOrderError", "Wire"]


class SendWindowMissedError(NetworkException, ccxt.RequestTimeout):  # type: ignore[misc]
    """The order waited too long in the throttle: it was not signed and not sent."""


class UnnamedOrderError(ConfigurationException, ccxt.NotSupported):  # type: ignore[misc]
    """The request does not bear the client order id by which the order would be found again: it was not sent."""


class Wire:
    """One request as far as it got.

    Attributes:
        sent: it was handed to the transport; before that it surely did not leave.
        answer: the HTTP answer, or None.
        is_closed: its verdict is given: what has not been sent yet must not be sent any more.
        followed: a further request was made after it was sent: an error may then be that one's, and proves nothing.
        sign_by: by the time of `now` after which it must not be signed any more, or None.
        now: the time by which that is judged.
        client_ids: what the signed request must contain, since an absence is proved by it.
    """

    __slots__ = ("answer", "client_ids", "followed", "is_closed", "now", "sent", "sign_by")

    def __init__(
        self,
        sign_by: float | None = None,
        now: Callable[[], float] = time.time,
        client_ids: Iterable[str | None] = (),
    ) -> None:
        self.client_ids = tuple(identifier for identifier in client_ids if identifier is not None)
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
        if self.sign_by is None:
            return
        late = self.now() - self.sign_by
        if late >= 0:  # at that very moment a recovery may already prove that it is not there
            raise SendWindowMissedError(
                f"the order was not signed within its window ({late:.3f} s late); nothing was sent"
            )

    def check_named(self, method: str, *parts: object) -> None:
        """Refuse to send a writing request that lacks a client order id.

        Args:
            method: the HTTP verb; ccxt may read something before it places an order.
            parts: its URL, headers and body, signed.

        Raises:
            UnnamedOrderError: it lacks one; nothing was sent.
        """
        if not self.client_ids or method == "GET":
            return
        text = " ".join(str(part) for part in parts)
        for identifier in self.client_ids:
            if not any(
                form in text for form in (identifier, quote(identifier, safe=""), quote_plus(identifier))
            ):
                raise UnnamedOrderError(
                    f"the request would not bear the client order id {identifier!r}, by which its order is found "
                    "again; it was not sent"
                )

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Note the HTTP answer; asynchronous ccxt hands headers on as the exchange spells them."""
        self.answer = Answer(status, {name.lower(): value for name, value in headers.items()})


ORDER_WIRE: ContextVar[Wire | None] = ContextVar("tradeguard_ccxt_order_wire", default=None)
"""Where the order protocol wants to read of its writing request."""
