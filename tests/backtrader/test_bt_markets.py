"""How markets deal: which can be traded, what a fill moves, what an order locks, and amounts in contracts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import backtrader as bt
import pytest
from bt_swaps import SWAP, SwapExchange, swap_market

from tradeguard.testing import ManualClock
from tradeguard_backtrader.accounts.fills import Fill
from tradeguard_backtrader.accounts.markets import (
    RefusedError,
    Resting,
    SpotMarket,
    SwapMarket,
    in_base,
    in_units,
    market_of,
)
from tradeguard_backtrader.accounts.net_position import NetPosition
from tradeguard_backtrader.accounts.snapshot import Balance, Ledger, Snapshot
from tradeguard_backtrader.brokers.claims import Claims
from tradeguard_backtrader.brokers.order_routing import dust_of
from tradeguard_backtrader.held.held_orders import HeldOrder

D = Decimal
SPOT = SpotMarket("ETH/USDT", "ETH", "USDT")


def ledger(size: str = "0", entry: str = "100", leverage: str = "4") -> Ledger:
    kept = Ledger()
    position = NetPosition(D(size), D(entry), D(leverage))
    kept.refresh(Snapshot({"USDT": Balance(D(1000))}, 1.0, {SWAP: position}), {})
    return kept


@pytest.fixture
def exchange() -> SwapExchange:
    return SwapExchange(ManualClock(), contractSize=0.1)


def test_a_linear_swap_is_quoted_and_settled_in_one_currency(exchange: SwapExchange) -> None:
    market = market_of(exchange, SWAP)
    assert market == SwapMarket(SWAP, "USDT", D("0.1"), 0.0005)
    assert (market.coin, market.closing, market.rests_stops) == ("", {"reduceOnly": True}, False)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"linear": False, "settle": "ETH"}, "settled in ETH"),
        ({"settle": "USDC"}, "settled in USDC"),
        ({"swap": False, "future": True}, "neither a spot market nor a perpetual swap"),
    ],
)
def test_other_derivatives_are_refused_with_a_reason(
    exchange: SwapExchange, values: dict[str, Any], reason: str
) -> None:
    exchange.markets[SWAP] = swap_market(**values)
    with pytest.raises(RefusedError, match=reason):
        market_of(exchange, SWAP)


def test_an_exchange_that_does_not_tell_positions_is_refused(exchange: SwapExchange) -> None:
    exchange.has["fetchPositions"] = False
    with pytest.raises(RefusedError, match="does not tell positions"):
        market_of(exchange, SWAP)


def test_a_fill_of_a_swap_moves_the_position_and_takes_profit_and_fee_to_the_wallet() -> None:
    market, kept = SwapMarket(SWAP, "USDT"), ledger("-2")
    fill = Fill(trade_id="1", amount=D(3), price=D(90), fee_quote=D("0.5"))
    market.settle(kept, fill, is_buy=True)
    assert market.position(kept) == NetPosition(D(1), D(90), D(4))
    assert kept.total("USDT") == D("1019.5")


def test_a_fill_of_spot_changes_coin_and_cash() -> None:
    kept = ledger()
    SPOT.settle(kept, Fill(trade_id="1", amount=D(3), price=D(90), fee_base=D("0.1")), is_buy=True)
    assert (SPOT.position(kept).size, kept.total("USDT")) == (D("2.9"), 730)
    assert (SPOT.binds(kept, D(90)), SPOT.worth(SPOT.position(kept), D(100))) == (0, 290)


@pytest.mark.parametrize(
    ("size", "is_buy", "reduces", "locked"),
    [
        ("0", True, False, 75),
        ("0", False, False, 75),
        ("0", True, True, 0),
        ("2", True, False, 75),
        ("2", False, False, 0),  # it turns two long into one short, which needs no more
        ("1", False, False, 25),
        ("2", False, True, 0),
        ("-5", True, False, 0),
    ],
)
def test_an_order_locks_the_margin_of_what_it_would_open(
    size: str, is_buy: bool, reduces: bool, locked: int
) -> None:
    """Three at 100, with a leverage of 4."""
    market = SwapMarket(SWAP, "USDT")
    order = Resting(D(3), D(100), is_buy, reduces)
    assert market.locks(ledger(size), [order], D(100)) == {"USDT": locked}


@pytest.mark.parametrize(
    ("size", "bids", "asks", "price", "locked"),
    [
        ("0", 3, 2, 100, 75),
        ("0", 2, 3, 100, 75),
        ("1", 3, 5, 100, 75),  # four long, or four short: three more than there is
        ("1", 3, 6, 100, 100),
        ("-1", 3, 2, 100, 50),
        ("1", 3, 0, 0, 75),  # a position without a last price counts at its own
        ("2", 0, 3, 50, 25),  # the position is worth 100, and the orders of 300 turn it into 200 short
    ],
)
def test_orders_on_both_sides_lock_the_margin_of_the_greater_of_them(
    size: str, bids: int, asks: int, price: int, locked: int
) -> None:
    """At 100, with a leverage of 4."""
    orders = [Resting(D(1), D(100), True)] * bids + [Resting(D(1), D(100), False)] * asks
    assert SwapMarket(SWAP, "USDT").locks(ledger(size), orders, D(price)) == {"USDT": locked}


def test_orders_of_spot_lock_coin_and_cash() -> None:
    orders = [Resting(D(3), D(100), True), Resting(D(2), D(110), False), Resting(D(1), D(90), True)]
    assert SPOT.locks(ledger(), orders, D(100)) == {"ETH": 2, "USDT": 390}


def test_cash_is_what_margin_and_losses_leave() -> None:
    market, kept = SwapMarket(SWAP, "USDT"), ledger("-2")
    assert market.binds(kept, D(110)) == 2 * 110 / 4 + 20
    assert kept.free("USDT", {}, market.binds(kept, D(110))) == 1000 - 55 - 20
    assert kept.free("USDT", {}, market.binds(kept, D(50))) == 1000 - 25 + 100


@pytest.mark.parametrize(("size", "price", "profit"), [("-2", 90.0, 20.0), ("2", 90.0, -20.0)])
def test_backtrader_counts_profit_value_and_margin_as_the_exchange_does(
    size: str, price: float, profit: float
) -> None:
    market, kept = SwapMarket(SWAP, "USDT", taker=0.0005), ledger(size)
    scheme = market.scheme(kept, None, 1.0)
    position = bt.Position(float(size), 100.0)
    assert not scheme.stocklike
    assert scheme.profitandloss(position.size, position.price, price) == profit
    assert scheme.getvalue(position, price) == pytest.approx(float(market.position(kept).margin(D(price))))
    assert scheme.getcommission(2.0, 100.0) == pytest.approx(0.1)
    assert scheme.getsize(100.0, 1000.0) == 40
    assert scheme.getsize(100.0, 10.0) == 0.4


def test_cash_buys_fractions_of_a_coin() -> None:
    usual = bt.CommInfoBase(percabs=True)
    scheme = SPOT.scheme(ledger(), usual, 1.0)
    assert scheme.stocklike
    assert (scheme.getsize(40_000.0, 5000.0), usual.getsize(40_000.0, 5000.0)) == (0.125, 0)
    assert SPOT.scheme(ledger(), usual, 2.0).getsize(40_000.0, 5000.0) == 0.25
    assert scheme.getvaluesize(-2, 100.0) == usual.getvaluesize(-2, 100.0)


def test_commission_in_per_cent_stays_what_it_is() -> None:
    usual = bt.CommInfoBase(commission=0.1)
    assert SPOT.scheme(ledger(), usual, 1.0).getcommission(2, 100.0) == usual.getcommission(2, 100.0) == 0.2


def test_a_scheme_of_the_users_own_is_theirs() -> None:
    class Own(bt.CommInfoBase):  # type: ignore[misc]
        pass

    usual = Own()
    assert SPOT.scheme(ledger(), usual, 1.0) is usual


def test_orders_and_trades_are_read_in_base_currency() -> None:
    told = {
        "id": "1",
        "amount": 30.0,
        "filled": 10.0,
        "remaining": 20.0,
        "cost": 5.0,
        "trades": [{"amount": 7.0}],
    }
    assert in_base(told, D("0.1")) == {
        "id": "1", "amount": 3.0, "filled": 1.0, "remaining": 2.0, "cost": 5.0,
        "trades": [{"amount": 0.7, "trades": []}],
    }  # fmt: skip
    assert in_base(told, D(1)) is told


def test_an_amount_is_counted_in_contracts() -> None:
    assert in_units(0.3, SwapMarket(SWAP, "USDT", D("0.1"))) == 3.0
    assert in_units(0.3, SPOT) == 0.3


def test_what_a_former_process_left_is_told_in_base_currency(exchange: SwapExchange) -> None:
    exchange.place("1", amount=30.0, filled=30.0, status="closed", symbol=SWAP)
    sent = HeldOrder(
        client_order_id="c", symbol=SWAP, home=SWAP, kind="Limit", side="buy", amount=D(3), order_id="1"
    )
    found = Claims(exchange, [sent]).find({})
    assert found.elsewhere["1"]["amount"] == found.elsewhere["1"]["filled"] == 3.0


def test_dust_is_told_in_base_currency(exchange: SwapExchange) -> None:
    assert dust_of(exchange, market_of(exchange, SWAP)) == D("0.0001")
