"""`tradeguard orders`."""

from tradeguard.cli.options import DebugOption


def orders(debug: DebugOption = False) -> None:
    """X."""
