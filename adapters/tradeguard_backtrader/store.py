# SPDX-License-Identifier: GPL-3.0-or-later
"""GuardedStore: one exchange and account for Backtrader, with its feeds, its broker and its background work."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from typing import Any

import backtrader as bt

from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import ConfigurationException
from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord
from tradeguard.redaction import redact
from tradeguard_backtrader.arguments import check_store
from tradeguard_backtrader.awaited_exchange import AwaitedExchange, is_asynchronous
from tradeguard_backtrader.brokers.broker import GuardedBroker
from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.feeds.candles import Correction, Gap
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime
from tradeguard_backtrader.feeds.feed import GuardedFeed
from tradeguard_backtrader.feeds.feed_events import Filled, Flat
from tradeguard_backtrader.interlock_watch import InterlockWatch
from tradeguard_backtrader.loop_thread import LoopThread
from tradeguard_backtrader.stamps import utc_datetime
from tradeguard_backtrader.workers import ThreadWorkers, Workers

__all__ = ["GuardedStore"]

_COMPONENT = "backtrader"
_PACKAGE = "tradeguard_backtrader"
_CLOSE_SECONDS = 5.0  # in which an exchange closes its connections
_logger = logging.getLogger("tradeguard.backtrader")


class _OnePerExchange(type(bt.Store)):  # type: ignore[misc]
    """Makes one store for each exchange object, where Backtrader's own stores are one for all.

    Asking again for a store, with the same settings or with none, returns it; with other settings it is an
    error, since they would be ignored, unless the store's run is over.
    """

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        cls._stores: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

    def __call__(cls, exchange: Any = None, **settings: Any) -> Any:
        check_store(exchange, settings)
        settings = {name: value for name, value in settings.items() if value is not None}
        store = cls._stores.get(id(exchange))
        if store is None or (settings and store.is_finished and store.settings != settings):
            store = bt.metabase.MetaParams.__call__(cls, exchange, **settings)
            # The store keeps the exchange alive, so that its id stays its own.
            cls._stores[id(exchange)] = store
        elif settings and store.settings != settings:
            raise ConfigurationException(
                f"there is a store for this {getattr(exchange, 'id', 'exchange')} object already, with "
                f"{store.settings or 'no settings'}; it cannot also have {settings}",
                component=_PACKAGE,
            )
        return store


class GuardedStore(bt.Store, metaclass=_OnePerExchange):
    """One exchange and account: `getdata()` makes feeds, `getbroker()` the broker.

        store = GuardedStore(GuardedExchange("binance", {"apiKey": …, "secret": …}))
        cerebro.adddata(store.getdata(dataname="ETH/BTC", timeframe=bt.TimeFrame.Minutes, compression=1))
        cerebro.setbroker(store.getbroker())

    There is one store for each exchange object; two exchanges or accounts in one Cerebro are two stores.
    `notify_store(msg, *args, **kwargs)` gets what no other notification tells: `msg` is a sentence, `kwargs`
    always has `kind`: `outage`, `stale`, `interlock`, `denied`, `gap`, `gap_filled`, `flat`, `correction`,
    `backfill`, `account`, `order_in_doubt`, `cancel_failed`, `fee`, `ignored`, or the kind of a rescue (`retry`,
    `fallback`, `order_found`, …).

    Args:
        exchange: a GuardedExchange of ccxt, ccxt.async_support or ccxt.pro, or anything with ccxt's unified methods.
            The coroutines of an asynchronous one run on an event loop that the run brings along, and its feeds listen
            to websockets where its class has them; see `AwaitedExchange` for who closes it.
        config: pauses and patience.
        clock: the system's unless given; a guarded exchange should have the same.
        workers: what does the background work; threads unless given.
        monitor: where rescues are recorded; the exchange's own unless given.

    Raises:
        ConfigurationException: an argument is of the wrong kind, or another store of this exchange object is in use,
            with other settings.
    """

    def __init__(
        self,
        exchange: Any,
        *,
        config: StoreConfig | None = None,
        clock: Clock | None = None,
        workers: Workers | None = None,
        monitor: ErrorMonitor | None = None,
    ) -> None:
        super().__init__()
        given = {"config": config, "clock": clock, "workers": workers, "monitor": monitor}
        self.settings = {name: value for name, value in given.items() if value is not None}
        self.exchange = AwaitedExchange(exchange, LoopThread()) if is_asynchronous(exchange) else exchange
        self.config = StoreConfig() if config is None else config
        self.clock: Clock = SYSTEM_CLOCK if clock is None else clock
        self.time = ExchangeTime(self.clock)
        self.workers: Workers = ThreadWorkers() if workers is None else workers
        self.monitor: ErrorMonitor | None = (
            getattr(exchange, "guard_monitor", None) if monitor is None else monitor
        )
        self.is_finished = False
        self._interlock = InterlockWatch(self)
        self._markets_lock = threading.Lock()
        self._broker: GuardedBroker | None = None
        # Backtrader makes these at the start, but a notification may come before.
        super().start()
        self._running = False
        self._open: list[Any] = []  # those of the datas that have not ended

    # -- for Cerebro ------------------------------------------------------------------------------------------

    def getdata(self, *args: Any, **kwargs: Any) -> GuardedFeed:
        """Return a feed of this store; the arguments are the params of `GuardedFeed`."""
        make: Any = GuardedFeed  # its params are no arguments that a type checker could see
        feed: GuardedFeed = make(*args, store=self, **kwargs)
        return feed

    def getbroker(self, **kwargs: Any) -> GuardedBroker:
        """Return the broker of this store, one and the same at each call.

        Args:
            kwargs: the params of `GuardedBroker`.

        Raises:
            ConfigurationException: there is a broker already, and it has other params.
        """
        if self._broker is None:
            make: Any = GuardedBroker  # as above
            self._broker = make(store=self, **kwargs)
            self._broker_settings = kwargs
        elif kwargs and kwargs != self._broker_settings:
            raise ConfigurationException(
                f"this store has a broker already, with {self._broker_settings or 'no settings'}",
                component=_PACKAGE,
            )
        broker: GuardedBroker = self._broker
        return broker

    def start(self, data: Any = None, broker: Any = None) -> None:
        """Note a feed or the broker of the run that begins."""
        if self.exchange is None:
            if data is not None or broker is not None:
                raise ConfigurationException(
                    "a worker process of an optimization has no exchange", component=_PACKAGE
                )
            return
        if not self._running:
            if isinstance(self.exchange, AwaitedExchange):
                self.exchange.start()
            self._running = True
            self.is_finished = False
            self.datas: list[Any] = []
            self._open = []
            self.broker: Any = None
            if self.monitor is not None:
                self.monitor.add_listener(self._on_record)
            self._interlock.start()
        if data is not None:
            self._cerebro = self._env = data._env
            self.datas.append(data)
            self._open.append(data)
        if broker is not None:
            self.broker = broker

    def stop(self) -> None:
        """End all background work; stopping twice is no error."""
        if not self._running:
            return
        self._running = False
        self.is_finished = True
        if self.monitor is not None:
            self.monitor.remove_listener(self._on_record)
        self._interlock.stop()
        # A call that hangs cannot be ended from here, and nothing waits for what it returns.
        self.workers.stop(min(self.config.stop_patience, 1.0))
        if isinstance(self.exchange, AwaitedExchange):
            try:
                self.exchange.stop(_CLOSE_SECONDS)
            except Exception:
                # The run is over and its results are worth more than an orderly end of its connections.
                _logger.exception("the exchange could not be closed")

    def __getstate__(self) -> dict[str, Any]:
        """Return a store without an exchange: all that a worker process of `optstrategy` has use for."""
        idle: dict[str, Any] = {
            "exchange": None,
            "monitor": None,
            "broker": None,
            "_broker": None,
            "settings": {},
        }
        return {
            "config": self.config,
            "datas": [],
            "_open": [],
            "notifs": deque(),
            "_running": False,
            "is_finished": True,
            **idle,
        }

    # -- for feeds and the broker -----------------------------------------------------------------------------

    def release(self, data: Any) -> None:
        """Note the end of a feed; that of the last one ends all, unless there is a broker.

        Cerebro stops no store where it only loads the bars for the worker processes of an optimization.
        """
        self._open = [each for each in self._open if each is not data]
        if not self._open and self.broker is None:
            self.stop()

    def holds_back(self, data: Any, close_ms: int) -> bool:
        """Whether a bar of `data` has to wait, so that bars of the past come in the order of their close."""
        return any(each.owes_before(close_ms) for each in self._open if each is not data)

    def is_ready(self) -> bool:
        """Whether bars may be delivered: positions and open orders come before the first `next()`."""
        return self.broker is None or self.broker.is_ready()

    def exchange_ms(self, monotonic: float | None = None) -> int:
        """Return the exchange's time, or less, in epoch milliseconds; the machine's as long as it is not known.

        Args:
            monotonic: at which monotonic time, in seconds; None for now.
        """
        if self.time.is_known:
            return self.time.at_least_ms(monotonic)
        ago = 0.0 if monotonic is None else self.clock.monotonic() - monotonic
        return int((self.clock.time() - ago) * 1000)

    def load_markets(self) -> Mapping[str, Any]:
        """Return the exchange's markets by symbol, loaded once."""
        with self._markets_lock:
            markets: Mapping[str, Any] = self.exchange.load_markets()
        return markets

    def notify(self, kind: str, text: str, **facts: Any) -> None:
        """Tell `notify_store` something, with secrets masked."""
        text = redact(text)
        _logger.info("%s: %s", kind, text)
        self.put_notification(text, kind=kind, **facts)

    def notify_stale(self, symbol: str, text: str, *, is_stale: bool) -> None:
        """Tell that market data of `symbol` are no longer fresh, or are so again."""
        self.notify("stale", f"{symbol}: {text}", symbol=symbol, is_stale=is_stale, store=self)

    def notify_gap(self, symbol: str, gap: Gap) -> None:
        """Tell that there are no candles for a stretch of time."""
        since, until = utc_datetime(gap.from_ms), utc_datetime(gap.to_ms)
        text = f"{symbol}: candles from {since} to {until} are {gap.reason}"
        self.notify("gap", text, symbol=symbol, gap=gap)

    def notify_flat(self, symbol: str, flat: Flat) -> None:
        """Tell that the bars that come are flat ones for candles that the exchange does not have."""
        since, until = utc_datetime(flat.from_ms), utc_datetime(flat.to_ms)
        text = f"{symbol}: nobody traded from {since} to {until}; {flat.bars} flat bars stand in"
        self.notify("flat", text, symbol=symbol, flat=flat)

    def notify_correction(self, symbol: str, correction: Correction) -> None:
        """Tell that the exchange has changed a candle that was delivered."""
        told, corrected = correction.told, correction.corrected
        changed = ", ".join(
            f"{name} from {getattr(told, name)!r} to {getattr(corrected, name)!r}"
            for name in ("open", "high", "low", "close", "volume")
            if getattr(told, name) != getattr(corrected, name)
        )
        text = f"{symbol}: the candle that closed at {utc_datetime(told.close_ms)} was corrected: {changed}"
        self.notify("correction", text, symbol=symbol, correction=correction)

    def notify_filled(self, symbol: str, filled: Filled) -> None:
        """Tell, and record, that the candles that an outage had cost have come."""
        since, until = utc_datetime(filled.from_ms), utc_datetime(filled.to_ms)
        detail = {"symbol": symbol, "bars": filled.bars, "from": str(since), "to": str(until)}
        if self.monitor is not None:
            self.monitor.record_rescue("gap_filled", _COMPONENT, operation="fetch_ohlcv", detail=detail)
        else:
            self.notify(
                "gap_filled", f"{symbol}: {filled.bars} candles from {since} to {until} came late", **detail
            )

    def _on_record(self, record: ErrorRecord | TransitionRecord | RescueRecord) -> None:
        if isinstance(record, RescueRecord):
            facts = ", ".join(f"{name} {value}" for name, value in record.detail.items() if value)
            where = " ".join(part for part in (record.component, record.operation) if part)
            self.notify(
                record.kind,
                f"{record.kind}: {where}{', ' if facts else ''}{facts}",
                component=record.component,
                operation=record.operation,
                detail=dict(record.detail),
            )
