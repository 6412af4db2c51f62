"""What happens in a run, told in short lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord

__all__ = ["Line", "line_of_event", "line_of_record"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story.

    Attributes:
        label: what it is about, one word.
        text: what happened.
        style: of the label, in Rich's words.
    """

    label: str
    text: str
    style: str


_STATES = MappingProxyType({"open": "bold red", "closed": "green"})
_EVENTS = MappingProxyType(
    {
        "order": ("order", "cyan"),
        "trade": ("trade", "blue"),
        "data": ("feed", "magenta"),
        "store": ("note", "magenta"),
        "outage": ("outage", "bold red"),
    }
)
# Backtrader's words, in those of people who do not know it.
_FEED_STATES = MappingProxyType(
    {
        "DELAYED": "catching up",
        "LIVE": "live",
        "CONNBROKEN": "the exchange does not answer",
        "DISCONNECTED": "at its end",
    }
)
_ADDRESS = re.compile(r"\w+ (?:GET|POST|DELETE|PUT) https?://\S+")
_ORDER_STATES = MappingProxyType({": Submitted": ": submitted", ": Completed": ": filled"})


def line_of_event(kind: str, text: str) -> Line | None:
    """Return the line for something that the strategy reports; None for what goes without saying."""
    label, style = _EVENTS.get(kind, (kind, "magenta"))
    if kind == "data":
        text = _FEED_STATES.get(text, text)
    if kind == "order":
        if text.endswith(": Accepted"):
            return None
        for word, ours in _ORDER_STATES.items():
            text = text.replace(word, ours)
    # An address with its query is longer than a line, and says only that.
    return Line(label, _ADDRESS.sub("no answer", text), style)


def line_of_record(record: ErrorRecord | TransitionRecord | RescueRecord) -> Line | None:
    """Return the line for something that the monitor reports; None for what is only counted."""
    if isinstance(record, TransitionRecord):
        return _transition(record)
    if isinstance(record, RescueRecord):
        return Line("rescue", _rescue(record), "green")
    if record.rescued:
        # A retry or a look-up is at it: its success will be told.
        return None
    return Line("error", f"{record.operation or record.component}: {record.error_type}", "red")


def _transition(record: TransitionRecord) -> Line | None:
    if record.new_state == "half_open" or (record.old_state, record.new_state) == ("half_open", "open"):
        # A trial every second, as long as an outage lasts.
        return None
    name = record.circuit.rpartition(".")[2].replace("_", " ")
    reason = f": {record.reason}" if record.reason else ""
    return Line("circuit", f"{name} {record.new_state}{reason}", _STATES.get(record.new_state, "yellow"))


def _rescue(record: RescueRecord) -> str:
    detail = record.detail
    operation = record.operation or record.component
    match record.kind:
        case "retry":
            return f"{operation} succeeded at attempt {detail.get('attempts', '2 or later')}"
        case "fallback":
            return f"{operation} served from the cache, {_age(detail)} old"
        case "order_found":
            return f"{_order(detail)} was on the book after an ambiguous answer: not sent again"
        case "order_resent":
            return f"{_order(detail)} proved absent, and sent again"
        case "order_recovered":
            return f"{_order(detail)} resolved: {str(detail.get('status', '')).lower()}"
        case "gap_filled":
            return f"{detail.get('bars', 'the')} bars came late, and in order"
        case kind:
            return f"{operation}: {kind.replace('_', ' ')}"


def _order(detail: Mapping[str, Any]) -> str:
    # The end of a client order id is what tells it from others.
    return f"order …{str(detail.get('client_order_id', '?'))[-6:]}"


def _age(detail: Mapping[str, Any]) -> str:
    age = detail.get("age")
    return f"{age:.1f} s" if isinstance(age, int | float) else "some time"
