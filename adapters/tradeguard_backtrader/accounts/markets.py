# SPDX-License-Identifier: GPL-3.0-or-later
"""How a market deals: all that differs between coins that are bought and positions that are opened.

A spot market changes one currency for another, and what it leaves in the account is the position. A linear swap
moves a position that has no currency of its own; profit, fee and margin are in the currency in which it is quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from tradeguard_backtrader.accounts.commissions import coin_scheme, swap_scheme
from tradeguard_backtrader.accounts.fills import ZERO, Fill, exact
from tradeguard_backtrader.accounts.net_position import NetPosition
from tradeguard_backtrader.accounts.snapshot import Ledger

__all__ = [
    "Market",
    "RefusedError",
    "Resting",
    "SpotMarket",
    "SwapMarket",
    "in_base",
    "in_units",
    "market_of",
]


class RefusedError(Exception):
    """The order cannot be sent; the text says why."""


@dataclass(frozen=True, slots=True)
class Resting:
    """What remains of an open order.

    Attributes:
        remaining: base currency, > 0.
        price: its limit price, quote currency per base; 0 for none.
        is_buy: whether it buys.
        reduces: whether it can only reduce a position.
    """

    remaining: Decimal
    price: Decimal
    is_buy: bool
    reduces: bool = False

    @property
    def cost(self) -> Decimal:
        """Quote currency that changes hands when it is filled."""
        return self.remaining * self.price


class Market(Protocol):
    """One market, as the broker deals in it."""

    @property
    def symbol(self) -> str:
        """Unified symbol."""
        ...

    @property
    def quote(self) -> str:
        """The currency in which prices, profits and commissions are told."""
        ...

    @property
    def coin(self) -> str:
        """The currency whose balance is the position; empty where none is."""
        ...

    @property
    def contract_size(self) -> Decimal:
        """Base currency in one of the exchange's units of amount."""
        ...

    @property
    def closing(self) -> Mapping[str, Any]:
        """Parameters with which an order can only reduce a position."""
        ...

    @property
    def rests_stops(self) -> bool:
        """Whether a stop may rest at the exchange."""
        ...

    def position(self, ledger: Ledger) -> NetPosition:
        """Return what the account holds in this market."""
        ...

    def settle(self, ledger: Ledger, fill: Fill, *, is_buy: bool) -> None:
        """Carry the ledger on by one fill."""
        ...

    def locks(self, ledger: Ledger, orders: Iterable[Resting], price: Decimal) -> dict[str, Decimal]:
        """Return what all its open orders lock together, by currency.

        Args:
            ledger: what the account holds.
            orders: the open orders of this market.
            price: the last price; 0 where nobody knows it.
        """
        ...

    def binds(self, ledger: Ledger, price: Decimal) -> Decimal:
        """Return how much of `quote` the position binds at `price`; negative where it has won more."""
        ...

    def worth(self, position: NetPosition, price: Decimal) -> Decimal:
        """Return what `position` adds at `price` to what there is of `quote`."""
        ...

    def scheme(self, ledger: Ledger, usual: Any, rate: float) -> Any:
        """Return how Backtrader is to count profit, value and margin.

        Args:
            ledger: what the account holds.
            usual: Backtrader's scheme for shares.
            rate: how much of `quote` one of the currency is worth in which cash is told.
        """
        ...


@dataclass(frozen=True, slots=True)
class SpotMarket:
    """Buys and sells coin."""

    symbol: str
    coin: str
    quote: str
    contract_size: ClassVar[Decimal] = Decimal(1)
    closing: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    rests_stops: ClassVar[bool] = True

    def position(self, ledger: Ledger) -> NetPosition:
        """Return the coin in the account; nobody knows what it cost."""
        return NetPosition(ledger.total(self.coin), None)

    def settle(self, ledger: Ledger, fill: Fill, *, is_buy: bool) -> None:
        """Change coin and cash for each other."""
        sign = 1 if is_buy else -1
        ledger.add(self.coin, sign * fill.amount - fill.fee_base)
        ledger.add(self.quote, -sign * fill.cost - fill.fee_quote)

    def locks(self, ledger: Ledger, orders: Iterable[Resting], price: Decimal) -> dict[str, Decimal]:
        """Return the coin to be sold, and the cash to be paid."""
        locked = dict.fromkeys((self.coin, self.quote), ZERO)
        for order in orders:
            if order.is_buy:
                locked[self.quote] += order.cost
            else:
                locked[self.coin] += order.remaining
        return locked

    def binds(self, ledger: Ledger, price: Decimal) -> Decimal:
        """Return nothing: coin is paid for."""
        return ZERO

    def worth(self, position: NetPosition, price: Decimal) -> Decimal:
        """Return what the coin would bring."""
        return position.size * price

    def scheme(self, ledger: Ledger, usual: Any, rate: float) -> Any:
        """Return that of shares, in fractions."""
        return coin_scheme(usual, rate)


@dataclass(frozen=True, slots=True)
class SwapMarket:
    """Opens and closes positions in a linear perpetual.

    Attributes:
        taker: the fee of a market order, as a fraction of its cost.
    """

    symbol: str
    quote: str
    contract_size: Decimal = Decimal(1)
    taker: float = 0.0
    coin: ClassVar[str] = ""
    closing: ClassVar[Mapping[str, Any]] = MappingProxyType({"reduceOnly": True})
    # An exchange keeps conditional orders of swaps apart, where a look at orders does not find them.
    rests_stops: ClassVar[bool] = False

    def position(self, ledger: Ledger) -> NetPosition:
        """Return the net position."""
        return ledger.positions.get(self.symbol, NetPosition())

    def settle(self, ledger: Ledger, fill: Fill, *, is_buy: bool) -> None:
        """Move the position, and take profit and fee to the wallet."""
        delta = fill.amount if is_buy else -fill.amount
        ledger.positions[self.symbol], profit = self.position(ledger).moved(delta, fill.price)
        ledger.add(self.quote, profit - fill.fee_quote)

    def locks(self, ledger: Ledger, orders: Iterable[Resting], price: Decimal) -> dict[str, Decimal]:
        """Return the margin of what the position may grow to, beyond that of the position.

        Bids and asks cannot both make it grow: the greater of the two counts, as Binance sets margin aside.
        """
        position = self.position(ledger)
        held = position.size * (price or position.price or ZERO)
        opening = [order for order in orders if not order.reduces]
        bids = sum((order.cost for order in opening if order.is_buy), ZERO)
        asks = sum((order.cost for order in opening if not order.is_buy), ZERO)
        most = max(abs(held), abs(held + bids), abs(held - asks))
        return {self.quote: (most - abs(held)) / position.leverage}

    def binds(self, ledger: Ledger, price: Decimal) -> Decimal:
        """Return the margin of the position, less what it has won."""
        position = self.position(ledger)
        return position.margin(price) - position.gain(price)

    def worth(self, position: NetPosition, price: Decimal) -> Decimal:
        """Return the profit that is not realised."""
        return position.gain(price)

    def scheme(self, ledger: Ledger, usual: Any, rate: float) -> Any:
        """Return that of a future whose margin is its price through the leverage; sizes are in base currency."""
        return swap_scheme(self.taker, float(self.position(ledger).leverage), rate)


def market_of(exchange: Any, symbol: str) -> Market:
    """Return how `symbol` deals.

    Raises:
        RefusedError: the exchange has no such market, or it is none that can be traded here.
    """
    told = (exchange.markets or {}).get(symbol)
    if told is None:
        raise RefusedError(f"{exchange.id} has no market {symbol}")
    names = symbol.partition(":")[0].split("/")
    base, quote = (str(told.get("base") or names[0]), str(told.get("quote") or names[-1]))
    if told.get("spot"):
        return SpotMarket(symbol, base, quote)
    if not told.get("swap"):
        raise RefusedError(f"{symbol} is neither a spot market nor a perpetual swap")
    if told.get("settle") != quote:
        raise RefusedError(
            f"{symbol} is settled in {told.get('settle')}: of swaps, only those quoted and settled in one currency "
            "can be traded"
        )
    if not exchange.has.get("fetchPositions"):
        raise RefusedError(f"{exchange.id} does not tell positions, so that {symbol} cannot be traded")
    size = exact(told.get("contractSize")) or Decimal(1)
    return SwapMarket(symbol, quote, size, float(told.get("taker") or 0.0))


def in_units(amount: float, market: Market) -> float:
    """Return an amount of base currency as the exchange counts it: in contracts, where it has such."""
    return float(exact(amount) / market.contract_size)


def in_base(told: Mapping[str, Any], contract_size: Decimal) -> Mapping[str, Any]:
    """Return an order or a trade of ccxt with its amounts in base currency."""
    if contract_size == 1:
        return told
    amounts = {
        name: float(exact(told[name]) * contract_size)
        for name in ("amount", "filled", "remaining")
        if told.get(name) is not None
    }
    trades = [in_base(trade, contract_size) for trade in told.get("trades") or ()]
    return {**told, **amounts, "trades": trades}
