"""Options that several commands share, and the consoles that they write to."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

__all__ = [
    "DataOption",
    "DebugOption",
    "FaultProfile",
    "FaultsOption",
    "SeedOption",
    "SymbolOption",
    "console",
]

_FILE_WIDTH = 120


class FaultProfile(StrEnum):
    """How much goes wrong; the profiles of `tradeguard.simulator.FaultPlan`."""

    CALM = "calm"
    STORMY = "stormy"
    HOSTILE = "hostile"


DebugOption = Annotated[
    bool,
    typer.Option("--debug", help="Show the traceback of an error.", expose_value=False, is_eager=True),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE.csv",
        help="Replay recorded candles (timestamp, open, high, low, close, volume); else a synthetic market.",
    ),
]
FaultsOption = Annotated[FaultProfile, typer.Option("--faults", help="How much goes wrong.")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, metavar="N", help="Fixes the market and what goes wrong.")
]
SymbolOption = Annotated[
    str, typer.Option("--symbol", metavar="BASE/QUOTE", help="What the candles are candles of.")
]


def console() -> Console:
    """Return the console of stdout: colours and live updates on a terminal, plain lines anywhere else."""
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that cannot show a sign gets a question mark, not a traceback.
        sys.stdout.reconfigure(errors="replace")
    # A file or a pipe has no width: there, tables need not be cut to that of a narrow terminal.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _FILE_WIDTH
    return Console(highlight=False, width=width)
