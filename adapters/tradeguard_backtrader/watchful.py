# SPDX-License-Identifier: GPL-3.0-or-later
"""Watchful: a mixin for strategies that says whether now is a time to enter the market."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tradeguard_backtrader.brokers.order_routing import symbol_of
from tradeguard_backtrader.guards.liveness import is_live, source_of

__all__ = ["Watchful"]


@dataclass(slots=True)
class _Watch:
    """What a strategy was told.

    Attributes:
        statuses: the status of each feed, by its id.
        stale: store's id and symbol of the markets whose data are stale.
        causes: what each store's interlock restricts, by the store's id.
        known: what was last said of each data, by its number.
    """

    statuses: dict[int, int] = field(default_factory=dict)
    stale: set[tuple[int, str]] = field(default_factory=set)
    causes: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    known: dict[int, bool] = field(default_factory=dict)


class Watchful:
    """Keeps a strategy from entering on stale data, in a restricted market or without a connection.

        class MyStrategy(Watchful, bt.Strategy):
            def next(self):
                if self.may_enter() and …:
                    self.buy()

            def on_watch(self, data, may_enter, why):
                if not may_enter:
                    self.cancel_entries(data)      # blind: what rests could be filled at any price

    Exits ask for no more than `is_fresh()`: what reduces a position passes a restricted market, and cancels pass
    always. In a backtest every bar is as fresh as it can be. A strategy with a `notify_data` or a `notify_store`
    of its own calls `super()`.
    """

    datas: Any
    data: Any

    def is_fresh(self, data: Any = None) -> bool:
        """Whether the bars of `data` (the first) tell where the market is now."""
        feed = source_of(self.data if data is None else data)
        if not is_live(feed):
            return True
        told_live: bool = self._watch.statuses.get(id(feed)) == feed.LIVE
        return told_live and (_store_of(feed), symbol_of(feed)) not in self._watch.stale

    def may_enter(self, data: Any = None) -> bool:
        """Whether the bars of `data` (the first) are fresh, and its market is open to new positions."""
        feed = source_of(self.data if data is None else data)
        symbol, causes = symbol_of(feed), self._watch.causes.get(_store_of(feed), ())
        is_restricted = any(cause.symbol is None or cause.symbol == symbol for cause in causes)
        return self.is_fresh(data) and not is_restricted

    def on_watch(self, data: Any, may_enter: bool, why: str) -> None:
        """Hear that entries on `data` are no longer wise, or are so again; there to be overridden.

        Args:
            data: which one of the strategy's datas.
            may_enter: what `may_enter(data)` says from now on.
            why: the status or the sentence that brought it about.
        """

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        """Hear whether bars are fresh: DELAYED, LIVE, CONNBROKEN, DISCONNECTED."""
        with self._noticing(str(data._getstatusname(status))):
            self._watch.statuses[id(source_of(data))] = status

    def notify_store(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Hear what the exchange is up to; stale data and the interlock are what counts here."""
        with self._noticing(msg):
            self._take(kwargs)

    def _take(self, told: Mapping[str, Any]) -> None:
        if told.get("kind") == "stale":
            market = id(told["store"]), told["symbol"]
            (self._watch.stale.add if told["is_stale"] else self._watch.stale.discard)(market)
        elif told.get("kind") == "interlock":
            self._watch.causes[id(told["store"])] = told["causes"]

    @property
    def _watch(self) -> _Watch:
        # Notifications may come before `start()`, and a mixin's `__init__` is easily forgotten.
        watch: _Watch = self.__dict__.setdefault("_watchful", _Watch())
        return watch

    @contextmanager
    def _noticing(self, why: str) -> Iterator[None]:
        yield
        known = self._watch.known
        for number, data in enumerate(self.datas):
            may_enter = self.may_enter(data)
            if known.setdefault(number, not is_live(data)) != may_enter:
                known[number] = may_enter
                self.on_watch(data, may_enter, why)


def _store_of(feed: Any) -> int:
    return id(getattr(feed, "_store", None))
