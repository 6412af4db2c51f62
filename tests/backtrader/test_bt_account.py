"""What the account holds as a run begins, and how it is kept up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock, Log, run

from tradeguard.orders.errors import JournalError
from tradeguard_backtrader import GuardedStore, StoreConfig

Stores = Callable[..., GuardedStore]


@pytest.fixture
def trade(scripted: ScriptedExchange, store_of: Stores) -> Callable[..., Log]:
    def start(
        script: Any = None, *, bars: int = 10, config: StoreConfig | None = None, **options: Any
    ) -> Log:
        settings = {} if config is None else {"config": config}
        return run(
            store_of(scripted, **settings), script=script, trading=True, history=2, bars=bars, **options
        )

    return start


def test_an_open_order_is_adopted_with_what_remains_and_without_an_owner(
    trade: Any, scripted: ScriptedExchange
) -> None:
    scripted.place("1", amount=2.0, side="sell", price=0.06)
    scripted.fill("1", 0.5)
    log = trade()
    (adopted,) = log.clones
    assert log.orders == [(adopted.ref, "Accepted")]
    assert (adopted.owner, adopted.created.size, adopted.created.price) == (None, -1.5, 0.06)
    assert adopted.info["order_id"] == "1"
    assert adopted.exectype == bt.Order.Limit


@pytest.mark.parametrize(
    ("price", "trigger", "kind"),
    [(0.06, 0.07, bt.Order.StopLimit), (None, 0.07, bt.Order.Stop), (None, None, bt.Order.Market)],
)
def test_an_adopted_order_is_of_its_own_type(
    trade: Any, scripted: ScriptedExchange, price: Any, trigger: Any, kind: int
) -> None:
    scripted.place("1", amount=2.0, price=price, triggerPrice=trigger)
    log = trade()
    assert log.clones[0].exectype == kind


def test_open_orders_are_adopted_before_the_first_next(trade: Any, scripted: ScriptedExchange) -> None:
    scripted.place("1", amount=2.0)
    known: list[int] = []
    trade(each=lambda strategy: known.append(len(strategy.log.orders)))
    assert known[0] == 1


def test_fills_of_an_adopted_order_go_on_where_they_were(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    scripted.place("1", amount=2.0)
    scripted.fill("1", 0.5)
    clock.at(3.5, lambda: scripted.fill("1", 0.5))
    clock.at(6.5, lambda: scripted.fill("1", 1.0))
    log = trade()
    assert [state for _, state in log.orders] == ["Accepted", "Partial", "Completed"]
    assert [clone.executed.size for clone in log.clones] == [0.0, 0.5, 1.5]


def test_an_adopted_order_can_be_cancelled(trade: Any, scripted: ScriptedExchange) -> None:
    scripted.place("1", amount=2.0)
    log = trade({4: lambda strategy: strategy.cancel(strategy.log.clones[0])})
    assert [state for _, state in log.orders] == ["Accepted", "Canceled"]


def test_open_orders_are_left_alone_where_that_is_asked_for(trade: Any, scripted: ScriptedExchange) -> None:
    scripted.place("1", amount=2.0)
    config = StoreConfig(balance_refresh=3.0)
    ages: list[float] = []
    log = trade(
        broker={"adopt_orders": False}, config=config, bars=12,
        each=lambda strategy: ages.append(strategy.broker.snapshot_age()),
    )  # fmt: skip
    assert log.orders == []
    assert max(ages) <= 4.0  # balances go on being refreshed


def test_locked_coin_is_part_of_the_position_and_not_of_cash(trade: Any, scripted: ScriptedExchange) -> None:
    scripted.balance = {"ETH": (5.0, 2.0), "BTC": (1.0, 0.4)}
    seen: list[tuple[float, float]] = []
    trade({3: lambda strategy: seen.append((strategy.position.size, strategy.broker.get_cash()))})
    assert seen == [(5.0, 0.6)]


def fills_behind_the_balance(scripted: ScriptedExchange, clock: EventClock, *, after: float) -> None:
    """Have order 1 filled right after a balance was made that does not have it yet."""
    honest = scripted.fetch_balance

    def fetch_balance() -> Any:
        answer = honest()
        if clock.monotonic() >= after and not scripted.trades["1"]:
            scripted.fill("1", 1.0)
            scripted.balance["ETH"] = (6.0, 0.0)
        return answer

    scripted.fetch_balance = fetch_balance  # type: ignore[method-assign]


def test_what_moves_while_it_is_read_is_read_again(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    """An order is filled between the balance and the open orders: both are read once more."""
    scripted.place("1", amount=2.0)
    fills_behind_the_balance(scripted, clock, after=0)
    log = trade()
    assert set(log.sizes()) == {6.0}
    assert log.clones[0].created.size == 1.0
    assert [state for _, state in log.orders] == ["Accepted"]


def test_a_balance_that_an_order_moved_under_is_not_used(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    """The fill is told, and the balance that was made before it comes after it: the position would jump back."""
    fills_behind_the_balance(scripted, clock, after=1006)
    order = {4: lambda strategy: strategy.buy(size=1, exectype=bt.Order.Limit, price=0.05)}
    log = trade(order, bars=15, config=StoreConfig(balance_refresh=2.0, order_poll=5.0))
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]
    assert ("Completed", 6.0) in log.held
    assert log.sizes() == sorted(log.sizes())
    assert set(log.sizes()) == {5.0, 6.0}


def test_deposits_and_trades_by_hand_are_noticed(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    clock.at(4.5, lambda: scripted.balance.update(ETH=(8.0, 0.0)))
    sizes: list[float] = []
    trade(
        bars=12, config=StoreConfig(balance_refresh=2.0),
        each=lambda strategy: sizes.append(strategy.position.size),
    )  # fmt: skip
    assert (sizes[0], sizes[-1]) == (5.0, 8.0)


def test_cash_and_positions_are_read_without_a_request(trade: Any, scripted: ScriptedExchange) -> None:
    def look(strategy: Any) -> None:
        before = len(scripted.calls)
        for _ in range(100):
            strategy.broker.get_cash()
            strategy.broker.get_value()
            strategy.broker.getposition(strategy.data)
        assert len(scripted.calls) == before

    log = trade(each=look)
    assert len(log.bars) == 12


def test_no_bar_comes_before_the_account_is_known(trade: Any, scripted: ScriptedExchange) -> None:
    scripted.fail("fetch_balance", *[ccxt.NetworkError("down")] * 6)
    sizes: list[float] = []
    log = trade(
        each=lambda strategy: sizes.append(strategy.position.size), config=StoreConfig(start_patience=1.0)
    )
    assert set(sizes) == {5.0}
    assert log.kinds() == ["account"]
    assert len(log.bars) == 12


def test_a_key_that_is_refused_rejects_orders_and_the_bars_go_on(
    trade: Any, scripted: ScriptedExchange
) -> None:
    scripted.fail("fetch_balance", *[ccxt.AuthenticationError("bad key")] * 100)
    log = trade({5: lambda strategy: strategy.buy(size=1)})
    assert [state for _, state in log.orders] == ["Rejected"]
    assert len(log.bars) == 12
    assert log.kinds() == ["account"]
    assert scripted.called("create_order") == []


def test_a_key_that_is_allowed_again_can_trade_again(trade: Any, scripted: ScriptedExchange) -> None:
    scripted.fail("fetch_balance", ccxt.AuthenticationError("bad key"))
    log = trade({50: lambda strategy: strategy.buy(size=1)}, bars=60)
    assert [state for _, state in log.orders] == ["Submitted", "Accepted"]


def test_an_account_that_answers_from_a_cache_has_not_answered(
    trade: Any, scripted: ScriptedExchange
) -> None:
    class Stale(dict[str, Any]):
        is_stale = True
        age = 9.0

    scripted.fail("fetch_balance", Stale(total={"ETH": 99.0}))
    sizes: list[float] = []
    trade(each=lambda strategy: sizes.append(strategy.position.size))
    assert set(sizes) == {5.0}


def test_an_outage_of_the_account_in_mid_run_is_told_once_and_the_run_goes_on(
    trade: Any, scripted: ScriptedExchange
) -> None:
    scripted.fail("fetch_balance", None, *[ccxt.NetworkError("down")] * 4)
    ages: list[float] = []
    log = trade(
        bars=40, config=StoreConfig(balance_refresh=2.0),
        each=lambda strategy: ages.append(strategy.broker.snapshot_age()),
    )  # fmt: skip
    assert log.kinds() == ["account"]
    assert max(ages) > 6.0 > ages[-1]


def test_a_journal_that_cannot_be_read_does_not_keep_the_bars_back(
    clock: EventClock, store_of: Stores
) -> None:
    class Unjournaled(ScriptedExchange):
        def recover_orders(self) -> None:
            raise JournalError("disk full")

    log = run(store_of(Unjournaled(clock)), trading=True, history=2, bars=3)
    assert len(log.bars) == 5
    assert log.store[0] == ("account", "orders cannot be recovered: disk full")


def test_what_a_crash_left_open_is_resolved_before_anything_is_adopted(
    clock: EventClock, store_of: Stores
) -> None:
    class Recovering(ScriptedExchange):
        def recover_orders(self) -> list[Any]:
            self.calls.append(("recover_orders", ()))
            return []

    exchange = Recovering(clock)
    run(store_of(exchange), trading=True, history=2, bars=3)
    names = [name for name, _ in exchange.calls]
    assert names.index("recover_orders") < names.index("fetch_open_orders")


def test_orders_of_a_market_that_is_none_are_rejected(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.markets["ETH/BTC:BTC"] = {"symbol": "ETH/BTC:BTC", "spot": False}
    script = {4: lambda strategy: strategy.buy(size=1)}
    log = run(store_of(scripted), symbol="ETH/BTC:BTC", script=script, trading=True, history=2, bars=5)
    assert [state for _, state in log.orders] == ["Rejected"]
    assert "neither a spot market nor a perpetual swap" in log.clones[0].info["reason"]


def test_several_open_orders_are_looked_at_with_one_request(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    def orders(strategy: Any) -> None:
        for price in (0.041, 0.042, 0.043):
            strategy.buy(size=1, exectype=bt.Order.Limit, price=price)

    clock.at(8.5, lambda: scripted.fill("2", 1.0))
    log = trade({4: orders}, bars=15)
    looks = len(scripted.called("fetch_open_orders"))
    assert looks > 5
    assert len(scripted.called("fetch_order")) <= 2
    assert [ref for ref, state in log.orders if state == "Completed"] == [log.orders[0][0] + 1]


SIGNED = "binance GET https://api.example.com/account?timestamp=1&signature=0123456789abcdef"


def test_no_signature_reaches_a_notification_an_order_or_the_log(
    trade: Any, scripted: ScriptedExchange, caplog: pytest.LogCaptureFixture
) -> None:
    """A plain exchange puts the signed address into its errors."""
    caplog.set_level("DEBUG")
    scripted.fail("fetch_balance", ccxt.NetworkError(SIGNED))
    scripted.fail("fetch_ohlcv", None, None, ccxt.NetworkError(SIGNED))
    scripted.fail("create_order", ccxt.InvalidOrder(SIGNED), ccxt.NetworkError(SIGNED))
    scripted.fail("cancel_order", ccxt.NetworkError(SIGNED))
    scripted.place("1", amount=2.0)

    def act(strategy: Any) -> None:
        strategy.buy(size=1)
        strategy.buy(size=1)
        strategy.cancel(strategy.log.clones[0])

    log = trade({5: act}, bars=20)
    assert {"account", "outage", "order_in_doubt", "cancel_failed"} <= set(log.kinds())
    told = [text for _, text in log.store] + [str(dict(clone.info)) for clone in log.clones] + [caplog.text]
    assert "signature=***" in "".join(told)
    assert not [text for text in told if "0123456789abcdef" in text]
