"""Kraken's spot protocol."""

from tradeguard.simulator.kraken.dialect import KrakenDialect

__all__ = ["KrakenDialect"]
