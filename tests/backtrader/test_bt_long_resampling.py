"""Days, weeks and months made of a feed's own bars are those of the exchange."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import backtrader as bt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock

from tradeguard.simulator import SyntheticMarket
from tradeguard_backtrader import GuardedStore

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]

HOURS = SyntheticMarket(("ETH/BTC",), timeframe="1h", history=24 * 7)
HOUR = {"timeframe": bt.TimeFrame.Minutes, "compression": 60}
DAY = {"timeframe": bt.TimeFrame.Days, "compression": 1}


def bars_of(data: Any) -> tuple[Any, ...]:
    lines = (data.open, data.high, data.low, data.close, data.volume)
    return (data.datetime.datetime(0), *(pytest.approx(line[0]) for line in lines))


def last_bars(cerebro: bt.Cerebro) -> list[tuple[Any, ...]]:
    """Run, and return the bars of the last data as they were when they were complete."""
    bars: dict[int, tuple[Any, ...]] = {}

    class Watch(bt.Strategy):
        def prenext(self) -> None:
            data = self.datas[-1]
            if len(data):
                bars[len(data)] = bars_of(data)

        next = prenext

    cerebro.addstrategy(Watch)
    cerebro.run()
    return list(bars.values())


def made(
    store: GuardedStore, unit: int, *, compression: int = 1, beside: bool = True, replay: bool = False,
    cerebro: dict[str, Any] | None = None, of: dict[str, Any] = HOUR, **feed: Any,
) -> list[tuple[Any, ...]]:  # fmt: skip
    env = bt.Cerebro(stdstats=False, **(cerebro or {}))
    data = store.getdata(dataname="ETH/BTC", **of, **feed)
    if beside:
        env.adddata(data)
    longer = env.replaydata if replay else env.resampledata
    longer(data, timeframe=unit, compression=compression)
    return last_bars(env)


def own(store: GuardedStore, **feed: Any) -> list[tuple[Any, ...]]:
    env = bt.Cerebro(stdstats=False)
    env.adddata(store.getdata(dataname="ETH/BTC", **feed))
    return last_bars(env)


@pytest.mark.parametrize("sessionend", [None, time(0, 0)])
@pytest.mark.parametrize(
    "how",
    [
        {"historical": True},
        {"historical": True, "beside": False},
        {"beside": False},
        {},
        {"cerebro": {"exactbars": 1}},
        {"replay": True, "beside": False},
        {"replay": True},
    ],
    ids=str,
)
def test_days_are_the_exchanges_own(
    simulate: Simulate, guarded: Simulate, store_of: Stores, how: dict[str, Any], sessionend: time | None
) -> None:
    store = store_of(guarded(simulate(market=HOURS)))
    last = datetime(2023, 11, 14)
    times = {"todate": last, "sessionend": sessionend}
    days = own(store, **DAY, fromdate=last - timedelta(days=3), **times)
    assert [day[0] for day in days] == [last - timedelta(days=number) for number in (3, 2, 1, 0)]
    hours = made(store, bt.TimeFrame.Days, fromdate=last - timedelta(days=4, hours=-1), **times, **how)
    assert hours == days


class Calendar(ScriptedExchange):
    """An exchange of days."""

    def __init__(self, clock: EventClock) -> None:
        super().__init__(clock, step_ms=86_400_000)
        self.timeframes = {"1d": "1d"}

    def sum_of(self, first: date, after: date) -> tuple[Any, ...]:
        """The bar of all days from the first until before another."""
        stamps = [datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(days=number)
                  for number in range((after - first).days)]  # fmt: skip
        rows = [self.row(int(stamp.timestamp() * 1000)) for stamp in stamps]
        close = datetime(after.year, after.month, after.day)
        highest, lowest = max(row[2] for row in rows), min(row[3] for row in rows)
        prices = (rows[0][1], highest, lowest, rows[-1][4], sum(row[5] for row in rows))
        return (close, *(pytest.approx(price) for price in prices))


@pytest.fixture
def calendar(clock: EventClock) -> Calendar:
    return Calendar(clock)


@pytest.mark.parametrize("replay", [False, True])
@pytest.mark.parametrize("historical", [False, True])
@pytest.mark.parametrize(
    ("unit", "compression", "edges"),
    [
        (bt.TimeFrame.Weeks, 1, [date(2023, 9, 4), date(2023, 9, 11), date(2023, 9, 18), date(2023, 9, 25)]),
        (bt.TimeFrame.Weeks, 2, [date(2023, 9, 4), date(2023, 9, 18), date(2023, 10, 2)]),
        (bt.TimeFrame.Months, 1, [date(2023, 7, 1), date(2023, 8, 1), date(2023, 9, 1), date(2023, 10, 1)]),
        (bt.TimeFrame.Months, 3, [date(2023, 4, 1), date(2023, 7, 1), date(2023, 10, 1)]),
        (bt.TimeFrame.Years, 1, [date(2021, 1, 1), date(2022, 1, 1), date(2023, 1, 1)]),
        (bt.TimeFrame.Days, 2, [date(2023, 9, 4), date(2023, 9, 6), date(2023, 9, 8)]),
    ],
)
def test_longer_bars_begin_and_end_with_the_calendars(
    calendar: Calendar, store_of: Stores, unit: int, compression: int, edges: list[date],
    historical: bool, replay: bool,
) -> None:  # fmt: skip
    first, last = (datetime(day.year, day.month, day.day) for day in (edges[0], edges[-1]))
    bars = made(
        store_of(calendar), unit, compression=compression, replay=replay, of=DAY,
        historical=historical, fromdate=first + timedelta(days=1), todate=last,
    )  # fmt: skip
    assert bars == [calendar.sum_of(*pair) for pair in itertools.pairwise(edges)]


def test_a_week_is_complete_with_its_last_day(calendar: Calendar, store_of: Stores) -> None:
    """Nothing waits for the Monday after it."""
    seen: list[tuple[datetime, int]] = []

    class Watch(bt.Strategy):
        def prenext(self) -> None:
            seen.append((self.data.datetime.datetime(0), len(self.datas[1])))

        next = prenext

    cerebro = bt.Cerebro(stdstats=False)
    data = store_of(calendar).getdata(
        dataname="ETH/BTC", fromdate=datetime(2023, 9, 5), todate=datetime(2023, 9, 12), **DAY
    )
    cerebro.adddata(data)
    cerebro.resampledata(data, timeframe=bt.TimeFrame.Weeks)
    cerebro.addstrategy(Watch)
    cerebro.run()
    assert next(stamp for stamp, count in seen if count) == datetime(2023, 9, 11)


def test_a_day_without_its_last_candles_ends_at_midnight_all_the_same(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.step_ms, scripted.timeframes = 3_600_000, {"1h": "1h"}
    day = int(datetime(2023, 11, 12, tzinfo=UTC).timestamp() * 1000)
    # Of the first day the last two are missing; of the second there is one alone.
    scripted.skipped = {day - 3_600_000 * number for number in (1, 2)}
    scripted.skipped |= {day + 3_600_000 * number for number in range(24) if number != 5}
    times = {"fromdate": datetime(2023, 11, 11, 1), "todate": datetime(2023, 11, 14)}
    bars = made(store_of(scripted), bt.TimeFrame.Days, historical=True, **times)
    assert [(bar[0].day, bar[5]) for bar in bars] == [
        (12, pytest.approx(44.0)), (13, pytest.approx(2.0)), (14, pytest.approx(48.0)),
    ]  # fmt: skip


def test_a_session_ends_when_it_is_told_to(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.step_ms, scripted.timeframes = 3_600_000, {"1h": "1h"}
    times = {"fromdate": datetime(2023, 11, 11, 17), "todate": datetime(2023, 11, 13, 16)}
    bars = made(store_of(scripted), bt.TimeFrame.Days, sessionend=time(16, 0), historical=True, **times)
    assert [(bar[0], bar[5]) for bar in bars] == [
        (datetime(2023, 11, 12, 16), pytest.approx(48.0)), (datetime(2023, 11, 13, 16), pytest.approx(48.0)),
    ]  # fmt: skip


class NewYork(tzinfo):
    """As it is in winter."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(hours=-5)

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta()


def test_days_are_those_of_the_feeds_timezone(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.step_ms, scripted.timeframes = 3_600_000, {"1h": "1h"}
    times = {"fromdate": datetime(2023, 11, 11, 1), "todate": datetime(2023, 11, 13)}
    bars = made(store_of(scripted), bt.TimeFrame.Days, tz=NewYork(), historical=True, **times)
    assert [(bar[0], bar[5]) for bar in bars] == [
        (datetime(2023, 11, 12), pytest.approx(48.0)), (datetime(2023, 11, 13), pytest.approx(48.0)),
    ]  # fmt: skip


def test_days_of_days_are_stamped_with_the_close_of_the_last(calendar: Calendar, store_of: Stores) -> None:
    times = {"fromdate": datetime(2023, 9, 5), "todate": datetime(2023, 9, 9)}
    bars = made(store_of(calendar), bt.TimeFrame.Days, compression=2, historical=True, of=DAY, **times)
    assert [bar[0] for bar in bars] == [datetime(2023, 9, 6), datetime(2023, 9, 8), datetime(2023, 9, 9)]
    assert bars[1] == calendar.sum_of(date(2023, 9, 6), date(2023, 9, 8))


def test_a_copy_is_resampled_like_its_feed(calendar: Calendar, store_of: Stores) -> None:
    cerebro = bt.Cerebro(stdstats=False)
    times = {"fromdate": datetime(2023, 9, 5), "todate": datetime(2023, 9, 18), "historical": True}
    feed = store_of(calendar).getdata(dataname="ETH/BTC", **DAY, **times)
    cerebro.adddata(feed)
    copy = feed.copyas("copy")
    cerebro.adddata(copy)
    cerebro.resampledata(copy, timeframe=bt.TimeFrame.Weeks)
    assert [bar[0].day for bar in last_bars(cerebro)] == [11, 18]


def test_ticks_are_moments_within_their_day(
    scripted: ScriptedExchange, store_of: Stores, clock: EventClock
) -> None:
    midnight = int(datetime(2023, 11, 14, tzinfo=UTC).timestamp() * 1000)
    for stamp in (midnight - 1, midnight, midnight + 1, midnight + 86_300_000):
        scripted.trade(stamp)
    scripted.window_ms = 10**9
    times = {"fromdate": datetime(2023, 11, 13, 23), "todate": datetime(2023, 11, 14, 12), "historical": True}
    ticks = {"timeframe": bt.TimeFrame.Ticks, "compression": 1}
    bars = made(store_of(scripted), bt.TimeFrame.Days, of=ticks, **times)
    assert [bar[5] for bar in bars] == [pytest.approx(0.5), pytest.approx(1.0)]
