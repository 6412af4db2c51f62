"""Symbols and their trading rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from tradeguard.exceptions import ConfigurationException

__all__ = ["PRECISION", "MarketKind", "SymbolRules", "assets_of", "kind_of", "rules_for", "split_symbol"]

PRECISION = 8
"""Decimals that the exchange keeps of every asset."""

_SMALLEST = Decimal(1).scaleb(-PRECISION)
_MIN_NOTIONAL: Mapping[str, Decimal] = MappingProxyType(
    {"BTC": Decimal("0.0001"), "ETH": Decimal("0.001"), "BNB": Decimal("0.01"), "USDT": Decimal(5)}
)


class MarketKind(StrEnum):
    """What a fill does: assets change hands, or a position changes."""

    SPOT = "spot"
    LINEAR = "linear swap"


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRules:
    """What an order on one symbol has to keep to.

    Attributes:
        symbol: unified symbol, such as `ETH/BTC`, or `ETH/USDT:USDT` of a swap.
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
        return split_symbol(self.symbol)[0]

    @property
    def quote(self) -> str:
        """The asset that prices are in; of a swap, what is settled in, too."""
        return split_symbol(self.symbol)[1]


def split_symbol(symbol: object) -> tuple[str, str]:
    """Return base and quote of a unified symbol.

    Raises:
        ConfigurationException: it is neither of the form `BASE/QUOTE`, upper case, nor of the form
            `BASE/QUOTE:QUOTE` of a swap that is settled in what it is quoted in.
    """
    pair, _, settle = symbol.partition(":") if isinstance(symbol, str) else ("", "", "")
    parts = pair.split("/")
    if len(parts) != 2 or not all(part.isalnum() and part == part.upper() for part in parts):
        message = f"symbol: {symbol!r} is not of the form BASE/QUOTE, such as ETH/BTC"
        raise ConfigurationException(message, component="simulator")
    if symbol != pair and settle != parts[1]:
        message = f"symbol: {symbol!r} is not settled in what it is quoted in, as {pair}:{parts[1]} is"
        raise ConfigurationException(message, component="simulator")
    return parts[0], parts[1]


def kind_of(symbol: str) -> MarketKind:
    """Return what a valid unified symbol is one of."""
    return MarketKind.LINEAR if ":" in symbol else MarketKind.SPOT


def assets_of(symbol: str) -> tuple[str, ...]:
    """Return the assets that an account needs to trade a valid unified symbol."""
    base, quote = split_symbol(symbol)
    return (base, quote) if kind_of(symbol) is MarketKind.SPOT else (quote,)


def rules_for(symbol: str, price: Decimal, tick_size: Decimal | None = None) -> SymbolRules:
    """Return trading rules that suit a market at about `price`.

    Unless given, the tick is a hundred-thousandth of the price's order of magnitude, at most a cent.
    """
    quote = split_symbol(symbol)[1]
    if tick_size is None:
        tick_size = min(Decimal("0.01"), Decimal(1).scaleb(price.adjusted() - 5))
    if kind_of(symbol) is MarketKind.LINEAR:
        step, most_notional, most_stops = Decimal("0.1") if price < 10 else Decimal("0.001"), 10**12, 200
    else:
        step, most_notional, most_stops = (
            Decimal("0.0001") if price < 1000 else Decimal("0.00001"),
            9_000_000,
            5,
        )
    return SymbolRules(
        symbol=symbol,
        tick_size=max(tick_size, _SMALLEST),
        step_size=step,
        min_quantity=step,
        min_price=max(tick_size, _SMALLEST),
        min_notional=_MIN_NOTIONAL.get(quote, Decimal("0.01")),
        max_notional=Decimal(most_notional),
        max_stop_orders=most_stops,
    )
