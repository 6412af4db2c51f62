"""Binance's spot protocol."""

from tradeguard.simulator.binance.protocol import BinanceProtocol
from tradeguard.simulator.binance.stream_hub import StreamHub
from tradeguard.simulator.binance.subscriber import SocketRecord

__all__ = ["BinanceProtocol", "SocketRecord", "StreamHub"]
