# SPDX-License-Identifier: GPL-3.0-or-later
"""From ccxt's trades to fills, with every fee told in quote currency."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from tradeguard_backtrader.accounts.fills import ZERO, Fill, FillBook, exact

__all__ = ["Rates", "fills_of", "rest_of"]

Rates = Callable[[str, str], "Decimal | None"]
"""Returns the price of one currency in another, or None where nobody knows it."""


def fills_of(trades: Iterable[Mapping[str, Any]], *, base: str, quote: str, rate: Rates) -> list[Fill]:
    """Return the fills in `trades`; a trade without id, amount or price is none yet.

    A fee in base currency counts at the trade's own price, one in a third currency at that currency's price
    in quote currency. Where nobody knows that price the fee counts for nothing.
    """
    fills = []
    for trade in trades:
        amount, price = exact(trade.get("amount")), exact(trade.get("price"))
        if trade.get("id") is None or amount <= 0 or price <= 0:
            continue
        fee_base, fee_quote, comm = _paid(_fees(trade), price, base, quote, rate)
        fills.append(
            Fill(
                trade_id=str(trade["id"]),
                amount=amount,
                price=price,
                fee_base=fee_base,
                fee_quote=fee_quote,
                comm=comm,
                at_ms=trade.get("timestamp"),
            )
        )
    return fills


def rest_of(order: Mapping[str, Any], book: FillBook, *, base: str, quote: str, rate: Rates) -> Fill | None:
    """Return what `order` says was filled beyond the fills of `book`; None if that is nothing.

    For exchanges that show no trades of their own: its price is what the rest must have cost on average, and its
    fee is what the order tells beyond the fees of the book, or nothing where the order tells none.
    """
    filled = exact(order.get("filled"))
    rest = filled - book.filled
    if rest <= 0:
        return None
    average = exact(order.get("average") or order.get("price"))
    cost = exact(order.get("cost")) or filled * average
    price = (cost - book.cost) / rest
    paid = _paid(_fees(order), average, base, quote, rate)
    known = (book.fee_base, book.fee_quote, book.comm)
    fee_base, fee_quote, comm = (_beyond(*pair) for pair in zip(paid, known, strict=True))
    return Fill(
        trade_id=f"{order.get('id')}:{filled}",
        amount=rest,
        price=price if price > 0 else average,
        fee_base=fee_base,
        fee_quote=fee_quote,
        comm=comm,
        at_ms=order.get("lastTradeTimestamp"),
    )


def _paid(
    fees: Iterable[Mapping[str, Any]], price: Decimal, base: str, quote: str, rate: Rates
) -> tuple[Decimal, Decimal, Decimal]:
    """Return what was paid in base currency, what in quote currency, and all of it in quote currency."""
    fee_base = fee_quote = comm = ZERO
    for fee in fees:
        cost, currency = exact(fee.get("cost")), fee.get("currency")
        if currency == base:
            fee_base += cost
            comm += cost * price
        elif currency == quote or currency is None:
            fee_quote += cost
            comm += cost
        elif cost:
            comm += cost * (rate(currency, quote) or ZERO)
    return fee_base, fee_quote, comm


def _beyond(told: Decimal, known: Decimal) -> Decimal:
    """Return what of a fee, or of a rebate, is not known yet; an order that tells less takes nothing back."""
    return max(told - known, ZERO) if told > 0 else min(told - known, ZERO) if told < 0 else ZERO


def _fees(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    fees = told.get("fees") or ([told["fee"]] if told.get("fee") else [])
    return [fee for fee in fees if fee and fee.get("cost") is not None]
