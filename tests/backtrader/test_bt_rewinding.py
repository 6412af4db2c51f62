"""A load that fails leaves the source where it was: for each of Backtrader's feeds, a bad bar is never passed over."""

from __future__ import annotations

import datetime as dt
import io
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import backtrader as bt
import pandas as pd
import pytest
from backtrader.feeds import blaze, influxfeed
from bt_faulty import closes, run

from tradeguard.exceptions import DataFeedException
from tradeguard.retry_manager import RetryManager
from tradeguard_backtrader import guard_feed
from tradeguard_backtrader.guards.rewinding import RewindableFile, RewindableIterator

PRICES = [float(number) for number in range(1, 9)]
Make = Callable[[Any, bool], Any]


def day(number: int) -> dt.datetime:
    return dt.datetime(2024, 1, number)


def text(tmp_path: Path, header: str, line: str, is_bad: bool) -> str:
    """A file of bars, of which the fifth may have no price."""
    lines = [
        line.format(d=day(number), p="oops" if is_bad and number == 5 else number) for number in range(1, 9)
    ]
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([header, *lines] if header else lines) + "\n")
    return str(path)


def rows(is_bad: bool) -> list[list[Any]]:
    return [[day(n), *([SimpleNamespace() if is_bad and n == 5 else float(n)] * 6)] for n in range(1, 9)]


def frame(is_bad: bool) -> pd.DataFrame:
    whole = rows(is_bad)
    names = ["open", "high", "low", "close", "volume", "openinterest"]
    return pd.DataFrame(
        [row[1:] for row in whole], columns=names, index=pd.DatetimeIndex([r[0] for r in whole])
    )


def binary(tmp_path: Path, is_bad: bool) -> str:
    whole = [struct.pack("IffffII", 2024 * 500 + 32 + n, n, n, n, n, 1, 0) for n in range(1, 9)]
    if is_bad:
        whole[4] = struct.pack("IffffII", 2024 * 500 + 32 * 13 + 5, 5, 5, 5, 5, 1, 0)  # of the 13th month
    path = tmp_path / "bars.fd"
    path.write_bytes(b"".join(whole))
    return str(path)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Make]:
    """Makes a feed of each class that reads a file, a frame or a database."""
    points: list[dict[str, Any]] = []
    client = SimpleNamespace(query=lambda _: SimpleNamespace(get_points=lambda: iter(points)))
    for name, names in {"influxdb": {"InfluxDBClient": lambda *_: client},
                        "influxdb.exceptions": {"InfluxDBClientError": OSError}}.items():  # fmt: skip
        module = ModuleType(name)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, name, module)
    # Backtrader imports them for a class and its direct bases only.
    monkeypatch.setattr(influxfeed, "idbclient", lambda *_: client, raising=False)
    monkeypatch.setattr(influxfeed, "InfluxDBClientError", OSError, raising=False)

    def csv(header: str, line: str, **options: Any) -> Make:
        return lambda cls, is_bad: cls(dataname=text(tmp_path, header, line, is_bad), **options)

    def influx(cls: Any, is_bad: bool) -> Any:
        points[:] = [
            {
                "time": f"{row[0]:%Y-%m-%dT%H:%M:%SZ}",
                **dict.fromkeys(("open", "high", "low", "close", "volume"), row[1]),
            }
            for row in rows(is_bad)
        ]
        return cls(dataname="bars", timeframe=bt.TimeFrame.Days)

    generic = "{d:%Y-%m-%d},{p},9,0,{p},1,0"
    yahoo = csv("t", "{d:%Y-%m-%d},{p},9,0,{p},{p},1")
    return {
        "GenericCSVData": csv("t", generic, dtformat="%Y-%m-%d"),
        "SierraChartCSVData": csv("t", "{d:%Y/%m/%d},{p},9,0,{p},1,0"),
        "MT4CSVData": csv("t", "{d:%Y.%m.%d},00:00,{p},9,0,{p},1"),
        "BacktraderCSVData": csv("t", generic),
        "VChartCSVData": csv("", "X,D,{d:%Y%m%d},0,{p},9,0,{p},1,0", headers=False),
        "YahooFinanceCSVData": yahoo,
        "YahooLegacyCSV": yahoo,
        "QuandlCSV": csv("t", "{d:%Y-%m-%d},1,1,1,1,1,1,1,{p},9,0,{p},1"),
        "PandasData": lambda cls, is_bad: cls(dataname=frame(is_bad)),
        "PandasDirectData": lambda cls, is_bad: cls(dataname=frame(is_bad)),
        "BlazeData": lambda cls, is_bad: cls(dataname=rows(is_bad)),
        "VChartData": lambda cls, is_bad: cls(dataname=binary(tmp_path, is_bad)),
        "InfluxDB": influx,
    }


def named(name: str) -> Any:
    return blaze.BlazeData if name == "BlazeData" else getattr(bt.feeds, name)


NAMES = [
    "GenericCSVData", "SierraChartCSVData", "MT4CSVData", "BacktraderCSVData", "VChartCSVData", "QuandlCSV",
    "YahooFinanceCSVData", "YahooLegacyCSV", "PandasData", "PandasDirectData", "BlazeData", "VChartData", "InfluxDB",
]  # fmt: skip
OTHERS = {
    "Chainer", "RollOver",  # have feeds inside, see test_bt_guarded_chain.py
    "VChartFile",  # takes whatever goes wrong for the end of the file
    "YahooFinanceData", "Quandl",  # download a text and read it like their base classes
}  # fmt: skip


def tripped(cls: Any, fault: Callable[[], Exception] = lambda: ConnectionError("down")) -> Any:
    """Return `cls` with a `_load` that fails after it has read its fifth bar for the first time."""
    failures = [fault()]

    def _load(self: Any) -> Any:
        loaded = cls._load(self)
        if len(self) == 5 and failures:
            raise failures.pop()
        return loaded

    return type(cls)(f"Tripped{cls.__name__}", (cls,), {"_load": _load})


@pytest.mark.parametrize("name", NAMES)
def test_a_bar_that_was_read_when_the_load_failed_is_read_again(
    sources: dict[str, Make], name: str, retry: RetryManager
) -> None:
    cls = named(name)
    for way in ({}, {"preload": False}, {"exactbars": 1}):
        feed = sources[name](guard_feed(tripped(cls), retry=retry), False)
        assert closes(run(feed, **way)) == PRICES


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_bar_fails_each_time_and_is_raised_in_the_end(
    sources: dict[str, Make], name: str, retry: RetryManager
) -> None:
    cls = named(name)
    feed = sources[name](cls, True)
    with pytest.raises(Exception) as plain:  # noqa: PT011 - what it is differs from class to class
        run(feed)
    feed.stop()
    retry_all = RetryManager(type(retry.config)(max_attempts=3, base_delay=0.0))
    with pytest.raises(DataFeedException, match="failed") as raised:
        run(sources[name](guard_feed(cls, retry=retry_all), True))
    assert type(raised.value.__cause__) is type(plain.value)
    assert str(raised.value.__cause__) == str(plain.value)
    assert retry_all.get_statistics()["total_retries"] == 2


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_a_fallback_stands_in_for_the_bad_bar_and_for_no_other(
    sources: dict[str, Make], name: str, times: int
) -> None:
    def serve(feed: Any) -> bool:
        feed.lines.datetime[0] = bt.date2num(day(5))
        feed.lines.close[0] = -5.0
        return True

    base = named(name) if times == 1 else guard_feed(named(name))
    feed = sources[name](guard_feed(base, fallback=serve), True)
    assert closes(run(feed)) == [1.0, 2.0, 3.0, 4.0, -5.0, 6.0, 7.0, 8.0]


def test_no_feed_of_backtrader_is_forgotten() -> None:
    feeds = {
        name
        for name, cls in vars(bt.feeds).items()
        if isinstance(cls, type) and issubclass(cls, bt.feed.DataBase) and cls is not bt.feed.DataBase
    }
    live = {"IBData", "OandaData", "VCData"}  # there where their libraries are
    assert feeds - live <= {*NAMES, *OTHERS}


def test_lines_that_were_skipped_come_again_with_the_one_that_failed(
    tmp_path: Path, retry: RetryManager
) -> None:
    """Yahoo's reader passes over lines of nulls."""
    path = tmp_path / "bars.csv"
    lines = [f"2024-01-{n:02},{n},9,0,{n},{n},1" for n in range(1, 9)]
    lines[4:4] = ["2024-01-04,null,null,null,null,null,null"] * 2
    path.write_text("\n".join(["t", *lines]) + "\n")
    feed = guard_feed(tripped(bt.feeds.YahooFinanceCSVData), retry=retry)(dataname=str(path))
    assert closes(run(feed)) == PRICES


def test_a_stream_without_places_is_read_again_too(retry: RetryManager) -> None:
    class Stream:
        """A text that can only be read on."""

        def __init__(self, whole: str) -> None:
            self._whole = io.StringIO(whole)
            self.readline, self.close = self._whole.readline, self._whole.close

    whole = "t\n" + "".join(f"{day(n):%Y-%m-%d},{n},9,0,{n},1,0\n" for n in range(1, 9))
    feed = guard_feed(tripped(bt.feeds.BacktraderCSVData), retry=retry)(dataname=Stream(whole), name="stream")
    assert closes(run(feed)) == PRICES


def test_a_generator_that_failed_is_not_at_its_end() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ConnectionError("down")

    items = RewindableIterator(numbers())
    assert next(items) == 1
    for _ in range(3):
        with pytest.raises(ConnectionError):
            next(items)


def test_a_file_is_read_in_all_its_ways() -> None:
    file = RewindableFile(io.StringIO("a\nb\nc\nd"))
    assert (file.readline(), next(file), file.read(1), file.tell()) == ("a\n", "b\n", "c", 5)
    file.rewind()
    assert (file.readline(), next(file)) == ("a\n", "b\n")
    file.mark()
    assert list(file) == ["c", "\n", "d"]
    file.rewind()
    file.skip()
    assert file.readline() == ""


def test_a_long_file_is_read_through_two_layers(tmp_path: Path) -> None:
    """Each of them keeps a place in what it finds: the file must not be wrapped once more for each bar."""
    path = tmp_path / "bars.csv"
    day0 = dt.date(2000, 1, 1)
    path.write_text(
        "t\n" + "".join(f"{day0 + dt.timedelta(days=n)},{n},{n},0,{n},1,0\n" for n in range(2000))
    )
    feed = guard_feed(guard_feed(bt.feeds.BacktraderCSVData))(dataname=str(path))
    assert len(closes(run(feed))) == 2000
