"""Withdrawals and transfers: each that arrives is carried out, so that one sent twice is seen."""

from __future__ import annotations

from decimal import Decimal

import ccxt
import pytest

from tradeguard.simulator import Balance, Fault, FaultKind, PayoutKind, Phase, SimulatedExchange
from tradeguard.simulator.ledger import Ledger

ADDRESS = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"


def test_binance_withdrawal_leaves_the_account(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    answer = binance.withdraw("BTC", 1.5, ADDRESS, params={"withdrawOrderId": "mine"})
    payout = exchange.payouts()[0]
    assert answer["id"]
    assert (payout.kind, payout.asset, payout.amount, payout.target) == (
        PayoutKind.WITHDRAWAL,
        "BTC",
        Decimal("1.5"),
        ADDRESS,
    )
    assert binance.fetch_balance()["BTC"]["total"] == 8.5
    assert exchange.requests[-2].client_order_id == "mine"


def test_binance_transfer_leaves_the_spot_wallet(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    assert binance.transfer("USDT", 100, "spot", "funding")["id"] == "1"
    assert [(one.kind, one.target) for one in exchange.payouts()] == [(PayoutKind.TRANSFER, "FUNDING")]
    with pytest.raises(ccxt.BadRequest):
        binance.transfer("USDT", 100, "funding", "spot")


def test_kraken_withdrawal_and_transfer_leave_the_account(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken
) -> None:
    ids = [
        kraken.withdraw("BTC", 1, None, {"key": "home"})["id"],
        kraken.transfer("ETH", 2, "spot", "swap")["id"],
    ]
    assert [one.asset for one in kraken_exchange.payouts()] == ["BTC", "ETH"]
    assert kraken.fetch_balance()["total"]["BTC"] == 9
    assert len(set(ids)) == 2


def test_more_than_there_is_cannot_be_withdrawn(
    exchange: SimulatedExchange, binance: ccxt.binance, kraken: ccxt.kraken
) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        binance.withdraw("BTC", 11, ADDRESS)
    with pytest.raises(ccxt.InsufficientFunds):
        kraken.withdraw("BTC", 11, None, {"key": "home"})
    assert exchange.payouts() == []


@pytest.mark.parametrize("phase", Phase)
def test_lost_answer_tells_not_whether_the_money_left(
    exchange: SimulatedExchange, binance: ccxt.binance, phase: Phase
) -> None:
    exchange.faults.add(Fault(FaultKind.DROPPED, "payout", phase))
    with pytest.raises(ccxt.NetworkError):
        binance.withdraw("BTC", 1, ADDRESS)
    binance.withdraw("BTC", 1, ADDRESS)
    assert len(exchange.payouts()) == (2 if phase is Phase.AFTER else 1)
    assert exchange.requests.count("POST", "/withdraw/apply") == 2


def test_what_leaves_is_not_lost_count_of() -> None:
    ledger = Ledger()
    ledger.open("one", {"BTC": Decimal(3)})
    before = ledger.totals()
    ledger.take_out("one", "BTC", Decimal(1))
    assert ledger.totals() == before
    assert ledger.balances("one")["BTC"] == Balance(Decimal(2), Decimal(0))


def test_accounts_see_their_own_payouts_only(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    exchange.add_account("other", {"BTC": 1})
    binance.withdraw("BTC", 1, ADDRESS)
    assert exchange.payouts("other") == []
