"""Settlement of linear swaps: one-way positions on cross margin, in the quote currency.

Nothing is locked: what an order may use is worked out from wallet, positions and open orders, at the price of the
newest trade. There is no liquidation: an account whose losses exceed its wallet trades on as far as its margin allows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tradeguard.simulator.candles import ZERO
from tradeguard.simulator.events import OrderEvents
from tradeguard.simulator.ledger import Balance, round_down, round_up
from tradeguard.simulator.matching import Plan
from tradeguard.simulator.orders import Order, OrderStatus, Side, TimeInForce, Trade
from tradeguard.simulator.positions import Holding, Position
from tradeguard.simulator.rejections import EngineRejection, Reason
from tradeguard.simulator.settlement import Settlement
from tradeguard.simulator.symbol_book import SymbolBook

__all__ = ["MOST_LEVERAGE", "USUAL_LEVERAGE", "Margin", "MarginSettlement"]

USUAL_LEVERAGE = 20
"""Leverage of a symbol that nobody has set."""

MOST_LEVERAGE = 125


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What an account has in one currency, and what of it is set aside.

    Attributes:
        wallet: deposits, realised profits and losses, and fees.
        unrealized_pnl: of all positions at the price of the newest trade.
        positions: set aside for positions.
        orders: set aside for what open orders would add to them.
    """

    wallet: Decimal
    unrealized_pnl: Decimal
    positions: Decimal
    orders: Decimal

    @property
    def balance(self) -> Decimal:
        """The wallet as if every position were closed now."""
        return self.wallet + self.unrealized_pnl

    @property
    def initial(self) -> Decimal:
        """All that is set aside."""
        return self.positions + self.orders

    @property
    def available(self) -> Decimal:
        """What further orders may use; never below 0."""
        return max(self.balance - self.initial, ZERO)


@dataclass(slots=True)
class _Exposure:
    """What a position may become: what is held, and what open orders would buy and sell, in quote currency."""

    held: Decimal
    bids: Decimal = ZERO
    asks: Decimal = ZERO

    @property
    def most(self) -> Decimal:
        """The greatest that it may become, either way; reductions add nothing."""
        return max(abs(self.held + self.bids), abs(self.held - self.asks))

    def add(self, side: Side, notional: Decimal) -> None:
        if side is Side.BUY:
            self.bids += notional
        else:
            self.asks += notional


class MarginSettlement(Settlement):
    """Changes positions, and pays what they earn.

    Args:
        books: by unified symbol.
        maker_fee: share of what a resting order trades, 0 to 1.
        taker_fee: share of what an incoming order trades, 0 to 1.
        events: told of every fill, and of every order that leaves the book.
        mark: returns the price at which a symbol's positions are valued now.
    """

    def __init__(
        self,
        books: Mapping[str, SymbolBook],
        maker_fee: Decimal,
        taker_fee: Decimal,
        events: OrderEvents,
        mark: Callable[[str], Decimal],
    ) -> None:
        super().__init__(books, maker_fee, taker_fee, events)
        self._mark = mark
        self._holdings: defaultdict[tuple[str, str], Holding] = defaultdict(Holding)
        self._leverage: dict[tuple[str, str], int] = {}

    def leverage(self, account: str, symbol: str) -> int:
        """Return the account's leverage on the symbol."""
        return self._leverage.get((account, symbol), USUAL_LEVERAGE)

    def set_leverage(self, account: str, symbol: str, leverage: int) -> None:
        """Set the account's leverage on the symbol, 1 to `MOST_LEVERAGE`.

        Raises:
            EngineRejection: what is open would need more margin than there is.
        """
        former = self.leverage(account, symbol)
        self._leverage[(account, symbol)] = leverage
        margin = self.margin(account, self._books[symbol].rules.quote)
        if leverage < former and margin.initial > margin.balance:
            self._leverage[(account, symbol)] = former
            raise EngineRejection(Reason.INSUFFICIENT_BALANCE)

    def positions(self, account: str) -> dict[str, Position]:
        """Return the account's position in every symbol, flat ones included."""
        return {symbol: self.position(account, symbol) for symbol in self._books}

    def position(self, account: str, symbol: str) -> Position:
        """Return the account's position in one symbol."""
        holding, mark = self._holdings[(account, symbol)], self._mark(symbol)
        leverage, exposure = self.leverage(account, symbol), self._exposure(account, symbol)
        held, most = (round_up(abs(one) / leverage) for one in (exposure.held, exposure.most))
        return Position(
            symbol=symbol,
            amount=holding.amount,
            entry_price=holding.entry_price,
            mark_price=mark,
            unrealized_pnl=holding.unrealized(mark),
            leverage=leverage,
            initial_margin=held,
            order_margin=most - held,
            updated_ms=holding.updated_ms,
        )

    def margin(self, account: str, asset: str) -> Margin:
        """Return what the account has in `asset`, and what of it is set aside."""
        there = [
            self.position(account, symbol)
            for symbol, book in self._books.items()
            if book.rules.quote == asset
        ]
        return Margin(
            wallet=self.ledger.free(account, asset),
            unrealized_pnl=sum((one.unrealized_pnl for one in there), ZERO),
            positions=sum((one.initial_margin for one in there), ZERO),
            orders=sum((one.order_margin for one in there), ZERO),
        )

    def balances(self, account: str) -> dict[str, Balance]:
        """Return the margin balance of every asset: what is available is free, the rest is locked."""
        margins = {asset: self.margin(account, asset) for asset in self.ledger.balances(account)}
        return {
            asset: Balance(margin.available, margin.balance - margin.available)
            for asset, margin in margins.items()
        }

    def prepare(self, order: Order) -> None:
        """Refuse a reduce-only order that reduces nothing; size one that closes the position.

        Raises:
            EngineRejection: there is no position that it would make smaller.
        """
        if not order.request.reduce_only:
            return
        reducible = self._reducible(order)
        if reducible <= 0:
            raise EngineRejection(Reason.REDUCE_ONLY)
        if order.request.closes_position:
            order.quantity = order.filled + reducible

    def fillable(self, order: Order) -> Decimal:
        """Return how much of the order may trade now: of a reduce-only one, no more than is held."""
        if not order.request.reduce_only:
            return order.remaining
        return min(order.remaining, self._reducible(order))

    def lock(self, order: Order, plan: Plan | None = None) -> None:
        """Refuse what there is not enough margin for; an order that waits for a price needs none yet.

        An order passes if, after it, what is set aside were covered, losses on its price and the fee included; or if
        it does not add to what is set aside.

        Raises:
            EngineRejection: there is not enough.
        """
        request = order.request
        if plan is None or request.reduce_only:
            return
        account, symbol, sign = order.account, request.symbol, 1 if request.side is Side.BUY else -1
        mark, leverage = self._mark(symbol), self.leverage(account, symbol)
        now, before = self._exposure(account, symbol), self._exposure(account, symbol, without=order)
        after = _Exposure(before.held + sign * plan.quantity * mark, before.bids, before.asks)
        if request.price is not None and request.time_in_force is TimeInForce.GTC:
            after.add(request.side, request.price * (order.remaining - plan.quantity))
        if after.most <= before.most:
            return
        needed = round_up(after.most / leverage) - round_up(now.most / leverage)
        slippage = sign * (plan.cost - plan.quantity * mark) + plan.cost * self.taker_fee
        margin = self.margin(account, self._books[symbol].rules.quote)
        if margin.balance - slippage < margin.initial + needed:
            raise EngineRejection(Reason.INSUFFICIENT_BALANCE)

    def _paid(
        self, order: Order, trade_id: int, price: Decimal, quantity: Decimal, time_ms: int, is_maker: bool
    ) -> Trade:
        request, asset = order.request, self._books[order.request.symbol].rules.quote
        cost = round_down(price * quantity)
        fee = round_up(cost * (self.maker_fee if is_maker else self.taker_fee))
        sign = 1 if request.side is Side.BUY else -1
        key = (order.account, request.symbol)
        self._holdings[key], earned = self._holdings[key].after(sign * quantity, sign * cost, time_ms)
        self.ledger.pay(order.account, asset, earned, fee)
        return Trade(
            trade_id=trade_id,
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            symbol=request.symbol,
            side=request.side,
            price=price,
            quantity=quantity,
            quote_quantity=cost,
            fee=fee,
            fee_asset=asset,
            time_ms=time_ms,
            is_maker=is_maker,
            realized_pnl=earned,
        )

    def _filled(self, order: Order, trade: Trade) -> None:
        """Let the reduce-only orders expire that have nothing left to reduce."""
        for other in self.register.open_orders(order.account, trade.symbol):
            if other.is_working and other.request.reduce_only and self._reducible(other) <= 0:
                self.close(other, OrderStatus.EXPIRED, trade.time_ms)

    def _reducible(self, order: Order) -> Decimal:
        """Return the size of the position that the order would make smaller, 0 where there is none."""
        amount = self._holdings[(order.account, order.request.symbol)].amount
        return max(-amount if order.request.side is Side.BUY else amount, ZERO)

    def _exposure(self, account: str, symbol: str, without: Order | None = None) -> _Exposure:
        exposure = _Exposure(self._holdings[(account, symbol)].amount * self._mark(symbol))
        for order in self.register.open_orders(account, symbol):
            price = order.request.price
            if order is without or not order.is_working or order.request.reduce_only or price is None:
                continue
            exposure.add(order.request.side, price * order.remaining)
        return exposure
