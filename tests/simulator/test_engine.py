"""The matching engine under any sequence of orders, cancels and market moves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tradeguard.simulator import OrderStatus, ReplayMarket, SyntheticMarket
from tradeguard.simulator.book import RestingOrders
from tradeguard.simulator.customs import SPOT, Customs
from tradeguard.simulator.engine import Engine
from tradeguard.simulator.events import OrderEvent
from tradeguard.simulator.feed import SymbolFeed
from tradeguard.simulator.orders import Order, OrderRequest, OrderType, SelfTrade, Side, TimeInForce
from tradeguard.simulator.rejections import EngineRejection, Reason

START_MS = 1_700_000_000_000
ACCOUNTS = ("one", "two")
FEE = Decimal("0.001")
STEADY = [[n * 60_000, 100.0, 100.0, 100.0, 100.0, 80.0] for n in range(3)]


def engine_of(market: Any, seed: int = 0, customs: Customs = SPOT, **balances: int) -> Engine:
    feeds = {listing.rules.symbol: SymbolFeed(listing, START_MS) for listing in market.listings(seed)}
    engine = Engine(feeds, seed, FEE, FEE, START_MS, customs)
    for account in ACCOUNTS:
        engine.ledger.open(account, {asset: Decimal(amount) for asset, amount in balances.items()})
    return engine


def steady() -> Engine:
    return engine_of(ReplayMarket(STEADY, "ETH/USDT", history=1), ETH=1000, USDT=100_000)


def limit(side: Side, quantity: float, price: float, **more: Any) -> OrderRequest:
    return OrderRequest(
        symbol="ETH/USDT",
        side=side,
        type=OrderType.LIMIT,
        quantity=Decimal(str(quantity)),
        price=Decimal(str(price)),
        **more,
    )


def test_better_price_is_met_first_and_then_the_older_order() -> None:
    engine = steady()
    older, younger = (engine.place("one", limit(Side.SELL, 1, 100.001)) for _ in range(2))
    cheap = engine.place("one", limit(Side.SELL, 1, 100))
    engine.place("two", limit(Side.BUY, 2.5, 100.001))
    assert (cheap.filled, older.filled, younger.filled) == (1, 1, Decimal("0.5"))


def test_market_price_better_than_a_resting_order_is_met_before_it() -> None:
    engine = steady()
    resting = engine.place("one", limit(Side.SELL, 1, 100.02))
    taker = engine.place("two", limit(Side.BUY, 1, 101))
    assert resting.filled == 0
    assert taker.fills[0].price < Decimal("100.02")


def test_resting_order_is_met_before_the_market_at_the_same_price() -> None:
    engine = steady()
    ask = next(engine.books["ETH/USDT"].market(START_MS).levels(Side.SELL))[1]
    resting = engine.place("one", limit(Side.SELL, 1, float(ask)))
    engine.place("two", limit(Side.BUY, 0.5, float(ask)))
    assert resting.filled == Decimal("0.5")


def test_time_going_back_changes_nothing() -> None:
    engine = steady()
    engine.advance(START_MS + 500)
    engine.advance(START_MS)
    assert engine.now_ms == START_MS + 500


def test_refused_order_leaves_no_trace() -> None:
    engine = steady()
    before = engine.ledger.totals()
    with pytest.raises(EngineRejection) as caught:
        engine.place("one", limit(Side.BUY, 9999, 100))
    assert caught.value.reason is Reason.INSUFFICIENT_BALANCE
    assert engine.register.orders == []
    assert engine.ledger.totals() == before


def test_amended_order_takes_no_more_than_it_still_wants() -> None:
    engine = steady()
    order = engine.place("one", limit(Side.BUY, 3, 100))
    engine.place("two", limit(Side.SELL, 1, 100))
    engine.amend(order, quantity=Decimal("2.5"), price=Decimal("100.5"))
    assert (order.filled, order.status) == (Decimal("2.5"), OrderStatus.FILLED)
    assert order.locked == 0


def test_order_cannot_be_amended_to_what_is_filled_already() -> None:
    engine = steady()
    order = engine.place("one", limit(Side.BUY, 3, 100))
    engine.place("two", limit(Side.SELL, 1, 100))
    with pytest.raises(EngineRejection, match="LOT_SIZE"):
        engine.amend(order, quantity=Decimal(1))
    engine.cancel(order)
    with pytest.raises(EngineRejection) as caught:
        engine.amend(order, quantity=Decimal(2))
    assert caught.value.reason is Reason.UNKNOWN_ORDER


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=8), st.integers(0, 50))
def test_outcome_does_not_depend_on_how_often_the_engine_is_called(steps: list[int], seed: int) -> None:
    def run(stops: list[int]) -> list[Any]:
        engine = engine_of(SyntheticMarket(volatility=0.002, history=5), seed, ETH=100, BTC=100)
        price = engine.last_price("ETH/BTC")
        for side, shift in ((Side.BUY, -50), (Side.SELL, 50), (Side.BUY, -200), (Side.SELL, 200)):
            request = OrderRequest(
                symbol="ETH/BTC",
                side=side,
                type=OrderType.LIMIT,
                quantity=Decimal(3),
                price=price + shift * Decimal("0.0000001"),
            )
            engine.place("one", request)
        for at_ms in stops:
            engine.advance(START_MS + at_ms)
        return [(order.record(), order.fills) for order in engine.register.orders]

    total = sum(steps)
    often = [sum(steps[: index + 1]) for index in range(len(steps))]
    assert run(often) == run([total])


class EngineMachine(RuleBasedStateMachine):
    """Two accounts trade a lively synthetic market with every type of order."""

    @initialize(seed=st.integers(0, 1000), fees_in_quote=st.booleans())
    def begin(self, seed: int, fees_in_quote: bool) -> None:
        market = SyntheticMarket(volatility=0.003, volume=20, history=5)
        self.engine = engine_of(market, seed, Customs(fees_in_quote=fees_in_quote), ETH=50, BTC=5)
        self.events: list[OrderEvent] = []
        self.amended: set[int] = set()
        self.engine.events.subscribe(self.events.append)
        self.totals = self.engine.ledger.totals()
        self.symbol = "ETH/BTC"
        self.now_ms = START_MS

    @rule(
        account=st.sampled_from(ACCOUNTS),
        side=st.sampled_from(Side),
        kind=st.sampled_from([OrderType.LIMIT, OrderType.LIMIT, OrderType.LIMIT_MAKER]),
        steps=st.integers(1, 200_000),
        shift=st.integers(-400, 400),
        force=st.sampled_from(TimeInForce),
        self_trade=st.sampled_from(SelfTrade),
    )
    def place_limit(
        self,
        account: str,
        side: Side,
        kind: OrderType,
        steps: int,
        shift: int,
        force: TimeInForce,
        self_trade: SelfTrade,
    ) -> None:
        order = self.attempt(
            account,
            side=side,
            type=kind,
            quantity=steps * Decimal("0.0001"),
            price=self.price(shift),
            time_in_force=force if kind is OrderType.LIMIT else TimeInForce.GTC,
            self_trade=self_trade,
        )
        if order is not None and force is TimeInForce.FOK and kind is OrderType.LIMIT:
            assert order.filled in (0, order.quantity)
        if order is not None and force is not TimeInForce.GTC and kind is OrderType.LIMIT:
            assert not order.status.is_open
        if order is not None and kind is OrderType.LIMIT_MAKER:
            assert order.filled == 0

    @rule(account=st.sampled_from(ACCOUNTS), side=st.sampled_from(Side), steps=st.integers(1, 200_000))
    def place_market(self, account: str, side: Side, steps: int) -> None:
        quantity = steps * Decimal("0.0001")
        order = self.attempt(account, side=side, type=OrderType.MARKET, quantity=quantity)
        assert order is None or not order.status.is_open

    @rule(account=st.sampled_from(ACCOUNTS), side=st.sampled_from(Side), satoshi=st.integers(1, 10**8))
    def place_by_cost(self, account: str, side: Side, satoshi: int) -> None:
        cost = satoshi * Decimal("0.00000001")
        order = self.attempt(account, side=side, type=OrderType.MARKET, quote_quantity=cost)
        if order is not None:
            assert order.status is OrderStatus.FILLED
            assert order.cost <= cost

    @rule(
        account=st.sampled_from(ACCOUNTS),
        side=st.sampled_from(Side),
        kind=st.sampled_from([kind for kind in OrderType if kind.is_stop]),
        steps=st.integers(1, 100_000),
        shift=st.integers(-300, 300),
        gap=st.integers(-300, 300),
    )
    def place_stop(self, account: str, side: Side, kind: OrderType, steps: int, shift: int, gap: int) -> None:
        self.attempt(
            account,
            side=side,
            type=kind,
            quantity=steps * Decimal("0.0001"),
            stop_price=self.price(shift),
            price=self.price(shift + gap) if kind.is_priced else None,
        )

    @rule(milliseconds=st.integers(0, 20_000))
    def pass_time(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self.engine.advance(self.now_ms)

    @precondition(lambda self: any(order.status.is_open for order in self.engine.register.orders))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        is_open = [order for order in self.engine.register.orders if order.status.is_open]
        order = data.draw(st.sampled_from(is_open))
        filled = order.filled
        self.engine.cancel(order)
        assert (order.status, order.filled, order.locked) == (OrderStatus.CANCELED, filled, 0)

    @precondition(lambda self: any(order.status.is_open for order in self.engine.register.orders))
    @rule(data=st.data(), steps=st.integers(1, 200_000), shift=st.integers(-400, 400), post=st.booleans())
    def amend(self, data: st.DataObject, steps: int, shift: int, post: bool) -> None:
        is_open = [order for order in self.engine.register.orders if order.status.is_open]
        order = data.draw(st.sampled_from(is_open))
        before = (order.record(), self.engine.ledger.balances(order.account))
        is_limit = order.request.type in (OrderType.LIMIT, OrderType.LIMIT_MAKER)
        try:
            self.engine.amend(
                order,
                quantity=steps * Decimal("0.0001"),
                price=self.price(shift) if order.request.price is not None else None,
                post_only=post and is_limit,
            )
        except EngineRejection:
            assert (order.record(), self.engine.ledger.balances(order.account)) == before
        else:
            self.amended.add(order.order_id)
            assert order.quantity == steps * Decimal("0.0001")

    @precondition(lambda self: any(order.is_working for order in self.engine.register.orders))
    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from([one for one in self.engine.register.orders if one.is_working]))
        rests = order.status.is_open
        try:
            self.engine.fill(order)
        except EngineRejection:
            assert not rests
        else:
            assert order.status is OrderStatus.FILLED

    def price(self, shift: int) -> Decimal:
        return self.engine.last_price(self.symbol) + shift * Decimal("0.0000001")

    def attempt(self, account: str, **fields: Any) -> Order | None:
        before = self.engine.ledger.balances(account)
        try:
            return self.engine.place(account, OrderRequest(symbol=self.symbol, **fields))
        except EngineRejection:
            after = self.engine.ledger.balances(account)
            assert {name: after[name] for name in before} == before
            return None

    @invariant()
    def nothing_is_created_or_lost(self) -> None:
        assert {
            asset: amount for asset, amount in self.engine.ledger.totals().items() if amount
        } == self.totals

    @invariant()
    def no_balance_is_negative(self) -> None:
        for account in ACCOUNTS:
            for balance in self.engine.ledger.balances(account).values():
                assert balance.free >= 0
                assert balance.locked >= 0

    @invariant()
    def what_is_locked_belongs_to_open_orders(self) -> None:
        rules = self.engine.books[self.symbol].rules
        for account in ACCOUNTS:
            balances = self.engine.ledger.balances(account)
            for asset, side in ((rules.base, Side.SELL), (rules.quote, Side.BUY)):
                orders = self.engine.register.open_orders(account)
                wanted = sum(order.locked for order in orders if order.request.side is side)
                assert balances[asset].locked == wanted

    @invariant()
    def fills_make_up_the_order_and_keep_to_its_price(self) -> None:
        for order in self.engine.register.orders:
            assert (
                order.filled == sum((trade.quantity for trade in order.fills), Decimal(0)) <= order.quantity
            )
            assert order.cost == sum((trade.quote_quantity for trade in order.fills), Decimal(0))
            assert (order.status is OrderStatus.FILLED) == (order.remaining == 0)
            limit_price = None if order.order_id in self.amended else order.request.price
            for trade in order.fills:
                if limit_price is not None and order.request.side is Side.BUY:
                    assert trade.price <= limit_price
                elif limit_price is not None:
                    assert trade.price >= limit_price

    @invariant()
    def listeners_know_every_order_as_it_is(self) -> None:
        told = {event.order.order_id: event.order for event in self.events}
        assert told == {order.name: order.record() for order in self.engine.register.orders}
        trades = [event.trade for event in self.events if event.trade is not None]
        assert len(trades) == sum(len(order.fills) for order in self.engine.register.orders)

    @invariant()
    def open_orders_are_where_they_belong(self) -> None:
        book = self.engine.books[self.symbol]
        here = {order.order_id for order in (*_orders(book.bids), *_orders(book.asks), *book.stops)}
        is_open = {order.order_id for order in self.engine.register.orders if order.status.is_open}
        assert here == is_open

    @invariant()
    def books_are_sorted_by_price_and_then_by_age(self) -> None:
        book = self.engine.books[self.symbol]
        bids = [(-(order.request.price or 0), order.order_id) for order in _orders(book.bids)]
        asks = [(order.request.price or 0, order.order_id) for order in _orders(book.asks)]
        assert bids == sorted(bids)
        assert asks == sorted(asks)

    @invariant()
    def bids_and_asks_do_not_cross(self) -> None:
        book = self.engine.books[self.symbol]
        bid, ask = book.bids.best(), book.asks.best()
        if bid is not None and ask is not None:
            assert bid[0] < ask[0]


def _orders(resting: RestingOrders) -> list[Order]:
    return [order for _, order in resting]


EngineMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestEngineMachine = EngineMachine.TestCase
