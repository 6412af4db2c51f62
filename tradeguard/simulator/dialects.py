"""The dialects that the simulated exchange speaks, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tradeguard.simulator.binance import BinanceDialect
from tradeguard.simulator.binance.usdm import UsdmDialect
from tradeguard.simulator.dialect import Dialect
from tradeguard.simulator.kraken import KrakenDialect

__all__ = ["DIALECTS"]

DIALECTS: Mapping[str, Callable[[], Dialect]] = MappingProxyType(
    {"binance": BinanceDialect, "binanceusdm": UsdmDialect, "kraken": KrakenDialect}
)
"""What makes a fresh dialect, by ccxt's id of the exchange."""
