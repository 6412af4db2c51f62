"""A trend follower on two timeframes, whose stop rests at the exchange.

    python strategies/trend.py --simulate
    python strategies/trend.py --exchange binance --testnet --symbol ETH/USDT --timeframe 1m --factor 15

The long bars say where the market goes, the short ones when to enter. As soon as the entry is filled, a stop order
goes to the exchange, where it protects the position even if this process dies. A spot exchange locks the coins that
a sell order offers, so the target cannot rest beside the stop: the strategy watches it, takes the stop back, and
sells when that is confirmed. With `--brackets` the broker does all of that: it holds the stop here, which then
protects only while this process runs, and the target rests at the exchange. The command line is that of
`sma_cross.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import backtrader as bt
from sma_cross import Observed, command_line, trade

from tradeguard_backtrader import GuardedStore, StoreConfig


class Trend(Observed, bt.Strategy):
    """Buy a dip's end in an uptrend; sell at the stop, at the target, or when the trend is over.

    Params:
        fast: short bars of the average that a price has to cross.
        slow: long bars of the average that tells the trend.
        stake: how much to buy, in base currency.
        stop: how far below the entry the stop is (0.01 is 1 %).
        target: how far above the entry the position is sold.
        brackets: send the entry with its stop and its target as one bracket, and leave the rest to the broker.
        observer: called with what happens.
    """

    params = (
        ("fast", 5),
        ("slow", 5),
        ("stake", 0.1),
        ("stop", 0.01),
        ("target", 0.02),
        ("brackets", False),
        ("observer", None),
    )

    def __init__(self) -> None:
        short, long = self.datas[:2]
        self.cross = bt.indicators.CrossOver(short.close, bt.indicators.SMA(short, period=self.p.fast))
        self.average = bt.indicators.SMA(long, period=self.p.slow)
        self.long = long
        self.entry: bt.Order | None = None  # each of these only while it is alive
        self.stop_order: bt.Order | None = None
        self.target_order: bt.Order | None = None
        self.exit: bt.Order | None = None
        self.price = 0.0  # of the entry
        self.wants_out = False

    def next(self) -> None:
        """Decide, once a bar."""
        self.tell("bar", f"{self.data.datetime.datetime(0)} {self.data.close[0]:g}")
        if not self.is_fresh():
            return  # a price of yesterday decides nothing
        is_up = self.long.close[0] > self.average[0]
        if self.is_invested():
            close = self.data.close[0]
            # A wish to get out stays until it is fulfilled: an exit that was rejected is tried again.
            self.wants_out = self.wants_out or not is_up or close >= self.price * (1 + self.p.target)
            self.protect()
        elif self.entry is None and is_up and self.cross[0] > 0 and self.may_enter():
            self.enter()

    def is_invested(self) -> bool:
        """Whether there is a position; what a fee in coin and rounding leave over is none."""
        return self.position.size > self.p.stake / 50

    def enter(self) -> None:
        """Buy at the market."""
        self.wants_out = False
        if not self.p.brackets:
            self.entry = self.buy(size=self.p.stake, exectype=bt.Order.Market)
            return
        close = self.data.close[0]
        self.entry, self.stop_order, self.target_order = self.buy_bracket(
            size=self.p.stake,
            exectype=bt.Order.Market,
            stopprice=close * (1 - self.p.stop),
            limitprice=close * (1 + self.p.target),
        )

    def protect(self) -> None:
        """See to it that the position is under a stop, or on its way out."""
        if self.entry is not None or self.exit is not None:
            return
        resting = [order for order in (self.stop_order, self.target_order) if order is not None]
        if self.wants_out:
            for order in resting:
                self.cancel(order)  # its coins are locked until the exchange confirms
            if not resting:
                self.exit = self.close()
        elif not resting:
            price = self.price * (1 - self.p.stop)
            self.stop_order = self.sell(size=self.position.size, exectype=bt.Order.Stop, price=price)

    def notify_order(self, order: bt.Order) -> None:
        """Act on the end of an order at once: the next bar may be an hour away."""
        super().notify_order(order)
        if order.alive():
            return
        if order.isbuy() and order.executed.size:
            self.price = order.executed.price
        for name in ("entry", "stop_order", "target_order", "exit"):
            known = getattr(self, name)
            if known is not None and known.ref == order.ref:
                setattr(self, name, None)
        # What was refused is tried again at the next bar; at once would be for ever.
        if self.is_invested() and order.status not in {order.Rejected, order.Margin}:
            self.protect()

    def on_watch(self, data: bt.feed.DataBase, may_enter: bool, why: str) -> None:
        """Take back an entry that is not filled yet; the stop stays at the exchange, whatever happens here."""
        if not may_enter and self.entry is not None:
            self.cancel(self.entry)


def run(
    exchange: Any,
    *,
    symbol: str = "ETH/BTC",
    timeframe: int = bt.TimeFrame.Minutes,
    compression: int = 1,
    factor: int = 5,
    bars: int | None = None,
    config: StoreConfig | None = None,
    **params: Any,
) -> Trend:
    """Trade until `bars` live bars have passed, and return the strategy.

    Args:
        exchange: a `GuardedExchange`.
        symbol: what to trade.
        timeframe: one of `bt.TimeFrame`.
        compression: how many of them make a short bar.
        factor: how many short bars make a long one.
        bars: how many bars to trade after the history; None for ever.
        config: pauses and patience; None for what suits candles of minutes.
        params: those of `Trend`.
    """
    store = GuardedStore(exchange, config=config)
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)  # hear of orders at once, not with the next bar
    history = factor * (params.get("slow", Trend.params.slow) + 1)
    data = store.getdata(
        dataname=symbol, timeframe=timeframe, compression=compression, history=history, bars=bars
    )
    cerebro.adddata(data)
    # Made here, of the short bars: no request more, and both always agree.
    cerebro.resampledata(data, timeframe=timeframe, compression=compression * factor)
    # The coins that are in the account already are not the strategy's to sell.
    cerebro.setbroker(store.getbroker(use_positions=False))
    cerebro.addstrategy(Trend, **params)
    strategy: Trend = cerebro.run()[0]
    return strategy


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = command_line(__doc__)
    parser.add_argument("--factor", type=int, default=5, help="short bars that make a long one")
    parser.add_argument("--fast", type=int, default=5, help="short bars of the average to cross")
    parser.add_argument("--slow", type=int, default=5, help="long bars of the average that tells the trend")
    parser.add_argument("--stake", type=float, default=0.1, help="base currency to buy")
    parser.add_argument("--brackets", action="store_true", help="leave stop and target to the broker")
    options = parser.parse_args(arguments)
    return trade(
        options,
        run,
        factor=options.factor,
        fast=options.fast,
        slow=options.slow,
        stake=options.stake,
        brackets=options.brackets,
    )


if __name__ == "__main__":
    sys.exit(main())
