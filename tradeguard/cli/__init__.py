"""The command line: `tradeguard demo`, `simulate`, `report` and `orders`."""

from tradeguard.cli.app import main

__all__ = ["main"]
