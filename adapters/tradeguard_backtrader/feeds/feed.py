# SPDX-License-Identifier: GPL-3.0-or-later
"""GuardedFeed: closed candles of a ccxt exchange as a Backtrader data feed that outlives outages."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader as bt

from tradeguard.clock import SYSTEM_CLOCK
from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader.arguments import check_feed
from tradeguard_backtrader.failures import unknown_symbol_error
from tradeguard_backtrader.feeds.backfill import Backfill
from tradeguard_backtrader.feeds.candles import Candle
from tradeguard_backtrader.feeds.feed_clone import FeedClone
from tradeguard_backtrader.feeds.feed_events import Event, UnknownSymbol
from tradeguard_backtrader.feeds.feed_news import FeedNews
from tradeguard_backtrader.feeds.live_sources import live_source
from tradeguard_backtrader.feeds.poll_plan import PollPlan
from tradeguard_backtrader.feeds.poller import CandlePoller
from tradeguard_backtrader.feeds.resampling import CloseReplayer, CloseResampler, resample_closes
from tradeguard_backtrader.feeds.timeframes import Timeframe, supported_timeframe
from tradeguard_backtrader.lifecycle import guard_run
from tradeguard_backtrader.stamps import epoch_ms, utc_datetime

__all__ = ["GuardedFeed"]

_COMPONENT = "tradeguard_backtrader"
_NO_WAIT = 0.05  # seconds between two looks where the loop may not turn
_BREATH = 0.01  # seconds between two turns of a loop that has nothing to do
_OF_THE_RUN = frozenset({"_mail", "_news", "_poller", "_backfill"})
_LIVE = (
    "a live feed has no bars for the worker processes of an optimization: optimize with historical=True, or with "
    "maxcpus=1"
)
_NOT_READ = (
    "the bars of a historical feed are loaded once, for all worker processes of an optimization: leave optdatas, "
    "preload and runonce at True, without data that is resampled or replayed, or optimize with maxcpus=1"
)


class GuardedFeed(bt.feed.DataBase):
    """Closed candles of one market: history first, then live, with every gap of an outage filled in order.

    Made by `GuardedStore.getdata(dataname="ETH/BTC", timeframe=…, compression=…)`; with `bt.TimeFrame.Ticks` each
    public trade is a bar of its own. A bar's stamp is the time of its close in UTC. `notify_data` gets DELAYED
    while bars are old, LIVE when they are not, CONNBROKEN once at an outage, DISCONNECTED at the end,
    NOTSUPPORTED_TF for a timeframe that the exchange lacks.

    Params:
        store: the `GuardedStore`; `getdata` sets it.
        history: how many closed candles to begin with where no `fromdate` is given, >= 0.
        historical: end where the history ends; allows `preload` and `runonce`.
        bars: end after so many bars that closed after the start; None for no end but `todate`.
        page: candles a request; None for as many as the exchange gives.
        backfill_from: a feed that is no live one, such as a file's: its bars come first, then the exchange's from
            where it ends. Its stamps are closes, as this feed's are.
        backfill_opens: the stamps of `backfill_from` are opens, as exchanges write them.
        recheck: how many of the last candles are looked at again at each look, >= 0; a change is told as a
            `correction`, and the bar stays as it was delivered.
        fill_empty: deliver a flat bar without volume, told as `flat`, for each candle that the exchange does not
            have since nobody traded; it comes as soon as the candle after it shows the gap.
        websocket: listen to the exchange's stream; None does where it has one, False polls, True insists.
        qcheck: how long, in seconds, the loop waits for a candle before it turns again.

    Raises:
        ConfigurationException: a param is out of its bounds.
    """

    params = (
        ("store", None),
        ("history", 100),
        ("historical", False),
        ("bars", None),
        ("page", None),
        ("backfill_from", None),
        ("backfill_opens", False),
        ("recheck", 3),
        ("fill_empty", False),
        ("websocket", None),
        ("qcheck", 0.5),
    )

    _poller: CandlePoller | None = None
    _backfill: Backfill | None = None
    _is_read = False  # to its end, which only a historical feed has

    def __init__(self) -> None:
        check_feed(self.p)
        self._mail: deque[Event] = deque()

    # -- what Cerebro asks ------------------------------------------------------------------------------------

    def setenvironment(self, env: Any) -> None:
        """Make the store and the end of the run known to Cerebro."""
        super().setenvironment(env)
        env.addstore(self._required_store())
        guard_run(env)

    def islive(self) -> bool:
        """Whether bars come as time goes by; turns preloading off."""
        return not self.p.historical

    def haslivedata(self) -> bool:
        """Whether a turn of the loop would bring something without waiting."""
        # What came after the end is never delivered: the loop would turn without a pause for it.
        if self._news.is_over or not (self._backfill or self._mail) or not self._store.is_ready():
            return False
        ready_ms = self._ready_ms()
        return ready_ms is None or not self._has_turns or not self._store.holds_back(self, ready_ms)

    def owes_before(self, close_ms: int) -> bool:
        """Whether a bar that closes before `close_ms` (epoch milliseconds) may still come of what is past.

        So it is while the history comes, or what an outage has cost; neither in an outage nor once all was told.
        """
        if not self._has_turns or self._poller is None or not self._news.is_catching_up:
            return False
        due_ms = self._ready_ms()
        if due_ms is None and self._last_close_ms is not None:
            due_ms = self._last_close_ms + self._length_ms
        elif due_ms is None:
            due_ms = self._first_ms
        return due_ms is None or due_ms < close_ms

    def start(self) -> None:
        """Begin to poll.

        Waits for the first answer at most `start_patience`; an outage only delays the bars.

        Raises:
            DataFeedException: the exchange has no such symbol.
            ConfigurationException: `websocket=True`, and the exchange has no such stream.
        """
        super().start()
        self._start_finish()
        self._store = self._required_store()
        self._store.start(data=self)
        self._mail = deque()  # of this run: what a former one still waits for never comes here
        self._news = FeedNews(self._store, self.p.dataname, self.put_notification)
        self._live_bars = 0
        self._last_close_ms: int | None = None
        self._first_ms: int | None = None  # nothing closes earlier; None where that is not known
        # A feed inside a Chainer is not one of Cerebro's: there, as in preloading, "nothing now" would mean "the end".
        is_chained = not any(data is self for data in self._env.datas)
        self._must_wait = is_chained or (self.p.historical and self._env._dopreload)
        # With `oldsync`, a feed that is not the first has a turn only after a bar of the first.
        self._has_turns = not self._must_wait and not self._env.p.oldsync
        self._poller = self._backfill = None
        self._is_read = False
        unit, compression = self.p.timeframe, self.p.compression
        offered = getattr(self._store.exchange, "timeframes", None) or ()
        timeframe = supported_timeframe(unit, compression, offered)
        if timeframe is None and (unit, compression) != (bt.TimeFrame.Ticks, 1):
            self._news.unsupported()
            return
        self._length_ms = 0 if timeframe is None else timeframe.duration_ms
        if self.p.backfill_from is not None:
            self._backfill = self._read_backfill(timeframe)
        self._poll(timeframe)

    def _poll(self, timeframe: Timeframe | None) -> None:
        store, exchange = self._store, self._store.exchange
        plan = self._plan(timeframe)
        self._first_ms = plan.from_ms
        live = live_source(store, plan, self.p.websocket)
        self._poller = CandlePoller(
            exchange,
            store.load_markets,
            plan,
            store.config,
            store.time,
            self._mail.append,
            self._mail.__len__,
            live,
        )
        worker = store.workers.start(f"candles-{self.p.dataname}", self._poller.step)
        if live is not None:
            live.wake = worker.wake
        store.workers.wait_for(lambda: bool(self._mail), store.config.start_patience)
        if self._mail and isinstance(self._mail[0], UnknownSymbol):
            raise unknown_symbol_error(exchange, self._mail[0].symbol, self._mail[0].known)

    def _read_backfill(self, timeframe: Timeframe | None) -> Backfill:
        def close_ms(stamp_ms: int) -> int:
            return timeframe.close_ms(stamp_ms) if timeframe and self.p.backfill_opens else stamp_ms

        backfill = Backfill(self.p.backfill_from, self._env, close_ms)
        if backfill.dropped:
            text = f"{self.p.dataname}: {backfill.dropped} bars of the backfill came out of order and were left out"
            self._store.notify("backfill", text, symbol=self.p.dataname, dropped=backfill.dropped)
        return backfill

    def _plan(self, timeframe: Timeframe | None) -> PollPlan:
        from_ms = epoch_ms(self.fromdate)
        backfilled_ms = None if self._backfill is None else self._backfill.last_ms
        if backfilled_ms is not None:
            from_ms = backfilled_ms + 1 if from_ms is None else max(backfilled_ms + 1, from_ms)
        return PollPlan(
            symbol=self.p.dataname,
            timeframe=timeframe,
            from_ms=from_ms,
            to_ms=epoch_ms(self.todate),
            history=self.p.history,
            historical=self.p.historical,
            page=self.p.page,
            recheck=self.p.recheck,
            fill_empty=self.p.fill_empty,
        )

    def stop(self) -> None:
        """Poll no more."""
        super().stop()
        if self._poller is not None:
            self._poller.stop()
        if self._store is not None:
            self._store.release(self)

    def __getstate__(self) -> dict[str, Any]:
        """Return the loaded bars, for a worker process of `optstrategy`, and nothing that asks for more of them.

        Raises:
            ConfigurationException: the bars are not loaded.
        """
        if not self._is_read:
            raise ConfigurationException(_NOT_READ if self.p.historical else _LIVE, component=_COMPONENT)
        return {name: value for name, value in self.__dict__.items() if name not in _OF_THE_RUN}

    def load(self) -> bool | None:
        """Load the next bar: True; nothing now: None; the end: False.

        A turn that brings nothing leaves the lines alone. Backtrader would make room for a bar and take it back,
        which under `exactbars=1` costs the only one that is kept: an order that ends then could not be told.
        """
        if not (self._barstack or self._barstash):
            coming = self._await_candle()
            if not coming:
                return coming
        loaded: bool | None = super().load()
        return loaded

    def do_qcheck(self, onoff: bool, qlapse: float) -> None:
        """Learn how long to wait in this turn of the loop.

        Cerebro takes off what the turn has taken by the machine's clock; by one of the store's own it took nothing.
        """
        super().do_qcheck(onoff, qlapse if self._store.clock is SYSTEM_CLOCK else 0.0)

    def _load(self) -> bool | None:
        coming = self._await_candle()
        if coming and self._backfill:
            self._write(*self._backfill.take())
        elif coming:
            self._deliver(self._mail.popleft())
        return coming

    def _await_candle(self) -> bool | None:
        """Act on what comes before the next candle; True if that has come, None if not yet, False at the end."""
        if self._poller is None or self._news.is_over:
            return False
        if self.p.bars is not None and self._live_bars >= self.p.bars:
            self._poller.stop()
            self._news.ended()
            return False
        waited = False
        while True:
            if self.haslivedata():
                if self._ready_ms() is not None:
                    return True
                if self._news.take(self._mail.popleft()):
                    self._is_read = self.p.historical
                    return False
                if not self._mail:
                    self._news.waiting()
                waited = True  # the loop should turn, so that a change of status is notified at once
            elif waited and not self._must_wait:
                return None
            else:
                self._wait()
                waited = True

    # -- one event ----------------------------------------------------------------------------------------------

    def _ready_ms(self) -> int | None:
        """Return when the bar closes that could be delivered next; None where none is at hand."""
        if self._backfill:
            return self._backfill.next_ms
        first = self._mail[0] if self._mail else None
        return first.close_ms if isinstance(first, Candle) else None

    def _wait(self) -> None:
        ready, seconds = self.haslivedata, self._qcheck
        if self._must_wait:
            seconds = max(seconds, _NO_WAIT)
        elif self._any_has_data():
            seconds = 0.0
        else:
            # Cerebro wants no waiting where some of the feeds are live and some are not, and knows none with `oldsync`.
            ready, seconds = self._any_has_data, max(seconds, min(_BREATH, self.p.qcheck))
        self._store.workers.wait_for(ready, seconds)
        if self._poller is not None and not self._mail and self._poller.is_silent():
            self._news.broken(f"no answer for {self._store.config.patience:g} s")

    def _any_has_data(self) -> bool:
        return any(data.haslivedata() for data in self._env.datas)

    def _deliver(self, candle: Any) -> None:
        """Write the candle into the lines, and tell what it says about where the feed stands."""
        self._news.fresh()
        poller = self._poller
        if poller is not None and poller.live_from_ms is not None:
            behind_ms = self._store.time.at_least_ms() - candle.close_ms
            tolerated_ms = self._length_ms + max(self._length_ms, self._store.config.patience * 1000)
            if behind_ms > tolerated_ms:
                self._news.lagging()
            if candle.close_ms > poller.live_from_ms:
                self._live_bars += 1
        prices = (candle.open, candle.high, candle.low, candle.close)
        self._write(candle.close_ms, (*prices, candle.volume, 0.0))

    def _write(self, close_ms: int, values: tuple[float, ...]) -> None:
        """Write a bar into the lines."""
        self._last_close_ms = close_ms
        lines = self.lines
        lines.datetime[0] = bt.date2num(utc_datetime(close_ms))
        (
            lines.open[0],
            lines.high[0],
            lines.low[0],
            lines.close[0],
            lines.volume[0],
            lines.openinterest[0],
        ) = values

    def _required_store(self) -> Any:
        store = self._store if self._store is not None else self.p.store
        if store is None:
            raise ConfigurationException(
                "a GuardedFeed needs its store: make it with GuardedStore.getdata(), or pass store=…",
                component=_COMPONENT,
            )
        return store

    # -- resampling -------------------------------------------------------------------------------------------

    def _timeoffset(self) -> timedelta:
        """Have the resampler's clock stand at the last bar.

        By the machine's clock it would close a bar before its last candle has come, and lose that candle.
        """
        if self._last_close_ms is None:
            return timedelta()
        return utc_datetime(self._last_close_ms) - datetime.now(UTC).replace(tzinfo=None)

    def resample(self, **kwargs: Any) -> None:
        """Make longer bars of these."""
        resample_closes(self, bt.Resampler, CloseResampler, kwargs)

    def replay(self, **kwargs: Any) -> None:
        """Make longer bars of these that grow with each one."""
        resample_closes(self, bt.Replayer, CloseReplayer, kwargs)

    def clone(self, **kwargs: Any) -> Any:
        """Return a twin that Cerebro can resample beside this feed."""
        return FeedClone(dataname=self, **kwargs)

    def copyas(self, _dataname: str, **kwargs: Any) -> Any:
        """Return a twin under another name."""
        twin = FeedClone(dataname=self, **kwargs)
        twin._dataname = twin._name = _dataname
        return twin
