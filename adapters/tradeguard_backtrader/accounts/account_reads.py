# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account holds, as ccxt tells it: balances, and the positions of swaps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tradeguard_backtrader.accounts.account_setup import hedged
from tradeguard_backtrader.accounts.fills import ZERO, exact
from tradeguard_backtrader.accounts.markets import Market
from tradeguard_backtrader.accounts.net_position import NetPosition
from tradeguard_backtrader.accounts.snapshot import Balance, Snapshot, balances_of
from tradeguard_backtrader.failures import ask

__all__ = ["read_account"]

_TOTAL_WITHOUT_GAIN = frozenset({"bybit", "gate", "gateio"})
"""Exchanges whose `total`, as ccxt gives it, leaves out the profit that is not realised."""


def read_account(
    exchange: Any, markets: Mapping[str, Market], leverages: Mapping[str, Decimal], taken_at: float
) -> Snapshot:
    """Ask for balances, and for positions where swaps are traded.

    Args:
        exchange: anything with ccxt's unified methods.
        markets: those that are traded, by symbol.
        leverages: by symbol, for positions of which the exchange tells none.
        taken_at: monotonic seconds, now.

    Raises:
        CallFailedError: the exchange did not answer.
        ConfigurationException: positions are not net.
    """
    swaps = {symbol: market for symbol, market in markets.items() if not market.coin}
    if not swaps:
        return Snapshot(balances_of(ask(exchange.fetch_balance)), taken_at)
    answer = ask(exchange.fetch_balance, *_where(exchange, len(swaps) == len(markets)))
    # Some exchanges take one symbol or none.
    told = ask(exchange.fetch_positions, list(swaps) if len(swaps) == 1 else None)
    open_ones = [each for each in told if each.get("symbol") in swaps and exact(each.get("contracts"))]
    for each in open_ones:
        if each.get("hedged"):
            raise hedged(exchange.id, each["symbol"])
    positions = {symbol: NetPosition(leverage=leverages.get(symbol, Decimal(1))) for symbol in swaps}
    positions |= {
        each["symbol"]: _position(each, swaps[each["symbol"]], positions[each["symbol"]].leverage)
        for each in open_ones
    }
    balances = balances_of(answer)
    for currency in {market.quote for market in swaps.values()}:
        ours = [each for each in told if _settle(each) == currency]
        margins = sum((_margin(each, positions.get(str(each.get("symbol")))) for each in ours), ZERO)
        held = _Held.of(exchange.id, currency, answer, balances.get(currency, Balance()), ours)
        # What is not free and no margin of a position, open orders lock.
        balances[currency] = Balance(held.wallet, max(held.equity - held.free - margins, ZERO))
    return Snapshot(balances, taken_at, positions)


@dataclass(frozen=True, slots=True)
class _Held:
    """A settle currency: without the profit that is not realised, with it, and what of that is free."""

    wallet: Decimal
    equity: Decimal
    free: Decimal

    @classmethod
    def of(
        cls,
        exchange_id: str,
        currency: str,
        answer: Mapping[str, Any],
        balance: Balance,
        told: Iterable[Mapping[str, Any]],
    ) -> _Held:
        gains = sum((exact(each.get("unrealizedPnl")) for each in told), ZERO)
        equity = balance.total + (gains if exchange_id in _TOTAL_WITHOUT_GAIN else ZERO)
        wallet = _told_wallet(answer, currency)
        free = (answer.get(currency) or {}).get("free")
        return cls(
            equity - gains if wallet is None else wallet,
            equity,
            equity - balance.locked if free is None else exact(free),
        )


def _where(exchange: Any, only_swaps: bool) -> tuple[Any, ...]:
    """Return the parameters by which an exchange that has spot, too, tells the account of its swaps."""
    usual = exchange.options.get("defaultType") in (None, "spot", "margin")
    has_spot = any(market.get("spot") for market in exchange.markets.values())
    return ({"type": "swap"},) if only_swaps and usual and has_spot else ()


def _position(told: Mapping[str, Any], market: Market, leverage: Decimal) -> NetPosition:
    size = abs(exact(told.get("contracts"))) * market.contract_size
    entry = told.get("entryPrice")
    return NetPosition(
        -size if told.get("side") == "short" else size,
        None if entry is None else exact(entry),
        exact(told.get("leverage")) or leverage,
    )


def _margin(told: Mapping[str, Any], position: NetPosition | None) -> Decimal:
    """Return the margin of a position without that of its orders, which Binance adds to it."""
    notional = abs(exact(told.get("notional")))
    if position is None or not notional:
        return exact(told.get("initialMargin"))
    return notional / position.leverage


def _settle(position: Mapping[str, Any]) -> str:
    return str(position.get("symbol")).rpartition(":")[2].partition("-")[0]


def _told_wallet(answer: Mapping[str, Any], currency: str) -> Decimal | None:
    """Return the wallet as Binance tells it beside ccxt's `total`: exact, where the rest moves with the mark."""
    info = answer.get("info")
    assets = info.get("assets") if isinstance(info, Mapping) else None
    for asset in assets or ():
        if asset.get("asset") == currency and asset.get("walletBalance") is not None:
            return exact(asset["walletBalance"])
    return None
