"""The register: every order ever accepted, and how to find it."""

from __future__ import annotations

from collections import defaultdict

from tradeguard.simulator.orders import Order, Trade

__all__ = ["OrderRegister"]


class OrderRegister:
    """Orders and trades by account, symbol and id, in the order in which they came."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self._by_id: dict[tuple[str, str, int], Order] = {}
        self._by_name: dict[tuple[str, str], Order] = {}
        self._newest: dict[str, Order] = {}
        self._by_client_id: defaultdict[tuple[str, str], list[Order]] = defaultdict(list)
        self._open: dict[tuple[str, str], Order] = {}
        self._by_symbol: defaultdict[tuple[str, str], list[Order]] = defaultdict(list)
        self._trades: defaultdict[tuple[str, str], list[Trade]] = defaultdict(list)

    def add(self, order: Order) -> None:
        """Enter an accepted order."""
        key = (order.account, order.request.symbol)
        self.orders.append(order)
        self._newest[order.account] = order
        self._by_id[(*key, order.order_id)] = order
        self._by_name[(order.account, order.name)] = order
        self._by_client_id[(order.account, order.client_order_id)].append(order)
        self._by_symbol[key].append(order)
        if order.status.is_open:
            self._open[(order.account, order.client_order_id)] = order

    def close(self, order: Order) -> None:
        """Note that an order is open no more."""
        key = (order.account, order.client_order_id)
        if self._open.get(key) is order:
            del self._open[key]

    def add_trade(self, account: str, trade: Trade) -> None:
        """Enter a fill."""
        self._trades[(account, trade.symbol)].append(trade)

    def by_id(self, account: str, symbol: str, order_id: int) -> Order | None:
        """Return the order with this exchange id, or None."""
        return self._by_id.get((account, symbol, order_id))

    def newest(self, account: str) -> Order | None:
        """Return the account's youngest order, or None."""
        return self._newest.get(account)

    def by_name(self, account: str, name: str) -> Order | None:
        """Return the order that the exchange calls so, or None."""
        return self._by_name.get((account, name))

    def by_client_id(self, account: str, symbol: str, client_order_id: str) -> list[Order]:
        """Return the orders that ever bore this client order id on the symbol, newest last."""
        found = self._by_client_id.get((account, client_order_id), [])
        return [order for order in found if order.request.symbol == symbol]

    def open_one(self, account: str, client_order_id: str) -> Order | None:
        """Return the open order with this client order id, or None."""
        return self._open.get((account, client_order_id))

    def open_orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """Return the account's open orders, oldest first, on one symbol or all."""
        return [
            order
            for (owner, _), order in self._open.items()
            if owner == account and symbol in (None, order.request.symbol)
        ]

    def of_symbol(self, account: str, symbol: str) -> list[Order]:
        """Return all the account's orders on the symbol, oldest first."""
        return list(self._by_symbol.get((account, symbol), ()))

    def of_account(self, account: str) -> list[Order]:
        """Return all the account's orders, oldest first."""
        return [order for order in self.orders if order.account == account]

    def trades(self, account: str, symbol: str) -> list[Trade]:
        """Return the account's fills on the symbol, oldest first."""
        return list(self._trades.get((account, symbol), ()))
