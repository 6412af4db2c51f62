"""Which fills make a trade of the strategy: not those of what it has not bought or sold itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bt_exchange import MARKET, ScriptedExchange
from bt_runs import EventClock, Log, run
from bt_swaps import SWAP, SwapExchange

from tradeguard_backtrader import GuardedStore, StoreConfig

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
        return run(
            store_of(account, config=StoreConfig(balance_refresh=2.0)), script=script, trading=True, **given
        )

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


# -- what others do -------------------------------------------------------------------------------------------


def test_a_position_that_was_sold_by_hand_ends_its_trade_and_the_next_one_begins_anew(
    trade: Any, account: Account, clock: EventClock
) -> None:
    clock.at(12.5, lambda: account.hold(0.0))
    log = trade({
        4: buy(1),
        25: at(account, 0.06, buy(1)),
        30: at(account, 0.07, lambda strategy: strategy.close()),
    })  # fmt: skip
    assert log.store == [
        ("position_changed", "the position in ETH/BTC is 0.0, where it was 1.0: not by an order of this run")
    ]
    assert trips(log) == [(False, 1.0, 0.0), (True, 0.0, 0.0), (False, 1.0, 0.0), (True, 0.0, 0.01)]
    assert [trade.price for trade in log.trades] == [0.05, 0.05, 0.06, 0.06]
    assert [state for _, state in log.orders].count("Completed") == 3


def test_a_trade_that_others_have_ended_is_told_with_the_next_bar_without_quick_notifications(
    trade: Any, account: Account, clock: EventClock
) -> None:
    clock.at(12.5, lambda: account.hold(0.0))
    log = trade({4: buy(1)}, cerebro={"quicknotify": False})
    assert trips(log) == [(False, 1.0, 0.0), (True, 0.0, 0.0)]


def test_a_position_that_was_sold_in_part_leaves_a_smaller_trade(
    trade: Any, account: Account, clock: EventClock
) -> None:
    clock.at(12.5, lambda: account.hold(0.4))
    log = trade({4: buy(1), 25: at(account, 0.06, lambda strategy: strategy.close())})
    assert trips(log) == [(False, 1.0, 0.0), (True, 0.0, 0.004)]
    assert log.sizes()[-1] == 0.0


def test_what_was_there_before_is_taken_first(trade: Any, account: Account, clock: EventClock) -> None:
    account.hold(2.0)
    clock.at(12.5, lambda: account.hold(1.0))
    log = trade({4: buy(1), 25: sell(1)})
    assert log.kinds() == ["position_changed"]
    assert trips(log) == [(False, 1.0, 0.0), (True, 0.0, 0.0)]
    assert log.sizes()[-1] == 0.0


def test_a_deposit_is_told_and_belongs_to_no_trade(trade: Any, account: Account, clock: EventClock) -> None:
    clock.at(12.5, lambda: account.hold(3.0))
    log = trade({4: buy(1), 25: at(account, 0.06, sell(3))})
    assert log.kinds() == ["position_changed"]
    assert trips(log) == [(False, 1.0, 0.0), (True, 0.0, 0.01)]


def test_a_balance_that_lags_behind_a_fill_ends_no_trade(
    trade: Any, account: Account, clock: EventClock
) -> None:
    """For some seconds the exchange shows the balance of before."""
    fill = account.fill

    def late(order_id: str, amount: float, **options: Any) -> None:
        before = dict(account.balance)
        fill(order_id, amount, **options)
        after, account.balance = account.balance, before
        clock.at(3.5, lambda: setattr(account, "balance", after))

    account.fill = late  # type: ignore[method-assign]
    log = trade({4: buy(1), 25: lambda strategy: strategy.close()})
    assert log.kinds() == []
    assert trips(log) == [(False, 1.0, 0.0), (True, 0.0, 0.0)]


def test_fills_upon_a_balance_that_lags_behind_belong_to_the_trade(
    trade: Any, account: Account, clock: EventClock
) -> None:
    """Two orders are filled before the exchange shows any coins."""

    def unseen(order_id: str, amount: float, **options: Any) -> None:
        ScriptedExchange.fill(account, order_id, amount, **{"price": account.price, **options})

    account.fill = unseen  # type: ignore[method-assign]
    clock.at(8.2, lambda: account.hold(2.0))
    log = trade({4: buy(1), 7: buy(1)}, bars=30)
    assert log.kinds() == []
    assert log.trades[0].size == 1.0
    assert log.sizes()[-1] == 2.0
    assert account.called("create_order")[1][2:4] == ("buy", 1.0)
    assert [clone.executed.exbits[-1].opened for clone in log.clones if clone.status == clone.Completed] == [
        1,
        1,
    ]


def test_a_coin_that_pays_for_another_was_not_taken_by_others(trade: Any, account: Account) -> None:
    """Buying ETH for BTC makes the position in BTC/USDT smaller."""
    account.markets["BTC/USDT"] = {**MARKET, "symbol": "BTC/USDT"}
    log = trade({4: buy(1)}, also=("BTC/USDT",))
    assert log.kinds() == []
    assert trips(log) == [(False, 1.0, 0.0)]


def test_nothing_of_that_is_told_of_a_position_counted_from_zero(
    trade: Any, account: Account, clock: EventClock
) -> None:
    clock.at(12.5, lambda: account.hold(9.0))
    log = trade({4: buy(1), 25: sell(1)}, broker={"use_positions": False})
    assert log.kinds() == []
    assert trips(log) == [(False, 1.0, 0.0), (True, 0.0, 0.0)]


def test_a_short_that_was_liquidated_ends_its_trade(clock: EventClock, store_of: Stores) -> None:
    exchange = SwapExchange(clock)
    clock.at(12.5, lambda: setattr(exchange, "position", (0.0, 0.0)))
    log = run(
        store_of(exchange, config=StoreConfig(balance_refresh=2.0)), symbol=SWAP, trading=True, history=2, bars=40,
        script={4: sell(2, tradeid=7), 25: sell(1), 30: lambda strategy: strategy.close()},
    )  # fmt: skip
    assert log.kinds() == ["position_changed"]
    assert trips(log) == [(False, -2.0, 0.0), (True, 0.0, 0.0), (False, -1.0, 0.0), (True, 0.0, 0.0)]
    assert [trade.tradeid for trade in log.trades] == [7, 7, 0, 0]


def test_every_trade_of_the_symbol_has_its_part(trade: Any, account: Account, clock: EventClock) -> None:
    clock.at(12.5, lambda: account.hold(0.5))
    log = trade({4: buy(1, tradeid=1), 6: buy(1, tradeid=2), 25: sell(0.5, tradeid=2)})
    assert trips(log) == [(False, 1.0, 0.0), (False, 1.0, 0.0), (True, 0.0, 0.0), (True, 0.0, 0.0)]
    assert [trade.tradeid for trade in log.trades] == [1, 2, 1, 2]
