"""Binance's spot protocol."""

from tradeguard.simulator.binance.dialect import BinanceDialect

__all__ = ["BinanceDialect"]
