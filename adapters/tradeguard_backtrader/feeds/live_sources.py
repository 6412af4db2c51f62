# SPDX-License-Identifier: GPL-3.0-or-later
"""Which feeds listen to a stream, and to which."""

from __future__ import annotations

from typing import Any

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader.awaited_exchange import AwaitedExchange
from tradeguard_backtrader.feeds.candle_stream import CandleStream
from tradeguard_backtrader.feeds.live_source import LiveSource
from tradeguard_backtrader.feeds.poll_plan import PollPlan
from tradeguard_backtrader.feeds.trade_stream import TradeStream

__all__ = ["live_source"]


def live_source(store: Any, plan: PollPlan, wanted: bool | None) -> LiveSource[Any] | None:
    """Return the stream for a feed; None where it polls.

    Args:
        store: the `GuardedStore`.
        plan: what the feed wants to have.
        wanted: True insists on a stream, False on none; None leaves it to the exchange's class.

    Raises:
        ConfigurationException: a stream is insisted on, and there is none.
    """
    exchange = store.exchange
    name = "watchTrades" if plan.timeframe is None else "watchOHLCV"
    has_stream = isinstance(exchange, AwaitedExchange) and exchange.has.get(name) is True
    if wanted and (not has_stream or plan.historical):
        why = "a feed that is historical polls" if has_stream else f"{_called(exchange)} has no {name}"
        raise ConfigurationException(
            f"websocket=True needs a live feed of an exchange class of ccxt.pro: {why}",
            component="tradeguard_backtrader",
        )
    if wanted is False or plan.historical or not isinstance(exchange, AwaitedExchange) or not has_stream:
        return None
    if plan.timeframe is None:
        return TradeStream(exchange, plan.symbol, store.config, store.time)
    return CandleStream(exchange, plan.symbol, plan.timeframe, store.config, store.time)


def _called(exchange: Any) -> str:
    own = exchange.awaited if isinstance(exchange, AwaitedExchange) else exchange
    return f"{type(own).__name__} of {type(own).__module__}"
