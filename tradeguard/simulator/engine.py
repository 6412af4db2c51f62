"""The matching engine: accounts, orders and their meeting with the market, all in exchange time.

Time enters as an argument. `advance` lets the market's prints since the last call meet the resting orders, in
the order in which they happened, so that the outcome does not depend on how often or when it is called.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Mapping
from decimal import ROUND_DOWN, Decimal
from itertools import count

from tradeguard.simulator.candles import ZERO, Print
from tradeguard.simulator.feed import SymbolFeed
from tradeguard.simulator.filters import check_counts, check_filters
from tradeguard.simulator.ledger import MARKET, Ledger, round_down, round_up
from tradeguard.simulator.matching import Plan, plan_taking
from tradeguard.simulator.orders import (
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    Trade,
)
from tradeguard.simulator.register import OrderRegister
from tradeguard.simulator.rejections import EngineRejection, Reason
from tradeguard.simulator.symbol_book import SymbolBook

__all__ = ["Engine"]


class Engine:
    """One exchange's worth of accounts, books and orders. Not thread-safe.

    Args:
        feeds: the symbols' markets, by unified symbol.
        seed: what books and generated client order ids are drawn from.
        maker_fee: share of what a resting order receives, 0 to 1.
        taker_fee: share of what an incoming order receives, 0 to 1.
        now_ms: epoch milliseconds of the start.
    """

    def __init__(
        self,
        feeds: Mapping[str, SymbolFeed],
        seed: int,
        maker_fee: Decimal,
        taker_fee: Decimal,
        now_ms: int,
    ) -> None:
        self.ledger = Ledger()
        self.books = {symbol: SymbolBook(feed, f"{seed}/{symbol}") for symbol, feed in feeds.items()}
        self.register = OrderRegister()
        self.now_ms = now_ms
        self.maker_fee = maker_fee
        self.taker_fee = taker_fee
        self._seed = seed
        self._order_ids = count(1)
        self._trade_ids = count(1)
        for book in self.books.values():
            book.cursor = book.feed.last_print(now_ms).number

    def advance(self, now_ms: int) -> None:
        """Let the market trade on until `now_ms`; an earlier time changes nothing."""
        if now_ms < self.now_ms:
            return
        for _, _, book, one in heapq.merge(*(self._flow(book, now_ms) for book in self.books.values())):
            self.now_ms = one.time_ms
            book.cursor = one.number
            self._meet(book, one)
        self.now_ms = now_ms
        for book in self.books.values():
            if not book.is_quiet:
                book.cursor = max(book.cursor, book.feed.last_print(now_ms).number)

    def place(self, account: str, request: OrderRequest) -> Order:
        """Accept an order and let it trade with what it meets.

        Raises:
            EngineRejection: it was refused, and nothing has changed.
        """
        book = self.books[request.symbol]
        order = self._accepted(account, request, book)
        if request.type.is_stop:
            self._lock(order)
            book.stops.append(order)
        else:
            self._start(order, book)
        self.register.add(order)
        self._tidy(order)
        return order

    def check(self, account: str, request: OrderRequest) -> None:
        """Check an order as `place` would, without placing it.

        Raises:
            EngineRejection: `place` would refuse it for its form; balances are not looked at.
        """
        self._accepted(account, request, self.books[request.symbol])

    def cancel(self, order: Order) -> None:
        """Cancel an open order.

        Raises:
            EngineRejection: it is open no more.
        """
        if not order.status.is_open:
            raise EngineRejection(Reason.UNKNOWN_ORDER)
        self._close(order, OrderStatus.CANCELED)

    def last_price(self, symbol: str, now_ms: int | None = None) -> Decimal:
        """Return the price of the symbol's newest print, in quote currency per base."""
        return self.books[symbol].feed.last_print(self.now_ms if now_ms is None else now_ms).price

    def _accepted(self, account: str, request: OrderRequest, book: SymbolBook) -> Order:
        if book.feed.is_closed(self.now_ms):
            raise EngineRejection(Reason.MARKET_CLOSED)
        check_filters(request, book.rules, self.last_price(request.symbol))
        client_order_id = request.client_order_id
        if client_order_id is not None and self.register.open_one(account, client_order_id) is not None:
            raise EngineRejection(Reason.DUPLICATE_ORDER)
        open_orders = self.register.open_orders(account, request.symbol)
        waiting = sum(1 for order in open_orders if order.request.type.is_stop)
        check_counts(request, book.rules, len(open_orders), waiting)
        order_id = next(self._order_ids)
        if client_order_id is None:
            client_order_id = hashlib.sha256(f"{self._seed}/{order_id}".encode()).hexdigest()[:22]
        order = Order(
            order_id,
            client_order_id,
            account,
            request,
            request.quantity or ZERO,
            created_ms=self.now_ms,
            updated_ms=self.now_ms,
        )
        if request.type.is_stop and book.is_triggered(order, self.last_price(request.symbol)):
            raise EngineRejection(Reason.WOULD_TRIGGER)
        return order

    def _start(self, order: Order, book: SymbolBook) -> None:
        """Let an order work: trade at once what it can, and rest or expire with the rest."""
        request = order.request
        plan = self._plan(order, book)
        if request.type is OrderType.LIMIT_MAKER and plan.matches:
            raise EngineRejection(Reason.WOULD_TAKE)
        if request.time_in_force is TimeInForce.FOK and plan.quantity < order.remaining:
            plan = Plan()
        if request.quote_quantity is not None:
            self._size_by_quote(order, plan)
        self._lock(order, plan)
        order.working_ms = self.now_ms
        for maker in plan.expiring:
            self._close(maker, OrderStatus.EXPIRED_IN_MATCH)
        market = book.market(self.now_ms)
        for match in plan.matches:
            if match.maker is None:
                market.take(Side.SELL if request.side is Side.BUY else Side.BUY, match.level, match.quantity)
            self._settle(order, match.maker, match.price, match.quantity, self.now_ms)
        if order.remaining <= 0:
            return
        if plan.taker_expires:
            self._close(order, OrderStatus.EXPIRED_IN_MATCH)
        elif request.price is None or request.time_in_force is not TimeInForce.GTC:
            self._close(order, OrderStatus.EXPIRED)
        else:
            book.resting(request.side).add(order, request.price)

    def _plan(self, order: Order, book: SymbolBook) -> Plan:
        request = order.request
        opposite = Side.SELL if request.side is Side.BUY else Side.BUY
        return plan_taking(
            request,
            order.account,
            book.resting(opposite),
            book.market(self.now_ms),
            book.rules.step_size,
        )

    def _size_by_quote(self, order: Order, plan: Plan) -> None:
        if not plan.matches:
            raise EngineRejection(Reason.NO_LIQUIDITY)
        order.quantity = plan.quantity

    def _lock(self, order: Order, plan: Plan | None = None) -> None:
        """Set aside what the order may have to pay.

        Raises:
            EngineRejection: there is not enough.
        """
        asset, request = self._paid(order), order.request
        if request.side is Side.SELL:
            amount = order.remaining
        elif request.price is not None:
            amount = round_up(request.price * order.remaining)
        elif plan is not None:
            amount = plan.cost
        else:
            amount = round_up((request.stop_price or ZERO) * order.remaining)
        self.ledger.lock(order.account, asset, amount - order.locked)
        order.locked = amount

    def _meet(self, book: SymbolBook, one: Print) -> None:
        """Let one print fill the resting orders that it reaches, and wake the stops that it triggers."""
        step = book.rules.step_size
        flow = (one.quantity / step).to_integral_value(ROUND_DOWN) * step
        for side in (Side.BUY, Side.SELL):
            resting, left = book.resting(side), flow
            while left > 0 and resting.meets(one.price):
                order = resting.best()
                if order is None or order.request.price is None:
                    break
                quantity = min(left, order.remaining)
                left -= quantity
                self._settle(None, order, order.request.price, quantity, one.time_ms)
        for order in [waiting for waiting in book.stops if book.is_triggered(waiting, one.price)]:
            book.stops.remove(order)
            self._wake(order, book)

    def _wake(self, order: Order, book: SymbolBook) -> None:
        order.updated_ms = self.now_ms
        if order.request.price is None:
            self.ledger.unlock(order.account, self._paid(order), order.locked)
            order.locked = ZERO
        try:
            self._start(order, book)
        except EngineRejection:
            # The price has run away from what was set aside: the exchange lets such an order expire.
            self._close(order, OrderStatus.EXPIRED)
        self._tidy(order)

    def _settle(
        self, taker: Order | None, maker: Order | None, price: Decimal, quantity: Decimal, time_ms: int
    ) -> None:
        """Exchange base for quote between two orders; None stands for everybody else."""
        trade_id = next(self._trade_ids)
        cost = round_down(price * quantity)
        for order, other, is_maker in ((taker, maker, False), (maker, taker, True)):
            if order is None:
                if other is not None:
                    self._settle_market(other, quantity, cost)
                continue
            rules, buys = self.books[order.request.symbol].rules, order.request.side is Side.BUY
            paid, received = (cost, quantity) if buys else (quantity, cost)
            fee = round_down(received * (self.maker_fee if is_maker else self.taker_fee))
            asset = rules.base if buys else rules.quote
            self.ledger.pay_locked(order.account, self._paid(order), paid)
            order.locked -= paid
            self.ledger.receive(order.account, asset, received, fee)
            trade = Trade(
                trade_id=trade_id,
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                symbol=order.request.symbol,
                side=order.request.side,
                price=price,
                quantity=quantity,
                quote_quantity=cost,
                fee=fee,
                fee_asset=asset,
                time_ms=time_ms,
                is_maker=is_maker,
            )
            self._fill(order, trade)

    def _settle_market(self, other: Order, quantity: Decimal, cost: Decimal) -> None:
        rules = self.books[other.request.symbol].rules
        sells = other.request.side is Side.BUY
        paid, received = ((rules.base, quantity), (rules.quote, cost))
        if not sells:
            paid, received = received, paid
        self.ledger.pay_locked(MARKET, *paid)
        self.ledger.receive(MARKET, *received, ZERO)

    def _fill(self, order: Order, trade: Trade) -> None:
        order.filled += trade.quantity
        order.cost += trade.quote_quantity
        order.updated_ms = trade.time_ms
        order.fills.append(trade)
        self.register.add_trade(order.account, trade)
        if order.remaining > 0:
            order.status = OrderStatus.PARTIALLY_FILLED
        else:
            self._close(order, OrderStatus.FILLED)

    def _close(self, order: Order, status: OrderStatus) -> None:
        """Take the order off the book and give back what it had locked."""
        book, price = self.books[order.request.symbol], order.request.price
        if order in book.stops:
            book.stops.remove(order)
        elif price is not None and order in book.resting(order.request.side):
            book.resting(order.request.side).remove(order, price)
        self.ledger.unlock(order.account, self._paid(order), order.locked)
        order.locked = ZERO
        order.status = status
        order.updated_ms = self.now_ms
        self.register.close(order)

    def _tidy(self, order: Order) -> None:
        """Give back what a better price has saved a buyer."""
        price = order.request.price
        if order.status.is_open and order.request.side is Side.BUY and price is not None:
            surplus = order.locked - round_up(price * order.remaining)
            if surplus > 0:
                self.ledger.unlock(order.account, self._paid(order), surplus)
                order.locked -= surplus

    def _paid(self, order: Order) -> str:
        rules = self.books[order.request.symbol].rules
        return rules.quote if order.request.side is Side.BUY else rules.base

    @staticmethod
    def _flow(book: SymbolBook, now_ms: int) -> Iterator[tuple[int, str, SymbolBook, Print]]:
        if book.is_quiet:
            book.cursor = max(book.cursor, book.feed.last_print(now_ms).number)
            return
        for one in book.prints_until(now_ms):
            yield one.time_ms, book.feed.symbol, book, one
