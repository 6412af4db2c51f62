"""Bars that come by websocket: what REST is asked for meanwhile, and that faults of the stream change nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import backtrader as bt
import pytest
from bt_runs import MINUTE, Log, run
from bt_streams import async_support, stage, streamed

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import Fault, FaultKind, StreamFault, StreamFaultKind
from tradeguard_backtrader import GuardedStore, StoreConfig
from tradeguard_ccxt import GuardedExchange

K = StreamFaultKind
TICKS = {"timeframe": bt.TimeFrame.Ticks, "compression": 1}
QUIET = ["DELAYED", "LIVE", "DISCONNECTED"]
RECOVERED = ["DELAYED", "LIVE", "CONNBROKEN", "DELAYED", "LIVE", "DISCONNECTED"]
SILENCE = {"silence": {"watch_ohlcv": 8.0, "watch_trades": 8.0}}


@cache
def polled(bars: int, history: int, *, ticks: bool = False) -> Log:
    """A run on the same market that asks over REST, without faults."""
    with TemporaryDirectory() as folder:
        feed = {"bars": bars, "history": history, "websocket": False, **(TICKS if ticks else {})}
        return streamed(Path(folder), feed=feed)[0]


def test_a_healthy_stream_brings_every_candle_and_rest_only_the_history(tmp_path: Path) -> None:
    log, ran = streamed(tmp_path, feed={"history": 5, "bars": 60})
    assert log.bars == polled(60, 5).bars
    assert log.told == polled(60, 5).told
    asked = {request.path for request in ran.simulated.requests.select()}
    assert asked == {"/api/v3/exchangeInfo", "/api/v3/time", "/api/v3/klines", "/ws/0"}
    assert (ran.asked(), ran.asked("/time")) == (1, 1)
    assert log.store == []


def test_a_page_of_history_before_the_stream_is_followed_by_the_next(tmp_path: Path) -> None:
    log, ran = streamed(tmp_path, feed={"history": 100, "bars": 10, "page": 40})
    assert log.bars == polled(10, 100).bars
    assert ran.asked() == 3


def test_candles_of_a_minute_come_by_stream_too(tmp_path: Path) -> None:
    log, ran = streamed(tmp_path, feed={"history": 3, "bars": 4, **MINUTE})
    assert len(log.bars) == 7
    assert log.statuses == QUIET
    assert ran.asked() == 1


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (K.DROPPED, {}),
        (K.CLOSED, {"code": 1006}),
        (K.CLOSED, {"code": 1012}),
        (K.FROZEN, {}),
        (K.FROZEN, {"duration": 3.0}),
        (K.LOST, {"times": 1}),
        (K.LOST, {"times": 7}),
        (K.LAGGING, {"delay": 4.0, "times": 3}),
        (K.DUPLICATED, {"times": 9}),
        (K.REORDERED, {"times": 9}),
        (K.TRUNCATED, {}),
        (K.GARBAGE, {}),
    ],
)
@pytest.mark.parametrize("skip", [11, 12])
def test_faults_of_the_stream_change_no_bar_and_no_status(
    tmp_path: Path, kind: StreamFaultKind, settings: dict[str, Any], skip: int
) -> None:
    """Every other message is the last one of its candle."""
    fault = StreamFault(kind, on="kline", skip=skip, **settings)
    log, ran = streamed(tmp_path, fault, feed={"history": 5, "bars": 40}, **SILENCE)
    assert sum(sum(socket.faults.values()) for socket in ran.simulated.sockets) >= 1
    assert log.bars == polled(40, 5).bars
    assert log.statuses == QUIET


@pytest.mark.parametrize(("kind", "times"), [(K.REFUSED, 4), (K.REFUSED, None), (K.HUNG, None)])
def test_a_stream_that_cannot_be_had_is_polled_for(
    tmp_path: Path, kind: StreamFaultKind, times: int | None
) -> None:
    log, _ = streamed(tmp_path, StreamFault(kind, times=times), feed={"history": 5, "bars": 40})
    assert log.bars == polled(40, 5).bars
    assert log.statuses == QUIET


def test_polling_ends_when_the_stream_is_back(tmp_path: Path) -> None:
    fault = StreamFault(K.FROZEN, on="kline", skip=12)
    feed = {"history": 5, "bars": 60}
    log, ran = streamed(tmp_path, fault, feed=feed, **SILENCE)
    start = log.bars[4][0].timestamp()
    asked = [request.time - start for request in ran.simulated.requests.select("GET", "/klines")]
    assert log.bars == polled(60, 5).bars
    assert 8 < len(asked) < 25
    back = ran.simulated.requests.select("GET", "/ws/0")[-1].time - start
    assert max(asked) < back + 5


@pytest.mark.parametrize("seconds", [2, 60, 150])
def test_after_an_outage_the_bars_and_statuses_are_those_of_polling(tmp_path: Path, seconds: float) -> None:
    """The longest of these costs more candles than a page holds."""
    feed = {"history": 10, "bars": int(seconds) + 60, "page": 40}
    log, _ = streamed(tmp_path, feed=feed, cuts=[(5, seconds)])
    assert log.bars == polled(int(seconds) + 60, 10).bars
    assert log.statuses == RECOVERED
    assert [kind for kind in log.kinds() if kind != "stream_healed"] == ["outage", "gap_filled"]


def test_a_run_that_starts_in_an_outage_waits_for_its_end(tmp_path: Path) -> None:
    log, _ = streamed(tmp_path, feed={"history": 5, "bars": 3}, cuts=[(0, 100)])
    assert log.statuses == ["CONNBROKEN", "DELAYED", "LIVE", "DISCONNECTED"]
    assert len(log.bars) == 8


def test_bars_go_on_while_rest_alone_is_down(tmp_path: Path) -> None:
    """The time is asked for every ten seconds; each time that fails is told, and the stream goes on."""
    config = StoreConfig(time_sync=10.0)
    with stage(tmp_path, config=config, deadline=1.0) as ran:
        ran.clock.at(4, lambda: ran.simulated.faults.add(Fault(FaultKind.SERVER_ERROR, times=None)))
        log = run(ran.store, history=5, bars=40)
    assert log.bars == polled(40, 5).bars
    assert log.statuses[:2] == ["DELAYED", "LIVE"]
    assert 2 <= log.statuses.count("CONNBROKEN") <= 4


# -- trades -------------------------------------------------------------------------------------------------------


def test_trades_come_by_stream_and_are_those_of_rest(tmp_path: Path) -> None:
    log, ran = streamed(tmp_path, feed={"history": 5, "bars": 300, **TICKS})
    assert log.bars == polled(300, 5, ticks=True).bars
    assert (log.statuses, log.store) == (QUIET, [])
    assert ran.asked("/aggTrades") <= 5  # until the stream is heard; polling asks some forty times


@pytest.mark.parametrize("kind", [K.DROPPED, K.FROZEN, K.LOST, K.DUPLICATED, K.REORDERED, K.LAGGING])
def test_faults_of_the_stream_change_no_trade(tmp_path: Path, kind: StreamFaultKind) -> None:
    fault = StreamFault(kind, on="trade", skip=30, times=3 if kind is not K.FROZEN else 1)
    log, ran = streamed(tmp_path, fault, feed={"history": 5, "bars": 300, **TICKS}, **SILENCE)
    assert sum(sum(socket.faults.values()) for socket in ran.simulated.sockets) >= 1
    assert log.bars == polled(300, 5, ticks=True).bars
    assert log.statuses == QUIET


def test_after_an_outage_every_trade_of_it_comes(tmp_path: Path) -> None:
    log, _ = streamed(tmp_path, feed={"history": 5, "bars": 300, **TICKS}, cuts=[(5, 15)])
    assert log.bars == polled(300, 5, ticks=True).bars
    assert log.statuses == RECOVERED


# -- whether there is a stream ----------------------------------------------------------------------------------


def test_a_feed_can_be_told_to_poll(tmp_path: Path) -> None:
    log, ran = streamed(tmp_path, feed={"history": 5, "bars": 20, "websocket": False})
    assert len(log.bars) == 25
    assert ran.simulated.sockets == []
    assert ran.asked() > 15


def test_an_asynchronous_exchange_without_streams_is_polled(tmp_path: Path) -> None:
    log, ran = streamed(tmp_path, flavour=async_support, feed={"history": 5, "bars": 20})
    assert log.bars == polled(20, 5).bars
    assert ran.simulated.sockets == []


def test_a_stream_that_is_insisted_on_and_missing_is_an_error(tmp_path: Path) -> None:
    store = GuardedStore(GuardedExchange("binance", {}))
    with pytest.raises(
        ConfigurationException, match=r"websocket=True .* binance of tradeguard_ccxt has no watchOHLCV"
    ):
        run(store, websocket=True)
    with (
        stage(tmp_path, flavour=async_support) as ran,
        pytest.raises(ConfigurationException, match="has no watchTrades"),
    ):
        run(ran.store, websocket=True, **TICKS)


def test_a_feed_of_history_alone_listens_to_nothing(tmp_path: Path) -> None:
    log, ran = streamed(tmp_path, feed={"history": 30, "historical": True})
    assert (len(log.bars), ran.simulated.sockets) == (30, [])
    with pytest.raises(ConfigurationException, match="historical"):
        streamed(tmp_path, feed={"history": 30, "historical": True, "websocket": True})


def test_a_stream_can_be_insisted_on(tmp_path: Path) -> None:
    log, ran = streamed(tmp_path, feed={"history": 3, "bars": 5, "websocket": True})
    assert (len(log.bars), ran.asked()) == (8, 1)


def test_two_feeds_share_the_exchange_and_its_streams(tmp_path: Path) -> None:
    stamps: dict[str, list[Any]] = {"fast": [], "slow": []}

    class Both(bt.Strategy):
        def next(self) -> None:
            for data in self.datas:
                known = stamps[data._name]
                stamp = data.datetime.datetime(0)
                if not known or known[-1] != stamp:
                    known.append(stamp)
            if len(stamps["slow"]) == 4:
                self.env.runstop()

    with stage(tmp_path) as ran:
        cerebro = bt.Cerebro(stdstats=False)
        for name, timeframe in (("fast", bt.TimeFrame.Seconds), ("slow", bt.TimeFrame.Minutes)):
            cerebro.adddata(ran.store.getdata(dataname="ETH/BTC", timeframe=timeframe, history=2), name=name)
        cerebro.addstrategy(Both)
        cerebro.run()
        assert ran.asked() == 2
    assert len(stamps["fast"]) > 100
    gaps = {
        (later - earlier).total_seconds()
        for earlier, later in zip(stamps["fast"], stamps["fast"][1:], strict=False)
    }
    assert gaps == {1.0}
