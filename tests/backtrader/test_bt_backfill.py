"""The bars of a file or of another feed first, then the exchange's own from where they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import ccxt
import pandas as pd
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import run

from tradeguard.exceptions import ConfigurationException, DataFeedException
from tradeguard_backtrader import GuardedStore, guard_feed

Stores = Callable[..., GuardedStore]
START = datetime(2023, 11, 14, 22, 13, 20)
START_MS = 1_700_000_000_000


def rows_of(exchange: ScriptedExchange, seconds: Sequence[int]) -> list[tuple[datetime, list[float]]]:
    """The exchange's own candles that close so many seconds after START."""
    return [
        (START + timedelta(seconds=second), exchange.row(START_MS + second * 1000 - 1000)[1:])
        for second in seconds
    ]


def pandas_feed(rows: list[tuple[datetime, list[float]]]) -> Any:
    frame = pd.DataFrame(
        [values for _, values in rows],
        index=pd.DatetimeIndex([stamp for stamp, _ in rows]),
        columns=["open", "high", "low", "close", "volume"],
    )
    return bt.feeds.PandasData(dataname=frame, openinterest=None)


def csv_file(path: Path, rows: list[tuple[datetime, list[float]]]) -> Path:
    lines = [",".join([str(stamp), *map(repr, values)]) for stamp, values in rows]
    path.write_text("\n".join(["time,o,h,l,c,v", *lines]) + "\n")
    return path


def csv_feed(path: Path, cls: Any = bt.feeds.GenericCSVData) -> Any:
    return cls(
        dataname=str(path), dtformat="%Y-%m-%d %H:%M:%S", openinterest=-1, timeframe=bt.TimeFrame.Seconds
    )


def test_a_file_and_the_exchange_are_one_sequence(
    scripted: ScriptedExchange, store_of: Stores, tmp_path: Path
) -> None:
    path = csv_file(tmp_path / "old.csv", rows_of(scripted, range(-30, -9)))
    store = store_of(scripted)
    mended = run(store, backfill_from=csv_feed(path), bars=3)
    plain = run(store, fromdate=START - timedelta(seconds=30), todate=START + timedelta(seconds=3))
    assert [bar[0] for bar in mended.bars] == [START + timedelta(seconds=second) for second in range(-30, 4)]
    assert [bar[1:] for bar in mended.bars] == [
        tuple(values) for _, values in rows_of(scripted, range(-30, 4))
    ]
    assert mended.bars[:30] == plain.bars[:30]
    assert mended.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]
    assert mended.store == []


def test_the_exchange_is_asked_for_nothing_that_the_file_has(
    scripted: ScriptedExchange, store_of: Stores, tmp_path: Path
) -> None:
    path = csv_file(tmp_path / "old.csv", rows_of(scripted, range(-30, -9)))
    run(store_of(scripted), backfill_from=csv_feed(path), bars=1, recheck=0)
    asked = [arguments[2] for arguments in scripted.called("fetch_ohlcv")]
    assert min(asked) == START_MS - 10_000


@pytest.mark.parametrize("make", [pandas_feed, None], ids=["pandas", "guarded csv"])
def test_any_feed_that_ends_will_do(
    scripted: ScriptedExchange, store_of: Stores, tmp_path: Path, make: Any
) -> None:
    rows = rows_of(scripted, range(-5, 0))
    guarded = guard_feed(bt.feeds.GenericCSVData)
    source = make(rows) if make else csv_feed(csv_file(tmp_path / "old.csv", rows), guarded)
    log = run(store_of(scripted), backfill_from=source, bars=1)
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-5, 2)]


def test_another_exchanges_history_will_do(scripted: ScriptedExchange, store_of: Stores) -> None:
    other = ScriptedExchange(scripted.clock)
    source = store_of(other).getdata(
        dataname="ETH/BTC", timeframe=bt.TimeFrame.Seconds, historical=True,
        fromdate=START - timedelta(seconds=9), todate=START - timedelta(seconds=3),
    )  # fmt: skip
    log = run(store_of(scripted), backfill_from=source, bars=2)
    assert log.stamps()[0] == START - timedelta(seconds=9)
    steps = {later - earlier for earlier, later in zip(log.stamps(), log.stamps()[1:], strict=False)}
    assert steps == {timedelta(seconds=1)}


def test_stamps_of_opens_are_read_as_such(scripted: ScriptedExchange, store_of: Stores) -> None:
    opens = [(stamp - timedelta(seconds=1), values) for stamp, values in rows_of(scripted, range(-5, 0))]
    log = run(store_of(scripted), backfill_from=pandas_feed(opens), backfill_opens=True, bars=1)
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-5, 2)]


def test_daily_bars_of_a_file_that_end_a_moment_before_midnight_do_not_come_twice(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    """Backtrader stamps a date without a time with 23:59:59.999989."""
    scripted.timeframes["1d"] = "1d"
    scripted.step_ms = 86_400_000
    last = START.replace(hour=0, minute=0, second=0) - timedelta(days=2)
    rows = [
        (last - timedelta(days=day, microseconds=11), [1.0, 2.0, 0.5, 1.5, 9.0]) for day in range(4, -1, -1)
    ]
    log = run(
        store_of(scripted), backfill_from=pandas_feed(rows), historical=True,
        timeframe=bt.TimeFrame.Days, compression=1,
    )  # fmt: skip
    days = [stamp.date() for stamp in log.stamps()]
    assert len(log.bars) == 7
    assert days == sorted(set(days))


def test_fromdate_and_todate_hold_for_the_file_too(scripted: ScriptedExchange, store_of: Stores) -> None:
    source = pandas_feed(rows_of(scripted, range(-30, -9)))
    log = run(
        store_of(scripted), backfill_from=source,
        fromdate=START - timedelta(seconds=12), todate=START - timedelta(seconds=7),
    )  # fmt: skip
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-12, -6)]


def test_bars_out_of_order_are_left_out_and_told(scripted: ScriptedExchange, store_of: Stores) -> None:
    seconds = [-9, -8, -8, -12, -7]
    log = run(store_of(scripted), backfill_from=pandas_feed(rows_of(scripted, seconds)), bars=1)
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-9, 2)]
    assert log.store == [("backfill", "ETH/BTC: 2 bars of the backfill came out of order and were left out")]


def test_an_outage_at_the_start_does_not_keep_the_file_back(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.fail("load_markets", *[ccxt.NetworkError("down")] * 10)
    log = run(store_of(scripted), backfill_from=pandas_feed(rows_of(scripted, range(-5, 0))), bars=1)
    assert log.told[:6] == [*(f"bar {number}" for number in range(1, 6)), "CONNBROKEN"]
    assert log.statuses[-3:] == ["DELAYED", "LIVE", "DISCONNECTED"]
    steps = {later - earlier for earlier, later in zip(log.stamps(), log.stamps()[1:], strict=False)}
    assert steps == {timedelta(seconds=1)}


def test_a_feed_with_a_file_can_run_again(scripted: ScriptedExchange, store_of: Stores) -> None:
    store, cerebro = store_of(scripted), bt.Cerebro(stdstats=False)
    source = pandas_feed(rows_of(scripted, range(-30, -9)))
    last = START - timedelta(seconds=2)
    cerebro.adddata(
        store.getdata(
            dataname="ETH/BTC",
            timeframe=bt.TimeFrame.Seconds,
            backfill_from=source,
            todate=last,
            historical=True,
        )
    )
    cerebro.addstrategy(bt.Strategy)
    assert [len(cerebro.run()[0]) for _ in range(2)] == [29, 29]
    assert len(source) == 21  # read anew, not after its end


def test_an_empty_file_changes_nothing(scripted: ScriptedExchange, store_of: Stores, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "empty.csv", [])
    log = run(store_of(scripted), backfill_from=csv_feed(path), history=3, bars=1)
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-2, 2)]


def test_a_live_feed_cannot_come_first(scripted: ScriptedExchange, store_of: Stores) -> None:
    live = store_of(scripted).getdata(dataname="ETH/BTC")
    with pytest.raises(ConfigurationException, match="a feed that ends"):
        run(store_of(ScriptedExchange(scripted.clock)), backfill_from=live)


def test_a_source_that_stops_before_its_end_is_never_taken_for_one_that_has_ended(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    class Stops(bt.feed.DataBase):
        def _load(self) -> None:
            return None

    with pytest.raises(DataFeedException, match="before its end"):
        run(store_of(scripted), backfill_from=Stops())


def test_a_feed_with_a_file_can_be_preloaded_and_resampled(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    source = pandas_feed(rows_of(scripted, range(-30, -9)))
    feed = store_of(scripted).getdata(
        dataname="ETH/BTC", timeframe=bt.TimeFrame.Seconds, backfill_from=source, historical=True
    )
    stamps: list[datetime] = []

    class Watch(bt.Strategy):
        def next(self) -> None:
            stamps.append(self.data.datetime.datetime(0))

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.resampledata(feed, timeframe=bt.TimeFrame.Seconds, compression=5)
    cerebro.addstrategy(Watch)
    cerebro.run()
    assert stamps == [START + timedelta(seconds=second) for second in range(-30, 1, 5)]
