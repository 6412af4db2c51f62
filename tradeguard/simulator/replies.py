"""Answers that no exchange has to itself: JSON, pages of HTML, and what faults make of good answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus

from tradeguard.simulator.faults import Fault, FaultKind
from tradeguard.simulator.wire import Delivery, HttpReply, Manner

__all__ = ["broken", "html_page", "json_reply"]

_PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"


def json_reply(payload: object, status: int = 200) -> HttpReply:
    """Return an answer in JSON."""
    return HttpReply(status, json.dumps(payload, separators=(",", ":")).encode())


def html_page(status: int) -> HttpReply:
    """Return the page that a proxy on the way would show."""
    known = {one.value: one.phrase for one in HTTPStatus}
    title = f"{status} {known.get(status, 'Web Server Is Down')}"
    return HttpReply(status, _PAGE.format(title).encode(), "text/html")


def broken(reply: HttpReply | None, fault: Fault, error: Callable[[Fault], HttpReply]) -> Delivery:
    """Return how a fault of the connection or the server shows.

    Args:
        reply: the good answer, if there is one.
        fault: what happened to it.
        error: makes the exchange's own error of a fault.
    """
    match fault.kind:
        case FaultKind.DROPPED:
            return Delivery(manner=Manner.RESET)
        case FaultKind.HUNG:
            return Delivery(manner=Manner.HANG)
        case FaultKind.TRUNCATED:
            body = reply.body if reply is not None else b'{"symbol":"'
            return Delivery(HttpReply(200, body[: max(1, len(body) // 2)]))
        case FaultKind.EMPTY:
            return Delivery(HttpReply(200, b""))
        case FaultKind.HTML:
            return Delivery(html_page(200))
        case _:
            return Delivery(error(fault))
