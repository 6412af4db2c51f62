"""`tradeguard report`."""

from tradeguard.cli.options import DebugOption


def report(debug: DebugOption = False) -> None:
    """X."""
