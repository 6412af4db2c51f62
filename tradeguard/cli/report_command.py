"""`tradeguard report`."""

from __future__ import annotations

from tradeguard.cli.options import DebugOption, console
from tradeguard.cli.state_argument import StateArgument, state_to_read

__all__ = ["report"]


def report(state: StateArgument = None, debug: DebugOption = False) -> None:
    """Show what a stored run met: errors, circuits, orders and rescues."""
    from tradeguard.analysis import load  # noqa: PLC0415 - pandas takes half a second to import
    from tradeguard.cli.report_tables import report_tables  # noqa: PLC0415

    frames = load(state_to_read(state))
    out = console()
    for part in report_tables(frames):
        out.print(part)
