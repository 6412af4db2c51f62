"""Answers that are no endpoint's own: the envelope of results and errors, bans, spoilt market data."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from tradeguard.simulator.faults import Fault, FaultKind
from tradeguard.simulator.kraken.errors import of_server_code
from tradeguard.simulator.replies import html_page, json_reply
from tradeguard.simulator.wire import HttpReply

__all__ = ["banned", "error_reply", "fault_reply", "result_reply", "spoilt"]

_CLOSE, _VOLUME = 4, 6
_PRICES = ("a", "b", "c", "o", "p")


def result_reply(result: object) -> HttpReply:
    """Return an answer that went well."""
    return json_reply({"error": [], "result": result})


def error_reply(text: str) -> HttpReply:
    """Return an error; its HTTP status says that all is well."""
    return json_reply({"error": [text]})


def fault_reply(fault: Fault) -> HttpReply:
    """Return the error that a fault answers: in Kraken's words where it has a code, else a page."""
    if fault.code is None:
        return html_page(fault.status)
    if fault.message is not None:
        return error_reply(fault.message)
    return error_reply(fault.code if isinstance(fault.code, str) else of_server_code(fault.code))


def banned(until_ms: int | None, now_ms: int) -> HttpReply:
    """Return the page with which the proxy in front of Kraken turns an address away."""
    page = html_page(HTTPStatus.TOO_MANY_REQUESTS)
    if until_ms is None:
        return page
    return replace(page, headers={"Retry-After": str(max(0, math.ceil((until_ms - now_ms) / 1000)))})


def spoilt(reply: HttpReply, fault: Fault) -> HttpReply:
    """Return market data without the values that a fault takes from it; other answers as they are."""
    if fault.kind not in (FaultKind.MISSING_VALUES, FaultKind.HALF_BUILT):
        return reply
    body = json.loads(reply.body)
    result = body.get("result")
    for value in result.values() if isinstance(result, dict) else ():
        if isinstance(value, dict) and "c" in value and fault.kind is FaultKind.MISSING_VALUES:
            value.update({name: None for name in _PRICES if name in value})
        elif isinstance(value, list) and value and "last" in result and isinstance(result["last"], int):
            _spoil_newest(value, fault.kind, result["last"])
    return json_reply(body)


def _spoil_newest(rows: list[Any], kind: FaultKind, last: int) -> None:
    """Spoil the newest closed candle, which is what a careful client reads, or else the only one."""
    closed = [index for index, row in enumerate(rows) if row[0] <= last]
    index = closed[-1] if closed else len(rows) - 1
    if kind is FaultKind.HALF_BUILT:
        rows[index] = rows[index][:3]
    else:
        rows[index][_CLOSE] = rows[index][_VOLUME] = None
