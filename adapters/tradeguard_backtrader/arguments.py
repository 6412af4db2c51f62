# SPDX-License-Identifier: GPL-3.0-or-later
"""What stores, feeds and brokers may be given: a bad value is refused where it is given, not in the run."""

from __future__ import annotations

from datetime import date
from typing import Any

import backtrader as bt

from tradeguard.bounds import refuse, require_flag, require_int, require_number
from tradeguard_backtrader.config import StoreConfig

__all__ = ["check_broker", "check_feed", "check_store"]

_UNITS = range(bt.TimeFrame.Ticks, bt.TimeFrame.Years + 1)
_EXCHANGE = 'an exchange object, such as GuardedExchange("binance")'


def check_store(exchange: Any, settings: dict[str, Any]) -> None:
    """Check what a `GuardedStore` is made of.

    Raises:
        ConfigurationException: something is of another kind.
    """
    if not callable(getattr(exchange, "fetch_ohlcv", None)) or isinstance(exchange, type):
        refuse("GuardedStore.exchange", exchange, _EXCHANGE)
    config = settings.get("config")
    if config is not None and not isinstance(config, StoreConfig):
        refuse("GuardedStore.config", config, "a StoreConfig or None")
    for name, methods, bound in (
        ("clock", ("time", "monotonic", "sleep"), "a clock, such as a ManualClock, or None"),
        ("workers", ("start", "wait_for", "stop"), "workers, such as InlineWorkers(clock), or None"),
        ("monitor", ("record_rescue", "add_listener"), "an ErrorMonitor or None"),
    ):
        value = settings.get(name)
        if value is not None and not all(callable(getattr(value, method, None)) for method in methods):
            refuse(f"GuardedStore.{name}", value, bound)


def check_feed(p: Any) -> None:
    """Check the params of a `GuardedFeed`.

    Raises:
        ConfigurationException: one is out of its bounds.
    """
    if not isinstance(p.dataname, str) or not p.dataname:
        refuse("GuardedFeed.dataname", p.dataname, "a symbol, such as 'ETH/BTC'")
    if isinstance(p.timeframe, bool) or not isinstance(p.timeframe, int) or p.timeframe not in _UNITS:
        refuse("GuardedFeed.timeframe", p.timeframe, "one of bt.TimeFrame, such as bt.TimeFrame.Minutes")
    require_int("GuardedFeed.compression", p.compression, minimum=1)
    require_int("GuardedFeed.history", p.history, minimum=0)
    require_int("GuardedFeed.bars", p.bars, minimum=0, optional=True)
    require_int("GuardedFeed.page", p.page, minimum=1, optional=True)
    require_int("GuardedFeed.recheck", p.recheck, minimum=0)
    require_number("GuardedFeed.qcheck", p.qcheck, minimum=0)
    for name in ("historical", "backfill_opens", "fill_empty"):
        require_flag(f"GuardedFeed.{name}", getattr(p, name))
    for name in ("fromdate", "todate"):
        value = getattr(p, name)
        if value is not None and not isinstance(value, date):
            refuse(f"GuardedFeed.{name}", value, "a datetime, a date or None")
    if p.websocket is not None and not isinstance(p.websocket, bool):
        refuse("GuardedFeed.websocket", p.websocket, "True, False or None")
    if p.backfill_from is not None and not isinstance(p.backfill_from, bt.feed.AbstractDataBase):
        bound = "a feed, such as bt.feeds.GenericCSVData(dataname=…), or None"
        refuse("GuardedFeed.backfill_from", p.backfill_from, bound)


def check_broker(p: Any) -> None:
    """Check the params of a `GuardedBroker` that no other part checks.

    Raises:
        ConfigurationException: one is out of its bounds.
    """
    require_flag("GuardedBroker.use_positions", p.use_positions)
    require_flag("GuardedBroker.adopt_orders", p.adopt_orders)
    if p.currency is not None and (not isinstance(p.currency, str) or not p.currency):
        refuse("GuardedBroker.currency", p.currency, "a currency, such as 'USDT', or None")
