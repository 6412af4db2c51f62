# SPDX-License-Identifier: GPL-3.0-or-later
"""GuardedBroker: a Backtrader broker that trades at a guarded exchange without ever blocking the loop."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import backtrader as bt

from tradeguard.exceptions import ConfigurationException, TradingException
from tradeguard_backtrader.accounts.fills import ZERO, FillBook
from tradeguard_backtrader.accounts.markets import Market
from tradeguard_backtrader.accounts.outside_changes import OutsideChange, OutsideChanges
from tradeguard_backtrader.accounts.trading_terms import TradingTerms, unfit
from tradeguard_backtrader.arguments import check_broker
from tradeguard_backtrader.brokers.adoption import Adoption
from tradeguard_backtrader.brokers.backtest_settings import BacktestSettings
from tradeguard_backtrader.brokers.broker_events import Adopted, BalanceSeen, BrokerEvent, Unfit
from tradeguard_backtrader.brokers.desks import Desks
from tradeguard_backtrader.brokers.executions import Executions
from tradeguard_backtrader.brokers.live_orders import LiveOrder, LiveOrders
from tradeguard_backtrader.brokers.order_intake import OrderIntake
from tradeguard_backtrader.brokers.order_life import OrderLife
from tradeguard_backtrader.brokers.order_routing import OrderRequest, dust_of, symbol_of
from tradeguard_backtrader.brokers.prices import PriceWatch, is_of
from tradeguard_backtrader.brokers.settlement import Settlement
from tradeguard_backtrader.brokers.submission import OrderTicket
from tradeguard_backtrader.held.held_book import HeldBook
from tradeguard_backtrader.held.held_orders import Stage
from tradeguard_backtrader.held.held_store import HeldStore, NoHeldStore, held_store_of
from tradeguard_backtrader.held.holding_desk import HoldingDesk
from tradeguard_backtrader.lifecycle import guard_run

__all__ = ["GuardedBroker"]


class GuardedBroker(BacktestSettings, bt.BrokerBase):
    """The account of one exchange, as Backtrader's broker.

    Made by `GuardedStore.getbroker()`. It takes every type of order, brackets and one-cancels-other groups, on
    spot markets and on swaps that are quoted and settled in one currency. What the exchange cannot hold is held
    here, and kept over a restart. What the exchange would refuse for its size is Rejected before any request.
    Orders, cancels, fills and balances travel in the background; `next()` takes in what came and notifies it.

    Attributes:
        startingcash: cash as the run began; 0.0 until it is known what the account holds.
        startingvalue: value as the run began; not a number until then.

    Params:
        store: the `GuardedStore`; `getbroker` sets it.
        use_positions: whether what the account holds already, coins or swaps, are positions; False counts from zero.
        adopt_orders: whether open orders of the account are adopted, without an owner.
        currency: in which cash and value are told, one of the datas'; None for the quote currency of the first data.
        leverage: of swaps, a number or numbers by symbol; None leaves it as it is at the exchange.
        margin_mode: of swaps, `cross` or `isolated`, or these by symbol; None leaves it as it is.
    """

    params = (
        ("store", None),
        ("use_positions", True),
        ("adopt_orders", True),
        ("currency", None),
        ("leverage", None),
        ("margin_mode", None),
    )

    def __init__(self) -> None:
        super().__init__()
        if self.p.store is None:
            raise ConfigurationException(
                "a GuardedBroker needs its store: make it with GuardedStore.getbroker(), or pass store=…",
                component="tradeguard_backtrader",
            )
        check_broker(self.p)
        self.store = self.p.store
        self._terms = TradingTerms(leverage=self.p.leverage, margin_mode=self.p.margin_mode)
        self._cerebro: Any = None
        self._desks: Desks | None = None
        self._reset()

    def _reset(self) -> None:
        self._inbox: deque[BrokerEvent] = deque()
        self._orders = LiveOrders()
        self._life = OrderLife()
        self._markets: dict[str, Market] = {}
        self._executions = Executions(
            self._orders,
            self._markets,
            self.p.use_positions,
            self.store.exchange_ms,
            OutsideChanges(lambda symbol: dust_of(self.store.exchange, self._markets[symbol])),
            self.store.clock,
        )
        self._prices = PriceWatch(())
        self._first_prices: dict[str, Decimal] = {}
        self.refusals: Mapping[str, str] = {}
        self._is_known = False
        self.startingcash, self.startingvalue = 0.0, math.nan

    def __getstate__(self) -> Any:
        """Refuse to go to a worker process of `optstrategy`, where there is no exchange.

        Raises:
            ConfigurationException: always.
        """
        raise ConfigurationException(
            "a GuardedBroker trades one real account: optimize with Backtrader's own broker",
            component="tradeguard_backtrader",
        )

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
        """Learn what the account holds; waits for it until the exchange answers, or refuses to, or the run is stopped.

        Only then do analyzers ask what the account is worth as the run begins.
        """
        super().start()
        self._reset()
        self.store.start(broker=self)
        self._prices = prices = PriceWatch(data for data in self._cerebro.datas if is_of(self.store, data))
        book = HeldBook()
        shelf = self._restored(book, prices.symbols)
        claims = [order for order in book if order.stage is Stage.SENT]
        self._desks = desks = Desks(self.store, prices.symbols, self._inbox.append, claims, self._terms)
        self._holding = HoldingDesk(self, book, self._orders, self._life, desks, shelf, prices)
        self._settlement = Settlement(self, self._orders, self._life, self._executions, desks, self._holding)
        self._intake = OrderIntake(self, self._orders, self._life, desks, self._holding, self._keep)
        self._adoption = Adoption(self, book, self._life, desks, self._holding, prices, self._keep)
        while not self.is_ready() and not self._cerebro._event_stop:
            self.store.workers.wait_for(self.is_ready, _START_LOOK)
        self._take_in()

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
        self._holding.stop()

    def next(self) -> None:
        """Take in what the background brought, and expire what is due."""
        self._executions.round_trips.carry_out(self._cerebro)
        self._take_in()
        desks = self._desks
        if desks is None:
            return
        self._adoption.go_on()
        for live in self._orders.open():
            if live.expires_ms is None or live.has_expired or live.ticket.withdrawn or live.ticket.done:
                continue
            if not self._intake.is_unfinished(live) and self.store.exchange_ms() >= live.expires_ms:
                live.has_expired = True
                self._cancel(live, desks)
        self._holding.turn()

    def _cancel(self, live: LiveOrder, desks: Desks) -> None:
        if live.held is None:
            desks.cancel(live.ticket)
        else:
            self._holding.cancel(live)

    def is_ready(self) -> bool:
        """Whether it is known what the account holds, or that it will not be told."""
        return self._desks is None or self._desks.account.is_settled

    def get_notification(self) -> Any:
        """Return the next change of an order, a clone; None where there is none."""
        return self._life.next_notification()

    # -- orders -----------------------------------------------------------------------------------------------

    def buy(self, owner: Any, data: Any, size: float, price: float | None = None, **options: Any) -> Any:
        """Order to buy; returns the `bt.Order` at once, whatever becomes of it.

        The keyword `params` is a mapping of further parameters for ccxt's `create_order`. With `reduce_only=True`
        an order on a swap can only reduce the position, as the exits of a bracket always do; on a spot market
        it says nothing. Keywords that Backtrader does not know end up in `order.info`.
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
        if not self._intake.cancel_unfinished(live.order):
            self._cancel(live, self._desks)
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
        if not is_of(self.store, data):
            reason = f"{symbol_of(data)} is here a data of another store, whose broker trades it"
            self._life.rejected(order, self, reason)
        elif self._is_known and self._desks is not None:
            self._intake.take(order, params)
        else:
            reason = "it is not known what the account holds: it could not be read"
            self._life.rejected(order, self, reason)
        return order

    def _keep(self, order: Any, request: OrderRequest) -> LiveOrder:
        order.addcomminfo(self.getcommissioninfo(order.data))
        market = self._markets[request.symbol]
        dust = dust_of(self.store.exchange, market)
        live = LiveOrder(order, market, OrderTicket(request), FillBook(request.exact_amount), dust)
        self._orders.add(live)
        return live

    # -- what the background brought ----------------------------------------------------------------------------

    def _take_in(self) -> None:
        while self._inbox:
            event = self._inbox.popleft()
            match event:
                case Adopted():
                    self._learn(event)
                case Unfit():
                    raise event.error
                case BalanceSeen():
                    for change in self._executions.refresh(event.snapshot, self._closes()):
                        self._tell(change)
                case _:
                    self._settlement.take(event)

    def _tell(self, change: OutsideChange) -> None:
        believed, actual = float(change.believed), float(change.actual)
        text = f"the position in {change.symbol} is {actual}, where it was {believed}: not by an order of this run"
        self.store.notify("position_changed", text, symbol=change.symbol, believed=believed, actual=actual)

    def _learn(self, event: Adopted) -> None:
        self._require_currency(event.markets)
        self._markets.update(event.markets)
        self.refusals = event.refusals
        self._first_prices = dict(event.prices)
        self._executions.refresh(event.snapshot, self._closes())
        self._is_known = True
        self.startingcash, self.startingvalue = self.get_cash(), self.get_value()
        self._adoption.take(event, self.p.adopt_orders)

    def _require_currency(self, markets: Mapping[str, Market]) -> None:
        known = sorted({name for market in markets.values() for name in (market.coin, market.quote) if name})
        if self.p.currency is not None and known and self.p.currency not in known:
            raise unfit(
                f"GuardedBroker.currency {self.p.currency!r} is none of which the datas tell the price; known are "
                f"{', '.join(known)}",
                "currency",
            )

    def _restored(self, book: HeldBook, symbols: list[str]) -> HeldStore:
        """Take what a former process held into the book, and return where the book is kept."""
        try:
            shelf = held_store_of(self.store.exchange)
            book.restore(shelf.load(symbols))
        except TradingException as error:
            self.store.notify("account", f"held orders cannot be read: {error}", error=error)
            return NoHeldStore()
        return shelf

    # -- cash, value and positions ------------------------------------------------------------------------------

    def get_cash(self) -> float:
        """Return what can be spent or bound as margin, in `currency`: what neither orders nor positions bind.

        As long as it is not known what the account holds, that is nothing.
        """
        return self._executions.cash(self._currency(), self._closes())

    def get_value(self, datas: Any = None) -> float:
        """Return what the account is worth, in `currency`, or what the positions in `datas` are.

        The worth of a swap is the profit that is not realised; asked for by its data, it is its margin, as in
        Backtrader's own broker. As long as it is not known what the account holds, its worth is not a number.
        """
        if not self._is_known:
            return math.nan
        prices = self._closes()
        if datas is None:
            return self._executions.value(self._currency(), prices)
        return sum(self._worth(data, prices) for data in datas)

    def _worth(self, data: Any, prices: Mapping[str, Decimal]) -> float:
        """Return what Backtrader's scheme says that the position in `data` is worth, in `currency`."""
        market = self._markets.get(symbol_of(data))
        if market is None:
            return 0.0
        rate = self._executions.rates(self._currency(), prices).get(market.quote, ZERO)
        position = self.getposition(data, clone=False)
        price = float(prices.get(market.symbol, ZERO))
        return float(self.getcommissioninfo(data).getvalue(position, price)) * float(rate)

    getcash = get_cash
    getvalue = get_value

    def getposition(self, data: Any, clone: bool = True) -> Any:
        """Return the position in `data`'s symbol."""
        is_ours = is_of(self.store, data)
        position = self._executions.position(symbol_of(data)) if is_ours else bt.Position()
        return position.clone() if clone else position

    @property
    def positions(self) -> dict[Any, Any]:
        """The positions by data, which `strategy.positions` and `strategy.positionsbyname` read."""
        return {data: self.getposition(data, clone=False) for data in self._cerebro.datas}

    def getcommissioninfo(self, data: Any) -> Any:
        """Return how profit, value and margin of `data` are counted: as you set it, else as its market deals."""
        scheme, market = super().getcommissioninfo(data), self._markets.get(symbol_of(data))
        if market is None or scheme is not self.p.commission:
            return scheme
        return self._executions.scheme(market, scheme, self._quote_rate(market))

    def _quote_rate(self, market: Market) -> float:
        """Return how much of the market's quote currency one of `currency` is worth; 1 where nobody knows."""
        currency = self._currency()
        if market.quote == currency:
            return 1.0
        return float(self._executions.rates(market.quote, self._closes()).get(currency, 1))

    def snapshot_age(self) -> float | None:
        """Return the age of cash and value in seconds; None before the first answer."""
        taken_at = self._executions.taken_at
        return None if taken_at is None else self.store.clock.monotonic() - taken_at

    def _closes(self) -> dict[str, Decimal]:
        """Return the last price of every market that can be traded."""
        closes = self._prices.closes()
        return {symbol: closes.get(symbol, first) for symbol, first in self._first_prices.items()}

    def _currency(self) -> str:
        if self.p.currency is not None:
            return str(self.p.currency)
        return next((market.quote for market in self._markets.values()), "")


_START_LOOK = 0.5  # how often a start that waits looks whether the run was stopped, seconds
_ORDER_OPTIONS = ("exectype", "valid", "tradeid", "oco", "trailamount", "trailpercent", "parent", "transmit")
