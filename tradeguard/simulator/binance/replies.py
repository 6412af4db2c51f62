"""Answers that are no endpoint's own: limits, maintenance, errors, and market data with values missing."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from tradeguard.simulator.binance.errors import SERVER_MESSAGES
from tradeguard.simulator.faults import Fault, FaultKind
from tradeguard.simulator.replies import html_page, json_reply
from tradeguard.simulator.wire import HttpReply

__all__ = ["error_reply", "maintenance", "spoilt", "too_many"]

_CLOSE_TIME = 6
# The change goes with the price: a client could work the one out of the other.
_PRICES = ("lastPrice", "price", "bidPrice", "askPrice", "openPrice", "priceChange", "priceChangePercent")


def maintenance() -> HttpReply:
    """Return what Binance says during its system upgrades (as ccxt knows it)."""
    return json_reply({"code": 1, "msg": "System is under maintenance."}, 503)


def too_many(status: int, until_ms: int | None, now_ms: int, limit: int | None) -> HttpReply:
    """Return a 429 or a 418; with None for `until_ms` it does not say how long to wait."""
    if status == HTTPStatus.IM_A_TEAPOT:
        message = f"Way too much request weight used; IP banned until {until_ms}. "
    else:
        message = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
    message += "Please use WebSocket Streams for live updates to avoid bans."
    reply = json_reply({"code": -1003, "msg": message}, status)
    if until_ms is None:
        return reply
    return replace(reply, headers={"Retry-After": str(max(0, math.ceil((until_ms - now_ms) / 1000)))})


def error_reply(fault: Fault) -> HttpReply:
    """Return the error that a fault answers: Binance's JSON where it has a code, else a page."""
    if fault.code is None:
        return html_page(fault.status)
    if isinstance(fault.code, str):
        return json_reply({"code": -1000, "msg": fault.code}, fault.status)
    message = fault.message
    if message is None:
        message = SERVER_MESSAGES.get(fault.code, SERVER_MESSAGES[-1000])
    return json_reply({"code": fault.code, "msg": message}, fault.status)


def spoilt(reply: HttpReply, fault: Fault, now_ms: int) -> HttpReply:
    """Return market data without the values that a fault takes from it; other answers as they are."""
    if reply.status != HTTPStatus.OK or fault.kind not in (FaultKind.MISSING_VALUES, FaultKind.HALF_BUILT):
        return reply
    data = json.loads(reply.body)
    if isinstance(data, dict) and fault.kind is FaultKind.MISSING_VALUES:
        data.update({name: None for name in _PRICES if name in data})
    elif isinstance(data, list) and data and isinstance(data[0], list):
        _spoil_newest(data, fault.kind, now_ms)
    return json_reply(data)


def _spoil_newest(rows: list[Any], kind: FaultKind, now_ms: int) -> None:
    """Spoil the newest closed candle, which is what a careful client reads, or else the only one."""
    closed = [index for index, row in enumerate(rows) if row[_CLOSE_TIME] < now_ms]
    index = closed[-1] if closed else len(rows) - 1
    if kind is FaultKind.HALF_BUILT:
        rows[index] = rows[index][:3]
    else:
        rows[index][4] = rows[index][5] = None
