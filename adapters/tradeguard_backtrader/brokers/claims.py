# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the orders that a former process handed over: by its journal, and then by the exchange."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ccxt

from tradeguard.orders import IntentStatus
from tradeguard_backtrader.accounts.markets import in_base, market_of
from tradeguard_backtrader.failures import CallFailedError, ask
from tradeguard_backtrader.held.held_orders import UNSENT, HeldOrder

__all__ = ["Claims", "Found"]

_NEVER_PLACED = (IntentStatus.PENDING, IntentStatus.REJECTED, IntentStatus.ABSENT)


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome; a claimed order that is in none of these is in doubt.

    Attributes:
        client_order_ids: of the claimed orders that the exchange has, by its own id.
        elsewhere: those of them that are not open any more, by the exchange's id, as ccxt gives them.
        absent: client order ids of those that are certain not to be there.
    """

    client_order_ids: Mapping[str, str]
    elsewhere: Mapping[str, Mapping[str, Any]]
    absent: frozenset[str]


class Claims:
    """Finds claimed orders; called when the journal's open intents have been resolved.

    Args:
        exchange: anything with ccxt's unified methods; without a journal, only open orders are found.
        orders: the orders; only what they were when the run began is looked at.
    """

    def __init__(self, exchange: Any, orders: Iterable[HeldOrder]) -> None:
        self._exchange = exchange
        self._orders = [(order.client_order_id, order.symbol, order.order_id) for order in orders]

    def find(self, open_orders: Mapping[str, Mapping[str, Any]]) -> Found:
        """Find them among the open orders, given by the exchange's id, or elsewhere.

        Raises:
            CallFailedError: the journal or the exchange did not answer.
        """
        ids: dict[str, str] = {}
        elsewhere: dict[str, Mapping[str, Any]] = {}
        absent: set[str] = set()
        by_client_id = {str(order.get("clientOrderId")): order_id for order_id, order in open_orders.items()}
        for client_order_id, symbol, known_id in self._orders:
            order_id = by_client_id.get(client_order_id) or known_id
            if order_id is None:
                order_id, is_absent = self._journaled(client_order_id)
                if is_absent:
                    absent.add(client_order_id)
            if order_id is None:
                continue
            if order_id not in open_orders:
                order = self._fetch(order_id, symbol)
                if order is None:
                    continue
                elsewhere[order_id] = order
            ids[order_id] = client_order_id
        return Found(ids, elsewhere, frozenset(absent))

    def _journaled(self, client_order_id: str) -> tuple[str | None, bool]:
        """Return the exchange's id of an order, and whether it is certain not to be there."""
        journal = getattr(self._exchange, "order_journal", None)
        if journal is None or client_order_id.startswith(UNSENT):
            return None, False
        intent = ask(journal.get, client_order_id)
        if intent is None or intent.status in _NEVER_PLACED:
            return None, True
        return intent.order_id, False

    def _fetch(self, order_id: str, symbol: str) -> Mapping[str, Any] | None:
        try:
            order: Mapping[str, Any] = ask(self._exchange.fetch_order, order_id, symbol)
            return in_base(order, market_of(self._exchange, symbol).contract_size)
        except CallFailedError as failed:
            if not isinstance(failed.error, ccxt.OrderNotFound):
                raise
            return None
