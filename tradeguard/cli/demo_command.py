"""`tradeguard demo`."""

from __future__ import annotations

from pathlib import Path
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

__all__ = ["DEFAULT_STATE", "demo"]

DEFAULT_STATE = Path("tradeguard-demo.db")


def demo(  # noqa: PLR0913, PLR0917 - an argument for each option
    data: DataOption = None,
    symbol: SymbolOption = "ETH/BTC",
    faults: FaultsOption = FaultProfile.HOSTILE,
    seed: SeedOption = 1,
    bars: Annotated[int, typer.Option("--bars", min=1, metavar="N", help="Live bars of 1 s to trade.")] = 75,
    state: Annotated[
        Path, typer.Option("--state", metavar="PATH", help="Where the run is kept; replaced at each run.")
    ] = DEFAULT_STATE,
    plain: Annotated[
        bool, typer.Option("--plain/--no-plain", help="Run plain ccxt with a tenacity retry beside it.")
    ] = True,
    outage: Annotated[
        float | None,
        typer.Option("--outage", min=0, metavar="SECONDS", help="Pull the exchange's plug in mid-run."),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Trade a faulty local exchange with a guarded Backtrader bot, then audit what it believes.

    Beside it, the same strategy trades an equal exchange with plain ccxt and a retry, as most bots do. Exits
    with 1 if the guarded run has a duplicate, a lost, phantom or unresolved order, or a wrong position or cash.
    """
    from tradeguard.cli.demo.plan import DemoPlan  # noqa: PLC0415 - ccxt and Backtrader take a second to import
    from tradeguard.cli.demo.session import run_demo  # noqa: PLC0415
    from tradeguard.cli.strategy_file import find_strategy, load_strategy  # noqa: PLC0415

    plan = DemoPlan(data=data, symbol=symbol, faults=faults, seed=seed, bars=bars, outage=outage)
    if not run_demo(plan, state, load_strategy(find_strategy()), console(), compare=plain):
        raise typer.Exit(1)
