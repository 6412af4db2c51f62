"""Stored runs as tables for a terminal; times are UTC."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pandas as pd
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tradeguard.analysis import StateFrames, circuit_timeline, error_summary, order_outcomes

__all__ = ["orders_table", "report_tables"]

_STRIP_WIDTH = 32
_WIDE = 110
# By how much each state matters: where several fall into one cell of a strip, the worst is shown.
_MARKS = MappingProxyType({"open": ("█", "red"), "half_open": ("▒", "yellow"), "closed": ("·", "green")})
_STATUS_STYLES = MappingProxyType({"PLACED": "green", "REJECTED": "yellow", "UNKNOWN": "bold red"})
_SEVERITY_STYLES = MappingProxyType({"ERROR": "red", "CRITICAL": "bold red"})


def report_tables(frames: StateFrames) -> Iterator[RenderableType]:
    """Yield what `tradeguard report` shows, from top to bottom."""
    yield _headline(frames)
    yield from _section("Errors", frames.errors, _errors(frames))
    yield from _section("Circuits", frames.transitions, _circuits(frames))
    yield from _section("Orders by outcome", frames.intents, _outcomes(frames))
    yield from _section("Rescues", frames.rescues, _rescues(frames))


def orders_table(frames: StateFrames, status: str | None, width: int) -> RenderableType:
    """Return the table of `tradeguard orders`, oldest order first.

    Args:
        frames: the state.
        status: only orders that stand so, in any case; None for all.
        width: of the terminal in columns; a narrow one gets the ends of client order ids.
    """
    intents = frames.intents
    if status is not None:
        intents = intents[intents["status"].str.lower() == status.lower()]
    if intents.empty:
        return Text("No orders." if status is None else f"No orders that are {status.lower()}.")
    table = _table("Orders")
    for name in ("created", "symbol", "order", "status"):
        table.add_column(name, no_wrap=True)
    table.add_column("sends", justify="right")
    for name in ("order id", "client order id" if width >= _WIDE else "client id"):
        table.add_column(name, no_wrap=True)
    for row in _rows(intents):
        name = str(row.client_order_id)
        table.add_row(
            _time(row.created_at),
            row.symbol,
            _order(row),
            _status(row.status),
            str(row.attempts),
            "" if pd.isna(row.order_id) else row.order_id,
            name if width >= _WIDE else f"…{name[-6:]}",
        )
    return table


def _headline(frames: StateFrames) -> Text:
    stamps = pd.concat(
        [frames.errors["timestamp"], frames.rescues["timestamp"], frames.intents["created_at"]]
    )
    if stamps.empty:
        return Text("Nothing is stored yet.")
    span = f"{stamps.min():%Y-%m-%d %H:%M:%S} to {stamps.max():%Y-%m-%d %H:%M:%S} UTC"
    orders, errors = len(frames.intents), len(frames.errors)
    return Text(f"{span}: {orders} orders, {errors} errors, {len(frames.rescues)} rescues")


def _section(title: str, rows: pd.DataFrame, table: Table) -> Iterator[RenderableType]:
    yield Text()
    yield Text(f"{title}: none") if rows.empty else table


def _errors(frames: StateFrames) -> Table:
    table = _table("Errors")
    for name in ("component", "error", "severity"):
        table.add_column(name)
    for name in ("count", "rescued", "last"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in _rows(error_summary(frames)):
        severity = Text(row.severity.lower(), style=_SEVERITY_STYLES.get(row.severity, ""))
        table.add_row(
            row.component, row.error_type, severity, str(row.count), str(row.rescued), _time(row.last)
        )
    return table


def _circuits(frames: StateFrames) -> Table:
    timeline = circuit_timeline(frames)
    table = _table("Circuits")
    table.add_column("circuit")
    table.add_column("opened", justify="right")
    table.add_column("not closed", justify="right")
    table.add_column("over time (· closed, ▒ half-open, █ open)", no_wrap=True)
    begin, end = timeline["start"].min(), timeline["end"].max()
    for circuit, states in timeline.groupby("circuit"):
        broken = states[states["state"] != "closed"]
        seconds = pd.Timedelta((broken["end"] - broken["start"]).sum()).total_seconds()
        table.add_row(
            str(circuit),
            str(int((states["state"] == "open").sum())),
            f"{seconds:.1f} s",
            _strip(states, begin, end),
        )
    return table


def _strip(states: pd.DataFrame, begin: pd.Timestamp, end: pd.Timestamp) -> Text:
    step = (end - begin) / _STRIP_WIDTH
    strip = Text()
    for cell in range(_STRIP_WIDTH):
        since, until = begin + cell * step, begin + (cell + 1) * step
        seen = set(states[(states["start"] < until) & (states["end"] > since)]["state"])
        mark, style = next((_MARKS[state] for state in _MARKS if state in seen), (" ", ""))
        strip.append(mark, style=style)
    return strip


def _outcomes(frames: StateFrames) -> Table:
    table = _table("Orders by outcome")
    table.add_column("status")
    for name in ("orders", "sends", "rescued"):
        table.add_column(name, justify="right")
    for row in _rows(order_outcomes(frames)):
        if row.orders:
            table.add_row(_status(row.Index), str(row.orders), str(row.sends), str(row.rescued))
    return table


def _rescues(frames: StateFrames) -> Table:
    table = _table("Rescues")
    table.add_column("what")
    table.add_column("operation")
    table.add_column("count", justify="right")
    named = frames.rescues.assign(operation=frames.rescues["operation"].fillna(""))
    counts = named.groupby(["kind", "operation"]).size().sort_values(ascending=False, kind="stable")
    for row in _rows(counts.reset_index(name="count")):
        table.add_row(row.kind.replace("_", " "), row.operation, str(row.count))
    return table


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_style="bold",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )


def _rows(frame: pd.DataFrame) -> Iterator[Any]:
    return frame.itertuples()


def _order(row: Any) -> str:
    amount = "by cost" if pd.isna(row.amount) else f"{row.amount:.12g}"
    price = row.type if pd.isna(row.price) else f"{row.price:.12g}"
    return f"{row.side} {amount} at {price}"


def _status(status: str) -> Text:
    return Text(status.lower(), style=_STATUS_STYLES.get(status, ""))


def _time(moment: pd.Timestamp) -> str:
    return f"{moment:%H:%M:%S}"
