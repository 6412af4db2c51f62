"""Binance's spot protocol."""

from tradeguard.simulator.binance.protocol import BinanceProtocol

__all__ = ["BinanceProtocol"]
