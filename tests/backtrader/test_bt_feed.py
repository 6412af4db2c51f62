"""Bars from a simulated exchange: history, live, the end, and what Cerebro is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import MINUTE, Log, run

from tradeguard.exceptions import ConfigurationException, DataFeedException
from tradeguard.testing import ManualClock
from tradeguard_backtrader import GuardedFeed, GuardedStore

START = datetime(2023, 11, 14, 22, 13, 20)  # where the clock begins
START_MS = 1_700_000_000_000

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]


def test_history_then_live_bars_then_the_end(simulate: Simulate, guarded: Simulate, store_of: Stores) -> None:
    log = run(store_of(guarded(simulate())), history=5, bars=3)
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-4, 4)]
    assert log.told == [
        "DELAYED", "bar 1", "bar 2", "bar 3", "bar 4", "bar 5", "LIVE", "bar 6", "bar 7", "bar 8",
        "DISCONNECTED", "over",
    ]  # fmt: skip
    assert log.store == []


def test_bars_are_the_exchanges_own_candles_stamped_with_their_close(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    exchange = guarded(simulate())
    log = run(store_of(exchange), history=4, bars=4)
    candles = exchange.fetch_ohlcv("ETH/BTC", "1s", START_MS - 4_000, 8)
    closes = [datetime(1970, 1, 1) + timedelta(milliseconds=candle[0] + 1000) for candle in candles]
    assert log.bars == [(close, *candle[1:]) for close, candle in zip(closes, candles, strict=True)]


def test_the_first_bar_closes_at_fromdate_and_the_last_at_todate(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    log = run(
        store_of(guarded(simulate())),
        fromdate=START - timedelta(minutes=3),
        todate=START + timedelta(minutes=2),
        **MINUTE,
    )
    whole = START.replace(second=0)
    assert log.stamps() == [whole + timedelta(minutes=minute) for minute in range(-2, 3)]
    assert log.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]


def test_a_history_of_several_pages_is_complete(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.page = 7
    log = run(store_of(scripted), history=40, bars=1)
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-39, 2)]
    assert log.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]


def test_a_short_page_is_not_the_end_of_the_history(scripted: ScriptedExchange, store_of: Stores) -> None:
    first = scripted.row(START_MS - 10_000)
    scripted.fail("fetch_ohlcv", [first])
    log = run(store_of(scripted), history=10, bars=1)
    assert len(log.bars) == 11
    assert log.told[:2] == ["DELAYED", "bar 1"]
    assert log.told.index("LIVE") == 11


def test_an_open_candle_is_never_delivered(scripted: ScriptedExchange, store_of: Stores) -> None:
    """The exchange is three seconds ahead, and always shows the candle that is still open."""
    scripted.server_ahead_ms = 3_400
    early: list[datetime] = []

    def check(strategy: Any) -> None:
        close = strategy.data.datetime.datetime(0)
        if close > datetime(1970, 1, 1) + timedelta(milliseconds=scripted.server_ms()):
            early.append(close)

    log = run(store_of(scripted), history=3, bars=5, each=check)
    assert (len(log.bars), early) == (8, [])


def test_a_page_that_was_long_under_way_does_not_close_its_last_candle(
    scripted: ScriptedExchange, store_of: Stores, clock: ManualClock
) -> None:
    """The page is made at once and arrives five seconds later; its last candle was open then."""
    honest = scripted._rows

    def slow(since: int | None, limit: int | None) -> list[list[Any]]:
        rows = honest(since, limit)
        rows[-1][1:5] = [999.0] * 4  # not the prices with which it will close
        clock.advance(5.0)
        return rows

    scripted._rows = slow  # type: ignore[method-assign]
    log = run(store_of(scripted), history=3, bars=8)
    assert 999.0 not in [bar[4] for bar in log.bars]
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-2, 9)]


def test_live_is_told_after_the_last_bar_that_waits(scripted: ScriptedExchange, store_of: Stores) -> None:
    """Three candles close while the strategy thinks about the first one of its history."""
    store = store_of(scripted)

    def think(_: Any) -> None:
        store.workers.wait_for(lambda: False, 3.0)

    log = run(store, history=3, bars=5, script={1: think})
    assert log.told[:8] == ["DELAYED", "bar 1", "bar 2", "bar 3", "bar 4", "bar 5", "bar 6", "LIVE"]


def test_an_exchange_without_a_clock_is_taken_to_be_late(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.has["fetchTime"] = False
    log = run(store_of(scripted), history=3, bars=2)
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-7, -2)]
    assert scripted.called("fetch_time") == []


def test_an_unknown_symbol_is_named_when_the_run_begins(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    with pytest.raises(DataFeedException, match=r"binance has no symbol 'ETH/BTX'; did you mean ETH/BTC\?"):
        run(store_of(guarded(simulate())), symbol="ETH/BTX")


def test_a_timeframe_that_the_exchange_lacks_is_told_and_ends_the_feed(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    simulated = simulate()
    log = run(store_of(guarded(simulated)), timeframe=bt.TimeFrame.Minutes, compression=7)
    assert (log.statuses, log.bars) == (["NOTSUPPORTED_TIMEFRAME"], [])


def test_an_exchange_that_refuses_to_serve_us_ends_the_feed(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.fail("fetch_ohlcv", None, None, ccxt.PermissionDenied("your country is not served"))
    log = run(store_of(scripted), history=3)
    assert log.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]
    assert log.store == [("denied", "ETH/BTC: your country is not served")]


def test_a_symbol_that_is_delisted_ends_the_feed(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.fail("fetch_ohlcv", None, None, ccxt.BadSymbol("ETH/BTC is no longer listed"))
    log = run(store_of(scripted), history=3)
    assert log.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]


def test_a_feed_of_history_alone_can_be_preloaded(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    log = run(store_of(guarded(simulate())), historical=True, history=50)
    assert log.stamps() == [START + timedelta(seconds=second) for second in range(-49, 1)]


def test_a_preloaded_history_waits_for_the_end_of_an_outage_instead_of_ending_early(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.page = 10
    scripted.fail("fetch_ohlcv", None, *[ccxt.NetworkError("down")] * 5)
    log = run(store_of(scripted), historical=True, history=30)
    assert len(log.bars) == 30


def test_live_feeds_turn_preloading_off_and_history_does_not(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    store = store_of(scripted)
    assert store.getdata(dataname="ETH/BTC").islive()
    assert not store.getdata(dataname="ETH/BTC", historical=True).islive()


def test_a_chained_feed_that_waits_is_not_taken_for_one_that_has_ended(
    scripted: ScriptedExchange, store_of: Stores, clock: ManualClock
) -> None:
    store = store_of(scripted)
    old = store.getdata(
        dataname="ETH/BTC", timeframe=bt.TimeFrame.Seconds, historical=True, todate=START - timedelta(seconds=5),
        fromdate=START - timedelta(seconds=9),
    )  # fmt: skip
    new = store.getdata(dataname="ETH/BTC", timeframe=bt.TimeFrame.Seconds, history=5, bars=3)
    stamps: list[datetime] = []

    class Watcher(bt.Strategy):
        def next(self) -> None:
            stamps.append(self.data.datetime.datetime(0))

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.chaindata(old, new, name="both")
    cerebro.addstrategy(Watcher)
    cerebro.run()
    assert stamps == [START + timedelta(seconds=second) for second in range(-9, 4)]


def test_memory_saving_runs_tell_the_same_bars(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    exchange = guarded(simulate())
    times = {"fromdate": START - timedelta(seconds=9), "todate": START + timedelta(seconds=5)}
    saving = run(store_of(exchange), cerebro={"exactbars": 1}, **times)
    plain = run(store_of(exchange), **times)
    assert saving.bars == plain.bars
    assert len(saving.bars) == 15


def test_a_feed_can_run_again(simulate: Simulate, guarded: Simulate, store_of: Stores) -> None:
    store = store_of(guarded(simulate()))
    first = run(store, history=3, bars=2)
    second = run(store, history=3, bars=2)
    assert len(first.bars) == len(second.bars) == 5
    assert first.statuses == second.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]


def test_a_feed_without_a_store_says_what_it_lacks() -> None:
    with pytest.raises(ConfigurationException, match="getdata"):
        bt.Cerebro().adddata(GuardedFeed(dataname="ETH/BTC"))


def test_bars_without_end_are_ended_by_runstop(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    def stop(strategy: Any) -> None:
        strategy.env.runstop()

    log: Log = run(store_of(guarded(simulate())), history=2, script={7: stop})
    assert (len(log.bars), log.stops) == (7, 1)
