"""The bot as most are written today: plain ccxt, and tenacity's retry around every call.

It trades the same crosses on the same candles as the guarded bot, and nothing in it is made worse than it is
found in the wild: it retries network errors only, backs off with jitter, looks at closed candles only, checks that
an answer names an order, and takes fills and fees from the exchange's answers. That each attempt carries a client
order id of its own is what ccxt does for binance by itself; here the ids are kept too, so that an audit can tell
whose order is whose.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ccxt
import pandas as pd
import tenacity

__all__ = ["PlainBot", "PlainIntent"]


@dataclass(slots=True)
class PlainIntent:
    """One order that the bot meant to place, and what became of it as far as the bot can tell."""

    client_order_id: str
    symbol: str
    side: str
    amount: float
    client_order_ids: list[str] = field(default_factory=list)
    status: str = "PENDING"
    order_id: str | None = None


class PlainBot:
    """Buys when the fast average crosses above the slow one, and sells when it crosses below.

    Args:
        exchange: a plain `ccxt.binance`.
        symbol: what to trade.
        timeframe: of the candles.
        fast: candles of the fast average.
        slow: candles of the slow average.
        stake: size of each order, in the base asset.
        sleep: waits between attempts, in seconds.
    """

    def __init__(
        self,
        exchange: Any,
        *,
        symbol: str,
        timeframe: str,
        fast: int,
        slow: int,
        stake: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.exchange = exchange
        self.symbol = symbol
        self.timeframe = timeframe
        self.fast = fast
        self.slow = slow
        self.stake = stake
        self.retry = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(4),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=1.0),
            retry=tenacity.retry_if_exception_type(ccxt.NetworkError),
            sleep=sleep,
            reraise=True,
        )
        self.position = 0.0
        self.cash = 0.0
        self.intents: list[PlainIntent] = []
        self.candles_seen: list[int] = []

    def start(self) -> None:
        """Read the cash to begin with."""
        self.retry(self.exchange.load_markets)
        balance = self.retry(self.exchange.fetch_balance)
        self.cash = float(balance["free"][self.symbol.split("/")[1]])

    def step(self) -> None:
        """Look at the candles, and trade if the averages have crossed on one that is new."""
        candles = self.retry(self.exchange.fetch_ohlcv, self.symbol, self.timeframe, limit=self.slow + 20)
        frame = pd.DataFrame(candles, columns=["time", "open", "high", "low", "close", "volume"])
        closed = frame.iloc[:-1]  # the last candle is still forming
        newest = int(closed["time"].iloc[-1])
        if self.candles_seen and newest <= self.candles_seen[-1]:
            return
        self.candles_seen.append(newest)
        close = closed["close"].astype(float)
        difference = (close.rolling(self.fast).mean() - close.rolling(self.slow).mean()).dropna()
        before, now = difference.iloc[-2], difference.iloc[-1]
        is_invested = self.position > self.stake / 2
        if not is_invested and before <= 0 < now:
            self._order("buy", self.stake)
        elif is_invested and now < 0:
            amount = float(self.exchange.amount_to_precision(self.symbol, self.position))
            self._order("sell", amount)

    def _order(self, side: str, amount: float) -> None:
        intent = PlainIntent(f"plain-{len(self.intents) + 1}", self.symbol, side, amount)
        self.intents.append(intent)
        try:
            order = self.retry(self._send, intent)
            if order["id"] is None:
                raise ccxt.ExchangeError("the answer names no order")
        except ccxt.BaseError:
            intent.status = "REJECTED"  # it raised, so it is not there: what else should a bot believe?
            return
        intent.status, intent.order_id = "PLACED", order["id"]
        sign = 1 if side == "buy" else -1
        self.position += sign * float(order["filled"])
        self.cash -= sign * float(order["cost"])
        base = self.symbol.split("/")[0]
        for fee in order["fees"]:
            if fee["currency"] == base:
                self.position -= float(fee["cost"])
            else:
                self.cash -= float(fee["cost"])

    def _send(self, intent: PlainIntent) -> Any:
        intent.client_order_ids.append(f"{intent.client_order_id}-{len(intent.client_order_ids) + 1}")
        return self.exchange.create_order(
            self.symbol,
            "market",
            intent.side,
            intent.amount,
            params={"newClientOrderId": intent.client_order_ids[-1]},
        )
