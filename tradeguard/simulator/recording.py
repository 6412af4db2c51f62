"""Recorded candles: reading and checking them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn

from tradeguard.exceptions import ConfigurationException

__all__ = ["COLUMNS", "RecordedCandle", "read_csv", "read_rows"]

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
"""Epoch milliseconds at open; prices in quote currency per base; base currency traded."""

RecordedCandle = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]


def read_csv(path: str | Path) -> list[RecordedCandle]:
    """Read a CSV file whose columns are `COLUMNS`, in any order; further columns are ignored.

    Raises:
        ConfigurationException: the file cannot be read or a value in it cannot be true; the message names
            file, line, column and value.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return _read_table(csv.reader(file), str(path))
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
            _refuse(place, f"needs {len(COLUMNS)} values ({', '.join(COLUMNS)}), got {row!r}")
        candles.append(_checked(list(row), place, candles))
    if not candles:
        _refuse("rows", "no candles")
    return candles


def _read_table(reader: Iterable[list[str]], name: str) -> list[RecordedCandle]:
    lines = enumerate(reader, start=1)
    header = next(((number, line) for number, line in lines if line), None)
    if header is None:
        _refuse(name, "is empty")
    names = [column.strip().lower().lstrip("\ufeff") for column in header[1]]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        _refuse(f"{name}, line {header[0]}", f"column {missing[0]!r} is missing, found {', '.join(names)}")
    places = [names.index(column) for column in COLUMNS]
    candles: list[RecordedCandle] = []
    for number, line in lines:
        if not line:
            continue
        place = f"{name}, line {number}"
        if len(line) != len(names):
            _refuse(place, f"has {len(line)} values, expected {len(names)}")
        candles.append(_checked([line[index] for index in places], place, candles))
    if not candles:
        _refuse(name, "has no candles")
    return candles


def _checked(values: Sequence[Any], place: str, before: Sequence[RecordedCandle]) -> RecordedCandle:
    stamp = _number(values[0], f"{place}, column 'timestamp'")
    if stamp != int(stamp) or stamp < 0:
        _refuse(f"{place}, column 'timestamp'", f"{values[0]!r} is not a whole number of milliseconds")
    numbers = [
        _number(value, f"{place}, column {column!r}")
        for value, column in zip(values[1:6], COLUMNS[1:], strict=True)
    ]
    opened, high, low, close, volume = numbers
    for column, price in zip(COLUMNS[1:5], numbers, strict=False):
        if price <= 0:
            _refuse(f"{place}, column {column!r}", f"{price} is not above 0")
    if volume < 0:
        _refuse(f"{place}, column 'volume'", f"{volume} is below 0")
    if high < max(opened, close, low):
        _refuse(f"{place}, column 'high'", f"{high} is below the candle's other prices")
    if low > min(opened, close):
        _refuse(f"{place}, column 'low'", f"{low} is above the candle's other prices")
    if before and stamp <= before[-1][0]:
        _refuse(f"{place}, column 'timestamp'", f"{int(stamp)} does not come after {before[-1][0]}")
    return int(stamp), opened, high, low, close, volume


def _number(value: Any, place: str) -> Decimal:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        _refuse(place, f"{value!r} is not a number")
    if not number.is_finite():
        _refuse(place, f"{value!r} is not a finite number")
    return number


def _refuse(place: str, what: str) -> NoReturn:
    raise ConfigurationException(f"{place}: {what}", component="simulator")
