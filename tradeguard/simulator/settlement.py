"""Settlement: what a fill moves between accounts, and what an order sets aside until then."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import count

from tradeguard.simulator.candles import ZERO
from tradeguard.simulator.events import OrderEventKind, OrderEvents
from tradeguard.simulator.ledger import MARKET, Ledger, round_down, round_up
from tradeguard.simulator.orders import Order, OrderStatus, Side, Trade
from tradeguard.simulator.register import OrderRegister
from tradeguard.simulator.symbol_book import SymbolBook

__all__ = ["Settlement"]


class Settlement:
    """Moves assets and changes orders; decides nothing.

    Args:
        books: by unified symbol.
        maker_fee: share of what a resting order receives, 0 to 1.
        taker_fee: share of what an incoming order receives, 0 to 1.
        events: told of every fill, and of every order that leaves the book.
    """

    def __init__(
        self,
        books: Mapping[str, SymbolBook],
        maker_fee: Decimal,
        taker_fee: Decimal,
        events: OrderEvents,
    ) -> None:
        self.ledger = Ledger()
        self._events = events
        self.register = OrderRegister()
        self.maker_fee = maker_fee
        self.taker_fee = taker_fee
        self._books = books
        self._trade_ids = count(1)

    def lock(self, order: Order, market_cost: Decimal | None = None) -> None:
        """Set aside what the order may have to pay.

        Args:
            order: about to be accepted, or to be triggered.
            market_cost: quote currency that an order without a limit price is about to pay.

        Raises:
            EngineRejection: there is not enough.
        """
        request = order.request
        if request.side is Side.SELL:
            amount = order.remaining
        elif request.price is not None:
            amount = round_up(request.price * order.remaining)
        elif market_cost is not None:
            amount = market_cost
        else:
            amount = round_up((request.stop_price or ZERO) * order.remaining)
        self.ledger.lock(order.account, self._paid(order), amount - order.locked)
        order.locked = amount

    def release(self, order: Order, amount: Decimal | None = None) -> None:
        """Give back `amount` of what the order has set aside, or all of it."""
        amount = order.locked if amount is None else amount
        self.ledger.unlock(order.account, self._paid(order), amount)
        order.locked -= amount

    def tidy(self, order: Order) -> None:
        """Give back what a better price has saved a buyer."""
        price = order.request.price
        if order.status.is_open and order.request.side is Side.BUY and price is not None:
            surplus = order.locked - round_up(price * order.remaining)
            if surplus > 0:
                self.release(order, surplus)

    def settle(
        self, taker: Order | None, maker: Order | None, price: Decimal, quantity: Decimal, time_ms: int
    ) -> None:
        """Exchange base for quote between two orders; None stands for everybody else."""
        trade_id, cost = next(self._trade_ids), round_down(price * quantity)
        for order, other, is_maker in ((taker, maker, False), (maker, taker, True)):
            if order is not None:
                self._settle_order(order, trade_id, price, quantity, time_ms, is_maker)
            elif other is not None:
                self._settle_market(other, quantity, cost)

    def close(self, order: Order, status: OrderStatus, now_ms: int) -> None:
        """Take the order off the book and give back what it had set aside."""
        book, price = self._books[order.request.symbol], order.request.price
        if order in book.stops:
            book.stops.remove(order)
        elif price is not None and order in book.resting(order.request.side):
            book.resting(order.request.side).remove(order, price)
        self.release(order)
        order.status = status
        order.updated_ms = now_ms
        self.register.close(order)
        self._events.tell_closed(order, now_ms)

    def _settle_order(
        self, order: Order, trade_id: int, price: Decimal, quantity: Decimal, time_ms: int, is_maker: bool
    ) -> None:
        rules, buys = self._books[order.request.symbol].rules, order.request.side is Side.BUY
        cost = round_down(price * quantity)
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
        """Let everybody else pay and receive the other half of `other`'s fill."""
        rules = self._books[other.request.symbol].rules
        pays, gets = (rules.base, quantity), (rules.quote, cost)
        if other.request.side is Side.SELL:
            pays, gets = gets, pays
        self.ledger.pay_locked(MARKET, *pays)
        self.ledger.receive(MARKET, *gets, ZERO)

    def _fill(self, order: Order, trade: Trade) -> None:
        order.filled += trade.quantity
        order.cost += trade.quote_quantity
        order.updated_ms = trade.time_ms
        order.fills.append(trade)
        self.register.add_trade(order.account, trade)
        if order.remaining > 0:
            order.status = OrderStatus.PARTIALLY_FILLED
        else:
            self.close(order, OrderStatus.FILLED, trade.time_ms)
        self._events.tell(OrderEventKind.FILLED, order, trade.time_ms, trade)

    def _paid(self, order: Order) -> str:
        rules = self._books[order.request.symbol].rules
        return rules.quote if order.request.side is Side.BUY else rules.base
