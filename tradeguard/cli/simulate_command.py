"""`tradeguard simulate`."""

from __future__ import annotations

from typing import Annotated

import typer

from tradeguard.cli.options import (
    DataOption,
    DebugOption,
    FaultProfile,
    FaultsOption,
    SeedOption,
    SymbolOption,
    console,
)

__all__ = ["DEFAULT_PORT", "simulate"]

DEFAULT_PORT = 8642


def simulate(
    data: DataOption = None,
    symbol: SymbolOption = "ETH/BTC",
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, metavar="N", help="Where to listen; 0 chooses a free port."),
    ] = DEFAULT_PORT,
    faults: FaultsOption = FaultProfile.CALM,
    seed: SeedOption = 1,
    timeframe: Annotated[
        str, typer.Option("--timeframe", metavar="1s|1m|…", help="How long a candle lasts.")
    ] = "1s",
    debug: DebugOption = False,
) -> None:
    """Serve a local exchange that speaks Binance's spot protocol, for any bot to trade on.

    Prints the configuration to paste into the bot. Ctrl-C or SIGTERM stops it.
    """
    from tradeguard.cli.simulate import Offer, serve  # noqa: PLC0415 - its imports take half a second

    offer = Offer(data=data, symbol=symbol, port=port, faults=faults, seed=seed, timeframe=timeframe)
    serve(offer, console())
