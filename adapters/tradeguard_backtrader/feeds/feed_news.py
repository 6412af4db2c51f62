# SPDX-License-Identifier: GPL-3.0-or-later
"""What a feed makes known: its status to `notify_data`, and everything else to `notify_store`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt

from tradeguard_backtrader.failures import StaleAnswerError, unknown_symbol_error
from tradeguard_backtrader.feeds.candles import Correction, Gap
from tradeguard_backtrader.feeds.feed_events import (
    Answered,
    Broken,
    CaughtUp,
    Denied,
    Ended,
    Event,
    Filled,
    Flat,
    Quiet,
    UnknownSymbol,
)
from tradeguard_backtrader.feeds.feed_status import FeedState, FeedStatus
from tradeguard_backtrader.stamps import utc_datetime

__all__ = ["FeedNews"]


class FeedNews:
    """Tells what events and candles say about where the feed stands; each thing once.

    Args:
        store: the `GuardedStore`.
        symbol: the feed's.
        notify: takes a status, as Backtrader numbers them.
    """

    def __init__(self, store: Any, symbol: str, notify: Callable[[int], None]) -> None:
        self._store = store
        self._symbol = symbol
        self._notify = notify
        self._status = FeedStatus()
        self._is_stale = False
        self._is_caught_up = False  # told, and no candle has come since

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self._status.state is FeedState.ENDED

    @property
    def is_catching_up(self) -> bool:
        """Whether bars of what is past are still to come: the history, or what an outage has cost."""
        return self._status.state in (FeedState.STARTING, FeedState.DELAYED)

    def take(self, event: Event) -> bool:
        """Act on an event that is no candle; True if it is the end.

        Raises:
            DataFeedException: the exchange has no such symbol.
        """
        store, symbol = self._store, self._symbol
        match event:
            case Gap():
                store.notify_gap(symbol, event)
            case Answered():
                self._enter(self._status.answered())
            case CaughtUp():
                self._is_caught_up = True
            case Quiet():
                self._stale(f"no candle since {utc_datetime(event.since_ms)}, though one was due")
            case Flat():
                store.notify_flat(symbol, event)
            case Correction():
                store.notify_correction(symbol, event)
            case Filled():
                store.notify_filled(symbol, event)
            case Broken():
                self.broken(str(event.error), event.error)
            case Denied():
                store.notify("denied", f"{symbol}: {event.error}", symbol=symbol)
                self.ended()
            case Ended():
                self.ended()
            case UnknownSymbol():
                raise unknown_symbol_error(store.exchange, event.symbol, event.known)
        return self.is_over

    def waiting(self) -> None:
        """Nothing has come after what was taken: it is all that there is."""
        if self._is_caught_up:
            self._is_caught_up = False
            self._enter(self._status.caught_up())

    def fresh(self) -> None:
        """A candle comes from the exchange."""
        self._is_caught_up = False
        if self._is_stale:
            self._is_stale = False
            self._store.notify_stale(self._symbol, "candles come again", is_stale=False)

    def lagging(self) -> None:
        """The bar about to be delivered is an old one."""
        self._enter(self._status.lagging())

    def ended(self) -> None:
        """Nothing more will come."""
        self._enter(self._status.ended())

    def unsupported(self) -> None:
        """The exchange has no such timeframe."""
        self._enter(self._status.unsupported())

    def broken(self, text: str, error: BaseException | None = None) -> None:
        """The exchange gave no good answer."""
        self._is_caught_up = False
        entered = self._status.failed()
        if isinstance(error, StaleAnswerError):
            self._stale(text)
        elif entered is not None:
            self._store.notify("outage", f"{self._symbol}: {text}", symbol=self._symbol, error=error)
        self._enter(entered)

    def _stale(self, text: str) -> None:
        if not self._is_stale:
            self._is_stale = True
            self._store.notify_stale(self._symbol, text, is_stale=True)

    def _enter(self, state: FeedState | None) -> None:
        if state is not None:
            self._notify(_BACKTRADER_STATUS[state])


_BACKTRADER_STATUS = {
    FeedState.DELAYED: bt.feed.DataBase.DELAYED,
    FeedState.LIVE: bt.feed.DataBase.LIVE,
    FeedState.BROKEN: bt.feed.DataBase.CONNBROKEN,
    FeedState.ENDED: bt.feed.DataBase.DISCONNECTED,
    FeedState.UNSUPPORTED: bt.feed.DataBase.NOTSUPPORTED_TF,
}
