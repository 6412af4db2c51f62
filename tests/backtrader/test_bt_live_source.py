"""What a poller takes from a stream, what it asks REST for beside it, and when it stops believing the stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock, run
from bt_streams import StreamClock, stage

from tradeguard.simulator import SimulatedExchange
from tradeguard_backtrader import GuardedStore, InlineWorkers
from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.feeds.candles import Candle
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime
from tradeguard_backtrader.feeds.feed_events import Event
from tradeguard_backtrader.feeds.live_source import LiveSource
from tradeguard_backtrader.feeds.poll_plan import PollPlan
from tradeguard_backtrader.feeds.poller import CandlePoller
from tradeguard_backtrader.feeds.timeframes import Timeframe

SECOND = Timeframe("1s", 1000)
START_MS = 1_700_000_000_000


class Fed(LiveSource[Any]):
    """A stream whose every message a test decides."""

    silence = 60.0
    shown_ms = 0

    def __init__(self, clock: EventClock) -> None:
        super().__init__(None, StoreConfig(), ExchangeTime(clock))  # type: ignore[arg-type]
        self.rows: list[Any] = []
        self.started = self.stopped = False

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.stopped = True

    def say(self, *rows: Any) -> None:
        self._heard()
        self.rows.extend(rows)

    def take(self, sequence: Any) -> list[Any]:
        rows, self.rows = self.rows, []
        return rows

    def is_ahead(self, sequence: Any) -> bool:
        return self.shown_ms >= sequence.next_close_ms

    async def _next(self) -> Any:
        raise NotImplementedError

    def _took(self, rows: list[Any]) -> bool:
        raise NotImplementedError


class Bench:
    """A poller of candles of a second between a scripted exchange and a stream."""

    def __init__(self, exchange: ScriptedExchange, clock: EventClock, **config: Any) -> None:
        self.exchange = exchange
        self.clock = clock
        self.live = Fed(clock)
        self.told: list[Event] = []
        self.poller = CandlePoller(
            exchange,
            exchange.load_markets,
            PollPlan(symbol="ETH/BTC", timeframe=SECOND, history=3, recheck=3),
            StoreConfig(**config),
            ExchangeTime(clock),
            self.told.append,
            lambda: 0,
            self.live,
        )

    def step(self, after: float = 0.0) -> float | None:
        self.clock.advance(after)
        return self.poller.step()

    def close(self, open_ms: int) -> None:
        """Let a second pass, and the stream tell its candle."""
        self.clock.advance(1.0)
        self.live.say(self.exchange.row(open_ms))
        assert self.poller.step() is not None

    @property
    def looks(self) -> int:
        return len(self.exchange.called("fetch_ohlcv"))

    def opens(self) -> list[int]:
        return [(event.open_ms - START_MS) // 1000 for event in self.told if isinstance(event, Candle)]

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.told if not isinstance(event, Candle)]


@pytest.fixture
def bench(scripted: ScriptedExchange, clock: EventClock) -> Bench:
    made = Bench(scripted, clock)
    made.step()
    return made


def test_what_the_stream_calls_closed_is_told_without_asking(bench: Bench) -> None:
    for second in range(5):
        bench.close(START_MS + second * 1000)
    assert bench.opens() == list(range(-3, 5))
    assert bench.kinds() == ["Answered", "CaughtUp", *["CaughtUp"] * 5]
    assert bench.looks == 1


def test_the_poller_begins_the_stream_and_ends_it(bench: Bench) -> None:
    assert (bench.live.started, bench.live.stopped) == (True, False)
    bench.poller.stop()
    assert bench.live.stopped


def test_a_candle_that_does_not_come_is_asked_for_after_its_grace(bench: Bench) -> None:
    bench.live.say()
    assert bench.step(0.5) == pytest.approx(1.0, abs=0.01)  # half a second to its close, and half of grace
    assert bench.step(0.9) == pytest.approx(0.1, abs=0.01)
    assert bench.looks == 1
    bench.step(0.15)
    assert (bench.looks, bench.opens()[-1]) == (2, 0)


def test_a_candle_that_is_late_on_the_stream_is_no_reason_to_ask_within_the_grace_of_the_next(
    bench: Bench,
) -> None:
    bench.clock.advance(1.4)
    bench.live.say()
    bench.clock.advance(0.8)
    bench.live.say(bench.exchange.row(START_MS))
    assert bench.step() == pytest.approx(0.3, abs=0.01)
    assert bench.step(0.2) == pytest.approx(0.1, abs=0.01)
    assert (bench.looks, bench.opens()[-1]) == (1, 0)


def test_a_stream_that_kept_a_candle_back_is_not_waited_for_until_it_is_heard_again(bench: Bench) -> None:
    bench.live.say()
    bench.step(1.6)
    assert bench.step() == pytest.approx(0.4, abs=0.01)  # the very close of the next one, as without a stream
    bench.clock.advance(0.1)
    bench.live.say()
    assert bench.step(0.35) == pytest.approx(0.45, abs=0.01)
    assert bench.looks == 2


def test_a_later_candle_than_the_one_that_is_waited_for_is_a_reason_to_ask(bench: Bench) -> None:
    """By our own bound of the exchange's time the candle would not be closed yet."""
    bench.live.say()
    bench.exchange.server_ahead_ms = 300
    bench.live.shown_ms = START_MS + 1000
    bench.step(0.8)
    assert (bench.looks, bench.opens()[-1]) == (2, 0)


def test_a_candle_that_rest_does_not_have_yet_is_asked_for_at_the_pace_of_polling(bench: Bench) -> None:
    bench.live.say()
    bench.live.shown_ms = START_MS + 1000
    bench.exchange.skipped = {START_MS}
    assert bench.step(0.8) == pytest.approx(0.2)
    assert bench.step(0.1) == pytest.approx(0.1)
    assert bench.looks == 2


def test_a_candle_that_nobody_has_is_asked_for_at_the_pace_of_polling(bench: Bench) -> None:
    bench.live.say()
    bench.exchange.skipped = {START_MS}
    assert bench.step(1.6) == pytest.approx(0.2)
    assert bench.step(0.1) == pytest.approx(0.1)
    assert bench.looks == 2


def test_a_stream_that_is_ahead_of_rest_does_not_have_it_asked_without_a_pause(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.live, "is_ahead", lambda sequence: True)
    bench.live.say()
    assert bench.step(0.1) == pytest.approx(0.9, abs=0.01)
    assert bench.step(0.1) == pytest.approx(0.8, abs=0.01)
    assert bench.looks == 2


def test_rest_is_asked_now_and_then_for_late_corrections_of_everything_since(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    bench = Bench(scripted, clock, time_sync=20.0)
    bench.step()
    for second in range(18):
        bench.close(START_MS + second * 1000)
    scripted.moves.append((START_MS + 4_000, 7.0))
    scripted.moves.append((START_MS + 5_000, 9.0))
    for second in (18, 19):
        assert bench.looks == 1
        bench.close(START_MS + second * 1000)
    bench.step()  # no candle is missing, and twenty seconds have passed
    assert bench.looks == 2
    (_, _, since_ms, _) = scripted.called("fetch_ohlcv")[-1]
    assert since_ms == START_MS
    corrections = [event for event in bench.told if type(event).__name__ == "Correction"]
    assert [(event.told.open_ms - START_MS) // 1000 for event in corrections] == list(range(4, 18))
    assert corrections[0].corrected.close == 7.0
    assert bench.opens() == list(range(-3, 20))
    assert len(scripted.called("fetch_time")) == 2


def test_a_candle_that_the_stream_sends_again_corrects_what_was_told(bench: Bench) -> None:
    bench.close(START_MS)
    corrected = [START_MS, *[5.0] * 4, 1.0]
    bench.clock.advance(1.0)
    bench.live.say(corrected, bench.exchange.row(START_MS + 1000))
    bench.step()
    (event,) = [event for event in bench.told if type(event).__name__ == "Correction"]
    assert event.corrected.close == 5.0
    assert bench.opens() == [-3, -2, -1, 0, 1]


def test_a_malformed_candle_of_the_stream_is_asked_for(bench: Bench) -> None:
    bench.clock.advance(1.0)
    bench.live.say([START_MS, None, 1.0, 1.0, 1.0, 1.0])
    assert bench.step() == StoreConfig().refetch_pause
    bench.step(0.5)
    assert (bench.looks, bench.opens()[-1]) == (2, 0)


def test_the_first_good_word_after_an_outage_may_be_the_streams(bench: Bench) -> None:
    bench.exchange.fail("fetch_ohlcv", ccxt.NetworkError("down"))
    bench.exchange.fail("fetch_time", *[ccxt.NetworkError("down")] * 50)
    bench.step(1.6)
    assert bench.kinds()[-1] == "Broken"
    bench.live.say(bench.exchange.row(START_MS))
    bench.step(0.1)
    assert bench.kinds()[-4:] == ["Broken", "Answered", "Filled", "CaughtUp"]
    for second in range(1, 8):  # and it tells the time, which REST does not: no new outage with each candle
        bench.close(START_MS + second * 1000)
    assert bench.kinds().count("Broken") == 1


def test_an_exchange_that_fails_is_left_alone_however_often_the_stream_calls(bench: Bench) -> None:
    bench.exchange.fail("fetch_ohlcv", *[ccxt.NetworkError("down")] * 9)
    bench.step(1.6)
    bench.live.shown_ms = START_MS + 60_000
    assert bench.step(0.1) == pytest.approx(0.4)
    assert bench.looks == 2


# -- exchanges that do not say which candle is closed ---------------------------------------------------------------


def test_without_a_word_on_what_is_closed_the_next_candle_says_when_to_ask(tmp_path: Path) -> None:
    """A plain exchange of ccxt.pro: its bars are exact too, for one look at each close."""
    clock = StreamClock()
    with SimulatedExchange(seed=3, clock=clock) as simulated:
        exchange = ccxt.pro.binance(simulated.ccxt_config())
        exchange.timeout_on_exit = 0
        store = GuardedStore(exchange, clock=clock, workers=InlineWorkers(clock))
        clock.simulated, clock.store = simulated, store
        log = run(store, history=5, bars=20)
        looks = simulated.requests.count("GET", "/api/v3/klines")
        assert simulated.sockets != []
    with stage(tmp_path) as ran:
        assert log.bars == run(ran.store, history=5, bars=20, websocket=False).bars
    assert log.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]
    assert 20 <= looks <= 22
