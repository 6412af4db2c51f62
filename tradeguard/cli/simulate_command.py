"""`tradeguard simulate`."""

from tradeguard.cli.options import DebugOption


def simulate(debug: DebugOption = False) -> None:
    """X."""
