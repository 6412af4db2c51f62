"""What crosses the wire: requests as they came, replies, and how they are delivered. No protocol, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

__all__ = ["OVER_SOCKET", "Delivery", "HttpReply", "HttpRequest", "Manner"]

OVER_SOCKET = "WS"
"""Method of a request that came over a WebSocket; its path is the name of what is asked for."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it arrived.

    Attributes:
        method: upper case.
        path: without the query.
        query: still encoded.
        body: as text.
        headers: names in lower case.
        address: of the client.
    """

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]
    address: str


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An answer, ready to be sent."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Manner(Enum):
    """How an answer reaches the client, or fails to."""

    ANSWER = auto()
    RESET = auto()
    HANG = auto()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the server does with a request.

    Attributes:
        reply: what to answer; None where nothing is.
        manner: how.
        delay: seconds of exchange time to wait first.
        resume: where given, called after the delay for the delivery to go on with.
    """

    reply: HttpReply | None = None
    manner: Manner = Manner.ANSWER
    delay: float = 0.0
    resume: Callable[[], Delivery] | None = None
