"""Which state `report` and `orders` read: the one that is named, else a demo's, else the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tradeguard.cli.demo_command import DEFAULT_STATE

__all__ = ["StateArgument", "state_to_read"]

StateArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[STATE]",
        help=f"File or database URL of a state; else ./{DEFAULT_STATE}, else your bots' own state.",
        show_default=False,
    ),
]


def state_to_read(named: str | None) -> str:
    """Return the path or URL of the state to read."""
    if named is not None:
        return named
    if DEFAULT_STATE.exists():
        return str(DEFAULT_STATE)
    from platformdirs import user_state_path  # noqa: PLC0415 - needed only where nothing is named

    own: Path = user_state_path("tradeguard") / "state.db"
    # Where there is neither, the message should name what a newcomer can make.
    return str(own if own.exists() else DEFAULT_STATE)
