"""Serving the simulated exchange: what to paste, what it is doing, and a clean end."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.live import Live
from rich.pretty import pretty_repr
from rich.table import Table

from tradeguard.cli.market import market_for
from tradeguard.simulator import FaultPlan, SimulatedExchange

__all__ = ["Offer", "paste_text", "serve"]

_HISTORY = 500
_LIVE_SECONDS = 0.5
_PLAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is served.

    Attributes:
        data: CSV file of recorded candles; None for a synthetic market.
        symbol: what is traded.
        port: where to listen; 0 for any free port.
        faults: the fault profile.
        seed: fixes market, faults and keys.
        timeframe: how long a candle lasts.
    """

    data: Path | None
    symbol: str
    port: int
    faults: str
    seed: int
    timeframe: str

    def exchange(self) -> SimulatedExchange:
        """Return the exchange, not yet started.

        Raises:
            ConfigurationException: a value cannot be used; the message names it.
        """
        market = market_for(
            self.data, self.symbol, timeframe=self.timeframe, history=_HISTORY, least_history=0, live=1
        )
        faults = FaultPlan.profile(self.faults, self.seed)
        return SimulatedExchange(market, faults, self.seed, port=self.port)


def serve(offer: Offer, console: Console) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConfigurationException: the recording or the port cannot be used.
    """
    with _told_to_stop() as stopped, offer.exchange() as exchange:
        market = "a synthetic market" if offer.data is None else offer.data.name
        console.print(
            f"{offer.symbol} from {market}, {offer.timeframe} each candle, {offer.faults} faults, "
            f"seed {offer.seed}, at {exchange.url}",
            soft_wrap=True,
        )
        console.print("Paste into your bot (the keys are made up, and good for this exchange alone):\n")
        console.print(paste_text(exchange), soft_wrap=True, markup=False)
        console.print("Ctrl-C stops it.\n")
        if console.is_terminal:
            _show_live(exchange, console, stopped)
        else:
            _show_lines(exchange, console, stopped)
        console.print(f"Stopped. {_summary(exchange)}", soft_wrap=True)


def paste_text(exchange: SimulatedExchange) -> str:
    """Return Python that makes a ccxt client of the exchange."""
    config = pretty_repr(exchange.ccxt_config(), max_width=100)
    return f"import ccxt\n\nconfig = {config}\nexchange = ccxt.binance(config)\n"


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set, in place of what they do otherwise."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    former = [signal.signal(number, stop) for number in numbers]
    try:
        yield stopped
    finally:
        for number, handler in zip(numbers, former, strict=True):
            signal.signal(number, handler)


def _show_live(exchange: SimulatedExchange, console: Console, stopped: threading.Event) -> None:
    with Live(_table(exchange), console=console, auto_refresh=False, transient=True) as live:
        while not stopped.wait(_LIVE_SECONDS):
            live.update(_table(exchange), refresh=True)


def _show_lines(exchange: SimulatedExchange, console: Console, stopped: threading.Event) -> None:
    told = ""
    while not stopped.wait(_PLAIN_SECONDS):
        text = _summary(exchange)
        if text != told:
            told = text
            console.print(text, soft_wrap=True)


def _table(exchange: SimulatedExchange) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    for symbol in exchange.symbols:
        table.add_row(symbol, str(exchange.last_price(symbol)) + (" (closed)" if exchange.finished else ""))
    table.add_row("requests", str(len(exchange.requests)))
    table.add_row("faults", _faults(exchange))
    table.add_row("orders", _orders(exchange))
    return table


def _summary(exchange: SimulatedExchange) -> str:
    closed = " The recording has ended, and the market is closed." if exchange.finished else ""
    return f"{len(exchange.requests)} requests; faults: {_faults(exchange)}; orders: {_orders(exchange)}.{closed}"


def _faults(exchange: SimulatedExchange) -> str:
    struck = (request.fault.partition("/")[0] for request in exchange.requests if request.fault is not None)
    return _counts(Counter(struck))


def _orders(exchange: SimulatedExchange) -> str:
    return _counts(Counter(str(order.status).lower() for order in exchange.orders()))


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.most_common()) or "none"
