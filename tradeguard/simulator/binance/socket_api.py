"""Binance's WebSocket API: requests as messages, carried out as if they had come over HTTP.

Source: https://developers.binance.com/docs/binance-spot-api-docs/websocket-api
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from tradeguard.simulator.binance.errors import SERVER_MESSAGES
from tradeguard.simulator.wire import OVER_SOCKET, HttpReply, HttpRequest

__all__ = ["SocketRequest", "malformed", "read_request"]

_UNKNOWN, _TIMEOUT = -1000, -1007


@dataclass(frozen=True, slots=True)
class SocketRequest:
    """One request that came over a socket.

    Attributes:
        id: what the client calls it: a text, a number or None.
        method: what is asked for, such as `order.place`.
        params: as they were sent.
        address: of the client.
    """

    id: object
    method: str
    params: Mapping[str, Any]
    address: str

    def as_http(self) -> HttpRequest:
        """Return the request as the REST protocol reads it, with parameters in the order in which they are signed."""
        params = {name: _text(value) for name, value in sorted(self.params.items()) if value is not None}
        return HttpRequest(
            method=OVER_SOCKET,
            path=self.method,
            query=urlencode(params, quote_via=quote, safe=""),
            body="",
            headers={"x-mbx-apikey": params.get("apiKey", "")},
            address=self.address,
        )

    def text(self, reply: HttpReply, now_ms: int, changes: Mapping[str, object] | None = None) -> str:
        """Return the message that answers the request.

        Args:
            reply: what the REST protocol answers.
            now_ms: epoch milliseconds.
            changes: put over the result.
        """
        body = reply.body.decode()
        try:
            said = json.loads(body)
        except ValueError:
            return self._broken(reply, body)
        answer: dict[str, object] = {"id": self.id, "status": reply.status}
        if reply.status == HTTPStatus.OK:
            answer["result"] = {**said, **changes} if changes else said
        else:
            answer["error"] = said
            if "Retry-After" in reply.headers:
                until_ms = now_ms + int(reply.headers["Retry-After"]) * 1000
                said["data"] = {"serverTime": now_ms, "retryAfter": until_ms}
        if self.params.get("returnRateLimits") is not False:
            answer["rateLimits"] = [_rate_limit(reply)]
        return json.dumps(answer, separators=(",", ":"))

    def _broken(self, reply: HttpReply, body: str) -> str:
        """Return what a fault has left of the answer: an error without a page, or a text that is no JSON."""
        if reply.status == HTTPStatus.OK:
            is_page = reply.content_type == "text/html"
            return (
                body if is_page or not body else f'{{"id":{json.dumps(self.id)},"status":200,"result":{body}'
            )
        code = _TIMEOUT if reply.status == HTTPStatus.GATEWAY_TIMEOUT else _UNKNOWN
        error = {"code": code, "msg": SERVER_MESSAGES[code]}
        return json.dumps({"id": self.id, "status": reply.status, "error": error}, separators=(",", ":"))


def read_request(text: str, address: str) -> SocketRequest | None:
    """Return the request that a message is, or None where it is none."""
    try:
        message = json.loads(text)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    method, params = message.get("method"), message.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        return None
    return SocketRequest(message.get("id"), method, params, address)


def malformed(request: SocketRequest | None) -> str:
    """Return the answer to a message that is no request, or one that is not served here."""
    if request is None:
        error = {"code": -1135, "msg": "Invalid JSON Request"}
    else:
        error = {"code": -1020, "msg": "This operation is not supported."}
    return json.dumps({"id": request.id if request else None, "status": 400, "error": error})


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list) else str(value)


def _rate_limit(reply: HttpReply) -> dict[str, object]:
    used = int(reply.headers.get("X-MBX-USED-WEIGHT-1M", "0"))
    kind = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
    return {**kind, "limit": 6000, "count": used}
