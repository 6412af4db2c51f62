"""Which fills make a trade of the strategy: not those of what it has not bought or sold itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock, Log, run

from tradeguard_backtrader import GuardedStore

Stores = Callable[..., GuardedStore]


class Account(ScriptedExchange):
    """A spot account that moves with its fills: market orders at `price`, without a fee."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.fills_markets, self.price = True, 0.05
        self.moves = [(0, 0.05)]
        self.balance = {"ETH": (0.0, 0.0), "BTC": (10.0, 0.0)}

    def fill(self, order_id: str, amount: float, **options: Any) -> None:
        super().fill(order_id, amount, **{"price": self.price, **options})
        sign = 1 if self.orders[order_id]["side"] == "buy" else -1
        self.hold(self.balance["ETH"][0] + sign * amount)
        self.balance["BTC"] = (self.balance["BTC"][0] - sign * amount * self.price, 0.0)

    def hold(self, coins: float) -> None:
        """Have so many coins in the account, whoever brought or took them."""
        self.balance["ETH"] = (round(coins, 9), 0.0)


@pytest.fixture
def account(clock: EventClock) -> Account:
    return Account(clock)


@pytest.fixture
def trade(account: Account, store_of: Stores) -> Callable[..., Log]:
    def start(script: Any, **options: Any) -> Log:
        given = {"history": 2, "bars": 40, **options}
        return run(store_of(account), script=script, trading=True, **given)

    return start


def buy(size: float, **options: Any) -> Callable[[Any], object]:
    return lambda strategy: strategy.buy(size=size, **options)


def sell(size: float, **options: Any) -> Callable[[Any], object]:
    return lambda strategy: strategy.sell(size=size, **options)


def trips(log: Log) -> list[tuple[bool, float, float]]:
    """Whether a trade was closed, its size and what it won, as notified."""
    return [(trade.isclosed, trade.size, round(trade.pnl, 9)) for trade in log.trades]


def at(account: Account, price: float, action: Callable[[Any], object]) -> Callable[[Any], object]:
    def act(strategy: Any) -> None:
        account.price = price
        action(strategy)

    return act


def test_coins_that_were_there_are_sold_by_no_trade(trade: Any, account: Account) -> None:
    """A bot that was restarted in mid-position closes it, and then trades."""
    account.hold(1.0)
    log = trade({
        4: lambda strategy: strategy.close(),
        8: at(account, 0.05, buy(1)),
        12: at(account, 0.06, lambda strategy: strategy.close()),
    })  # fmt: skip
    assert [state for _, state in log.orders if state == "Completed"] == ["Completed"] * 3
    assert trips(log) == [(False, 1.0, 0.0), (True, 0.0, 0.01)]
    assert [trade.long for trade in log.trades] == [True, True]


def test_the_run_sells_its_own_coins_first(trade: Any, account: Account) -> None:
    account.hold(2.0)
    log = trade({4: buy(1), 8: at(account, 0.07, sell(3))})
    assert trips(log) == [(False, 1.0, 0.0), (True, 0.0, 0.02)]
    assert log.sizes()[-1] == 0.0


def test_what_is_sold_of_a_position_counted_from_zero_is_a_short(trade: Any, account: Account) -> None:
    account.hold(2.0)
    log = trade({4: sell(1), 8: at(account, 0.04, buy(1))}, broker={"use_positions": False})
    assert trips(log) == [(False, -1.0, 0.0), (True, 0.0, 0.01)]


def test_an_adopted_order_sells_what_was_there_by_no_trade(
    trade: Any, account: Account, clock: EventClock
) -> None:
    account.hold(2.0)
    account.place("1", amount=2.0, side="sell", price=0.06)
    clock.at(4.5, lambda: account.fill("1", 2.0))
    log = trade({12: buy(1), 16: sell(1)})
    assert trips(log) == [(False, 1.0, 0.0), (True, 0.0, 0.0)]


def test_what_one_trade_id_has_no_other_one_inherits(trade: Any, account: Account) -> None:
    """As Backtrader's own broker counts them: each trade id by itself."""
    log = trade({4: buy(1, tradeid=1), 8: sell(1, tradeid=2)})
    assert trips(log) == [(False, 1.0, 0.0), (False, -1.0, 0.0)]
