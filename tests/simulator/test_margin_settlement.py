"""Positions and margin under any sequence of orders, cancels, leverages and market moves."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tradeguard.simulator import OrderStatus, ReplayMarket, SyntheticMarket
from tradeguard.simulator.customs import Customs
from tradeguard.simulator.engine import Engine
from tradeguard.simulator.events import OrderEvent, OrderEventKind
from tradeguard.simulator.feed import SymbolFeed
from tradeguard.simulator.margin_settlement import MarginSettlement
from tradeguard.simulator.orders import Order, OrderRequest, OrderType, Side, TimeInForce
from tradeguard.simulator.positions import Holding
from tradeguard.simulator.rejections import EngineRejection, Reason
from tradeguard.simulator.symbols import MarketKind

START_MS = 1_700_000_000_000
ACCOUNTS = ("one", "two")
DEPOSIT = Decimal(1000)
FEE = Decimal("0.001")
SYMBOL = "ETH/USDT:USDT"
STEADY = [[n * 60_000, 100.0, 100.0, 100.0, 100.0, 80.0] for n in range(3)]
SWAPS = Customs(kind=MarketKind.LINEAR, refuses_unfillable=True)


def engine_of(market: Any, fee: Decimal = FEE) -> tuple[Engine, MarginSettlement]:
    feeds = {listing.rules.symbol: SymbolFeed(listing, START_MS) for listing in market.listings(0)}
    engine = Engine(feeds, 0, fee, fee, START_MS, SWAPS)
    for account in ACCOUNTS:
        engine.ledger.open(account, {"USDT": DEPOSIT})
    assert engine.margins is not None
    return engine, engine.margins


def steady(fee: Decimal = Decimal(0)) -> tuple[Engine, MarginSettlement]:
    return engine_of(ReplayMarket(STEADY, SYMBOL, history=1), fee)


def request(side: Side, quantity: float, price: float | None = None, **more: Any) -> OrderRequest:
    return OrderRequest(
        symbol=SYMBOL,
        side=side,
        type=more.pop("type", OrderType.MARKET if price is None else OrderType.LIMIT),
        quantity=Decimal(str(quantity)),
        price=None if price is None else Decimal(str(price)),
        **more,
    )


def trade(engine: Engine, side: Side, quantity: float, price: float) -> tuple[Order, Order]:
    """Let account one take what account two rests at a price better than the market's."""
    other = Side.SELL if side is Side.BUY else Side.BUY
    return engine.place("two", request(other, quantity, price)), engine.place(
        "one", request(side, quantity, price)
    )


def test_a_position_is_averaged_reduced_and_flipped() -> None:
    engine, margins = steady()
    for side, quantity, price, amount, entry, wallet in (
        (Side.BUY, 1, "100.000", 1, "100.000", 1000),
        (Side.BUY, 3, "100.004", 4, "100.003", 1000),
        (Side.SELL, 1, "100.001", 3, "100.003", Decimal("999.998")),
        (Side.SELL, 5, "100.004", -2, "100.004", Decimal("1000.001")),
        (Side.BUY, 2, "100.003", 0, "0", Decimal("1000.003")),
    ):
        trade(engine, side, quantity, float(price))
        position = margins.position("one", SYMBOL)
        assert (position.amount, position.entry_price) == (amount, Decimal(entry))
        assert margins.margin("one", "USDT").wallet == wallet
        assert margins.position("two", SYMBOL).amount == -amount


def test_margin_is_set_aside_for_the_greater_of_what_a_position_may_become() -> None:
    engine, margins = steady()
    margins.set_leverage("one", SYMBOL, 10)
    engine.place("one", request(Side.BUY, 10, 99))
    assert margins.margin("one", "USDT").orders == 99
    engine.place("one", request(Side.SELL, 4, 101))
    assert margins.margin("one", "USDT").orders == 99
    trade(engine, Side.SELL, 5, 100)
    margin = margins.margin("one", "USDT")
    # short 5: the bids would make it long, the asks more short, and the one is less than the other
    assert (margin.positions, margin.orders) == (50, Decimal("40.4"))
    assert margin.available == 1000 - Decimal("90.4")
    engine.place("one", request(Side.BUY, 50, 90, reduce_only=True))
    assert margins.margin("one", "USDT") == margin


def test_more_than_the_margin_allows_is_refused_and_a_reduction_never_is() -> None:
    engine, margins = steady(FEE)
    margins.set_leverage("one", SYMBOL, 2)
    with pytest.raises(EngineRejection, match=str(Reason.INSUFFICIENT_BALANCE)):
        engine.place("one", request(Side.BUY, 20.001, 100))
    engine.place("one", request(Side.BUY, 19.9, 99.9))
    assert margins.margin("one", "USDT").available >= 0
    with pytest.raises(EngineRejection, match=str(Reason.INSUFFICIENT_BALANCE)):
        engine.place("one", request(Side.BUY, 0.5, 99.9))
    # what would sell adds nothing to what the bids have set aside
    engine.place("one", request(Side.SELL, 19, 101))


def test_orders_share_the_margin_and_a_change_counts_an_order_once() -> None:
    engine, margins = steady()
    margins.set_leverage("one", SYMBOL, 2)
    engine.place("one", request(Side.BUY, 10, 100))
    second = engine.place("one", request(Side.BUY, 9, 100))
    engine.amend(second, quantity=Decimal(10))
    assert margins.margin("one", "USDT").available == 0
    with pytest.raises(EngineRejection, match=str(Reason.INSUFFICIENT_BALANCE)):
        engine.amend(second, quantity=Decimal("10.001"))
    assert margins.margin("one", "USDT").orders == 1000


def test_what_a_market_order_loses_at_once_is_covered_too() -> None:
    engine, margins = steady(FEE)
    margins.set_leverage("one", SYMBOL, 1)
    with pytest.raises(EngineRejection, match=str(Reason.INSUFFICIENT_BALANCE)):
        engine.place("one", request(Side.BUY, 9.995))
    engine.place("one", request(Side.BUY, 9.98))
    margin = margins.margin("one", "USDT")
    assert 0 < margin.balance - margin.initial < 2


def test_an_account_whose_margin_is_gone_may_still_reduce() -> None:
    falling = [
        [n * 60_000, price, price, price, price, 80.0] for n, price in enumerate([100.0, 100.0, 80.0, 80.0])
    ]
    engine, margins = engine_of(ReplayMarket(falling, SYMBOL, history=1))
    margins.set_leverage("one", SYMBOL, 20)
    engine.place("one", request(Side.BUY, 150, 100.1))
    engine.advance(START_MS + 1500)
    assert margins.margin("one", "USDT").balance < 0
    with pytest.raises(EngineRejection, match=str(Reason.INSUFFICIENT_BALANCE)):
        engine.place("one", request(Side.BUY, 1, 80))
    engine.place("one", request(Side.SELL, 100))
    assert margins.position("one", SYMBOL).amount < 150


def test_leverage_cannot_be_lowered_below_what_is_open() -> None:
    engine, margins = steady()
    trade(engine, Side.BUY, 100, 100)
    margins.set_leverage("one", SYMBOL, 10)
    with pytest.raises(EngineRejection):
        margins.set_leverage("one", SYMBOL, 9)
    assert margins.leverage("one", SYMBOL) == 10


def test_a_reduce_only_order_never_opens_and_expires_with_its_position() -> None:
    engine, margins = steady()
    with pytest.raises(EngineRejection, match=str(Reason.REDUCE_ONLY)):
        engine.place("one", request(Side.SELL, 1, 101, reduce_only=True))
    trade(engine, Side.BUY, 2, 100)
    with pytest.raises(EngineRejection, match=str(Reason.REDUCE_ONLY)):
        engine.place("one", request(Side.BUY, 1, 99, reduce_only=True))
    resting = engine.place("one", request(Side.SELL, 3, 100.001, reduce_only=True))
    engine.place("two", request(Side.BUY, 0.5, 100.001))
    assert (resting.status, resting.filled) == (OrderStatus.PARTIALLY_FILLED, Decimal("0.5"))
    engine.place("two", request(Side.BUY, 9, 100.001))
    assert (resting.status, resting.filled) == (OrderStatus.EXPIRED, 2)
    assert margins.position("one", SYMBOL).amount == 0


def test_a_reduce_only_market_order_takes_no_more_than_is_held() -> None:
    engine, margins = steady()
    trade(engine, Side.SELL, 2, 100)
    order = engine.place("one", request(Side.BUY, 5, reduce_only=True))
    assert (order.status, order.filled, order.quantity) == (OrderStatus.EXPIRED, 2, 5)
    assert margins.position("one", SYMBOL).amount == 0


def test_a_reduce_only_limit_order_does_not_rest_once_nothing_is_held() -> None:
    engine, _ = steady()
    trade(engine, Side.BUY, 2, 100)
    order = engine.place("one", request(Side.SELL, 5, 99, reduce_only=True))
    assert (order.status, order.filled) == (OrderStatus.EXPIRED, 2)
    assert engine.books[SYMBOL].is_quiet


@pytest.mark.parametrize("by", ["the market", "everybody else"])
def test_a_resting_reduce_only_order_is_taken_for_no_more_than_is_held(by: str) -> None:
    rising = [
        [n * 60_000, price, price, price, price, 80.0] for n, price in enumerate([100.0, 100.0, 120.0, 120.0])
    ]
    engine, margins = engine_of(ReplayMarket(rising, SYMBOL, history=1))
    trade(engine, Side.BUY, 2, 100)
    order = engine.place("one", request(Side.SELL, 5, 110, reduce_only=True))
    if by == "the market":
        engine.advance(START_MS + 1500)
    else:
        engine.fill(order)
    assert (order.status, order.filled) == (OrderStatus.EXPIRED, 2)
    assert margins.position("one", SYMBOL).amount == 0


def test_what_a_reduce_only_order_has_not_left_is_taken_from_the_next() -> None:
    engine, margins = steady()
    trade(engine, Side.BUY, 2, 100)
    for price in (100.001, 100.002):
        engine.place("one", request(Side.SELL, 2, price, reduce_only=True))
    engine.place("one", request(Side.SELL, 5, 100.003))
    sweep = engine.place("two", request(Side.BUY, 6, 100.003))
    assert sweep.status is OrderStatus.FILLED
    assert margins.position("one", SYMBOL).amount == -4


def test_the_end_of_a_reduce_only_stop_is_told_once() -> None:
    moving = [
        [n * 60_000, price, price, price, price, 80.0] for n, price in enumerate([100.0, 100.0, 90.0, 90.0])
    ]
    engine, margins = engine_of(ReplayMarket(moving, SYMBOL, history=1))
    engine.place("one", request(Side.BUY, 2, 100.1))
    stop = request(Side.SELL, 5, type=OrderType.STOP_LOSS, stop_price=Decimal(95), reduce_only=True)
    order, told = engine.place("one", stop), []
    engine.events.subscribe(lambda event: told.append(event.kind))
    engine.advance(START_MS + 1500)
    assert (order.status, order.filled) == (OrderStatus.EXPIRED, 2)
    assert told == [OrderEventKind.TRIGGERED, OrderEventKind.FILLED, OrderEventKind.EXPIRED]
    assert margins.position("one", SYMBOL).amount == 0


def test_two_reduce_only_orders_in_one_sweep_reduce_no_more_than_is_held() -> None:
    engine, margins = steady()
    trade(engine, Side.BUY, 2, 100)
    first, second = (
        engine.place("one", request(Side.SELL, 2, price, reduce_only=True)) for price in (100.001, 100.002)
    )
    sweep = engine.place("two", request(Side.BUY, 4, 100.002))
    assert (first.status, second.status) == (OrderStatus.FILLED, OrderStatus.EXPIRED)
    assert second.filled == 0
    assert sweep.filled == 2
    assert margins.position("one", SYMBOL).amount == 0


@given(
    trades=st.lists(
        st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 10**6)), min_size=1, max_size=30
    )
)
def test_what_a_position_earns_is_what_its_trades_took_in(trades: list[tuple[int, int]]) -> None:
    holding, earned, taken = Holding(), Decimal(0), Decimal(0)
    for lots, ticks in trades:
        amount, price = Decimal(lots).scaleb(-3), Decimal(ticks).scaleb(-2)
        holding, realized = holding.after(amount, amount * price, START_MS)
        earned += realized
        taken -= amount * price
    price = Decimal("123.45")
    assert earned + holding.unrealized(price) == taken + holding.amount * price
    assert holding.amount * holding.cost >= 0
    assert (holding.amount == 0) <= (holding.cost == 0)


class MarginMachine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 10**6), volatility=st.sampled_from([0.0, 0.001, 0.02]))
    def begin(self, seed: int, volatility: float) -> None:
        self.symbols = [SYMBOL, "XRP/USDT:USDT"]
        market = SyntheticMarket(
            self.symbols,
            seed,
            volatility=volatility,
            history=2,
            start_price={SYMBOL: 100, "XRP/USDT:USDT": 2},
        )
        self.engine, self.margins = engine_of(market)
        self.totals = self.engine.ledger.totals()
        self.ended: Counter[str] = Counter()
        self.engine.events.subscribe(self._note)

    def _note(self, event: OrderEvent) -> None:
        if event.kind in (OrderEventKind.CANCELED, OrderEventKind.EXPIRED):
            self.ended[event.order.order_id] += 1

    def _place(self, account: str, symbol: str, **fields: Any) -> None:
        covered = _is_covered(self.margins, account)
        before = self.margins.margin(account, "USDT")
        try:
            self.engine.place(account, OrderRequest(symbol=symbol, **fields))
        except EngineRejection:
            assert self.margins.margin(account, "USDT") == before
        else:
            grown = self.margins.margin(account, "USDT").initial > before.initial
            if covered or grown:
                assert _is_covered(self.margins, account)

    @rule(
        account=st.sampled_from(ACCOUNTS),
        number=st.integers(0, 1),
        side=st.sampled_from(Side),
        lots=st.integers(1, 400),
        offset=st.integers(-40, 40),
        kind=st.sampled_from([OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET, OrderType.LIMIT_MAKER]),
        time_in_force=st.sampled_from(TimeInForce),
        reduce_only=st.booleans(),
    )
    def order(
        self,
        account: str,
        number: int,
        side: Side,
        lots: int,
        offset: int,
        kind: OrderType,
        time_in_force: TimeInForce,
        reduce_only: bool,
    ) -> None:
        symbol = self.symbols[number]
        rules, last = self.engine.books[symbol].rules, self.engine.last_price(symbol)
        price = (
            last * (1 + Decimal(offset) / 10_000) / rules.tick_size
        ).to_integral_value() * rules.tick_size
        self._place(
            account,
            symbol,
            side=side,
            type=kind,
            quantity=lots * rules.step_size * 100,
            price=None if kind is OrderType.MARKET else price,
            time_in_force=time_in_force if kind is OrderType.LIMIT else TimeInForce.GTC,
            reduce_only=reduce_only,
        )

    @rule(
        account=st.sampled_from(ACCOUNTS),
        side=st.sampled_from(Side),
        kind=st.sampled_from([OrderType.STOP_LOSS, OrderType.TAKE_PROFIT, OrderType.STOP_LOSS_LIMIT]),
        offset=st.integers(-30, 30),
        closes=st.booleans(),
    )
    def wait(self, account: str, side: Side, kind: OrderType, offset: int, closes: bool) -> None:
        rules, last = self.engine.books[SYMBOL].rules, self.engine.last_price(SYMBOL)
        stop = (last * (1 + Decimal(offset) / 10_000) / rules.tick_size).to_integral_value() * rules.tick_size
        closes = closes and not kind.is_priced
        self._place(
            account,
            SYMBOL,
            side=side,
            type=kind,
            quantity=None if closes else Decimal(3),
            stop_price=stop,
            price=stop if kind.is_priced else None,
            reduce_only=closes,
            closes_position=closes,
        )

    @rule(account=st.sampled_from(ACCOUNTS), number=st.integers(0, 50))
    def cancel(self, account: str, number: int) -> None:
        orders = self.engine.register.open_orders(account)
        if orders:
            self.engine.cancel(orders[number % len(orders)])

    @rule(account=st.sampled_from(ACCOUNTS), number=st.integers(0, 50), by=st.integers(-20, 20))
    def amend(self, account: str, number: int, by: int) -> None:
        orders = [one for one in self.engine.register.open_orders(account) if one.request.price is not None]
        if orders:
            order = orders[number % len(orders)]
            tick = self.engine.books[order.request.symbol].rules.tick_size
            before = self.margins.margin(account, "USDT")
            try:
                self.engine.amend(order, price=(order.request.price or Decimal(0)) + by * tick)
            except EngineRejection:
                assert self.margins.margin(account, "USDT") == before

    @rule(account=st.sampled_from(ACCOUNTS), leverage=st.sampled_from([1, 5, 20, 125]))
    def lever(self, account: str, leverage: int) -> None:
        covered = _is_covered(self.margins, account)
        try:
            self.margins.set_leverage(account, SYMBOL, leverage)
        except EngineRejection:
            assert self.margins.leverage(account, SYMBOL) > leverage
        assert _is_covered(self.margins, account) >= covered

    @rule(ms=st.integers(1, 5000))
    def pass_time(self, ms: int) -> None:
        self.engine.advance(self.engine.now_ms + ms)

    @invariant()
    def nothing_is_created_or_lost(self) -> None:
        assert self.engine.ledger.totals() == self.totals

    @invariant()
    def an_account_has_what_its_trades_have_made_of_its_deposit(self) -> None:
        for account in ACCOUNTS:
            wallet = worth = DEPOSIT
            for symbol in self.symbols:
                held, mark = Decimal(0), self.engine.last_price(symbol)
                for one in self.engine.register.trades(account, symbol):
                    sign = 1 if one.side is Side.BUY else -1
                    held += sign * one.quantity
                    worth += sign * (one.quantity * mark - one.quote_quantity) - one.fee
                    wallet += one.realized_pnl - one.fee
                assert self.margins.position(account, symbol).amount == held
            margin = self.margins.margin(account, "USDT")
            assert (margin.wallet, margin.balance) == (wallet, worth)

    @invariant()
    def what_is_reduce_only_has_only_reduced(self) -> None:
        reducing = {one.order_id for one in self.engine.register.orders if one.request.reduce_only}
        for account in ACCOUNTS:
            for symbol in self.symbols:
                held = Decimal(0)
                for one in self.engine.register.trades(account, symbol):
                    after = held + (one.quantity if one.side is Side.BUY else -one.quantity)
                    if one.order_id in reducing:
                        assert abs(after) < abs(held)
                        assert after * held >= 0
                    held = after

    @invariant()
    def the_end_of_an_order_is_told_once(self) -> None:
        unfilled = [
            one
            for one in self.engine.register.orders
            if not one.status.is_open and one.status is not OrderStatus.FILLED
        ]
        assert self.ended == Counter(one.name for one in unfilled)

    @invariant()
    def no_working_order_waits_for_a_position_that_is_gone(self) -> None:
        for order in self.engine.register.orders:
            if order.status.is_open and order.is_working and order.request.reduce_only:
                assert self.engine.settlement.fillable(order) > 0


def _is_covered(margins: MarginSettlement, account: str) -> bool:
    margin = margins.margin(account, "USDT")
    return margin.balance >= margin.initial


MarginMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMarginMachine = MarginMachine.TestCase
