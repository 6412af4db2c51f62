"""Swaps at a simulated exchange, traded by ccxt's own binanceusdm: the broker tells what the exchange has."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import backtrader as bt
import pytest
from bt_runs import EventClock, Log, cut, path_of, run

from tradeguard.orders.interlock import InterlockState
from tradeguard.simulator import FaultPlan, SimulatedExchange, SyntheticMarket
from tradeguard_backtrader import GuardedBroker, GuardedStore

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]
SWAP = "ETH/USDT:USDT"


class Futures:
    """Trades scripts on one account, one process after the other, and holds what the broker says to the books."""

    def __init__(self, simulated: SimulatedExchange, guarded: Simulate, store_of: Stores) -> None:
        self.simulated = simulated
        self._guarded = guarded
        self._store_of = store_of
        self.broker: GuardedBroker

    def live(self, script: Any = None, *, broker: Any = None, **options: Any) -> Log:
        self.exchange = self._guarded(self.simulated, "binanceusdm", order_expiry=0.5, visibility_lag=0.1)
        store = self._store_of(self.exchange)
        terms = {"leverage": 3, **(broker or {})}
        given = {"symbol": SWAP, "history": 3, "bars": 12, **options}
        log = run(store, script=script, trading=True, broker=terms, **given)
        self.broker, self.data = store.getbroker(), store.datas[0]
        audit = self.simulated.audit(self.exchange.order_journal.intents())
        assert (audit.duplicated, audit.lost, audit.phantom, audit.mismatched) == ((), (), (), ())
        self.exchange.close()
        return log

    def agrees(self) -> None:
        """The broker's position, cash and value are the exchange's own."""
        there = self.simulated.positions()[SWAP]
        balance = self.simulated.balances()["USDT"]
        held = self.broker.getposition(self.data)
        assert held.size == float(there.amount)
        assert held.price == pytest.approx(float(there.entry_price))
        last = self.data.close[0]
        drift = float(there.amount) * (last - float(there.mark_price))
        assert self.broker.get_value() == pytest.approx(float(balance.total) + drift)
        margin = abs(float(there.amount)) * (last - float(there.mark_price)) / there.leverage
        assert self.broker.get_cash() == pytest.approx(float(balance.free) + drift - margin)


@pytest.fixture
def futures(simulate: Simulate, guarded: Simulate, store_of: Stores) -> Callable[..., Futures]:
    def make(*prices: float, **options: Any) -> Futures:
        market = (
            path_of(*prices, *[prices[-1]] * 200, history=20, symbol=SWAP)
            if prices
            else SyntheticMarket(SWAP)
        )
        settings = {"dialect": "binanceusdm", "market": market, "balances": {"USDT": 10_000}, **options}
        return Futures(simulate(**settings), guarded, store_of)

    return make


def states(log: Log) -> list[str]:
    return [state for _, state in log.orders]


def test_a_short_is_opened_with_the_leverage_asked_for_and_closed_by_reducing(futures: Any) -> None:
    traded = futures()
    log = traded.live({5: lambda strategy: strategy.sell(size=2),
                       9: lambda strategy: strategy.close(reduce_only=True)})  # fmt: skip
    assert states(log) == ["Submitted", "Accepted", "Completed"] * 2
    assert traded.simulated.positions()[SWAP].leverage == 3
    assert traded.simulated.positions()[SWAP].amount == 0
    traded.agrees()
    fills = traded.simulated.trades()
    closed = log.trades[-1]
    assert closed.pnl == pytest.approx(float(sum(fill.realized_pnl for fill in fills)))
    assert closed.commission == pytest.approx(float(sum(fill.fee for fill in fills)))
    assert traded.broker.get_value() == pytest.approx(10_000 + closed.pnlcomm)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_in_mid_position_and_with_an_open_order_all_agrees(futures: Any, side: str) -> None:
    traded = futures()

    def rest(strategy: Any) -> None:
        away = 0.9 if side == "buy" else 1.1
        getattr(strategy, side)(size=1, exectype=bt.Order.Limit, price=strategy.data.close[0] * away)

    traded.live({5: lambda strategy: getattr(strategy, side)(size=2), 8: rest})
    assert traded.simulated.positions()[SWAP].order_margin > 0
    traded.agrees()


def test_an_order_turns_a_long_into_a_short(futures: Any) -> None:
    traded = futures()
    log = traded.live({5: lambda strategy: strategy.buy(size=2), 9: lambda strategy: strategy.sell(size=5)})
    assert traded.simulated.positions()[SWAP].amount == -3
    traded.agrees()
    assert [(each.isclosed, each.long) for each in log.trades] == [
        (False, True),
        (True, True),
        (False, False),
    ]


def test_two_swaps_share_the_margin_of_one_account(futures: Any) -> None:
    other = "BTC/USDT:USDT"
    traded = futures(market=SyntheticMarket([SWAP, other]))
    seen: list[Any] = []

    def look(strategy: Any) -> None:
        prices = [(data._dataname, data.close[0]) for data in strategy.datas]
        seen.append((strategy.broker.get_value(), strategy.broker.get_cash(), dict(prices)))

    traded.live({
        5: lambda strategy: strategy.sell(data=strategy.datas[0], size=2),
        6: lambda strategy: strategy.buy(data=strategy.datas[1], size=0.01),
        12: look,
    }, also=[other], broker={"leverage": {SWAP: 3, other: 10}})  # fmt: skip
    positions = traded.simulated.positions()
    assert {symbol: (float(each.amount), each.leverage) for symbol, each in positions.items()} == {
        SWAP: (-2.0, 3), other: (0.01, 10),
    }  # fmt: skip
    ((value, cash, prices),) = seen
    fees = float(sum(fill.fee for fill in traded.simulated.trades()))
    gains = sum(
        float(each.amount) * (prices[name] - float(each.entry_price)) for name, each in positions.items()
    )
    margins = sum(abs(float(each.amount)) * prices[name] / each.leverage for name, each in positions.items())
    assert value == pytest.approx(10_000 - fees + gains)
    assert cash == pytest.approx(10_000 - fees + gains - margins)


def test_more_than_the_margin_carries_ends_as_margin(futures: Any) -> None:
    log = futures(balances={"USDT": 100}).live({5: lambda strategy: strategy.sell(size=5)})
    assert states(log) == ["Submitted", "Margin"]


def test_a_leverage_that_the_exchange_does_not_have_rejects_entries(futures: Any) -> None:
    log = futures().live({5: lambda strategy: strategy.sell(size=1)}, broker={"leverage": 126})
    assert "leverage should be between 1 and 125" in log.clones[0].info["reason"]


def test_a_reduction_of_nothing_is_rejected(futures: Any) -> None:
    log = futures().live({5: lambda strategy: strategy.sell(size=1, reduce_only=True)})
    assert states(log) == ["Submitted", "Rejected"]
    assert "-2022" in log.clones[-1].info["reason"]


def test_what_only_reduces_passes_where_entries_are_restricted(futures: Any) -> None:
    traded = futures()

    def restrict(strategy: Any) -> None:
        traded.exchange.interlock.restrict(
            "drill", InterlockState.REDUCE_ONLY, reason="a drill", lifted_by="its end"
        )
        strategy.sell(size=1)
        strategy.close(reduce_only=True)

    log = traded.live({5: lambda strategy: strategy.sell(size=2), 9: restrict})
    ends = [clone.getstatusname() for clone in log.clones if not clone.alive()]
    assert sorted(ends) == ["Completed", "Completed", "Rejected"]
    assert traded.simulated.positions()[SWAP].amount == 0


def short_bracket(strategy: Any) -> None:
    """Sell one, with a stop above and a limit below."""
    strategy.sell_bracket(size=1, exectype=bt.Order.Market, stopprice=2060.0, limitprice=1900.0)


@pytest.mark.parametrize(("last", "done"), [(2080.0, bt.Order.Stop), (1880.0, bt.Order.Limit)])
def test_a_bracket_of_a_short_ends_flat_by_its_stop_or_its_limit(
    futures: Any, last: float, done: int
) -> None:
    traded = futures(*[2000.0] * 8, last)
    log = traded.live({5: short_bracket}, bars=20)
    ends = {clone.exectype: clone.getstatusname() for clone in log.clones if not clone.alive()}
    assert ends.pop(bt.Order.Market) == "Completed"
    assert ends.pop(done) == "Completed"
    assert list(ends.values()) == ["Canceled"]
    assert traded.simulated.positions()[SWAP].amount == 0
    traded.agrees()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (bt.Order.Stop, {"price": 2020.0}),
        (bt.Order.StopLimit, {"price": 2020.0, "plimit": 2100.0}),
        (bt.Order.StopTrail, {"trailamount": 20.0}),
        (bt.Order.StopTrailLimit, {"price": 2020.0, "plimit": 2100.0, "trailamount": 20.0}),
    ],
)
def test_a_buy_stop_above_closes_a_short(futures: Any, kind: int, options: dict[str, Any]) -> None:
    traded = futures(*[2000.0] * 10, 2030.0)

    def protect(strategy: Any) -> None:
        strategy.buy(size=2, exectype=kind, reduce_only=True, **options)

    traded.live({4: lambda strategy: strategy.sell(size=2), 8: protect}, bars=20)
    assert traded.simulated.positions()[SWAP].amount == 0
    traded.agrees()


def test_one_cancels_the_other_for_a_short(futures: Any) -> None:
    traded = futures(*[2000.0] * 10, 1880.0)

    def exits(strategy: Any) -> None:
        limit = strategy.buy(size=2, exectype=bt.Order.Limit, price=1900.0, reduce_only=True)
        strategy.buy(size=2, exectype=bt.Order.Stop, price=2060.0, oco=limit, reduce_only=True)

    log = traded.live({4: lambda strategy: strategy.sell(size=2), 8: exits}, bars=20)
    ends = {clone.exectype: clone.getstatusname() for clone in log.clones if not clone.alive()}
    assert (ends[bt.Order.Limit], ends[bt.Order.Stop]) == ("Completed", "Canceled")
    traded.agrees()


def test_a_stop_that_is_larger_than_the_position_opens_no_other(futures: Any) -> None:
    traded = futures(*[2000.0] * 10, 2030.0)

    def protect(strategy: Any) -> None:
        strategy.buy(size=5, exectype=bt.Order.Stop, price=2020.0, reduce_only=True)

    traded.live({4: lambda strategy: strategy.sell(size=2), 8: protect}, bars=20)
    assert traded.simulated.positions()[SWAP].amount == 0
    traded.agrees()


def test_a_restart_in_mid_position_goes_on_with_position_and_held_stop(futures: Any) -> None:
    traded = futures(*[2000.0] * 16, 2030.0)

    def protect(strategy: Any) -> None:
        strategy.buy(size=2, exectype=bt.Order.Stop, price=2020.0, reduce_only=True)

    traded.live({4: lambda strategy: strategy.sell(size=2), 8: protect}, bars=8)
    assert traded.simulated.positions()[SWAP].amount == -2
    traded.agrees()
    first: list[Any] = []
    log = traded.live(
        {1: lambda strategy: first.append((strategy.position.size, strategy.position.price))}, bars=14
    )
    assert first == [(-2.0, float(traded.simulated.trades()[0].price))]
    assert states(log) == ["Accepted", "Completed"]
    assert traded.simulated.positions()[SWAP].amount == 0
    traded.agrees()


def test_a_held_entry_is_rejected_where_the_next_process_cannot_have_its_leverage(futures: Any) -> None:
    traded = futures(*[2000.0] * 16, 1960.0)

    def enter(strategy: Any) -> None:
        strategy.sell(size=2, exectype=bt.Order.Stop, price=1980.0)

    traded.live({5: enter}, bars=8)
    log = traded.live(bars=14, broker={"leverage": 126})
    assert states(log) == ["Accepted", "Rejected"]
    assert "on the terms that were asked for" in log.clones[-1].info["reason"]
    assert traded.simulated.orders() == []


@pytest.mark.parametrize("seed", [3, 6, 9])
def test_on_a_hostile_exchange_position_cash_and_value_are_its_own(futures: Any, seed: int) -> None:
    """Shorts with exits close by, longs and closings in between, and at the end all orders are over."""
    traded = futures(faults=FaultPlan.profile("hostile", seed=seed), seed=seed)

    def each(strategy: Any) -> None:
        bar, close = len(strategy.log.bars), strategy.data.close[0]
        if bar > 50:
            return
        if bar % 7 == 0:
            exits = {"stopprice": close * 1.001, "limitprice": close * 0.999}
            strategy.sell_bracket(size=0.5, exectype=bt.Order.Market, **exits)
        elif bar % 11 == 0:
            strategy.buy(size=0.75)
        elif bar % 13 == 0:
            strategy.close(reduce_only=True)

    log = traded.live(each=each, bars=100)
    ends = [clone for clone in log.clones if not clone.alive()]
    assert len(ends) > 20
    assert len({clone.ref for clone in ends}) == len(ends)
    bought = sum(clone.executed.size for clone in ends)
    assert bought == pytest.approx(float(traded.simulated.positions()[SWAP].amount))
    traded.agrees()


def test_the_feed_of_a_swap_outlives_an_outage_without_a_gap(futures: Any, clock: EventClock) -> None:
    traded = futures()
    cut(clock, traded.simulated, after=6, seconds=5)
    log = traded.live(bars=20)
    stamps = log.stamps()
    assert log.statuses == ["DELAYED", "LIVE", "CONNBROKEN", "DELAYED", "LIVE", "DISCONNECTED"]
    assert len(stamps) == 23
    assert {(after - before).total_seconds() for before, after in pairwise(stamps)} == {1.0}
