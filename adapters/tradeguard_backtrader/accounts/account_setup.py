# SPDX-License-Identifier: GPL-3.0-or-later
"""What is settled with the exchange before the first order on a swap: one-way positions, leverage, margin mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import ccxt

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader.accounts.fills import exact
from tradeguard_backtrader.accounts.markets import Market, RefusedError, market_of
from tradeguard_backtrader.accounts.trading_terms import TradingTerms, unfit
from tradeguard_backtrader.failures import CallFailedError, ask, is_denied

__all__ = ["AccountSetup", "Arranged", "hedged"]

_ONE_WALLET = frozenset({"bybit", "myokx", "okx", "okxus"})
"""Exchanges on which spot markets and swaps are paid from one balance, so that one broker may trade both."""

_IS_SO_ALREADY = (ccxt.NoChange, ccxt.MarginModeAlreadySet)


@dataclass(slots=True)
class Arranged:
    """What came of it.

    Attributes:
        markets: how those of the symbols deal that can be traded.
        leverages: by symbol, as far as they are known.
        refusals: by symbol, why it cannot be traded on the terms that were asked for.
    """

    markets: dict[str, Market] = field(default_factory=dict)
    leverages: dict[str, Decimal] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)


def _tradable(exchange: Any, symbols: Iterable[str], terms: TradingTerms) -> dict[str, Market]:
    """Return how those of `symbols` deal that can be traded.

    Raises:
        ConfigurationException: they cannot be traded together, or not on these terms.
    """
    markets = {}
    for symbol in symbols:
        try:
            markets[symbol] = market_of(exchange, symbol)
        except RefusedError:
            continue  # orders for it will be told why
    swaps = [symbol for symbol, market in markets.items() if not market.coin]
    _require_together(exchange, markets, swaps)
    for symbol, name in terms.named().items():
        if symbol not in swaps:
            raise unfit(f"GuardedBroker.{name} names {symbol!r}, which is no swap among the datas", name)
    for name in terms.set_for_all() if markets and not swaps else ():
        raise unfit(
            f"GuardedBroker.{name} is of swaps, and there are none among the datas: {', '.join(markets)}",
            name,
        )
    for symbol in swaps:
        _require_leverage(exchange, symbol, terms.leverage_of(symbol))
    return markets


def _require_together(exchange: Any, markets: Mapping[str, Market], swaps: list[str]) -> None:
    if not swaps:
        return
    quotes = sorted({market.quote for market in markets.values()})
    if len(quotes) > 1:
        raise unfit(
            f"the datas of one broker with swaps must share one settle currency, and {', '.join(markets)} have "
            f"{' and '.join(quotes)}: give each its own exchange object, store and Cerebro"
        )
    if len(swaps) < len(markets) and exchange.id not in _ONE_WALLET:
        raise unfit(
            f"{exchange.id} keeps spot and swaps in separate accounts: {', '.join(markets)} cannot share a broker; "
            "give each kind its own exchange object, store and Cerebro"
        )


def _require_leverage(exchange: Any, symbol: str, leverage: float | None) -> None:
    bounds = (exchange.markets[symbol].get("limits") or {}).get("leverage") or {}
    least, most = bounds.get("min"), bounds.get("max")
    if leverage is None:
        return
    if (least is not None and leverage < least) or (most is not None and leverage > most):
        raise unfit(
            f"GuardedBroker.leverage of {symbol} must be from {least} to {most}, not {leverage!r}", "leverage"
        )


class AccountSetup:
    """Arranges the terms; called by a worker, again and again until the exchange has answered.

    Args:
        exchange: anything with ccxt's unified methods.
        load_markets: returns the exchange's markets by symbol.
        symbols: the symbols that are traded; those that the exchange does not have are left out.
        terms: what is asked for.
        notify: tells `notify_store` a kind and a text.
    """

    def __init__(
        self,
        exchange: Any,
        load_markets: Callable[[], Mapping[str, Any]],
        symbols: Iterable[str],
        terms: TradingTerms,
        notify: Callable[..., None],
    ) -> None:
        self._exchange = exchange
        self._load_markets = load_markets
        self._symbols = tuple(symbols)
        self._terms = terms
        self._notify = notify

    def arrange(self) -> Arranged:
        """Arrange the terms of all swaps among the symbols.

        Raises:
            CallFailedError: the exchange did not answer; doing it all again is safe.
            ConfigurationException: the symbols cannot be traded together, or not on these terms.
        """
        ask(self._load_markets)
        arranged = Arranged(_tradable(self._exchange, self._symbols, self._terms))
        for symbol in (symbol for symbol, market in arranged.markets.items() if not market.coin):
            self._require_one_way(symbol)
            mode, leverage = self._terms.margin_mode_of(symbol), self._terms.leverage_of(symbol)
            reasons = []
            if mode is not None:
                reasons += self._set("set_margin_mode", "setMarginMode", mode, symbol)
            if leverage is not None:
                reasons += self._set("set_leverage", "setLeverage", _whole(leverage), symbol)
            if reasons:
                arranged.refusals[symbol] = "; ".join(reasons)
                self._notify("account", f"{symbol} cannot be entered: {arranged.refusals[symbol]}")
            known = self._leverage(symbol) if leverage is None or reasons else exact(leverage)
            if known:
                arranged.leverages[symbol] = known
        return arranged

    def _require_one_way(self, symbol: str) -> None:
        if not self._exchange.has.get("fetchPositionMode"):
            return
        try:
            told = ask(self._exchange.fetch_position_mode, symbol)
        except CallFailedError as failed:
            if not _is_final(failed.error):
                raise
            return
        if told.get("hedged"):
            raise hedged(self._exchange.id, symbol)

    def _set(self, method: str, feature: str, value: Any, symbol: str) -> list[str]:
        """Set something; returns why that is not possible, or nothing."""
        if not self._exchange.has.get(feature):
            return [f"{self._exchange.id} has no {method}, and {value!r} was asked for"]
        try:
            ask(getattr(self._exchange, method), value, symbol)
        except CallFailedError as failed:
            error = failed.error
            if (
                isinstance(error, _IS_SO_ALREADY)
                or "not modified" in str(error)
                or "not been modified" in str(error)
            ):
                return []
            if not _is_final(error):
                raise
            return [f"{method}({value!r}) was refused: {error}"]
        return []

    def _leverage(self, symbol: str) -> Decimal | None:
        """Return the leverage that the exchange tells; None where it tells none."""
        if not self._exchange.has.get("fetchLeverage"):
            return None
        try:
            told = ask(self._exchange.fetch_leverage, symbol)
        except CallFailedError as failed:
            if not _is_final(failed.error):
                raise
            return None
        return exact(told.get("longLeverage") or told.get("shortLeverage")) or None


def hedged(exchange_id: str, symbol: str) -> ConfigurationException:
    """Return the error that says that positions are not net, and what to change."""
    return unfit(
        f"{exchange_id} is in hedge mode, with a long and a short position of {symbol} side by side; Backtrader "
        "knows one net position. Close what is open and call exchange.set_position_mode(False, symbol), or choose "
        "one-way positions in the exchange's settings"
    )


def _whole(leverage: float) -> float | int:
    """Return 3 for 3.0: some exchanges take no other number."""
    return int(leverage) if float(leverage).is_integer() else leverage


def _is_final(error: BaseException) -> bool:
    """Whether trying again is in vain: the exchange said no, and not that it cannot answer."""
    return isinstance(error, ccxt.ExchangeError) and not is_denied(error)
