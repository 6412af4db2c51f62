"""Recorded candles: reading and checking them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn

from tradeguard.exceptions import ConfigurationException

__all__ = [
    "COLUMNS",
    "RecordedCandle",
    "candle_of_values",
    "number_in",
    "read_csv",
    "read_rows",
    "read_table",
    "refuse_value",
]

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
"""Epoch milliseconds at open; prices in quote currency per base; base currency traded."""

RecordedCandle = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]


def read_csv(path: str | Path) -> list[RecordedCandle]:
    """Read a CSV file whose columns are `COLUMNS`, in any order; further columns are ignored.

    Raises:
        ConfigurationException: the file cannot be read or a value in it cannot be true; the message names
            file, line, column and value.
    """
    candles: list[RecordedCandle] = []
    for place, values in read_table(path, COLUMNS):
        candles.append(candle_of_values(values, place, candles))
    if not candles:
        refuse_value(str(path), "has no candles")
    return candles


def read_table(path: str | Path, columns: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return the lines of a CSV file: where each stands, and its values in the order of `columns`.

    Raises:
        ConfigurationException: the file cannot be read, lacks a column, or a line has too few or many values.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return _read_lines(csv.reader(file), str(path), columns)
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror or error}"
        raise ConfigurationException(message, component="simulator") from error
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{path}: is not a CSV file in UTF-8: {error}"
        raise ConfigurationException(message, component="simulator") from error


def read_rows(rows: Iterable[Sequence[Any]]) -> list[RecordedCandle]:
    """Check rows of `COLUMNS`, as ccxt's `fetch_ohlcv` returns them.

    Raises:
        ConfigurationException: a value cannot be true; the message names row, column and value.
    """
    candles: list[RecordedCandle] = []
    for number, row in enumerate(rows, start=1):
        place = f"rows: row {number}"
        if isinstance(row, str) or not hasattr(row, "__len__") or len(row) < len(COLUMNS):
            refuse_value(place, f"needs {len(COLUMNS)} values ({', '.join(COLUMNS)}), got {row!r}")
        candles.append(candle_of_values(list(row), place, candles))
    if not candles:
        refuse_value("rows", "no candles")
    return candles


def _read_lines(
    reader: Iterable[list[str]], name: str, columns: Sequence[str]
) -> list[tuple[str, list[str]]]:
    lines = enumerate(reader, start=1)
    header = next(((number, line) for number, line in lines if line), None)
    if header is None:
        refuse_value(name, "is empty")
    names = [column.strip().lower().lstrip("\ufeff") for column in header[1]]
    missing = [column for column in columns if column not in names]
    if missing:
        place = f"{name}, line {header[0]}"
        refuse_value(place, f"column {missing[0]!r} is missing, found {', '.join(names)}")
    places = [names.index(column) for column in columns]
    found = []
    for number, line in lines:
        if line and len(line) != len(names):
            refuse_value(f"{name}, line {number}", f"has {len(line)} values, expected {len(names)}")
        if line:
            found.append((f"{name}, line {number}", [line[index] for index in places]))
    return found


def candle_of_values(values: Sequence[Any], place: str, before: Sequence[RecordedCandle]) -> RecordedCandle:
    """Return the candle that the values of `COLUMNS` make.

    Raises:
        ConfigurationException: they cannot be true, or do not follow the candles `before`.
    """
    stamp = number_in(values[0], f"{place}, column 'timestamp'")
    if stamp != int(stamp) or stamp < 0:
        refuse_value(f"{place}, column 'timestamp'", f"{values[0]!r} is not a whole number of milliseconds")
    numbers = [
        number_in(value, f"{place}, column {column!r}")
        for value, column in zip(values[1:6], COLUMNS[1:], strict=True)
    ]
    opened, high, low, close, volume = numbers
    for column, price in zip(COLUMNS[1:5], numbers, strict=False):
        if price <= 0:
            refuse_value(f"{place}, column {column!r}", f"{price} is not above 0")
    if volume < 0:
        refuse_value(f"{place}, column 'volume'", f"{volume} is below 0")
    if high < max(opened, close, low):
        refuse_value(f"{place}, column 'high'", f"{high} is below the candle's other prices")
    if low > min(opened, close):
        refuse_value(f"{place}, column 'low'", f"{low} is above the candle's other prices")
    if before and stamp <= before[-1][0]:
        refuse_value(f"{place}, column 'timestamp'", f"{int(stamp)} does not come after {before[-1][0]}")
    return int(stamp), opened, high, low, close, volume


def number_in(value: Any, place: str) -> Decimal:
    """Return a value as a finite number.

    Raises:
        ConfigurationException: it is none.
    """
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        refuse_value(place, f"{value!r} is not a number")
    if not number.is_finite():
        refuse_value(place, f"{value!r} is not a finite number")
    return number


def refuse_value(place: str, what: str) -> NoReturn:
    """Raise for a recording that cannot be true.

    Raises:
        ConfigurationException: always.
    """
    raise ConfigurationException(f"{place}: {what}", component="simulator")
