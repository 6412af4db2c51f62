# SPDX-License-Identifier: GPL-3.0-or-later
"""The prices of an account: its held orders are judged by them, and what it holds is valued."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import backtrader as bt

from tradeguard_backtrader.accounts.fills import exact
from tradeguard_backtrader.brokers.order_routing import symbol_of
from tradeguard_backtrader.guards.liveness import feeds_inside, source_of
from tradeguard_backtrader.held.held_orders import Bar
from tradeguard_backtrader.stamps import epoch_ms

__all__ = ["PriceWatch", "is_of"]


def is_of(store: Any, data: Any) -> bool:
    """Whether the prices of `data` are those of `store`'s exchange: it is a feed of it, or of no store at all."""
    source = source_of(data)
    stores = [getattr(feed.p, "store", None) for feed in (source, *feeds_inside(source))]
    return all(each is store for each in stores if isinstance(each, bt.Store))


class PriceWatch:
    """Knows the data of an account.

    Args:
        datas: of its symbols, in any timeframes.
    """

    def __init__(self, datas: Iterable[Any]) -> None:
        self._datas: dict[str, list[Any]] = {}
        for data in sorted(datas, key=_fineness):
            self._datas.setdefault(symbol_of(data), []).append(data)
        self._closes: dict[str, Decimal] = {}

    @property
    def symbols(self) -> list[str]:
        """The symbols that have data."""
        return list(self._datas)

    def data(self, symbol: str) -> Any:
        """Return the finest data of a symbol; None where the run has none."""
        return next(iter(self._datas.get(symbol, ())), None)

    def closes(self) -> dict[str, Decimal]:
        """Return the newest close of each symbol that has one, quote currency per base: of two, the finer data's."""
        for symbol, datas in self._datas.items():
            stamped = [bar for bar in map(_stamped_close, datas) if bar is not None]
            if stamped:
                self._closes[symbol] = exact(max(stamped, key=lambda bar: bar[0])[1])
        return self._closes

    def bar(self, symbol: str) -> Bar | None:
        """Return the last bar of a symbol, or the last piece of one that is replayed; None before the first."""
        data = self.data(symbol)
        if data is None or not len(data):
            return None
        stamp_ms = epoch_ms(data.datetime[0])
        high, low, close = (_last(data, name) for name in ("high", "low", "close"))
        return None if stamp_ms is None else Bar(stamp_ms=stamp_ms, high=high, low=low, close=close)


def _last(data: Any, name: str) -> float:
    """Return the value as Backtrader's own broker reads it: the tick's where there are ticks, else the bar's."""
    tick = getattr(data, f"tick_{name}", None)
    return float(getattr(data, name)[0] if tick is None else tick)


def _stamped_close(data: Any) -> tuple[float, float] | None:
    """Return when the last bar closed, and its close; None where there is none."""
    if not len(data):
        return None
    stamp, close = float(data.datetime[0]), float(data.close[0])
    return None if math.isnan(stamp) or math.isnan(close) else (stamp, close)


def _fineness(data: Any) -> tuple[int, int]:
    return data._timeframe, data._compression
