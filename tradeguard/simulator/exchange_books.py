"""The exchange's own books, for tests to look at: orders, fills, balances, positions, and a bot's belief of them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from tradeguard.simulator.arguments import refuse
from tradeguard.simulator.audit import Audit, audit_intents
from tradeguard.simulator.events import OrderListener
from tradeguard.simulator.ledger import Balance
from tradeguard.simulator.orders import OrderRecord, Trade
from tradeguard.simulator.positions import Position
from tradeguard.simulator.venue import Payout, Venue

__all__ = ["DEFAULT_ACCOUNT", "ExchangeBooks"]

DEFAULT_ACCOUNT = "default"
"""Name of the account that every exchange has."""


class ExchangeBooks(ABC):
    """What an exchange knows of its accounts, at the present; thread-safe.

    Args:
        venue: whose books they are.
        lock: guards the venue.
    """

    def __init__(self, venue: Venue, lock: threading.RLock) -> None:
        self._venue = venue
        self._lock = lock

    @abstractmethod
    def time_ms(self) -> int:
        """Return the exchange's time in epoch milliseconds."""

    @abstractmethod
    def _advance(self) -> None:
        """Bring the venue to the present."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Unified symbols that are traded."""
        return tuple(self._venue.engine.books)

    def last_price(self, symbol: str) -> Decimal:
        """Return the price of the newest trade, in quote currency per base.

        Raises:
            ConfigurationException: the symbol is not traded here.
        """
        if symbol not in self._venue.engine.books:
            refuse("symbol", symbol, "one of " + ", ".join(self.symbols))
        with self._lock:
            return self._venue.engine.last_price(symbol, self.time_ms())

    def orders(self, account: str = DEFAULT_ACCOUNT) -> list[OrderRecord]:
        """Return every order that was ever accepted of the account, oldest first, as it is now."""
        with self._lock:
            self._advance()
            orders = self._venue.engine.register.orders
            return [order.record() for order in orders if order.account == account]

    def trades(self, account: str = DEFAULT_ACCOUNT) -> list[Trade]:
        """Return every fill of the account, oldest first."""
        with self._lock:
            self._advance()
            register = self._venue.engine.register
            trades = [trade for symbol in self.symbols for trade in register.trades(account, symbol)]
            return sorted(trades, key=lambda trade: trade.trade_id)

    def balances(self, account: str = DEFAULT_ACCOUNT) -> dict[str, Balance]:
        """Return the account's balances by asset.

        Of swaps, the total is the margin balance: the wallet as if every position were closed at the newest
        price. What of it further orders may use is free.

        Raises:
            ConfigurationException: there is no such account.
        """
        with self._lock:
            self._advance()
            self._venue.credentials_of(account)
            return self._venue.engine.settlement.balances(account)

    def positions(self, account: str = DEFAULT_ACCOUNT) -> dict[str, Position]:
        """Return the account's position in every swap by unified symbol, flat ones included; none on spot markets.

        Raises:
            ConfigurationException: there is no such account.
        """
        with self._lock:
            self._advance()
            self._venue.credentials_of(account)
            return self._venue.engine.settlement.positions(account)

    def payouts(self, account: str = DEFAULT_ACCOUNT) -> list[Payout]:
        """Return every withdrawal and transfer that was carried out for the account, oldest first."""
        with self._lock:
            self._advance()
            return [payout for payout in self._venue.payouts if payout.account == account]

    def fill(self, client_order_id: str, account: str = DEFAULT_ACCOUNT) -> OrderRecord:
        """Let everybody else take what is left of a resting order, now and at its own price.

        Returns:
            The order, filled.

        Raises:
            ConfigurationException: no such order rests on the book.
        """
        with self._lock:
            self._advance()
            order = self._venue.engine.register.open_one(account, client_order_id)
            if order is None or not order.is_working:
                refuse("client_order_id", client_order_id, "that of an order that rests on the book")
            self._venue.engine.fill(order)
            return order.record()

    def listen(self, listener: OrderListener) -> Callable[[], None]:
        """Have `listener` told what happens to orders, of every account; see `tradeguard.simulator.events`.

        It is called in order, on the thread that moves the exchange and under its lock: hand the event on
        and return.

        Returns:
            What ends it.
        """
        with self._lock:
            return self._venue.engine.events.subscribe(listener)

    def audit(
        self,
        intents: Iterable[Any],
        *,
        balances: Mapping[str, Any] | None = None,
        positions: Mapping[str, Any] | None = None,
        account: str = DEFAULT_ACCOUNT,
    ) -> Audit:
        """Hold what a bot believes against the book; see `tradeguard.simulator.audit`.

        Args:
            intents: objects with `client_order_id`, `status` and `order_id`.
            balances: totals by asset as the bot believes them.
            positions: amounts by unified symbol as the bot believes them, base currency, negative for short.
            account: whose.
        """
        actual = {asset: balance.total for asset, balance in self.balances(account).items()}
        held = {symbol: position.amount for symbol, position in self.positions(account).items()}
        return audit_intents(intents, self.orders(account), balances, actual, positions, held)
