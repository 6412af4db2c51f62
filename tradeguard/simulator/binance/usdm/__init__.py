"""Binance's USDT-margined futures: swaps, one-way positions, cross margin."""

from tradeguard.simulator.binance.usdm.dialect import UsdmDialect

__all__ = ["UsdmDialect"]
