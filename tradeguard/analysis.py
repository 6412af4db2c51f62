"""A stored run as pandas frames: what failed, what was rescued, and what became of the orders.

```python
from tradeguard.analysis import load, errors_per_minute

frames = load("tradeguard.db")
errors_per_minute(frames).plot.area()
```

Every frame has the columns and dtypes of `COLUMNS`, also when it is empty. Times are `datetime64[us, UTC]`,
texts `string` (missing is `pd.NA`), mappings dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Row, select

from tradeguard.orders.intent import IntentStatus
from tradeguard.storage import schema
from tradeguard.storage.address import Address, refusal
from tradeguard.storage.encoding import decode_mapping
from tradeguard.storage.reading import read_state

__all__ = [
    "COLUMNS",
    "StateFrames",
    "circuit_timeline",
    "error_summary",
    "errors_per_minute",
    "load",
    "order_outcomes",
]

_TIME = "datetime64[us, UTC]"
_MAPPING = "object"

COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "errors": {
            "timestamp": _TIME,
            "component": "string",
            "error_type": "string",
            "error_code": "string",
            "message": "string",
            "severity": "string",
            "operation": "string",
            "rescued": "bool",
            "context": _MAPPING,
        },
        "transitions": {
            "timestamp": _TIME,
            "circuit": "string",
            "old_state": "string",
            "new_state": "string",
            "reason": "string",
        },
        "rescues": {
            "timestamp": _TIME,
            "component": "string",
            "kind": "string",
            "operation": "string",
            "detail": _MAPPING,
        },
        "intents": {
            "exchange": "string",
            "account": "string",
            "client_order_id": "string",
            "symbol": "string",
            "type": "string",
            "side": "string",
            "amount": "float64",
            "price": "float64",
            "status": "string",
            "order_id": "string",
            "created_at": _TIME,
            "updated_at": _TIME,
            "attempts": "int64",
            "error": "string",
            "operation": "string",
            "params": _MAPPING,
            "accept_until": _TIME,
            "owner": "string",
            "archived": "bool",
        },
    }
)
"""The dtype of each column of each frame."""

_LONGEST_GRID = pd.Timedelta(days=366)


@dataclass(frozen=True, slots=True, eq=False)
class StateFrames(Mapping[str, pd.DataFrame]):
    """One moment of a state; also a mapping of the frames by their names.

    Attributes:
        errors: one row an error, in the order of their recording.
        transitions: one row a change of a circuit's state, likewise.
        rescues: one row a failure that the caller was spared, likewise.
        intents: one row an order, oldest first, archived ones included.
    """

    errors: pd.DataFrame
    transitions: pd.DataFrame
    rescues: pd.DataFrame
    intents: pd.DataFrame

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in COLUMNS:
            raise KeyError(name)
        frame: pd.DataFrame = getattr(self, name)
        return frame

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in fields(self))

    def __len__(self) -> int:
        return len(COLUMNS)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(frame)} {name}" for name, frame in self.items())
        return f"<{type(self).__name__}: {sizes}>"


def load(path_or_url: str | Path) -> StateFrames:
    """Read one moment of a state, while a bot writes it or later; it is never changed.

    Args:
        path_or_url: as for `tradeguard.storage.StateStore`.

    Raises:
        ConfigurationException: there is no state, or it cannot be read; one line names it and says why.
    """
    rows = read_state(path_or_url, _read_rows)
    try:
        return StateFrames(**{name: _frame(name, rows[name]) for name in COLUMNS})
    except (TypeError, ValueError) as error:
        place = Address.parse(path_or_url).label
        raise refusal(place, f"it holds what this version cannot read: {error}") from error


def errors_per_minute(frames: StateFrames) -> pd.DataFrame:
    """Count errors by minute (index `minute`, UTC) and type (columns, most frequent first).

    Minutes without errors are zeros, unless the state spans more than 366 days.
    """
    errors = frames.errors
    minutes = errors["timestamp"].dt.floor("min").rename("minute")
    counts = pd.crosstab(minutes, errors["error_type"].astype("object"))
    if counts.empty:
        empty = pd.DatetimeIndex([], dtype=_TIME, name="minute")
        return pd.DataFrame(
            index=empty, columns=pd.Index([], name="error_type", dtype="object"), dtype="int64"
        )
    counts = counts[counts.sum().sort_values(ascending=False, kind="stable").index]
    first, last = counts.index[0], counts.index[-1]
    if last - first <= _LONGEST_GRID:
        counts = counts.reindex(
            pd.date_range(first, last, freq="min", name="minute", unit="us"), fill_value=0
        )
    return counts


def circuit_timeline(frames: StateFrames, end: datetime | None = None) -> pd.DataFrame:
    """Return the intervals of each circuit's states: `circuit`, `state`, `start`, `end`, by circuit and time.

    A circuit's first interval starts with the first that the state knows of anything, its last one ends at
    `end`. Intervals of no length are left out, and what they parted is one interval.

    Args:
        frames: a loaded state.
        end: aware; until when the last states lasted; the last that the state knows of anything, unless given.
    """
    moments = [frames[name][column] for name, column in _moments() if len(frames[name])]
    rows: list[tuple[str, str, pd.Timestamp, pd.Timestamp]] = []
    if len(frames.transitions):
        first = min(column.min() for column in moments)
        last = max(column.max() for column in moments) if end is None else pd.Timestamp(end)
        ordered = frames.transitions.sort_values("timestamp", kind="stable")
        for circuit, changes in ordered.groupby("circuit", sort=True):
            rows += [(str(circuit), *interval) for interval in _intervals(changes, first, last)]
    frame = pd.DataFrame(rows, columns=["circuit", "state", "start", "end"])
    return frame.astype({"circuit": "string", "state": "string", "start": _TIME, "end": _TIME})


def order_outcomes(frames: StateFrames) -> pd.DataFrame:
    """Count orders by status (index; all six, in the order of an order's life).

    Columns: `orders`; `sends`, how often they went out; `rescued`, orders of which a rescue tells: sent again,
    found on the book after an ambiguous answer, or resolved after a crash.
    """
    intents = frames.intents
    rescued_ids = {detail.get("client_order_id") for detail in frames.rescues["detail"]}
    table = pd.DataFrame(
        {
            "orders": 1,
            "sends": intents["attempts"],
            "rescued": intents["client_order_id"].isin(rescued_ids - {None}).astype("int64"),
        },
        index=intents.index,
    )
    statuses = pd.Index([status.value for status in IntentStatus], name="status", dtype="object")
    sums = table.groupby(intents["status"].astype("object")).sum()
    return sums.reindex(statuses, fill_value=0).astype("int64")


def error_summary(frames: StateFrames) -> pd.DataFrame:
    """Sum errors up by `component`, `error_type` and `severity`, most frequent first.

    Further columns: `count`; `rescued`, how many of them the caller was spared; `first` and `last`, when.
    """
    grouped = frames.errors.groupby(["component", "error_type", "severity"], sort=True)
    summary = grouped.agg(
        count=("timestamp", "size"),
        rescued=("rescued", "sum"),
        first=("timestamp", "min"),
        last=("timestamp", "max"),
    ).reset_index()
    summary = summary.sort_values("count", ascending=False, kind="stable", ignore_index=True)
    return summary.astype({"count": "int64", "rescued": "int64", "first": _TIME, "last": _TIME})


def _intervals(
    changes: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp
) -> list[tuple[str, pd.Timestamp, pd.Timestamp]]:
    times = [first, *changes["timestamp"], last]
    states = [changes["old_state"].iloc[0], *changes["new_state"]]
    intervals: list[tuple[str, pd.Timestamp, pd.Timestamp]] = []
    for state, start, stop in zip(states, times[:-1], times[1:], strict=True):
        if start >= stop:
            continue
        # Where a probe took no time, the state before it went on.
        begin = intervals.pop()[1] if intervals and intervals[-1][0] == state else start
        intervals.append((state, begin, stop))
    return intervals


def _moments() -> list[tuple[str, str]]:
    return [
        (name, column)
        for name, columns in COLUMNS.items()
        for column, dtype in columns.items()
        # `accept_until` lies in the future.
        if dtype == _TIME and column != "accept_until"
    ]


def _read_rows(connection: Connection) -> dict[str, list[Row[Any]]]:
    queries = {
        name: select(*(table.c[column] for column in COLUMNS[name])).order_by(*order)
        for name, table, order in (
            ("errors", schema.errors, [schema.errors.c.id]),
            ("transitions", schema.transitions, [schema.transitions.c.id]),
            ("rescues", schema.rescues, [schema.rescues.c.id]),
            ("intents", schema.intents, [schema.intents.c.created_at, schema.intents.c.id]),
        )
    }
    return {name: list(connection.execute(query)) for name, query in queries.items()}


def _frame(name: str, rows: list[Row[Any]]) -> pd.DataFrame:
    # Column by column, since pandas would guess types from rows, and there may be none.
    columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS[name])
    return pd.DataFrame(
        {
            column: _series(list(values), dtype)
            for (column, dtype), values in zip(COLUMNS[name].items(), columns, strict=True)
        }
    )


def _series(values: list[Any], dtype: Any) -> pd.Series[Any]:
    if dtype == _TIME:
        # By whole microseconds, as nothing finer was stored; what is no time at all becomes NaT.
        microseconds = (pd.Series(values, dtype="float64") * 1e6).round()
        return pd.to_datetime(microseconds, unit="us", utc=True, errors="coerce").astype(
            pd.DatetimeTZDtype("us", "UTC")
        )
    if dtype == _MAPPING:
        return pd.Series([decode_mapping(text) for text in values], dtype="object")
    series: pd.Series[Any] = pd.Series(values, dtype=dtype)
    return series
