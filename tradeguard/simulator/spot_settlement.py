"""Settlement of a spot market: base and quote change hands, and an order locks what it may have to pay."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tradeguard.simulator.candles import ZERO
from tradeguard.simulator.events import OrderEvents
from tradeguard.simulator.ledger import MARKET, Balance, round_down, round_up
from tradeguard.simulator.matching import Plan
from tradeguard.simulator.orders import Order, Side, Trade
from tradeguard.simulator.settlement import Settlement
from tradeguard.simulator.symbol_book import SymbolBook

__all__ = ["SpotSettlement"]


class SpotSettlement(Settlement):
    """Moves assets.

    Args:
        books: by unified symbol.
        maker_fee: share of what a resting order receives, 0 to 1.
        taker_fee: share of what an incoming order receives, 0 to 1.
        events: told of every fill, and of every order that leaves the book.
        fees_in_quote: fees are taken in quote currency, buyers paying them on top.
    """

    def __init__(
        self,
        books: Mapping[str, SymbolBook],
        maker_fee: Decimal,
        taker_fee: Decimal,
        events: OrderEvents,
        *,
        fees_in_quote: bool = False,
    ) -> None:
        super().__init__(books, maker_fee, taker_fee, events)
        self._fees_in_quote = fees_in_quote
        self._buyer_pays = 1 + max(maker_fee, taker_fee) if fees_in_quote else Decimal(1)

    def lock(self, order: Order, plan: Plan | None = None) -> None:
        """Set aside what the order may have to pay.

        Raises:
            EngineRejection: there is not enough.
        """
        request = order.request
        if request.side is Side.SELL:
            amount = order.remaining
        elif request.price is not None:
            amount = self._reserve(request.price * order.remaining)
        elif plan is not None:
            amount = self._reserve(plan.cost)
        else:
            amount = self._reserve((request.stop_price or ZERO) * order.remaining)
        self.ledger.lock(order.account, self._spent(order), amount - order.locked)
        order.locked = amount

    def release(self, order: Order) -> None:
        """Give back all that the order has set aside."""
        self._give_back(order, order.locked)

    def tidy(self, order: Order) -> None:
        """Give back what a better price has saved a buyer."""
        price = order.request.price
        if order.status.is_open and order.request.side is Side.BUY and price is not None:
            surplus = order.locked - self._reserve(price * order.remaining)
            if surplus > 0:
                self._give_back(order, surplus)

    def balances(self, account: str) -> dict[str, Balance]:
        """Return every asset that the account has or had, by name."""
        return self.ledger.balances(account)

    def _paid(
        self, order: Order, trade_id: int, price: Decimal, quantity: Decimal, time_ms: int, is_maker: bool
    ) -> Trade:
        rules, buys = self._books[order.request.symbol].rules, order.request.side is Side.BUY
        cost = round_down(price * quantity)
        paid, received = (cost, quantity) if buys else (quantity, cost)
        asset = rules.base if buys else rules.quote
        on_top = buys and self._fees_in_quote
        fee = round_down((cost if on_top else received) * (self.maker_fee if is_maker else self.taker_fee))
        if on_top:
            self.ledger.pay_fee(order.account, rules.quote, fee)
            order.locked -= fee
        self.ledger.pay_locked(order.account, self._spent(order), paid)
        order.locked -= paid
        self.ledger.receive(order.account, asset, received, ZERO if on_top else fee)
        return Trade(
            trade_id=trade_id,
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            symbol=order.request.symbol,
            side=order.request.side,
            price=price,
            quantity=quantity,
            quote_quantity=cost,
            fee=fee,
            fee_asset=rules.quote if on_top else asset,
            time_ms=time_ms,
            is_maker=is_maker,
        )

    def _pay_market(self, other: Order, price: Decimal, quantity: Decimal) -> None:
        rules = self._books[other.request.symbol].rules
        pays, gets = (rules.base, quantity), (rules.quote, round_down(price * quantity))
        if other.request.side is Side.SELL:
            pays, gets = gets, pays
        self.ledger.pay_locked(MARKET, *pays)
        self.ledger.receive(MARKET, *gets, ZERO)

    def _give_back(self, order: Order, amount: Decimal) -> None:
        self.ledger.unlock(order.account, self._spent(order), amount)
        order.locked -= amount

    def _reserve(self, cost: Decimal) -> Decimal:
        """Return what a buyer sets aside to pay `cost` and the fee that comes on top of it."""
        return round_up(cost * self._buyer_pays)

    def _spent(self, order: Order) -> str:
        rules = self._books[order.request.symbol].rules
        return rules.quote if order.request.side is Side.BUY else rules.base
