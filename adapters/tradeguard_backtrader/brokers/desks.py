# SPDX-License-Identifier: GPL-3.0-or-later
"""The background of a broker: its account, its orders on their way, its cancels and its doubts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tradeguard_backtrader.accounts.account_setup import AccountSetup
from tradeguard_backtrader.accounts.trading_terms import TradingTerms
from tradeguard_backtrader.brokers.account import AccountDesk
from tradeguard_backtrader.brokers.broker_events import BrokerEvent
from tradeguard_backtrader.brokers.cancels import CancelLane, PendingCancels
from tradeguard_backtrader.brokers.doubts import DoubtDesk
from tradeguard_backtrader.brokers.submission import OrderTicket, SubmitLane, Traffic
from tradeguard_backtrader.held.held_orders import HeldOrder

__all__ = ["Desks"]


class Desks:
    """Everything of a broker that talks to the exchange, each on a worker of its own.

    So a fetch that hangs delays no order, and an order or a cancel in trouble delays none of another symbol. An order
    of the same symbol waits for the cancels before it, as long as `patience` allows.

    Args:
        store: the `GuardedStore`.
        symbols: the symbols that are traded.
        post: takes each event; called by workers.
        claims: the orders that a former process handed over.
        terms: on which swaps are traded.

    Attributes:
        account: the account.
    """

    def __init__(
        self,
        store: Any,
        symbols: Iterable[str],
        post: Callable[[BrokerEvent], None],
        claims: Iterable[HeldOrder],
        terms: TradingTerms,
    ) -> None:
        self._store = store
        self._inbox = post
        config = store.config
        self._pending = PendingCancels(store.clock, config.patience)
        self._traffic = Traffic()
        self.account = AccountDesk(
            store.exchange,
            AccountSetup(store.exchange, store.load_markets, symbols, terms, store.notify),
            config,
            store.clock,
            self._post,
            store.notify,
            self._traffic,
        )
        self.account.expect(claims)
        self._doubts = DoubtDesk(store.exchange, self._post, self.account.arrived, config, store.clock)
        self._cancels: dict[str, CancelLane] = {}
        self._lanes: dict[str, SubmitLane] = {}
        self._employ("account", self.account)
        self._employ("doubts", self._doubts)

    @property
    def is_quiet(self) -> bool:
        """Whether no order and no cancel is on its way, and no doubt is left that can be resolved."""
        cancels = all(lane.is_quiet for lane in self._cancels.values())
        return cancels and self._traffic.is_quiet and self._doubts.is_quiet and self.account.is_quiet

    def send(self, ticket: OrderTicket) -> None:
        """Have an order sent."""
        symbol = ticket.request.symbol
        if symbol not in self._lanes:
            lane = SubmitLane(
                self._store.exchange, self._post, self.account.arrived, self._doubts.add, self._traffic
            )
            self._lanes[symbol] = lane
            self._employ(f"orders-{symbol}", lane)
        self._pending.sent(ticket)
        self._lanes[symbol].send(ticket)

    def cancel(self, ticket: OrderTicket) -> None:
        """Have an order cancelled: before it is sent, else at the exchange, else as soon as it is known there."""
        ticket.withdrawn = True
        self._pending.asked(ticket)
        if ticket.order_id is not None:
            self._cancel_lane(ticket.request.symbol).send(ticket)

    def doubt(self, ticket: OrderTicket, error: BaseException) -> None:
        """Have it found out what became of an order that may have been sent."""
        self._doubts.add(ticket, error)

    def _cancel_lane(self, symbol: str) -> CancelLane:
        if symbol not in self._cancels:
            config = self._store.config
            lane = CancelLane(
                self._store.exchange,
                self.account.look_soon,
                self._cancel_failed,
                (config.retry_pause, config.max_retry_pause),
            )
            self._cancels[symbol] = lane
            self._employ(f"cancels-{symbol}", lane)
        return self._cancels[symbol]

    def _post(self, event: BrokerEvent) -> None:
        self._inbox(event)
        symbol = self._pending.heard(event)
        if symbol in self._lanes:
            self._lanes[symbol].worker.wake()

    def _employ(self, name: str, desk: Any) -> None:
        desk.worker = self._store.workers.start(name, desk.step)

    def _cancel_failed(self, ticket: OrderTicket, error: BaseException) -> None:
        request = ticket.request
        text = f"order {request.ref} on {request.symbol} could not be cancelled yet: {error}"
        self._store.notify("cancel_failed", text, ref=request.ref, error=error)
