"""Reading recorded candles: what is accepted, and the one line that says what is not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import ReplayMarket
from tradeguard.simulator.recording import read_csv, read_rows

HEADER = "timestamp,open,high,low,close,volume"
GOOD = ["1000,10,12,9,11,5", "2000,11,13,10,12,6"]


def written(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "candles.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def test_values_are_read_exactly(tmp_path: Path) -> None:
    path = written(tmp_path, "1000,0.09946999000000001,0.1,0.09,0.095,1820.54447418")
    assert read_csv(path) == [
        (
            1000,
            Decimal("0.09946999000000001"),
            Decimal("0.1"),
            Decimal("0.09"),
            Decimal("0.095"),
            Decimal("1820.54447418"),
        )
    ]


def test_columns_may_stand_in_any_order_among_others(tmp_path: Path) -> None:
    path = written(tmp_path, "x,5,11,9,12,10,1000", header="note,Volume,close,low,high,open,timestamp")
    assert read_csv(path) == [(1000, *map(Decimal, (10, 12, 9, 11, 5)))]


def test_byte_order_mark_and_empty_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n\r\n{GOOD[0]}\r\n\r\n{GOOD[1]}\r\n".encode())
    assert [row[0] for row in read_csv(path)] == [1000, 2000]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1000,10,12,9,eleven,5"], "line 2, column 'close': 'eleven' is not a number"),
        ([GOOD[0], "2000,11,13,10,,6"], "line 3, column 'close': '' is not a number"),
        ([GOOD[0], "2000,nan,13,10,12,6"], "line 3, column 'open': 'nan' is not a finite number"),
        (["1000,10,inf,9,11,5"], "line 2, column 'high': 'inf' is not a finite number"),
        (["1000,10,12,0,11,5"], "line 2, column 'low': 0 is not above 0"),
        (["1000,10,12,9,11,-5"], "line 2, column 'volume': -5 is below 0"),
        (["1000,10,8,9,11,5"], "line 2, column 'high': 8 is below the candle's other prices"),
        (["1000,10,12,10.5,11,5"], "line 2, column 'low': 10.5 is above the candle's other prices"),
        ([GOOD[1], GOOD[0]], "line 3, column 'timestamp': 1000 does not come after 2000"),
        ([GOOD[0], GOOD[0]], "line 3, column 'timestamp': 1000 does not come after 1000"),
        (["2018-01-10,10,12,9,11,5"], "line 2, column 'timestamp': '2018-01-10' is not a number"),
        (["1000.5,10,12,9,11,5"], "line 2, column 'timestamp': '1000.5' is not a whole number"),
        (["1000,10,12,9,11"], "line 2: has 5 values, expected 6"),
        ([], "has no candles"),
    ],
)
def test_bad_line_is_named_with_file_line_column_and_value(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    path = written(tmp_path, *lines)
    with pytest.raises(ConfigurationException) as caught:
        ReplayMarket(path)
    text = str(caught.value)
    assert str(path) in text
    assert message in text
    assert "\n" not in text


def test_missing_column_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "1000,10,12,9,11", header="time,open,high,low,close")
    with pytest.raises(
        ConfigurationException, match=r"line 1: column 'timestamp' is missing, found time, open"
    ):
        ReplayMarket(path)


def test_empty_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    with pytest.raises(ConfigurationException, match=r"empty.csv: is empty"):
        ReplayMarket(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationException, match=r"nowhere.csv: cannot be read: No such file"):
        ReplayMarket(tmp_path / "nowhere.csv")


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationException, match="cannot be read: Is a directory"):
        ReplayMarket(tmp_path)


def test_binary_file_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "picture.csv"
    path.write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(ConfigurationException, match=r"picture.csv: is not a CSV file in UTF-8"):
        ReplayMarket(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "rows: no candles"),
        ([[1000, 10, 12, 9, 11]], "rows: row 1: needs 6 values"),
        ([[1000, 10, 12, 9, 11, None]], "rows: row 1, column 'volume': None is not a number"),
        (["1000,10,12,9,11,5"], "rows: row 1: needs 6 values"),
        ([[1000, 10, 12, 9, 11, 5], [1000, 10, 12, 9, 11, 5]], "rows: row 2, column 'timestamp'"),
    ],
)
def test_bad_row_is_named(rows: list[object], message: str) -> None:
    with pytest.raises(ConfigurationException, match=message):
        read_rows(rows)  # type: ignore[arg-type]
