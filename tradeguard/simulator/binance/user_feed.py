"""The accounts' own events, from the engine's to what their owners are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from tradeguard.simulator.binance.user_events import execution_report, position
from tradeguard.simulator.events import OrderEvent
from tradeguard.simulator.ledger import Balance
from tradeguard.simulator.orders import Order
from tradeguard.simulator.symbols import split_symbol
from tradeguard.simulator.venue import Venue

__all__ = ["UserFeed", "UserMessage"]


@dataclass(frozen=True, slots=True)
class UserMessage:
    """What an account is told.

    Attributes:
        account: which.
        time_ms: epoch milliseconds.
        event: as Binance writes it.
    """

    account: str
    time_ms: int
    event: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Noted:
    event: OrderEvent
    balances: dict[str, Balance]


class UserFeed:
    """Notes what happens to orders, and tells it: the reports first, then the balances after them.

    Args:
        venue: the exchange.
    """

    def __init__(self, venue: Venue) -> None:
        self._engine = venue.engine
        self._noted: list[_Noted] = []
        self._engine.events.subscribe(self._note)

    def forget(self) -> None:
        """Tell nobody of what happened since the last call."""
        self._noted.clear()

    def take(self) -> Iterator[UserMessage]:
        """Yield what accounts are to be told since the last call, in the order of time."""
        noted, self._noted = self._noted, []
        groups = [list(group) for _, group in groupby(noted, lambda one: (_account(one), one.event.time_ms))]
        last = {_account(group[0]): number for number, group in enumerate(groups)}
        for number, group in enumerate(groups):
            account, time_ms = _account(group[0]), group[0].event.time_ms
            for one in group:
                order = self._order(one.event)
                if order is not None:
                    yield UserMessage(account, time_ms, execution_report(one.event, order))
            balances = {asset: balance for one in group for asset, balance in one.balances.items()}
            if last[account] == number:
                # What a better price has saved a buyer is given back after the last event.
                now = self._engine.ledger.balances(account)
                balances = {asset: now[asset] for asset in balances if asset in now}
            yield UserMessage(account, time_ms, position(balances, time_ms))

    def _note(self, event: OrderEvent) -> None:
        self._engine.books[event.order.symbol].changes += 1
        have = self._engine.ledger.balances(event.order.account)
        assets = split_symbol(event.order.symbol)
        self._noted.append(_Noted(event, {asset: have[asset] for asset in assets if asset in have}))

    def _order(self, event: OrderEvent) -> Order | None:
        record = event.order
        return self._engine.register.by_id(record.account, record.symbol, int(record.order_id))


def _account(noted: _Noted) -> str:
    return noted.event.order.account
