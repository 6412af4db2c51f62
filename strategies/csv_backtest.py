"""A backtest whose file and broker are guarded: what cannot be read is tried again, and never passed over.

    python strategies/csv_backtest.py --data bars.csv
    python strategies/csv_backtest.py --simulate --bars 500

The file has a line for each bar: time of close in epoch seconds, open, high, low, close, volume. `--simulate` writes
one first, of the candles of a simulated exchange. The guarded classes have the params, the lines and the results of
the plain ones: an existing backtest changes in the two lines that make its feed and its broker, and nowhere else.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import backtrader as bt
from sma_cross import SmaCross, connect, print_event

from tradeguard import ErrorMonitor, RetryConfig
from tradeguard_backtrader import guard_broker, guard_feed

monitor = ErrorMonitor()

# A file on a network drive fails to open now and then. At the top of a module, so that the worker processes of
# `optstrategy` find the classes too.
GuardedCSV = guard_feed(
    bt.feeds.GenericCSVData,
    retry=RetryConfig(max_attempts=3, base_delay=0.1, retry_on_exceptions=OSError),
    monitor=monitor,
)
GuardedBroker = guard_broker(bt.brokers.BackBroker, monitor=monitor)


def run(path: Path, **params: Any) -> SmaCross:
    """Backtest `SmaCross` on the bars of a file, and return the strategy.

    Args:
        path: see the top of this file.
        params: those of `SmaCross`.
    """
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(
        GuardedCSV(
            dataname=str(path),
            dtformat=1,  # epoch seconds
            timeframe=bt.TimeFrame.Seconds,
            openinterest=-1,
        )
    )
    cerebro.setbroker(GuardedBroker(cash=10.0))
    cerebro.broker.setcommission(commission=0.001)
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    cerebro.addstrategy(SmaCross, **params)
    strategy: SmaCross = cerebro.run()[0]
    return strategy


def download(exchange: Any, symbol: str, path: Path, bars: int) -> None:
    """Write the last `bars` closed candles of a second into a file, in the form that `run` reads."""
    now_ms = exchange.fetch_time()
    since_ms = (now_ms // 1000 - bars) * 1000
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "open", "high", "low", "close", "volume"])
        while since_ms + 1000 <= now_ms:
            candles = exchange.fetch_ohlcv(symbol, "1s", since_ms, 500)
            for opened_ms, *values in candles:
                if opened_ms + 1000 <= now_ms:  # an open candle is no candle
                    writer.writerow([opened_ms // 1000 + 1, *values])
            since_ms = candles[-1][0] + 1000 if candles else now_ms


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="the file")
    source.add_argument("--simulate", action="store_true", help="candles of a local exchange, with faults")
    parser.add_argument("--symbol", default="ETH/BTC")
    parser.add_argument("--seed", type=int, default=1, help="fixes the simulated market and its faults")
    parser.add_argument("--bars", type=int, default=500, help="how many bars to simulate")
    parser.add_argument("--fast", type=int, default=10, help="bars of the fast average")
    parser.add_argument("--slow", type=int, default=30, help="bars of the slow average")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = options.data
        if options.simulate:
            path = Path(folder, "bars.csv")
            with connect(options) as exchange:
                download(exchange, options.symbol, path, options.bars)
        strategy = run(
            path,
            fast=options.fast,
            slow=options.slow,
            observer=lambda kind, text: print_event(kind, text) if kind == "trade" else None,
        )
    closed = strategy.analyzers.trades.get_analysis().total.get("closed", 0)
    print(f"{len(strategy)} bars, {closed} round trips, value {strategy.broker.getvalue():g}")
    print(f"failures that were survived: {monitor.get_error_statistics()['total_errors']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
