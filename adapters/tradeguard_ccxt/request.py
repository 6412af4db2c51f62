"""A request on its way: what it means, and how far it got."""

from __future__ import annotations

from contextvars import ContextVar

from tradeguard_ccxt.operations import Circuit, Operation
from tradeguard_ccxt.wire import Wire

__all__ = ["REQUEST", "Request"]


class Request:
    """One pass through `fetch2`, or one request over a WebSocket, with all its attempts.

    Attributes:
        operation: what it means.
        name: of the call that it is for.
        symbol: of that call, or None.
        section: of the API.
        circuit: on which it runs; that of its operation, or that of the sockets.
        began: monotonic time at which it began.
        attempts: so far.
        resynced: our clock was set right since the exchange refused its timestamp.
        host: to which the last attempt was sent, or None.
        asked_at: epoch seconds at which the last attempt was sent.
        wire: how far the last attempt got.
    """

    __slots__ = (
        "asked_at", "attempts", "began", "circuit", "host", "name", "operation", "resynced", "section", "symbol", "wire"
    )  # fmt: skip

    def __init__(
        self,
        operation: Operation,
        name: str,
        symbol: str | None,
        began: float,
        *,
        section: str = "",
        circuit: Circuit | None = None,
    ) -> None:
        self.circuit = operation.circuit if circuit is None else circuit
        self.began = began
        self.section = section
        self.asked_at = 0.0
        self.host: str | None = None
        self.operation = operation
        self.name = name
        self.symbol = symbol
        self.attempts = 0
        self.resynced = False
        self.wire = Wire()


REQUEST: ContextVar[Request | None] = ContextVar("tradeguard_ccxt_request", default=None)
"""The request that is under way in this context."""
