"""Which state a command means: a named one to act on; to read, else a demo's, else the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tradeguard.cli.demo_command import DEFAULT_STATE

__all__ = ["BotStateArgument", "StateArgument", "existing_state", "state_to_read"]

StateArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[STATE]",
        help=f"File or database URL of a state; else ./{DEFAULT_STATE}, else your bots' own state.",
        show_default=False,
    ),
]

BotStateArgument = Annotated[
    str, typer.Argument(metavar="STATE", help="File or database URL of the bot's state.", show_default=False)
]


def existing_state(named: str) -> str:
    """Return the path or URL of a bot's state, which a slip of the pen must not create.

    Raises:
        ConfigurationException: there is no such file.
    """
    from tradeguard.storage.address import Address, refusal  # noqa: PLC0415 - SQLAlchemy is heavy

    address = Address.parse(named)
    if address.path is not None and not address.path.exists():
        raise refusal(address.label, "there is no such file")
    return named


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
