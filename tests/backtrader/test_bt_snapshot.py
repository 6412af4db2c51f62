"""Cash and positions between two balances."""

from __future__ import annotations

from decimal import Decimal

from tradeguard_backtrader.accounts.fills import Fill
from tradeguard_backtrader.accounts.markets import SpotMarket
from tradeguard_backtrader.accounts.snapshot import Balance, Ledger, Snapshot, balances_of, rates_into

SPOT = SpotMarket("ETH/BTC", "ETH", "BTC")


def ledger(**balances: tuple[str, str]) -> Ledger:
    kept = Ledger()
    kept.refresh(
        Snapshot({name: Balance(Decimal(total), Decimal(locked)) for name, (total, locked) in balances.items()}, 5.0),
        {},
    )  # fmt: skip
    return kept


def test_what_an_exchange_leaves_out_of_a_balance_follows_from_the_rest() -> None:
    answer = {
        "total": {"ETH": 3.0, "BTC": None, "USD": 7.0, "EUR": 0.0},
        "ETH": {"free": 1.0, "used": 2.0, "total": 3.0},
        "BTC": {"free": 0.25, "used": 0.5, "total": None},
        "USD": {"free": 5.0, "used": None, "total": 7.0},
    }
    assert balances_of(answer) == {
        "ETH": Balance(Decimal("3.0"), Decimal("2.0")),
        "BTC": Balance(Decimal("0.75"), Decimal("0.5")),
        "USD": Balance(Decimal("7.0"), Decimal("2.0")),
        "EUR": Balance(Decimal("0.0"), Decimal(0)),
    }


def test_an_answer_without_balances_is_an_empty_account() -> None:
    assert balances_of({"info": {}}) == {}


def test_a_buy_moves_coin_and_cash_and_its_fees_at_once() -> None:
    kept = ledger(ETH=("1", "0"), BTC=("2", "0"))
    fill = Fill(trade_id="1", amount=Decimal(2), price=Decimal("0.05"), fee_base=Decimal("0.002"))
    SPOT.settle(kept, fill, is_buy=True)
    assert (kept.total("ETH"), kept.total("BTC")) == (Decimal("2.998"), Decimal("1.90"))


def test_a_sale_moves_them_back() -> None:
    kept = ledger(ETH=("1", "0"), BTC=("2", "0"))
    fill = Fill(trade_id="1", amount=Decimal(1), price=Decimal("0.05"), fee_quote=Decimal("0.001"))
    SPOT.settle(kept, fill, is_buy=False)
    assert (kept.total("ETH"), kept.total("BTC")) == (Decimal(0), Decimal("2.049"))


def test_cash_is_what_neither_our_orders_nor_others_lock() -> None:
    kept = Ledger()
    snapshot = Snapshot({"BTC": Balance(Decimal(10), Decimal(4))}, 1.0)
    kept.refresh(snapshot, {"BTC": Decimal(3)})
    assert kept.free("BTC", {"BTC": Decimal(3)}) == 6
    assert kept.free("BTC", {}) == 9
    assert kept.free("BTC", {"BTC": Decimal(20)}) == 0


def test_margin_is_what_the_exchange_says_even_where_that_is_less_than_we_reckon() -> None:
    kept = Ledger()
    kept.refresh(Snapshot({"USDT": Balance(Decimal(10), Decimal(2))}, 1.0), {"USDT": Decimal(3)}, {"USDT"})
    assert kept.free("USDT", {"USDT": Decimal(3)}) == 8
    assert kept.free("USDT", {}) == 10
    assert kept.free("USDT", {"USDT": Decimal(3)}, Decimal(-4)) == 12


def test_coins_that_the_exchange_does_not_call_locked_are_locked_by_our_orders() -> None:
    kept = Ledger()
    kept.refresh(Snapshot({"BTC": Balance(Decimal(10))}, 1.0), {"BTC": Decimal(3)})
    assert kept.free("BTC", {"BTC": Decimal(3)}) == 7


def test_the_worth_counts_every_currency_that_has_a_price() -> None:
    kept = ledger(BTC=("2", "0"), ETH=("10", "5"), USDT=("30000", "0"), DOGE=("1000", "0"))
    prices = {("ETH", "BTC"): Decimal("0.05"), ("BTC", "USDT"): Decimal(60_000)}
    assert kept.value("BTC", prices) == Decimal("3.0")


def test_a_price_of_zero_is_no_price() -> None:
    assert ledger(BTC=("2", "0"), USDT=("9", "0")).value("BTC", {("BTC", "USDT"): Decimal(0)}) == 2


def test_what_has_no_price_of_its_own_is_converted_by_way_of_others() -> None:
    prices = {("ETH", "BTC"): Decimal("0.05"), ("BTC", "USDT"): Decimal(60_000), ("DOGE", "EUR"): Decimal(1)}
    assert rates_into("USDT", prices) == {"USDT": 1, "BTC": 60_000, "ETH": 3000}
    assert rates_into("ETH", prices) == {"ETH": 1, "BTC": 20, "USDT": 20 / Decimal(60_000)}


def test_the_shortest_way_is_taken() -> None:
    prices = {("A", "B"): Decimal(2), ("B", "C"): Decimal(3), ("A", "C"): Decimal(7)}
    assert rates_into("C", prices)["A"] == 7
