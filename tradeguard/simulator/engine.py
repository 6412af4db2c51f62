"""The matching engine: accounts, orders and their meeting with the market, all in exchange time.

Time enters as an argument. `advance` lets the market's prints since the last call meet the resting orders, in
the order in which they happened, so that the outcome does not depend on how often or when it is called.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from itertools import count

from tradeguard.simulator.candles import ZERO, Print
from tradeguard.simulator.customs import SPOT, Customs
from tradeguard.simulator.events import OrderEventKind, OrderEvents
from tradeguard.simulator.feed import SymbolFeed
from tradeguard.simulator.filters import check_counts, check_filters
from tradeguard.simulator.margin_settlement import MarginSettlement
from tradeguard.simulator.matching import Match, Plan, plan_taking
from tradeguard.simulator.orders import Order, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from tradeguard.simulator.rejections import EngineRejection, Reason
from tradeguard.simulator.settlement import Settlement
from tradeguard.simulator.spot_settlement import SpotSettlement
from tradeguard.simulator.symbol_book import SymbolBook
from tradeguard.simulator.symbols import MarketKind

__all__ = ["Engine"]


class Engine:
    """One exchange's worth of accounts, books and orders. Not thread-safe.

    Args:
        feeds: the symbols' markets, by unified symbol.
        seed: what books and generated client order ids are drawn from.
        maker_fee: share of what a resting order receives, 0 to 1.
        taker_fee: share of what an incoming order receives, 0 to 1.
        now_ms: epoch milliseconds of the start.
        customs: how orders are named and fees taken.
    """

    def __init__(
        self,
        feeds: Mapping[str, SymbolFeed],
        seed: int,
        maker_fee: Decimal,
        taker_fee: Decimal,
        now_ms: int,
        customs: Customs = SPOT,
    ) -> None:
        self.customs = customs
        self.events = OrderEvents()
        self.books = {symbol: SymbolBook(feed, f"{seed}/{symbol}") for symbol, feed in feeds.items()}
        self.now_ms = now_ms
        # Of swaps alone: what spot accounts have no leverage for.
        self.margins: MarginSettlement | None = None
        self.settlement = self._settlement_of(maker_fee, taker_fee)
        self.ledger = self.settlement.ledger
        self.register = self.settlement.register
        self._seed = seed
        self._order_ids = count(1)
        for book in self.books.values():
            book.cursor = book.feed.last_print(now_ms).number

    def advance(self, now_ms: int) -> None:
        """Let the market trade on until `now_ms`; an earlier time changes nothing."""
        if now_ms < self.now_ms:
            return
        for _, _, book, one in heapq.merge(*(_flow(book, now_ms) for book in self.books.values())):
            self.now_ms = one.time_ms
            book.cursor = one.number
            self._meet(book, one)
        self.now_ms = now_ms
        for book in self.books.values():
            book.cursor = max(book.cursor, book.feed.last_print(now_ms).number)

    def place(self, account: str, request: OrderRequest) -> Order:
        """Accept an order and let it trade with what it meets.

        Raises:
            EngineRejection: it was refused, and nothing has changed.
        """
        book = self.books[request.symbol]
        order = self._accepted(account, request, book)
        if request.type.is_stop:
            self.settlement.lock(order)
            book.stops.append(order)
            self.events.tell(OrderEventKind.ACCEPTED, order, self.now_ms)
        else:
            self._start(order, book, OrderEventKind.ACCEPTED)
        self.register.add(order)
        self.settlement.tidy(order)
        return order

    def check(self, request: OrderRequest) -> None:
        """Check the form of an order, without placing it.

        Raises:
            EngineRejection: it breaks a rule of its symbol.
        """
        check_filters(request, self.books[request.symbol].rules, self.last_price(request.symbol))

    def cancel(self, order: Order) -> None:
        """Cancel an open order.

        Raises:
            EngineRejection: it is open no more.
        """
        if not order.status.is_open:
            raise EngineRejection(Reason.UNKNOWN_ORDER)
        self.settlement.close(order, OrderStatus.CANCELED, self.now_ms)

    def amend(
        self,
        order: Order,
        *,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        stop_price: Decimal | None = None,
        post_only: bool = False,
    ) -> None:
        """Change an open order in place; None leaves a value as it is. It keeps its age, and its id.

        Raises:
            EngineRejection: it is open no more, or the change was refused; nothing has changed.
        """
        if not order.status.is_open:
            raise EngineRejection(Reason.UNKNOWN_ORDER)
        book = self.books[order.request.symbol]
        former = (order.request, order.quantity, order.updated_ms)
        request = _amended(order.request, quantity, price, stop_price, post_only=post_only)
        self.check(request)
        if request.quantity is None or request.quantity <= order.filled:
            raise EngineRejection(Reason.FILTER, "LOT_SIZE")
        self._withdraw(order, book)
        order.request, order.quantity, order.updated_ms = request, request.quantity, self.now_ms
        try:
            if order.is_working:
                self._start(order, book, OrderEventKind.AMENDED)
            else:
                self.settlement.lock(order)
                book.stops.append(order)
                self.events.tell(OrderEventKind.AMENDED, order, self.now_ms)
        except EngineRejection:
            order.request, order.quantity, order.updated_ms = former
            self._return(order, book)
            raise
        self.settlement.tidy(order)

    def fill(self, order: Order) -> None:
        """Let everybody else take what is left of a resting order, at its own price.

        Raises:
            EngineRejection: it does not rest on the book.
        """
        price = order.request.price
        if price is None or not order.status.is_open or not order.is_working:
            raise EngineRejection(Reason.UNKNOWN_ORDER)
        self.settlement.settle(None, order, price, self.settlement.fillable(order), self.now_ms)

    def last_price(self, symbol: str, now_ms: int | None = None) -> Decimal:
        """Return the price of the symbol's newest print, in quote currency per base."""
        return self.books[symbol].feed.last_print(self.now_ms if now_ms is None else now_ms).price

    def _settlement_of(self, maker_fee: Decimal, taker_fee: Decimal) -> Settlement:
        if self.customs.kind is MarketKind.SPOT:
            in_quote = self.customs.fees_in_quote
            return SpotSettlement(self.books, maker_fee, taker_fee, self.events, fees_in_quote=in_quote)
        self.margins = MarginSettlement(self.books, maker_fee, taker_fee, self.events, self.last_price)
        return self.margins

    def _accepted(self, account: str, request: OrderRequest, book: SymbolBook) -> Order:
        """Return the order that `request` makes, if nothing speaks against it."""
        if book.feed.is_closed(self.now_ms):
            raise EngineRejection(Reason.MARKET_CLOSED)
        self.check(request)
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
            name=self.customs.order_name(self._seed, order_id),
        )
        if request.type.is_stop and book.is_triggered(order, self.last_price(request.symbol)):
            raise EngineRejection(Reason.WOULD_TRIGGER)
        return order

    def _start(self, order: Order, book: SymbolBook, event: OrderEventKind) -> None:
        """Let an order work: trade at once what it can, and rest or expire with the rest."""
        request = order.request
        self.settlement.prepare(order)
        plan = self._plan(order, book)
        self.settlement.lock(order, plan)
        order.working_ms = self.now_ms
        self.events.tell(event, order, self.now_ms)
        for maker in plan.expiring:
            self.settlement.close(maker, OrderStatus.EXPIRED_IN_MATCH, self.now_ms)
        while self._trade(order, book, plan.matches):
            plan = self._offered(order, book)
        if not order.status.is_open:
            return
        if plan.taker_expires:
            self.settlement.close(order, OrderStatus.EXPIRED_IN_MATCH, self.now_ms)
        elif (
            request.price is None
            or request.time_in_force is not TimeInForce.GTC
            or self.settlement.fillable(order) <= 0
        ):
            self.settlement.close(order, OrderStatus.EXPIRED, self.now_ms)
        else:
            book.resting(request.side).add(order, request.price)

    def _trade(self, order: Order, book: SymbolBook, matches: Iterable[Match]) -> bool:
        """Carry out what was planned; return whether a maker had less left than that, and more may be found.

        What an account has traded before, in the same plan, may leave a reduce-only order nothing to reduce.
        """
        is_short = False
        market, opposite = book.market(self.now_ms), _opposite(order.request.side)
        for match in matches:
            quantity = match.quantity
            if match.maker is None:
                market.take(opposite, match.level, quantity)
            else:
                quantity = min(quantity, self.settlement.fillable(match.maker))
                is_short = is_short or quantity < match.quantity
            if quantity > 0:
                self.settlement.settle(order, match.maker, match.price, quantity, self.now_ms)
        return is_short

    def _withdraw(self, order: Order, book: SymbolBook) -> None:
        """Take an open order off its book for a moment."""
        price = order.request.price
        if not order.is_working:
            book.stops.remove(order)
        elif price is not None:
            book.resting(order.request.side).remove(order, price)

    def _return(self, order: Order, book: SymbolBook) -> None:
        """Put an order back to where it was withdrawn from."""
        price = order.request.price
        if not order.is_working:
            book.stops.append(order)
        elif price is not None:
            book.resting(order.request.side).add(order, price)

    def _plan(self, order: Order, book: SymbolBook) -> Plan:
        """Return what the order trades at once.

        Raises:
            EngineRejection: its type does not allow for it, or there is nothing.
        """
        request, plan = order.request, self._offered(order, book)
        if request.type is OrderType.LIMIT_MAKER and plan.matches:
            raise EngineRejection(Reason.WOULD_TAKE)
        if request.time_in_force is TimeInForce.FOK and plan.quantity < order.remaining:
            if self.customs.refuses_unfillable:
                raise EngineRejection(Reason.UNFILLABLE)
            return Plan()
        if request.quote_quantity is not None:
            if not plan.matches:
                raise EngineRejection(Reason.NO_LIQUIDITY)
            order.quantity = plan.quantity
        return plan

    def _offered(self, order: Order, book: SymbolBook) -> Plan:
        """Return what the order would meet, whatever its type allows for."""
        resting, market = book.resting(_opposite(order.request.side)), book.market(self.now_ms)
        wanted = self.settlement.fillable(order)
        return plan_taking(order.request, order.account, resting, market, book.rules.step_size, wanted)

    def _meet(self, book: SymbolBook, one: Print) -> None:
        """Let one print fill the resting orders that it reaches, and wake the stops that it triggers."""
        step = book.rules.step_size
        flow = (one.quantity / step).to_integral_value(ROUND_DOWN) * step
        for side in (Side.BUY, Side.SELL):
            resting, left = book.resting(side), flow
            while left > 0 and (reached := resting.reached_by(one.price)) is not None:
                price, order = reached
                quantity = min(left, self.settlement.fillable(order))
                left -= quantity
                self.settlement.settle(None, order, price, quantity, one.time_ms)
        for order in [waiting for waiting in book.stops if book.is_triggered(waiting, one.price)]:
            book.stops.remove(order)
            self._wake(order, book)

    def _wake(self, order: Order, book: SymbolBook) -> None:
        """Let a stop order work."""
        order.updated_ms = self.now_ms
        try:
            self._start(order, book, OrderEventKind.TRIGGERED)
        except EngineRejection:
            # The price has run away from what was set aside: the exchange lets such an order expire.
            self.settlement.close(order, OrderStatus.EXPIRED, self.now_ms)
        self.settlement.tidy(order)


def _amended(
    request: OrderRequest,
    quantity: Decimal | None,
    price: Decimal | None,
    stop_price: Decimal | None,
    *,
    post_only: bool,
) -> OrderRequest:
    """Return the request with what is not None put in place.

    Raises:
        EngineRejection: an order of its type has no such price, or cannot be post-only.
    """
    kind = request.type
    lacks = (price is not None and not kind.is_priced) or (stop_price is not None and not kind.is_stop)
    if lacks or (post_only and (kind.is_stop or not kind.is_priced)):
        raise EngineRejection(Reason.FILTER, "PRICE_FILTER")
    return replace(
        request,
        type=OrderType.LIMIT_MAKER if post_only else kind,
        quantity=request.quantity if quantity is None else quantity,
        price=request.price if price is None else price,
        stop_price=request.stop_price if stop_price is None else stop_price,
    )


def _opposite(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def _flow(book: SymbolBook, now_ms: int) -> Iterator[tuple[int, str, SymbolBook, Print]]:
    if not book.is_quiet:
        for one in book.prints_until(now_ms):
            yield one.time_ms, book.feed.symbol, book, one
