"""A grid: limit orders at a ladder of prices, bought one step lower and sold one step higher, again and again.

    python strategies/grid.py --simulate
    python strategies/grid.py --exchange binance --testnet --symbol ETH/USDT --timeframe 1m --step 0.005

A grid lives on orders that rest at the exchange, so it shows what an order has to survive: each is placed exactly
once, each fill is told once, and when the connection is lost the buys are taken back, since a market that nobody
sees may fall through the whole ladder. The sells stay: they can only reduce what is held. The command line is that
of `sma_cross.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import backtrader as bt
from sma_cross import Observed, command_line, trade

from tradeguard_backtrader import GuardedStore, StoreConfig


class Grid(Observed, bt.Strategy):
    """Keep a buy at each rung below the first price; sell what it bought one rung higher; buy there again.

    Params:
        rungs: how many prices to buy at.
        step: the distance of two rungs (0.01 is 1 %).
        stake: how much to buy at each rung, in base currency.
        observer: called with what happens.
    """

    params = (("rungs", 4), ("step", 0.002), ("stake", 0.1), ("observer", None))

    def __init__(self) -> None:
        self.top: float | None = None  # the first live price; the ladder hangs from it
        self.buys: dict[int, bt.Order] = {}  # by rung, from 1 at the top
        self.sells: dict[int, bt.Order] = {}
        self.held: dict[int, float] = {}  # what each rung has bought and not sold yet

    def price(self, rung: int) -> float:
        """Return the price of a rung; 0 is the top, where nothing is bought."""
        assert self.top is not None  # noqa: S101 - there is no rung before there is a ladder
        return self.top * (1 - self.p.step) ** rung

    def next(self) -> None:
        """Hang up the ladder at the first fresh price, and mend it at each later one."""
        self.tell("bar", f"{self.data.datetime.datetime(0)} {self.data.close[0]:g}")
        if self.top is None and self.may_enter():
            self.top = self.data.close[0]
        if self.top is not None:
            for rung in range(1, self.p.rungs + 1):
                self.mend(rung)

    def mend(self, rung: int) -> None:
        """See to it that a rung has the order that it should have."""
        if rung in self.buys or rung in self.sells:
            return
        if self.held.get(rung, 0.0) > self.p.stake / 50:
            # A fee in coin makes less of what was bought; no more than the position can be sold.
            offered = sum(abs(order.created.size) for order in self.sells.values())
            size = min(self.held[rung], self.position.size - offered)
            if size > 0:
                self.sells[rung] = self.sell(
                    size=size, exectype=bt.Order.Limit, price=self.price(rung - 1), rung=rung
                )
        elif self.may_enter() and self.price(rung) < self.data.close[0]:
            self.buys[rung] = self.buy(
                size=self.p.stake, exectype=bt.Order.Limit, price=self.price(rung), rung=rung
            )

    def notify_order(self, order: bt.Order) -> None:
        """Put the opposite order in the place of one that has come to its end."""
        super().notify_order(order)
        rung = order.info.get("rung")
        if order.alive() or rung is None:
            return  # or it is none of ours: a former run's, which the broker has adopted
        (self.buys if order.isbuy() else self.sells).pop(rung, None)
        self.held[rung] = self.held.get(rung, 0.0) + order.executed.size
        if order.status not in {order.Rejected, order.Margin}:
            self.mend(rung)  # at once; what was refused is tried again at the next bar

    def on_watch(self, data: bt.feed.DataBase, may_enter: bool, why: str) -> None:
        """Take the buys back while nobody can see where the market goes, and hang them up again after that."""
        for rung in range(1, self.p.rungs + 1) if self.top is not None else ():
            if may_enter:
                self.mend(rung)
            elif rung in self.buys:
                self.cancel(self.buys[rung])


def run(
    exchange: Any,
    *,
    symbol: str = "ETH/BTC",
    timeframe: int = bt.TimeFrame.Minutes,
    compression: int = 1,
    bars: int | None = None,
    config: StoreConfig | None = None,
    **params: Any,
) -> Grid:
    """Trade until `bars` live bars have passed, and return the strategy.

    Args:
        exchange: a `GuardedExchange`.
        symbol: what to trade.
        timeframe: one of `bt.TimeFrame`.
        compression: how many of them make a bar.
        bars: how many bars to trade; None for ever.
        config: pauses and patience; None for what suits candles of minutes.
        params: those of `Grid`.
    """
    store = GuardedStore(exchange, config=config)
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)  # hear of orders at once, not with the next bar
    cerebro.adddata(
        store.getdata(dataname=symbol, timeframe=timeframe, compression=compression, history=1, bars=bars)
    )
    # The coins that are in the account already are not the strategy's to sell.
    cerebro.setbroker(store.getbroker(use_positions=False))
    cerebro.addstrategy(Grid, **params)
    strategy: Grid = cerebro.run()[0]
    return strategy


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = command_line(__doc__)
    parser.add_argument("--rungs", type=int, default=4, help="how many prices to buy at")
    parser.add_argument("--step", type=float, default=0.002, help="distance of two prices (0.01 is 1 %%)")
    parser.add_argument("--stake", type=float, default=0.1, help="base currency to buy at each price")
    options = parser.parse_args(arguments)
    return trade(options, run, rungs=options.rungs, step=options.step, stake=options.stake)


if __name__ == "__main__":
    sys.exit(main())
