"""Net positions: how fills move them, and what they are worth."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard_backtrader.accounts.net_position import NetPosition

D = Decimal
amounts = st.integers(-50, 50).filter(bool).map(lambda n: D(n) / 10)
prices = st.integers(1, 500).map(D)


@pytest.mark.parametrize(
    ("size", "delta", "after", "entry", "profit"),
    [
        ("0", "-2", "-2", "110", "0"),
        ("-2", "-2", "-4", "105", "0"),
        ("-2", "0.5", "-1.5", "100", "-5"),
        ("-2", "2", "0", "0", "-20"),
        ("-2", "5", "3", "110", "-20"),
        ("2", "-5", "-3", "110", "20"),
        ("2", "-0.5", "1.5", "100", "5"),
        ("2", "2", "4", "105", "0"),
    ],
)
def test_a_fill_opens_reduces_closes_or_turns(
    size: str, delta: str, after: str, entry: str, profit: str
) -> None:
    """Opened at 100, where there is anything, and filled at 110."""
    before = NetPosition(D(size), D(100) if D(size) else D(0), D(3))
    position, realised = before.moved(D(delta), D(110))
    assert (position.size, position.price, realised) == (D(after), D(entry), D(profit))
    assert position.leverage == 3


@given(st.lists(st.tuples(amounts, prices), max_size=12), prices)
def test_profit_realised_and_not_is_what_the_fills_cost_and_are_worth(
    fills: list[tuple[Decimal, Decimal]], last: Decimal
) -> None:
    position, wallet = NetPosition(), Fraction(0)
    for delta, price in fills:
        position, profit = position.moved(delta, price)
        wallet += Fraction(profit)
    paid = sum(Fraction(delta) * Fraction(price) for delta, price in fills)
    worth = Fraction(sum(delta for delta, _ in fills)) * Fraction(last)
    assert float(wallet + Fraction(position.gain(last))) == pytest.approx(float(worth - paid), abs=1e-9)


def test_a_short_wins_as_the_price_falls_and_binds_margin_all_the_same() -> None:
    position = NetPosition(D(-2), D(100), D(4))
    assert (position.gain(D(90)), position.gain(D(110))) == (20, -20)
    assert (position.margin(D(90)), position.margin(D(110))) == (45, 55)


def test_what_was_opened_at_a_price_that_nobody_knows_earns_nothing() -> None:
    position, profit = NetPosition(D(2), None).moved(D(-1), D(90))
    assert (position, profit) == (NetPosition(D(1), None), 0)
    assert NetPosition(D(2), None).moved(D(2), D(90)) == (NetPosition(D(4), D(90)), 0)


def test_without_a_price_nothing_is_won_and_the_margin_is_that_of_the_entry() -> None:
    position = NetPosition(D(-2), D(100), D(4))
    assert (position.gain(D(0)), position.margin(D(0))) == (0, 50)
    assert NetPosition(D(2), None).gain(D(5)) == 0
