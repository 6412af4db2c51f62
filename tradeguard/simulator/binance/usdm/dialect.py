"""Binance's USDT-margined futures, as a dialect: the spot market's manners, other endpoints."""

from __future__ import annotations

from tradeguard.simulator.binance.dialect import BinanceDialect
from tradeguard.simulator.binance.usdm.ccxt_config import ccxt_config
from tradeguard.simulator.binance.usdm.routes import ROUTES
from tradeguard.simulator.customs import Customs
from tradeguard.simulator.symbols import MarketKind

__all__ = ["UsdmDialect"]

_CUSTOMS = Customs(kind=MarketKind.LINEAR, usual_symbol="ETH/USDT:USDT", refuses_unfillable=True)


class UsdmDialect(BinanceDialect):
    """Reads, answers and complains as Binance's futures do."""

    def __init__(self) -> None:
        super().__init__(ROUTES, _CUSTOMS, ccxt_config)
