"""A start that is retried begins anew."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from bt_faulty import closes, run

from tradeguard.retry_manager import RetryManager
from tradeguard_backtrader import guard_feed

PRICES = [float(number) for number in range(1, 9)]


def bars(*, reverse: bool = False) -> str:
    days = range(8, 0, -1) if reverse else range(1, 9)
    return "t\n" + "".join(f"2024-01-{n:02},{n},9,0,{n},{n},1\n" for n in days)


def late_failing(cls: Any, times: int) -> Any:
    """Return `cls` with a start that fails at its end, and counts its attempts in the feed."""
    opened: list[Any] = []

    def start(self: Any) -> None:
        cls.start(self)
        opened.append(self.f)
        self.leftover = "of a start that failed"
        self.attempts += 1
        if self.attempts <= times:
            raise ConnectionError("down")

    return type(cls)(f"Late{cls.__name__}", (cls,), {"start": start, "attempts": 0, "opened": opened})


def test_a_retried_start_reads_the_file_from_its_beginning_and_leaves_none_open(
    tmp_path: Path, retry: RetryManager
) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(bars())
    cls = late_failing(bt.feeds.BacktraderCSVData, times=2)
    feed = guard_feed(cls, retry=retry)(dataname=str(path))
    assert closes(run(feed)) == PRICES
    assert [file.closed for file in cls.opened] == [True] * 3
    assert len({id(file) for file in cls.opened}) == 3


def test_a_file_that_was_passed_in_is_put_back_to_where_it_stood(retry: RetryManager) -> None:
    file = io.StringIO("a remark\n" + bars())
    file.readline()
    cls = late_failing(bt.feeds.BacktraderCSVData, times=2)
    assert closes(run(guard_feed(cls, retry=retry)(dataname=file, name="bars"))) == PRICES


def test_a_reader_of_reversed_files_that_fails_midway_begins_anew(retry: RetryManager) -> None:
    class Flaky(io.StringIO):
        """Fails once, at its fourth line."""

        lines = 0

        def __next__(self) -> str:
            self.lines += 1
            if self.lines == 4:
                raise ConnectionError("down")
            return super().__next__()

    feed = guard_feed(bt.feeds.YahooFinanceCSVData, retry=retry)(
        dataname=Flaky(bars(reverse=True)), name="bars", reverse=True
    )
    assert closes(run(feed)) == PRICES


def test_what_a_failed_start_has_set_is_gone_but_for_numbers(tmp_path: Path, retry: RetryManager) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(bars())
    feed = guard_feed(late_failing(bt.feeds.BacktraderCSVData, times=5), retry=retry)(dataname=str(path))
    with pytest.raises(Exception, match="did not start"):
        run(feed)
    assert (feed.f, hasattr(feed, "leftover"), feed.attempts) == (None, False, 3)
