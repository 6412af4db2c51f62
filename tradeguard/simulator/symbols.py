"""Symbols and their trading rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from tradeguard.exceptions import ConfigurationException

__all__ = ["PRECISION", "SymbolRules", "rules_for", "split_symbol"]

PRECISION = 8
"""Decimals that the exchange keeps of every asset."""

_SMALLEST = Decimal(1).scaleb(-PRECISION)
_MIN_NOTIONAL: Mapping[str, Decimal] = MappingProxyType(
    {"BTC": Decimal("0.0001"), "ETH": Decimal("0.001"), "BNB": Decimal("0.01"), "USDT": Decimal(5)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRules:
    """What an order on one symbol has to keep to.

    Attributes:
        symbol: unified symbol, such as `ETH/BTC`.
        tick_size: prices are multiples of it, quote currency per base.
        step_size: quantities are multiples of it, base currency.
        min_quantity: smallest quantity of an order, base currency.
        max_quantity: largest quantity of an order, base currency.
        min_price: lowest price, quote currency per base.
        max_price: highest price, quote currency per base.
        min_notional: smallest price times quantity, quote currency.
        max_notional: largest price times quantity, quote currency.
        max_orders: open orders that one account may have on the symbol.
        max_stop_orders: those of them that may wait for a stop price.
    """

    symbol: str
    tick_size: Decimal
    step_size: Decimal = Decimal("0.0001")
    min_quantity: Decimal = Decimal("0.0001")
    max_quantity: Decimal = Decimal(100000)
    min_price: Decimal = _SMALLEST
    max_price: Decimal = Decimal(1000000)
    min_notional: Decimal = Decimal("0.0001")
    max_notional: Decimal = Decimal(9000000)
    max_orders: int = 200
    max_stop_orders: int = 5

    @property
    def base(self) -> str:
        """The asset that is traded."""
        return self.symbol.split("/")[0]

    @property
    def quote(self) -> str:
        """The asset that prices are in."""
        return self.symbol.split("/")[1]


def split_symbol(symbol: object) -> tuple[str, str]:
    """Return base and quote of a unified symbol.

    Raises:
        ConfigurationException: it is not of the form `BASE/QUOTE`, upper case.
    """
    parts = symbol.split("/") if isinstance(symbol, str) else []
    if len(parts) != 2 or not all(part.isalnum() and part == part.upper() for part in parts):
        message = f"symbol: {symbol!r} is not of the form BASE/QUOTE, such as ETH/BTC"
        raise ConfigurationException(message, component="simulator")
    return parts[0], parts[1]


def rules_for(symbol: str, price: Decimal, tick_size: Decimal | None = None) -> SymbolRules:
    """Return trading rules that suit a market at about `price`.

    Unless given, the tick is a hundred-thousandth of the price's order of magnitude, at most a cent.
    """
    quote = split_symbol(symbol)[1]
    if tick_size is None:
        tick_size = min(Decimal("0.01"), Decimal(1).scaleb(price.adjusted() - 5))
    step = Decimal("0.0001") if price < 1000 else Decimal("0.00001")
    return SymbolRules(
        symbol=symbol,
        tick_size=max(tick_size, _SMALLEST),
        step_size=step,
        min_quantity=step,
        min_price=max(tick_size, _SMALLEST),
        min_notional=_MIN_NOTIONAL.get(quote, Decimal("0.01")),
    )
