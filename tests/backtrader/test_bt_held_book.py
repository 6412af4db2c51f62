"""The rules of held orders: whatever happens in whatever order, no exit sells more than there is, and none is lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tradeguard_backtrader.held.held_book import Cancel, Decision, End, HeldBook, Send
from tradeguard_backtrader.held.held_orders import Bar, HeldOrder, Stage


def held(name: str, **values: Any) -> HeldOrder:
    usual: dict[str, Any] = {
        "client_order_id": name, "symbol": "ETH/BTC", "home": "ETH/BTC", "kind": "Stop", "side": "sell",
        "amount": Decimal(1), "price": 90.0, "waits_for_price": True,
    }  # fmt: skip
    return HeldOrder(**{**usual, **values})


def bar(price: float, stamp_ms: int = 1_000) -> Bar:
    return Bar(stamp_ms=stamp_ms, high=price, low=price, close=price)


@pytest.mark.parametrize(
    ("side", "prices", "due"), [("sell", (91.0, 90.0), (False, True)), ("buy", (89.0, 90.0), (False, True))]
)
def test_a_stop_is_due_when_the_price_has_reached_it(
    side: str, prices: tuple[float, float], due: tuple[bool, bool]
) -> None:
    order = held("a", side=side)
    assert tuple(order.is_due(bar(price), 0) for price in prices) == due


def test_a_bar_that_closed_before_the_order_was_there_is_not_its_business() -> None:
    order = held("a", since_ms=1_000)
    assert not order.is_due(bar(80.0, 1_000), 5_000)
    assert order.is_due(bar(80.0, 1_001), 5_000)
    assert not held("b").is_due(None, 5_000)


def test_an_order_for_a_time_is_due_at_that_time_whatever_the_price() -> None:
    order = held("a", price=None, waits_for_price=False, due_ms=5_000)
    assert not order.is_due(bar(1.0), 4_999)
    assert order.is_due(None, 5_000)


@pytest.mark.parametrize(
    ("side", "distance", "closes", "stops"),
    [
        ("sell", {"trail_amount": 10.0}, [100.0, 105.0, 103.0, 110.0], [90.0, 95.0, 95.0, 100.0]),
        ("sell", {"trail_percent": 0.1}, [100.0, 110.0], [90.0, 99.0]),
        ("buy", {"trail_amount": 10.0}, [100.0, 95.0, 98.0], [110.0, 105.0, 105.0]),
        ("sell", {}, [100.0, 200.0], [90.0, 90.0]),
    ],
)
def test_a_trailing_stop_follows_the_closes_and_never_goes_back(
    side: str, distance: dict[str, float], closes: list[float], stops: list[float]
) -> None:
    order = held("a", side=side, price=90.0 if side == "sell" else 110.0, **distance)
    seen = []
    for number, close in enumerate(closes, 1):
        order.trail(bar(close, number * 1_000))
        seen.append(order.price)
    assert seen == pytest.approx(stops)


def test_a_trailing_limit_keeps_its_distance_and_a_bar_is_taken_once() -> None:
    order = held("a", price=90.0, limit=89.0, limit_offset=1.0, trail_amount=10.0)
    assert order.trail(bar(110.0))
    assert (order.price, order.limit) == (100.0, 99.0)
    assert not order.is_due(bar(95.0), 0)  # the same bar's low lies on the way to the stop
    assert not order.trail(bar(120.0))


def test_what_is_kept_comes_back_as_it_was() -> None:
    order = held(
        "a", limit=0.1, parent="p", group="g", stage=Stage.TRIGGERED, filled=Decimal("0.3"), params={"postOnly": True}
    )  # fmt: skip
    assert HeldOrder.load(order.dump()).dump() == order.dump()
    assert HeldOrder.load({**order.dump(), "of_a_later_version": 1}).dump() == order.dump()
    with pytest.raises(ValueError, match="nonsense"):
        HeldOrder.load({**order.dump(), "stage": "nonsense"})


def test_a_group_is_forgotten_once_all_of_it_is_over_and_only_what_changed_is_kept_anew() -> None:
    book = HeldBook()
    book.add(held("a", group="g"), held("b", group="g"), held("c", home="BTC/USDT"))
    assert set(book.changes()) == {"ETH/BTC", "BTC/USDT"}
    for home in ("ETH/BTC", "BTC/USDT"):
        book.kept(home)
    assert book.changes() == {}
    first, _, _ = book
    assert [type(each) for each in book.cancel(first)] == [Cancel, Cancel]
    assert [order.client_order_id for order in book] == ["c"]
    assert book.changes() == {"ETH/BTC": []}


def test_while_one_of_a_group_is_on_its_way_the_others_are_not_judged() -> None:
    book = HeldBook()
    first, second = held("a", group="g"), held("b", group="g", price=91.0)
    book.add(first, second)
    assert book.judge("ETH/BTC", bar(90.5), 0) == [Send(second, Decimal(1))]
    assert book.judge("ETH/BTC", bar(80.0), 0) == []
    assert book.ended(second, End.REFUSED, 0) == []
    assert book.judge("ETH/BTC", bar(80.0), 0) == [Send(first, Decimal(1))]


@pytest.mark.parametrize(("filled_ms", "since_ms"), [(5_000, 5_000), (None, 9_000)])
def test_an_exit_is_judged_from_the_fill_of_its_entry_on(filled_ms: int | None, since_ms: int) -> None:
    """In the next process too, whose history begins before that."""
    book = HeldBook()
    entry = held("entry", side="buy", stage=Stage.SENT)
    stop = held("stop", stage=Stage.WAITING, parent="entry", is_native=False)
    book.add(entry, stop)
    entry.filled, entry.filled_ms = Decimal(1), filled_ms
    assert book.ended(entry, End.COMPLETED, 9_000) == []
    assert book.judge("ETH/BTC", bar(80.0, since_ms), 9_999) == []
    assert book.judge("ETH/BTC", bar(80.0, since_ms + 1), 9_999) == [Send(stop, Decimal(1))]


def test_members_of_other_sizes_shrink_in_proportion() -> None:
    book = HeldBook()
    first, second = held("a", group="g", stage=Stage.SENT), held("b", group="g", amount=Decimal(4))
    book.add(first, second)
    first.filled = Decimal("0.25")
    book.filled(first)
    assert book.judge("ETH/BTC", bar(90.0), 0) == [Cancel(first)]
    assert book.ended(first, End.CANCELLED, 0) == [Send(second, Decimal(3))]


def test_an_exit_that_waits_to_be_sent_lets_one_that_was_triggered_go_first() -> None:
    book = HeldBook()
    entry = held("entry", side="buy", stage=Stage.SENT)
    limit = held("limit", kind="Limit", stage=Stage.WAITING, parent="entry", waits_for_price=False)
    stop = held("stop", stage=Stage.WAITING, parent="entry")
    book.add(entry, limit, stop)
    entry.filled = Decimal(1)
    assert book.ended(entry, End.COMPLETED, 0) == [Send(limit, Decimal(1))]
    book.postpone(limit)
    assert book.judge("ETH/BTC", bar(80.0), 0) == [Send(stop, Decimal(1))]
    book.postpone(stop)
    assert book.resume(limit) == []
    assert book.resume(stop) == [Send(stop, Decimal(1))]
    assert book.ended(stop, End.REFUSED, 0) == [Send(limit, Decimal(1))]


class BracketAtAnExchange(RuleBasedStateMachine):
    """A bracket of a buy, a limit and two stops, at an exchange that fills and cancels when it likes.

    At any moment the process may die: what was kept is all that the next one knows.
    """

    @initialize(fee=st.sampled_from(["0", "0.001"]))
    def begin(self, fee: str) -> None:
        self.fee = Decimal(fee)
        self.now = 0
        self.open: dict[str, Decimal] = {}
        self.sent: dict[str, Decimal] = {}
        self.filled: dict[str, Decimal] = {}
        self.cancels: set[str] = set()
        self.told: set[str] = set()
        self.book = HeldBook()
        self.apply(
            self.book.add(
                held("entry", kind="Limit", side="buy", stage=Stage.SENT, waits_for_price=False),
                held("limit", kind="Limit", stage=Stage.WAITING, parent="entry", waits_for_price=False),
                held("stop", stage=Stage.WAITING, parent="entry"),
                held("trail", stage=Stage.WAITING, parent="entry", price=85.0, trail_amount=10.0),
            )
        )

    def apply(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            name = decision.order.client_order_id
            if isinstance(decision, Send):
                assert name not in self.sent, "sent twice"
                assert decision.amount > 0
                self.sent[name] = self.open[name] = decision.amount
                self.filled[name] = Decimal(0)
            elif decision.order.is_over:
                assert name not in self.told, "told twice"
                self.told.add(name)
            else:
                self.cancels.add(name)

    def order(self, name: str) -> HeldOrder | None:
        return next((each for each in self.book if each.client_order_id == name), None)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.sampled_from(["0.1", "0.5", "1"]))
    def fill(self, data: Any, share: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.open)))
        amount = self.open[name] * Decimal(share)
        self.open[name] -= amount
        self.filled[name] += amount
        order = self.order(name)
        assert order is not None
        order.filled, order.filled_ms = self.filled[name], self.now
        order.fee_base = order.filled * self.fee if order.side == "buy" else Decimal(0)
        self.apply(self.book.filled(order))
        if not self.open[name]:
            self.end(name, End.COMPLETED)

    def end(self, name: str, how: End) -> None:
        del self.open[name]
        self.cancels.discard(name)
        order = self.order(name)
        assert order is not None
        self.told.add(name)
        self.apply(self.book.ended(order, how, self.now))

    @precondition(lambda self: self.cancels)
    @rule(data=st.data())
    def cancel_arrives(self, data: Any) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.cancels))), End.CANCELLED)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), how=st.sampled_from([End.CANCELLED, End.REFUSED]))
    def exchange_ends(self, data: Any, how: End) -> None:
        name = data.draw(st.sampled_from(sorted(self.open)))
        self.end(name, End.CANCELLED if self.filled[name] else how)

    @precondition(
        lambda self: any(not self.filled[name] for name in set(self.open) - {"entry"} - self.cancels)
    )
    @rule(data=st.data())
    def exchange_cannot_take_an_exit_now(self, data: Any) -> None:
        untouched = {name for name in self.open if not self.filled[name]} - {"entry"} - self.cancels
        name = data.draw(st.sampled_from(sorted(untouched)))
        order = self.order(name)
        assert order is not None
        assert self.book.is_exit(order)
        del self.open[name], self.sent[name]
        self.book.postpone(order)

    @rule()
    def what_waits_is_sent_again(self) -> None:
        for order in self.book:
            if order.stage is Stage.TRIGGERED:
                self.apply(self.book.resume(order))

    @precondition(lambda self: len(self.book))
    @rule(data=st.data())
    def owner_cancels(self, data: Any) -> None:
        alive = [order for order in self.book if not order.is_over]
        if alive:
            self.apply(self.book.cancel(data.draw(st.sampled_from(alive))))

    @rule(price=st.sampled_from([80.0, 88.0, 95.0, 100.0, 120.0]))
    def price_moves(self, price: float) -> None:
        self.now += 1_000
        self.apply(self.book.judge("ETH/BTC", bar(price, self.now), self.now))

    @rule()
    def process_dies(self) -> None:
        kept = [order.dump() for order in self.book]
        self.book = HeldBook()
        self.book.restore(HeldOrder.load(values) for values in kept)

    @invariant()
    def no_more_is_sold_than_was_bought(self) -> None:
        if hasattr(self, "book"):
            exits = [name for name in self.sent if name != "entry"]
            brought = self.filled["entry"] * (1 - self.fee)
            resting = sum((self.open.get(name, Decimal(0)) for name in exits), Decimal(0))
            sold = sum((self.filled[name] for name in exits), Decimal(0))
            assert sold + resting <= brought or not exits

    @invariant()
    def what_is_over_has_been_told(self) -> None:
        if hasattr(self, "book"):
            gone = {"entry", "limit", "stop", "trail"} - {order.client_order_id for order in self.book}
            over = {order.client_order_id for order in self.book if order.is_over}
            assert gone | over == self.told

    @invariant()
    def a_cancel_that_stands_is_of_an_open_order(self) -> None:
        if hasattr(self, "book"):
            assert self.cancels <= set(self.open)


BracketAtAnExchange.TestCase.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
TestBracketAtAnExchange = BracketAtAnExchange.TestCase
