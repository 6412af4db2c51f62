"""Runs of Cerebro whose every bar and notification is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import backtrader as bt

from tradeguard.simulator import ReplayMarket
from tradeguard.testing import ManualClock

Script = Mapping[int, Callable[[Any], object]]
"""What the strategy does at its bars, by their number from 1."""


class EventClock(ManualClock):
    """A manual clock at which things happen."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._events: list[tuple[float, Callable[[], object]]] = []

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Have `action` happen `seconds` from now, at the first reading after that."""
        self._events.append((self.monotonic() + seconds, action))

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        due = [event for event in self._events if event[0] <= self.monotonic()]
        self._events = [event for event in self._events if event not in due]
        for _, action in due:
            action()


def cut(clock: EventClock, exchange: Any, *, after: float, seconds: float) -> None:
    """Have the exchange unreachable from `after` on (0 is at once), for `seconds`."""
    if after > 0:
        clock.at(after, exchange.pull_plug)
    else:
        exchange.pull_plug()
    clock.at(after + seconds, exchange.plug_in)


SECOND = {"timeframe": bt.TimeFrame.Seconds, "compression": 1}
MINUTE = {"timeframe": bt.TimeFrame.Minutes, "compression": 1}


@dataclass(slots=True)
class Log:
    """What a strategy was told."""

    bars: list[tuple[Any, ...]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    orders: list[tuple[int, str]] = field(default_factory=list)
    clones: list[Any] = field(default_factory=list)
    trades: list[Any] = field(default_factory=list)
    held: list[tuple[str, float]] = field(default_factory=list)
    store: list[tuple[str, str]] = field(default_factory=list)
    stops: int = 0

    def sizes(self) -> list[float]:
        """The size of the position at each bar and each notification."""
        return [size for _, size in self.held]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.store]

    def of(self, order: Any) -> list[str]:
        """The states of one order, as notified."""
        return [state for ref, state in self.orders if ref == order.ref]

    def stamps(self) -> list[Any]:
        return [bar[0] for bar in self.bars]


class Scribe(bt.Strategy):
    """Writes everything down, and does what the script says."""

    params = (("script", {}), ("log", None), ("each", None))

    def __init__(self) -> None:
        self.log: Log = self.p.log

    def next(self) -> None:
        data = self.data
        stamp = data.datetime.datetime(0)
        self.log.held.append(("bar", self.broker.getposition(data).size))
        self.log.bars.append((stamp, data.open[0], data.high[0], data.low[0], data.close[0], data.volume[0]))
        self.log.told.append(f"bar {len(self.log.bars)}")
        if self.p.each is not None:
            self.p.each(self)
        action = self.p.script.get(len(self.log.bars))
        if action is not None:
            action(self)

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        name = data._getstatusname(status)
        self.log.statuses.append(name)
        self.log.told.append(name)

    def notify_store(self, msg: str, *args: Any, **kwargs: Any) -> None:
        self.log.store.append((kwargs["kind"], msg))

    def notify_order(self, order: Any) -> None:
        self.log.orders.append((order.ref, order.getstatusname()))
        self.log.clones.append(order)
        self.log.held.append((order.getstatusname(), self.broker.getposition(order.data).size))

    def notify_trade(self, trade: Any) -> None:
        self.log.trades.append(trade)

    def stop(self) -> None:
        self.log.stops += 1


def run(
    store: Any,
    *,
    symbol: str = "ETH/BTC",
    script: Script | None = None,
    each: Callable[[Any], object] | None = None,
    trading: bool = False,
    broker: Mapping[str, Any] | None = None,
    cerebro: Mapping[str, Any] | None = None,
    also: Sequence[str] = (),
    **feed: Any,
) -> Log:
    """Run one feed, or more, with the store's broker if there is trading, and return what was told."""
    log = Log()
    env = bt.Cerebro(**{"stdstats": False, "quicknotify": True, **(cerebro or {})})
    for name in (symbol, *also):
        env.adddata(store.getdata(dataname=name, **{**SECOND, **feed}))
    if trading:
        env.setbroker(store.getbroker(**(broker or {})))
    env.addstrategy(Scribe, log=log, script=script or {}, each=each)
    try:
        env.run()
    finally:
        log.told.append("over")
    return log


def path_of(*prices: float, history: int = 6, symbol: str = "ETH/BTC") -> ReplayMarket:
    """A market that stands at the first price, and then goes to each of them within a second.

    The bars that a run with `history=3` sees are 1 to 3 before the start; bar 4 closes at the first price.
    """
    closes = [*[prices[0]] * history, *prices]
    opens = [closes[0], *closes[:-1]]
    rows = [
        [number * 1000, start, max(start, end), min(start, end), end, 500.0]
        for number, (start, end) in enumerate(zip(opens, closes, strict=True))
    ]
    return ReplayMarket(rows, symbol, history=history)
