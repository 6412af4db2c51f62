"""Candles that change after they were delivered, and candles that the exchange does not have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import backtrader as bt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import MINUTE, EventClock, run

from tradeguard_backtrader import GuardedStore, InlineWorkers, StoreConfig

Stores = Callable[..., GuardedStore]
START = datetime(2023, 11, 14, 22, 13, 20)
START_MS = 1_700_000_000_000


class Revising(ScriptedExchange):
    """An exchange that changes closed candles afterwards."""

    def __init__(self, clock: EventClock) -> None:
        super().__init__(clock)
        self.revised: dict[int, float] = {}

    def row(self, open_ms: int) -> list[Any]:
        row = super().row(open_ms)
        if open_ms in self.revised:
            row[5] = self.revised[open_ms]
        return row


@pytest.fixture
def revising(clock: EventClock) -> Revising:
    return Revising(clock)


def test_a_late_correction_is_told_once_and_never_delivered(
    revising: Revising, store_of: Stores, clock: EventClock
) -> None:
    started_ms = revising.server_ms()
    clock.at(2.5, lambda: revising.revised.update({started_ms: 7.5}))
    log = run(store_of(revising), history=3, bars=6)
    (kind, text), *more = log.store
    assert (kind, more) == ("correction", [])
    assert text.startswith("ETH/BTC: the candle that closed at 2023-11-14 22:13:")
    assert text.endswith(" was corrected: volume from 2.0 to 7.5")
    assert len(log.stamps()) == len(set(log.stamps())) == 9
    assert {bar[5] for bar in log.bars} == {2.0}


def test_each_further_correction_is_told(revising: Revising, store_of: Stores, clock: EventClock) -> None:
    started_ms = revising.server_ms()
    clock.at(1.5, lambda: revising.revised.update({started_ms: 7.5}))
    clock.at(2.5, lambda: revising.revised.update({started_ms: 8.5}))
    log = run(store_of(revising), history=3, bars=6)
    assert [text.split("corrected: ")[1] for _, text in log.store] == [
        "volume from 2.0 to 7.5",
        "volume from 7.5 to 8.5",
    ]


@pytest.mark.parametrize(("recheck", "told"), [(0, []), (3, []), (5, ["correction"])])
def test_corrections_are_looked_for_as_far_back_as_recheck_says(
    revising: Revising, store_of: Stores, clock: EventClock, recheck: int, told: list[str]
) -> None:
    started_ms = revising.server_ms()
    clock.at(4.5, lambda: revising.revised.update({started_ms: 7.5}))
    assert run(store_of(revising), history=3, bars=8, recheck=recheck).kinds() == told


def test_looking_again_costs_no_request(scripted: ScriptedExchange, store_of: Stores) -> None:
    counts = []
    for recheck in (0, 3):
        scripted.calls.clear()
        run(store_of(scripted), history=10, bars=20, recheck=recheck)
        counts.append(len(scripted.called("fetch_ohlcv")))
    assert counts[0] == counts[1] <= 23


def test_a_page_of_one_candle_leaves_no_room_to_look_again(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    log = run(store_of(scripted), history=5, bars=5, page=1)
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-4, 6)]


def test_a_sparse_market_is_passed_through_whatever_is_looked_at_again(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    """Candles further apart than a page is long: looking back to the last of them would cost requests."""
    wanted = {-20, -19, 9, 30, 31}
    scripted.skipped = {START_MS + second * 1000 for second in range(-100, 31) if second not in wanted}
    log = run(store_of(scripted), history=30, bars=4, page=4)
    assert log.stamps() == [START + timedelta(seconds=second + 1) for second in (-20, -19, 9, 30, 31, 32)]
    asked = [arguments[2] for arguments in scripted.called("fetch_ohlcv")]
    reached = next(index for index, since in enumerate(asked) if since >= START_MS + 10_000)
    assert min(asked[reached:]) >= START_MS + 7_000


def test_periods_without_trades_stay_empty_unless_somebody_asks(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.skipped = {START_MS + second * 1000 for second in (-5, -4)}
    log = run(store_of(scripted), history=10, bars=1)
    assert len(log.bars) == 9
    assert log.kinds() == ["gap"]


def test_empty_periods_are_filled_flat_and_told_as_such(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.skipped = {START_MS + second * 1000 for second in (-5, -4, 3)}
    log = run(store_of(scripted), history=10, bars=6, fill_empty=True)
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-9, 7)]
    close = log.bars[4][4]
    assert [bar[1:] for bar in log.bars[5:7]] == [(close, close, close, close, 0.0)] * 2
    assert {bar[5] for index, bar in enumerate(log.bars) if index not in {5, 6, 13}} == {2.0}
    assert [kind for kind, _ in log.store] == ["flat", "flat"]
    assert log.store[0][1] == (
        "ETH/BTC: nobody traded from 2023-11-14 22:13:15 to 2023-11-14 22:13:17; 2 flat bars stand in"
    )


def test_a_malformed_candle_is_no_empty_period(scripted: ScriptedExchange, store_of: Stores) -> None:
    broken = [START_MS - 4000, None, 1.0, 1.0, 1.0, 1.0]
    honest = scripted.row
    scripted.row = lambda ms: broken if ms == broken[0] else honest(ms)  # type: ignore[method-assign]
    log = run(store_of(scripted), history=8, bars=1, fill_empty=True)
    assert log.kinds() == ["gap"]
    assert len(log.bars) == 8


def test_what_is_missing_before_the_first_candle_cannot_be_filled(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.skipped = {START_MS + second * 1000 for second in (-10, -9)}
    log = run(store_of(scripted), history=10, bars=1, fill_empty=True)
    assert log.kinds() == ["gap"]
    assert log.stamps()[0] == START - timedelta(seconds=7)


def test_filled_bars_add_up_in_a_longer_bar(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.skipped = {START_MS + second * 1000 for second in range(-5, 0)}
    volumes: list[float] = []

    class Watch(bt.Strategy):
        def next(self) -> None:
            volumes.append(self.data.volume[0])

    cerebro = bt.Cerebro(stdstats=False)
    feed = store_of(scripted).getdata(
        dataname="ETH/BTC", timeframe=bt.TimeFrame.Seconds, history=15, bars=10, fill_empty=True
    )
    cerebro.resampledata(feed, timeframe=bt.TimeFrame.Seconds, compression=5)
    cerebro.addstrategy(Watch)
    cerebro.run()
    assert volumes == [10.0, 10.0, 0.0, 10.0, 10.0]


def test_live_is_told_though_a_correction_is_behind_it(revising: Revising, clock: EventClock) -> None:
    """The correction comes while the strategy thinks about a bar of its history."""
    revising.step_ms = 60_000
    workers = InlineWorkers(clock)
    store = GuardedStore(revising, clock=clock, workers=workers, config=StoreConfig(max_poll_pause=0.2))

    def think(_: Any) -> None:
        revising.revised[START_MS // 60_000 * 60_000 - 60_000] = 7.5
        workers.wait_for(lambda: False, 1.0)

    log = run(store, history=3, bars=1, script={2: think}, **MINUTE)
    assert log.kinds() == ["correction"]
    assert log.told[:6] == ["DELAYED", "bar 1", "bar 2", "bar 3", "LIVE", "bar 4"]


@pytest.mark.parametrize("historical", [True, False])
@pytest.mark.parametrize("fill_empty", [True, False])
def test_a_gap_across_the_end_is_cut_there(
    scripted: ScriptedExchange, store_of: Stores, fill_empty: bool, historical: bool
) -> None:
    scripted.skipped = {START_MS + 1000 * second for second in (-8, -7, -6, -5)}
    log = run(
        store_of(scripted),
        fromdate=START - timedelta(seconds=10),
        todate=START - timedelta(seconds=6),
        fill_empty=fill_empty,
        historical=historical,
        cerebro={"preload": False},
    )
    expected = [-10, -9, -8, -7, -6] if fill_empty else [-10, -9, -8]
    assert log.stamps() == [START + timedelta(seconds=second) for second in expected]
    assert log.kinds() == (["flat"] if fill_empty else ["gap"])
    assert "from 2023-11-14 22:13:12 to 2023-11-14 22:13:14" in log.store[0][1]


def test_candles_without_a_volume_are_no_bars_and_the_reason_is_told(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    honest = scripted.row
    scripted.row = lambda open_ms: [*honest(open_ms)[:5], None]  # type: ignore[method-assign]
    log = run(store_of(scripted), history=2, todate=START, historical=True, cerebro={"preload": False})
    assert log.bars == []
    assert log.kinds() == ["gap", "gap"]
    assert log.store[0][1].endswith(" are without a volume, which a bar must have")
