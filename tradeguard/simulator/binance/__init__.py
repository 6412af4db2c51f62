"""Binance's spot protocol."""

from tradeguard.simulator.binance.dialect import BinanceDialect
from tradeguard.simulator.binance.stream_hub import StreamHub
from tradeguard.simulator.binance.subscriber import SocketRecord

__all__ = ["BinanceDialect", "SocketRecord", "StreamHub"]
