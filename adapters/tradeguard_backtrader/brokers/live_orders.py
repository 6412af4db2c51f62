# SPDX-License-Identifier: GPL-3.0-or-later
"""The orders of a run, and what those that are open lock of the account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tradeguard_backtrader.accounts.fills import ZERO, FillBook, exact
from tradeguard_backtrader.accounts.markets import Market, Resting
from tradeguard_backtrader.accounts.snapshot import Ledger
from tradeguard_backtrader.brokers.submission import OrderTicket
from tradeguard_backtrader.held.held_orders import HeldOrder

__all__ = ["LiveOrder", "LiveOrders"]


@dataclass(slots=True, eq=False)
class LiveOrder:
    """One order of the run.

    Attributes:
        order: Backtrader's own order.
        market: how its market deals.
        ticket: the order on its way to the exchange.
        book: its fills.
        dust: a remainder of the base currency below this cannot be traded.
        expires_ms: when it shall expire, epoch milliseconds; None for never.
        has_expired: whether it is being cancelled because of that.
        was_in_doubt: whether its fills may be in a balance already.
        held: what is held here of it, or of orders that belong to it; None where it stands alone at the exchange.
    """

    order: Any
    market: Market
    ticket: OrderTicket
    book: FillBook
    dust: Decimal = ZERO
    expires_ms: int | None = None
    has_expired: bool = False
    was_in_doubt: bool = False
    held: HeldOrder | None = None

    @property
    def symbol(self) -> str:
        """Unified symbol."""
        return self.ticket.request.symbol

    @property
    def resting(self) -> Resting:
        """What the exchange has locked something for."""
        request = self.ticket.request
        return Resting(
            self.book.remaining,
            exact(request.worst_price),
            request.side == "buy",
            reduces=request.reduces,
        )


class LiveOrders:
    """All orders of the run by Backtrader's number, and those among them that are open."""

    def __init__(self) -> None:
        self._all: dict[int, LiveOrder] = {}
        self._open: dict[int, LiveOrder] = {}

    def add(self, live: LiveOrder) -> None:
        """Keep one more, open."""
        self._all[live.order.ref] = self._open[live.order.ref] = live

    def close(self, live: LiveOrder) -> None:
        """Note that it has come to its end."""
        live.ticket.done = True
        self._open.pop(live.order.ref, None)

    def get(self, ref: int) -> LiveOrder | None:
        """Return the order with this number, open or not."""
        return self._all.get(ref)

    def open(self) -> Iterator[LiveOrder]:
        """Iterate over those that are open; they may close meanwhile."""
        return iter(list(self._open.values()))

    def reserved(self, ledger: Ledger, prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return what those that are open at the exchange lock, by currency.

        Args:
            ledger: what the account holds.
            prices: the last ones, by symbol.
        """
        resting: dict[str, list[LiveOrder]] = {}
        for live in self._open.values():
            if live.ticket.order_id is not None:
                resting.setdefault(live.symbol, []).append(live)
        reserved: dict[str, Decimal] = {}
        for symbol, lives in resting.items():
            orders = [live.resting for live in lives]
            for currency, amount in lives[0].market.locks(ledger, orders, prices.get(symbol, ZERO)).items():
                reserved[currency] = reserved.get(currency, ZERO) + amount
        return reserved
