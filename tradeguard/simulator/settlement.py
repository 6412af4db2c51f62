"""Settlement: what a fill moves between accounts, and what an order sets aside until then."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from itertools import count

from tradeguard.simulator.events import OrderEventKind, OrderEvents
from tradeguard.simulator.ledger import Balance, Ledger
from tradeguard.simulator.matching import Plan
from tradeguard.simulator.orders import Order, OrderStatus, Trade
from tradeguard.simulator.positions import Position
from tradeguard.simulator.register import OrderRegister
from tradeguard.simulator.symbol_book import SymbolBook

__all__ = ["Settlement"]


class Settlement(ABC):
    """Changes orders, and moves what its kind of market moves; decides nothing else.

    Args:
        books: by unified symbol.
        maker_fee: share that a resting order pays, 0 to 1.
        taker_fee: share that an incoming order pays, 0 to 1.
        events: told of every fill, and of every order that leaves the book.
    """

    def __init__(
        self, books: Mapping[str, SymbolBook], maker_fee: Decimal, taker_fee: Decimal, events: OrderEvents
    ) -> None:
        self.ledger = Ledger()
        self.register = OrderRegister()
        self.maker_fee = maker_fee
        self.taker_fee = taker_fee
        self._books = books
        self._events = events
        self._trade_ids = count(1)

    def prepare(self, order: Order) -> None:  # noqa: B027 - nothing to do is an answer
        """Size an order that is about to work, where something else than its request does.

        Raises:
            EngineRejection: it has nothing to do.
        """

    @abstractmethod
    def lock(self, order: Order, plan: Plan | None = None) -> None:
        """Set aside what the order may have to pay.

        Args:
            order: about to be accepted, or to be triggered.
            plan: what it is about to trade at once; None where it waits for a price first.

        Raises:
            EngineRejection: there is not enough.
        """

    def release(self, order: Order) -> None:  # noqa: B027
        """Give back all that the order has set aside."""

    def tidy(self, order: Order) -> None:  # noqa: B027
        """Give back what the order has set aside and does not need any more."""

    def fillable(self, order: Order) -> Decimal:
        """Return how much of the order may trade now, base currency."""
        return order.remaining

    @abstractmethod
    def balances(self, account: str) -> dict[str, Balance]:
        """Return what the account has, by asset."""

    def positions(self, account: str) -> dict[str, Position]:
        """Return the account's positions by unified symbol, flat ones included; none where there are none."""
        return {}

    def settle(
        self, taker: Order | None, maker: Order | None, price: Decimal, quantity: Decimal, time_ms: int
    ) -> None:
        """Let two orders trade with each other; None stands for everybody else."""
        trade_id = next(self._trade_ids)
        for order, other, is_maker in ((taker, maker, False), (maker, taker, True)):
            if order is not None:
                self._fill(order, self._paid(order, trade_id, price, quantity, time_ms, is_maker))
            elif other is not None:
                self._pay_market(other, price, quantity)

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

    @abstractmethod
    def _paid(
        self, order: Order, trade_id: int, price: Decimal, quantity: Decimal, time_ms: int, is_maker: bool
    ) -> Trade:
        """Move what one side of a trade moves; return the fill that it is."""

    def _pay_market(self, other: Order, price: Decimal, quantity: Decimal) -> None:  # noqa: B027
        """Let everybody else pay and receive the other half of `other`'s fill."""

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
        self._filled(order, trade)

    def _filled(self, order: Order, trade: Trade) -> None:  # noqa: B027
        """Do what follows from a fill."""
