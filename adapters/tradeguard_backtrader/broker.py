# SPDX-License-Identifier: GPL-3.0-or-later
"""GuardedBroker: a Backtrader broker that trades at a guarded exchange without ever blocking the loop."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Any

import backtrader as bt

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader.broker_events import (
    Adopted,
    AdoptedOrder,
    BalanceSeen,
    BrokerEvent,
)
from tradeguard_backtrader.desks import Desks
from tradeguard_backtrader.executions import Executions
from tradeguard_backtrader.fills import FillBook, exact
from tradeguard_backtrader.lifecycle import guard_run
from tradeguard_backtrader.live_orders import LiveOrder, LiveOrders
from tradeguard_backtrader.order_life import OrderLife
from tradeguard_backtrader.order_routing import (
    OrderRequest,
    RefusedError,
    adopted_order,
    dust_of,
    route,
    symbol_of,
    valid_until_ms,
)
from tradeguard_backtrader.settlement import Settlement
from tradeguard_backtrader.submission import OrderTicket

__all__ = ["GuardedBroker"]


class GuardedBroker(bt.BrokerBase):
    """The account of one exchange, as Backtrader's broker.

    Made by `GuardedStore.getbroker()`. It takes Market, Limit, Stop and StopLimit orders of spot markets;
    whatever else, and what the exchange would refuse for its size, is Rejected before any request. Orders,
    cancels, fills and balances travel in the background; `next()` takes in what came and notifies it.

    Params:
        store: the `GuardedStore`; `getbroker` sets it.
        use_positions: whether coins that the account holds already are positions; False counts from zero.
        adopt_orders: whether open orders of the account are adopted, without an owner.
        currency: in which cash and value are told; None for the quote currency of the first data.
    """

    params = (
        ("store", None),
        ("use_positions", True),
        ("adopt_orders", True),
        ("currency", None),
    )

    def __init__(self) -> None:
        super().__init__()
        if self.p.store is None:
            raise ConfigurationException(
                "a GuardedBroker needs its store: make it with GuardedStore.getbroker(), or pass store=…",
                component="tradeguard_backtrader",
            )
        self.store = self.p.store
        self.startingcash = self.startingvalue = 0.0
        self._cerebro: Any = None
        self._desks: Desks | None = None
        self._reset()

    def _reset(self) -> None:
        self._inbox: deque[BrokerEvent] = deque()
        self._orders = LiveOrders()
        self._life = OrderLife()
        self._executions = Executions(self._orders, self.p.use_positions, self.store.exchange_ms)
        self._to_adopt: list[AdoptedOrder] = []
        self._first_prices: dict[str, Decimal] = {}
        self._is_known = False

    # -- for Cerebro ------------------------------------------------------------------------------------------

    @property
    def cerebro(self) -> Any:
        """The Cerebro that this broker was set in."""
        return self._cerebro

    @cerebro.setter
    def cerebro(self, env: Any) -> None:
        self._cerebro = env
        env.addstore(self.store)
        guard_run(env)

    def start(self) -> None:
        """Learn what the account holds; waits for it at most `start_patience`."""
        super().start()
        self._reset()
        self.store.start(broker=self)
        symbols = list(dict.fromkeys(symbol_of(data) for data in self._cerebro.datas))
        self._desks = Desks(self.store, symbols, self._inbox.append)
        self._settlement = Settlement(self, self._orders, self._life, self._executions, self._desks)
        self.store.workers.wait_for(self.is_ready, self.store.config.start_patience)
        self._take_in()
        self.startingcash, self.startingvalue = self.get_cash(), self.get_value()

    def stop(self) -> None:
        """Wait, at most `stop_patience`, until orders and cancels on their way have arrived."""
        super().stop()
        desks = self._desks
        if desks is None:
            return
        self.store.workers.wait_for(lambda: desks.is_quiet, self.store.config.stop_patience)
        self._take_in()
        for live in self._orders.open():
            if live.ticket.order_id is None:
                live.ticket.withdrawn = True  # what was not sent by now stays here

    def next(self) -> None:
        """Take in what the background brought, and expire what is due."""
        self._take_in()
        if self._to_adopt:
            self._to_adopt = [adopted for adopted in self._to_adopt if not self._adopt(adopted)]
        for live in self._orders.open():
            if live.expires_ms is not None and not live.has_expired and not live.ticket.withdrawn:
                live.has_expired = self.store.exchange_ms() >= live.expires_ms
                if live.has_expired and self._desks is not None:
                    self._desks.cancel(live.ticket)

    def is_ready(self) -> bool:
        """Whether it is known what the account holds, or that it will not be told."""
        return self._desks is None or self._desks.account.is_settled

    def get_notification(self) -> Any:
        """Return the next change of an order, a clone; None where there is none."""
        return self._life.next_notification()

    # -- orders -----------------------------------------------------------------------------------------------

    def buy(self, owner: Any, data: Any, size: float, price: float | None = None, **options: Any) -> Any:
        """Order to buy; returns the `bt.Order` at once, whatever becomes of it.

        The keyword `params` is a mapping of further parameters for ccxt's `create_order`; keywords that
        Backtrader does not know end up in `order.info`.
        """
        return self._place(bt.order.BuyOrder, owner, data, size, price, options)

    def sell(self, owner: Any, data: Any, size: float, price: float | None = None, **options: Any) -> Any:
        """Order to sell; as `buy`."""
        return self._place(bt.order.SellOrder, owner, data, size, price, options)

    def cancel(self, order: Any) -> Any:
        """Ask for an order to be cancelled; whether it was is notified."""
        live = self._orders.get(order.ref)
        if live is None or live.ticket.done or live.ticket.withdrawn or self._desks is None:
            return None
        self._desks.cancel(live.ticket)
        return order

    def orderstatus(self, order: Any) -> int:
        """Return where the order stands."""
        live = self._orders.get(order.ref)
        status: int = (order if live is None else live.order).status
        return status

    def _place(
        self, make: Any, owner: Any, data: Any, size: float, price: float | None, options: dict[str, Any]
    ) -> Any:
        params = dict(options.pop("params", None) or {})
        known = {name: options.pop(name) for name in _ORDER_OPTIONS if name in options}
        plimit = options.pop("plimit", None)
        order = make(owner=owner, data=data, size=size, price=price, pricelimit=plimit, **known)
        order.addinfo(**options)
        order.addcomminfo(self.getcommissioninfo(data))
        try:
            if not self._is_known or self._desks is None:
                raise RefusedError("it is not known what the account holds: it could not be read")
            request = route(order, symbol_of(data), self.store.exchange, params)
        except RefusedError as refused:
            self._life.rejected(order, self, str(refused))
            return order
        _resize(order, request.amount)
        live = self._keep(order, request)
        live.expires_ms = valid_until_ms(order)
        self._life.submitted(order, self)
        self._desks.send(live.ticket)
        return order

    def _keep(self, order: Any, request: OrderRequest) -> LiveOrder:
        dust = dust_of(self.store.exchange, request.symbol)
        live = LiveOrder(order, OrderTicket(request), FillBook(request.exact_amount), dust)
        self._orders.add(live)
        return live

    # -- what the background brought ----------------------------------------------------------------------------

    def _take_in(self) -> None:
        while self._inbox:
            event = self._inbox.popleft()
            match event:
                case Adopted():
                    self._is_known = True
                    self._first_prices = dict(event.prices)
                    self._executions.refresh(event.snapshot, self._prices())
                    if self.p.adopt_orders:
                        self._to_adopt = list(event.orders)
                    elif self._desks is not None:
                        self._desks.account.disown()
                case BalanceSeen():
                    self._executions.refresh(event.snapshot, self._prices())
                case _:
                    self._settlement.take(event)

    def _adopt(self, adopted: AdoptedOrder) -> bool:
        """Give an open order of the account a `bt.Order`; False as long as its data has no bar."""
        symbol = str(adopted.order.get("symbol"))
        data = next((data for data in self._cerebro.datas if symbol_of(data) == symbol and len(data)), None)
        if data is None or self._desks is None:
            return False
        order, request = adopted_order(adopted, data)
        order.addcomminfo(self.getcommissioninfo(data))
        live = self._keep(order, request)
        live.ticket.order_id = order_id = str(adopted.order["id"])
        order.addinfo(order_id=order_id, client_order_id=adopted.order.get("clientOrderId"), adopted=True)
        self._life.accepted(order, self)
        self._desks.account.claim(order.ref, adopted)
        return True

    # -- cash, value and positions ------------------------------------------------------------------------------

    def get_cash(self) -> float:
        """Return what can be spent, in `currency`: neither locked by open orders nor spent."""
        return self._executions.cash(self._currency())

    def get_value(self, datas: Any = None) -> float:
        """Return what the account is worth, in `currency`, or what the positions in `datas` are."""
        prices = self._prices()
        if datas is None:
            return self._executions.value(self._currency(), prices)
        symbols = [symbol_of(data) for data in datas]
        return sum(
            float(self._executions.position(each).size) * float(prices.get(each, 0)) for each in symbols
        )

    getcash = get_cash
    getvalue = get_value

    def getposition(self, data: Any, clone: bool = True) -> Any:
        """Return the position in `data`'s symbol."""
        position = self._executions.position(symbol_of(data))
        return position.clone() if clone else position

    def snapshot_age(self) -> float | None:
        """Return the age of cash and value in seconds; None before the first answer."""
        taken_at = self._executions.taken_at
        return None if taken_at is None else self.store.clock.monotonic() - taken_at

    def _prices(self) -> dict[str, Decimal]:
        """Return the last price of every market among the datas."""
        prices = dict(self._first_prices)
        for data in self._cerebro.datas:
            symbol = symbol_of(data)
            if len(data) and symbol in self._first_prices:
                prices[symbol] = exact(data.close[0])
        return prices

    def _currency(self) -> str:
        if self.p.currency is not None:
            return str(self.p.currency)
        return next((symbol.partition("/")[2] for symbol in self._first_prices), "")


_ORDER_OPTIONS = ("exectype", "valid", "tradeid", "oco", "trailamount", "trailpercent", "parent", "transmit")


def _resize(order: Any, amount: float) -> None:
    """Have `order` say the amount that is really sent, in the market's precision."""
    size = amount if order.isbuy() else -amount
    if size != order.created.size:
        order.addinfo(requested_size=order.created.size)
        order.size = order.created.size = order.created.remsize = order.executed.remsize = size
