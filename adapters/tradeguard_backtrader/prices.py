# SPDX-License-Identifier: GPL-3.0-or-later
"""The prices by which held orders are judged: the finest bars of each symbol that the run has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tradeguard_backtrader.held_orders import Bar
from tradeguard_backtrader.order_routing import symbol_of
from tradeguard_backtrader.stamps import epoch_ms

__all__ = ["PriceWatch"]


class PriceWatch:
    """Knows the data of a run.

    Args:
        datas: Cerebro's.
    """

    def __init__(self, datas: Iterable[Any]) -> None:
        self._datas: dict[str, Any] = {}
        for data in datas:
            symbol = symbol_of(data)
            known = self._datas.get(symbol)
            if known is None or _fineness(data) < _fineness(known):
                self._datas[symbol] = data

    def data(self, symbol: str) -> Any:
        """Return the finest data of a symbol; None where the run has none."""
        return self._datas.get(symbol)

    def bar(self, symbol: str) -> Bar | None:
        """Return the last bar of a symbol, or the last piece of one that is replayed; None before the first."""
        data = self._datas.get(symbol)
        if data is None or not len(data):
            return None
        stamp_ms = epoch_ms(data.datetime[0])
        high, low, close = (_last(data, name) for name in ("high", "low", "close"))
        return None if stamp_ms is None else Bar(stamp_ms=stamp_ms, high=high, low=low, close=close)


def _last(data: Any, name: str) -> float:
    """Return the value as Backtrader's own broker reads it: the tick's where there are ticks, else the bar's."""
    tick = getattr(data, f"tick_{name}", None)
    return float(getattr(data, name)[0] if tick is None else tick)


def _fineness(data: Any) -> tuple[int, int]:
    return data._timeframe, data._compression
