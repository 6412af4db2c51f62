"""A moving-average crossover that trades at a real exchange, a testnet or a simulated one.

    python strategies/sma_cross.py --simulate
    python strategies/sma_cross.py --exchange binance --testnet --symbol ETH/USDT --timeframe 1m --websocket
    python strategies/sma_cross.py --simulate --symbol ETH/USDT:USDT --short --leverage 3

`SmaCross` is a Backtrader strategy like any other, and it runs in a backtest as it is; `Watchful` is what tells
it whether bars are fresh and the market is open to it. What keeps it alive through time-outs, bans and outages
is in `run`: a guarded exchange behind Backtrader's own data and broker interfaces. The keys come from the
environment: TRADEGUARD_API_KEY and TRADEGUARD_SECRET.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import backtrader as bt
import ccxt

from tradeguard.simulator import FaultPlan, SimulatedExchange, SyntheticMarket
from tradeguard_backtrader import GuardedStore, StoreConfig, Watchful
from tradeguard_ccxt import GuardConfig, GuardedExchange

Observer = Callable[[str, str], None]
"""Takes what happens: its kind (`bar`, `data`, `order`, `store` or `trade`) and a sentence."""


class Observed(Watchful):
    """What the strategies here have in common: they are watchful, and tell an `observer` what they hear."""

    def notify_data(self, data: bt.feed.DataBase, status: int, *args: Any, **kwargs: Any) -> None:
        """Hear whether bars are fresh."""
        super().notify_data(data, status)
        self.tell("data", data._getstatusname(status))

    def notify_store(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Hear what the exchange is up to."""
        super().notify_store(msg, **kwargs)
        self.tell("store", msg)

    def notify_order(self, order: bt.Order) -> None:
        """Hear of each change of an order."""
        side = "buy" if order.isbuy() else "sell"
        text = f"{side} {abs(order.created.size):g}: {order.getstatusname()}"
        if order.executed.size:
            text += f", {abs(order.executed.size):g} at {order.executed.price:g}"
        if "reason" in order.info:
            text += f" ({order.info['reason']})"
        self.tell("order", text)

    def notify_trade(self, trade: bt.Trade) -> None:
        """Hear of the end of a round trip."""
        if trade.isclosed:
            self.tell("trade", f"closed with {trade.pnlcomm:+g} after {trade.commission:g} of fees")

    def tell(self, kind: str, text: str) -> None:
        """Pass on what happens."""
        if self.p.observer is not None:
            self.p.observer(kind, text)


class SmaCross(Observed, bt.Strategy):
    """Buy when the fast average crosses above the slow one, sell when it is below.

    On a swap it can go short, too: then it turns at each crossing.

    Params:
        fast: bars of the fast average.
        slow: bars of the slow average.
        stake: how much to buy, in base currency.
        limit: None to order at the market, or how far from the last close to place limit orders (0.001 is
            0.1 %).
        patience: seconds after which a limit order expires.
        short: whether to hold a short position while the fast average is below.
        observer: called with what happens.
    """

    params = (
        ("fast", 10),
        ("slow", 30),
        ("stake", 0.1),
        ("limit", None),
        ("patience", 60),
        ("short", False),
        ("observer", None),
    )

    def __init__(self) -> None:
        self.fast = bt.indicators.SMA(self.data, period=self.p.fast)
        self.slow = bt.indicators.SMA(self.data, period=self.p.slow)
        self.cross = bt.indicators.CrossOver(self.fast, self.slow)
        self.order = None  # the one that is on its way
        self.is_turning = False  # whether the other side is to follow the one that was closed

    def next(self) -> None:
        """Decide, once a bar."""
        self.tell("bar", f"{self.data.datetime.datetime(0)} {self.data.close[0]:g}")
        if self.order is not None or not self.is_fresh():
            return  # one order at a time, and none at a price of yesterday
        trend, side = (self.fast[0] > self.slow[0]) - (self.fast[0] < self.slow[0]), self.side()
        if side * trend < 0:
            self.is_turning = self.p.short
            self.order = self.close(reduce_only=True, **self.terms(side))
        elif (
            side == 0
            and (self.cross[0] or self.is_turning)
            and (trend > 0 or self.p.short)
            and self.may_enter()
        ):
            self.is_turning = False
            order = self.buy if trend > 0 else self.sell
            self.order = order(size=self.p.stake, **self.terms(-trend))

    def side(self) -> int:
        """Return 1 for a long position, -1 for a short one and 0 for none."""
        # An exchange may take its fee in coin: crumbs of a former trade are no position.
        size, least = self.position.size, self.p.stake / 2
        return (size > least) - (size < -least)

    def terms(self, sign: int) -> dict[str, Any]:
        """Return how to order: at the market, or at a limit on the favourable side of the last close."""
        if self.p.limit is None:
            return {"exectype": bt.Order.Market}
        return {
            "exectype": bt.Order.Limit,
            "price": self.data.close[0] * (1 + sign * self.p.limit),
            "valid": datetime.timedelta(seconds=self.p.patience),
        }

    def notify_order(self, order: bt.Order) -> None:
        """Be free for the next order when this one has come to its end."""
        super().notify_order(order)
        if not order.alive() and self.order is not None and order.ref == self.order.ref:
            self.order = None

    def on_watch(self, data: bt.feed.DataBase, may_enter: bool, why: str) -> None:
        """Take back an entry that rests while nobody can see where the market goes."""
        if not may_enter and self.order is not None and "reduce_only" not in self.order.info:
            self.cancel(self.order)


def run(  # noqa: PLR0913 - a name for each setting
    exchange: Any,
    *,
    symbol: str = "ETH/BTC",
    timeframe: int = bt.TimeFrame.Minutes,
    compression: int = 1,
    fast: int = 10,
    slow: int = 30,
    stake: float = 0.1,
    limit: float | None = None,
    bars: int | None = None,
    history: int = 100,
    short: bool = False,
    leverage: float | None = None,
    observer: Observer | None = None,
    config: StoreConfig | None = None,
) -> SmaCross:
    """Trade until `bars` live bars have passed, and return the strategy.

    Args:
        exchange: a `GuardedExchange`.
        symbol: what to trade.
        timeframe: one of `bt.TimeFrame`.
        compression: how many of them make a bar.
        fast: bars of the fast average.
        slow: bars of the slow average.
        stake: how much to buy, in base currency.
        limit: None to order at the market, or the distance of limit orders.
        bars: how many bars to trade after the history; None for ever.
        history: how many past bars the averages begin with.
        short: whether to go short, too; `symbol` is a swap then.
        leverage: of a swap; None leaves it as it is at the exchange.
        observer: called with what happens.
        config: pauses and patience; None for what suits candles of minutes.
    """
    store = GuardedStore(exchange, config=config)
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)  # hear of orders at once, not with the next bar
    cerebro.adddata(
        store.getdata(
            dataname=symbol, timeframe=timeframe, compression=compression, history=history, bars=bars
        )
    )
    # The coins that are in the account already are not the strategy's to sell; a position in a swap is its own.
    cerebro.setbroker(store.getbroker(use_positions=is_swap(symbol), leverage=leverage))
    cerebro.addstrategy(
        SmaCross, fast=fast, slow=slow, stake=stake, limit=limit, short=short, observer=observer
    )
    strategy: SmaCross = cerebro.run()[0]
    return strategy


def is_swap(symbol: str) -> bool:
    """Whether a symbol is that of a swap, such as `ETH/USDT:USDT`."""
    return ":" in symbol


def guarded_class(options: argparse.Namespace) -> Any:
    """Return what makes guarded exchanges: with websockets or without."""
    if getattr(options, "websocket", False):
        from tradeguard_ccxt import pro  # noqa: PLC0415 - it loads all of ccxt.pro

        return pro.GuardedExchange
    return GuardedExchange


@contextlib.contextmanager
def connect(options: argparse.Namespace) -> Iterator[Any]:
    """Give the exchange that the command line asks for."""
    if options.simulate:
        # A local exchange where things go wrong; same seed, same trouble.
        faults = FaultPlan.profile("stormy", seed=options.seed)
        name, market = "binance", None
        if is_swap(options.symbol):
            name, market = "binanceusdm", SyntheticMarket(options.symbol)
        with (
            SimulatedExchange(dialect=name, market=market, seed=options.seed, faults=faults) as simulated,
            tempfile.TemporaryDirectory() as folder,
        ):
            guard = GuardConfig(journal=Path(folder, "orders.sqlite"))
            yield guarded_class(options)(name, simulated.ccxt_config(), guard=guard)
        return
    keys = {"apiKey": os.environ.get("TRADEGUARD_API_KEY"), "secret": os.environ.get("TRADEGUARD_SECRET")}
    exchange = guarded_class(options)(options.exchange, {name: key for name, key in keys.items() if key})
    if options.testnet:
        exchange.set_sandbox_mode(True)
    yield exchange


def bar_length(text: str) -> tuple[int, int]:
    """Return Backtrader's timeframe and compression for an exchange's `1s`, `5m`, `1h` or `1d`."""
    units = {
        "s": (bt.TimeFrame.Seconds, 1),
        "m": (bt.TimeFrame.Minutes, 1),
        "h": (bt.TimeFrame.Minutes, 60),
        "d": (bt.TimeFrame.Days, 1),
    }
    count, unit = text[:-1], text[-1:]
    if unit not in units or not count.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no timeframe such as 1m")
    timeframe, factor = units[unit]
    return timeframe, int(count) * factor


def command_line(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every strategy has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exchange", default="binance", choices=ccxt.exchanges, metavar="ID")
    parser.add_argument("--symbol", default="ETH/BTC")
    parser.add_argument("--timeframe", default=None, type=bar_length, help="such as 1m (1s when simulated)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--testnet", action="store_true", help="the exchange's own test system")
    where.add_argument("--simulate", action="store_true", help="a local exchange, with faults")
    parser.add_argument(
        "--websocket", action="store_true", help="have bars by the exchange's streams (ccxt.pro)"
    )
    parser.add_argument("--seed", type=int, default=1, help="fixes the simulated market and its faults")
    parser.add_argument("--bars", type=int, default=None, help="stop after so many live bars")
    return parser


def print_event(kind: str, text: str) -> None:
    """Print what happens."""
    print(f"{kind:>6}  {text}", flush=True)


def trade(options: argparse.Namespace, run: Callable[..., object], **params: Any) -> int:
    """Connect as the command line says, trade until the end or Ctrl-C, and return the exit code.

    Args:
        options: of `command_line`.
        run: trades at an exchange; takes what `options` say of the bars, an observer, and `params`.
        params: what else it takes.
    """
    timeframe, compression = options.timeframe or bar_length("1s" if options.simulate else "1m")
    with connect(options) as exchange:
        try:
            run(
                exchange,
                symbol=options.symbol,
                timeframe=timeframe,
                compression=compression,
                bars=options.bars,
                observer=print_event,
                **params,
            )
        except KeyboardInterrupt:
            print("stopped; open orders stay at the exchange")
        print(f"orders: {exchange.guard_statistics()['orders']}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = command_line(__doc__)
    parser.add_argument("--fast", type=int, default=10, help="bars of the fast average")
    parser.add_argument("--slow", type=int, default=30, help="bars of the slow average")
    parser.add_argument("--stake", type=float, default=0.1, help="base currency to buy")
    parser.add_argument("--limit", type=float, default=None, help="limit orders this far from the close")
    parser.add_argument("--short", action="store_true", help="go short, too: for a swap, as ETH/USDT:USDT")
    parser.add_argument("--leverage", type=float, default=None, help="of a swap")
    options = parser.parse_args(arguments)
    return trade(
        options,
        run,
        fast=options.fast,
        slow=options.slow,
        stake=options.stake,
        limit=options.limit,
        history=options.slow + 1,
        short=options.short,
        leverage=options.leverage,
    )


if __name__ == "__main__":
    sys.exit(main())
