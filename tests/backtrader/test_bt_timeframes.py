"""Backtrader's unit and compression, and the exchange's name of the same length."""

from __future__ import annotations

from datetime import UTC, datetime

import backtrader as bt
import pytest

from tradeguard_backtrader.feeds.timeframes import Timeframe, supported_timeframe

BINANCE = ["1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M"]


@pytest.mark.parametrize(
    ("unit", "compression", "name", "seconds"),
    [
        (bt.TimeFrame.Seconds, 1, "1s", 1),
        (bt.TimeFrame.Seconds, 60, "1m", 60),
        (bt.TimeFrame.Minutes, 1, "1m", 60),
        (bt.TimeFrame.Minutes, 15, "15m", 900),
        (bt.TimeFrame.Minutes, 60, "1h", 3600),
        (bt.TimeFrame.Minutes, 240, "4h", 14400),
        (bt.TimeFrame.Minutes, 1440, "1d", 86400),
        (bt.TimeFrame.Days, 1, "1d", 86400),
        (bt.TimeFrame.Days, 3, "3d", 259200),
        (bt.TimeFrame.Weeks, 1, "1w", 604800),
    ],
)
def test_a_timeframe_is_found_by_its_length(unit: int, compression: int, name: str, seconds: int) -> None:
    found = supported_timeframe(unit, compression, BINANCE)
    assert found == Timeframe(name, seconds * 1000)


@pytest.mark.parametrize(
    ("unit", "compression"),
    [
        (bt.TimeFrame.Ticks, 1),
        (bt.TimeFrame.MicroSeconds, 1),
        (bt.TimeFrame.Seconds, 5),
        (bt.TimeFrame.Minutes, 7),
        (bt.TimeFrame.Days, 7),
        (bt.TimeFrame.Weeks, 2),
        (bt.TimeFrame.Months, 3),
        (bt.TimeFrame.Years, 1),
    ],
)
def test_what_the_exchange_lacks_is_not_found(unit: int, compression: int) -> None:
    assert supported_timeframe(unit, compression, BINANCE) is None


def test_odd_names_of_an_exchange_are_passed_over() -> None:
    assert supported_timeframe(bt.TimeFrame.Minutes, 1, ["", "m", "1x", "1m"]) == Timeframe("1m", 60_000)


def test_a_month_closes_where_the_next_one_begins() -> None:
    month = supported_timeframe(bt.TimeFrame.Months, 1, BINANCE)
    assert month is not None

    def ms(*date: int) -> int:
        return int(datetime(*date, tzinfo=UTC).timestamp() * 1000)

    assert month.close_ms(ms(2024, 2, 1)) == ms(2024, 3, 1)
    assert month.close_ms(ms(2023, 12, 1)) == ms(2024, 1, 1)


def test_short_candles_begin_at_multiples_of_their_length_and_long_ones_anywhere() -> None:
    minute, day = Timeframe("1m", 60_000), Timeframe("1d", 86_400_000)
    assert (minute.first_open_ms(60_001), minute.may_open_at(90_000)) == (120_000, False)
    assert (day.first_open_ms(60_001), day.may_open_at(90_000)) == (60_001, True)


def test_the_last_close_until_a_time_is_that_of_a_whole_candle() -> None:
    minute, month = Timeframe("1m", 60_000), Timeframe("1M", 28 * 86_400_000, 1)
    assert minute.last_close_ms(60_000, 239_999) == 180_000
    assert minute.last_close_ms(60_000, 240_000) == 240_000
    assert minute.last_close_ms(60_000, 0) == 60_000
    january, march = (int(datetime(2024, number, 1, tzinfo=UTC).timestamp() * 1000) for number in (1, 3))
    assert month.last_close_ms(january, march) == march
    assert month.last_close_ms(january, january) == january
