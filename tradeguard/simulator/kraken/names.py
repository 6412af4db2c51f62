"""Kraken's names: assets with their X and Z prefixes, pairs, and the ids of orders and trades.

Source: https://support.kraken.com/articles/360001206766-bitcoin-currency-code-xbt-vs-btc
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tradeguard.simulator.symbols import split_symbol

__all__ = ["Pair", "altname", "asset_code", "asset_id", "order_id", "trade_id"]

# The oldest assets bear a prefix: X for coins, Z for money. Two of them have a name of Kraken's own besides.
_ALTNAMES: Mapping[str, str] = MappingProxyType({"BTC": "XBT", "DOGE": "XDG"})
_COINS = frozenset({"BTC", "DOGE", "ETC", "ETH", "LTC", "MLN", "REP", "XLM", "XMR", "XRP", "ZEC"})
_MONEY = frozenset({"AUD", "CAD", "EUR", "GBP", "JPY", "USD"})


def altname(code: str) -> str:
    """Return Kraken's short name of a currency: XBT for BTC."""
    return _ALTNAMES.get(code, code)


def asset_id(code: str) -> str:
    """Return Kraken's id of a currency: XXBT for BTC, ZUSD for USD, USDT for USDT."""
    if code in _COINS:
        return "X" + altname(code)
    return "Z" + code if code in _MONEY else altname(code)


def asset_code(name: str) -> str:
    """Return the unified code of an id or a short name."""
    for code in (*_COINS, *_MONEY):
        if name in (asset_id(code), altname(code)):
            return code
    return name


@dataclass(frozen=True, slots=True)
class Pair:
    """A symbol's names.

    Attributes:
        symbol: unified symbol.
    """

    symbol: str

    @property
    def base(self) -> str:
        """The base asset's id."""
        return asset_id(split_symbol(self.symbol)[0])

    @property
    def quote(self) -> str:
        """The quote asset's id."""
        return asset_id(split_symbol(self.symbol)[1])

    @property
    def altname(self) -> str:
        """The short name: ETHXBT."""
        return "".join(map(altname, split_symbol(self.symbol)))

    @property
    def wsname(self) -> str:
        """The name in streams: ETH/XBT."""
        return "/".join(map(altname, split_symbol(self.symbol)))

    @property
    def id(self) -> str:
        """The id: XETHXXBT where both assets bear a prefix, else the short name."""
        both = all(code in _COINS | _MONEY for code in split_symbol(self.symbol))
        return self.base + self.quote if both else self.altname

    def is_called(self, name: str) -> bool:
        """Return whether `name` is one of its names."""
        return name in (self.id, self.altname, self.wsname)


def order_id(seed: int, number: int) -> str:
    """Return the id of an order, such as `OU22CG-KLAF2-FWUDD7`."""
    return _id("O", f"{seed}/order/{number}")


def trade_id(seed: int, number: int) -> str:
    """Return the id of a trade, such as `TCCCTY-WE2O6-P3NB37`."""
    return _id("T", f"{seed}/trade/{number}")


def _id(kind: str, text: str) -> str:
    letters = kind + base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"{letters[:6]}-{letters[6:11]}-{letters[11:17]}"
