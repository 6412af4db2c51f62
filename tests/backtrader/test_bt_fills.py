"""Fills: each counted once, added up exactly, divided into what closes and what opens."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tradeguard_backtrader.accounts.fills import Fill, FillBook, Holding, exact

AMOUNTS = st.integers(1, 10**6).map(lambda number: Decimal(number) / 10_000)
PRICES = st.integers(1, 10**6).map(lambda number: Decimal(number) / 1000)


def fill(trade_id: str, amount: str = "1", price: str = "2", at_ms: int | None = None) -> Fill:
    return Fill(trade_id=trade_id, amount=Decimal(amount), price=Decimal(price), at_ms=at_ms)


def test_a_fill_that_comes_again_is_counted_once() -> None:
    book = FillBook(Decimal(3))
    assert [each.trade_id for each in book.new([fill("a"), fill("b"), fill("a")])] == ["a", "b"]
    assert [each.trade_id for each in book.new([fill("b"), fill("c")])] == ["c"]
    assert (book.filled, book.cost, book.remaining, book.is_complete) == (3, 6, 0, True)


def test_new_fills_come_in_the_order_of_time() -> None:
    book = FillBook(Decimal(3))
    late, early = fill("late", at_ms=2000), fill("early", at_ms=1000)
    assert book.new([late, early]) == [early, late]


def test_ten_fills_of_a_tenth_complete_one() -> None:
    book = FillBook(exact(1.0))
    for number in range(10):
        assert not book.is_complete
        book.new([fill(str(number), "0.1")])
    assert book.is_complete
    assert book.remaining == 0


def test_what_was_filled_too_much_leaves_nothing_to_fill() -> None:
    book = FillBook(Decimal(1))
    book.new([fill("a", "1.5")])
    assert (book.remaining, book.is_complete) == (0, True)


def test_three_buys_of_a_tenth_are_closed_by_a_sale_of_three_tenths() -> None:
    holding = Holding()
    shown = 0.0
    for _ in range(3):
        shown += holding.change(Decimal("0.1"), Decimal(1)).opened
    parts = holding.change(Decimal("-0.3"), Decimal(1))
    shown += parts.closed
    assert shown == 0.0
    assert parts.opened == 0.0


def test_a_reversal_closes_all_and_opens_the_rest_at_its_own_price() -> None:
    holding = Holding()
    holding.change(Decimal(2), Decimal(10))
    parts = holding.change(Decimal(-5), Decimal(12))
    assert (parts.closed, parts.opened) == (-2.0, -3.0)
    assert (holding.amount, holding.price) == (Decimal(-3), Decimal(12))


def test_an_increase_averages_the_price_and_a_reduction_keeps_it() -> None:
    holding = Holding()
    holding.change(Decimal(1), Decimal(10))
    holding.change(Decimal(3), Decimal(14))
    assert holding.price == 13
    holding.change(Decimal(-2), Decimal(99))
    assert (holding.amount, holding.price) == (2, 13)


def test_a_remainder_that_cannot_be_traded_is_closed_with_the_rest() -> None:
    holding = Holding()
    shown = holding.change(Decimal("0.09995"), Decimal(1)).opened
    parts = holding.change(Decimal("-0.0999"), Decimal(1), dust=Decimal("0.0001"))
    assert shown + parts.closed == 0.0
    assert holding.amount == 0


def test_a_remainder_that_can_be_traded_is_kept() -> None:
    holding = Holding()
    holding.change(Decimal("0.1"), Decimal(1))
    holding.change(Decimal("-0.0999"), Decimal(1), dust=Decimal("0.0001"))
    assert holding.amount == Decimal("0.0001")


@given(st.lists(st.tuples(AMOUNTS, st.booleans(), PRICES), min_size=1, max_size=60))
def test_the_parts_add_up_to_the_holding_and_to_exactly_nothing_at_zero(
    changes: list[tuple[Decimal, bool, Decimal]],
) -> None:
    holding, shown, amount = Holding(), 0.0, Decimal(0)
    for size, is_buy, price in changes:
        delta = size if is_buy else -size
        amount += delta
        parts = holding.change(delta, price)
        for part in (parts.closed, parts.opened):
            shown += part
        assert holding.amount == amount
        assert shown == float(amount) or abs(shown - float(amount)) < 1e-9
    parts = holding.change(-amount, Decimal(1))
    assert shown + parts.closed + parts.opened == 0.0


@given(st.lists(AMOUNTS, min_size=1, max_size=30))
def test_fills_that_make_up_the_amount_complete_it(parts: list[Decimal]) -> None:
    book = FillBook(sum(parts, Decimal(0)))
    for number, part in enumerate(parts):
        assert not book.is_complete
        book.new([fill(str(number), str(part))])
    assert book.is_complete
