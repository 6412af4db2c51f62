"""Orders that the exchange does not have, held by the broker: what a strategy is told and what is sent when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import backtrader as bt
import pytest
from bt_runs import Log, path_of, run

from tradeguard_backtrader import GuardedStore

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]
Market, Close, Limit, Stop, StopLimit = (
    bt.Order.Market, bt.Order.Close, bt.Order.Limit, bt.Order.Stop, bt.Order.StopLimit,
)  # fmt: skip
StopTrail, StopTrailLimit = bt.Order.StopTrail, bt.Order.StopTrailLimit
FLAT = 0.05


@pytest.fixture
def trade(simulate: Simulate, guarded: Simulate, store_of: Stores) -> Callable[..., tuple[Log, Any]]:
    """Trades a script along a path of prices, with 5 ETH and 1 BTC; returns the log and the exchange."""

    def start(prices: list[float], script: Any, **options: Any) -> tuple[Log, Any]:
        path = [*prices, *[prices[-1]] * 8]
        simulated = simulate(market=path_of(*path), balances={"ETH": 5, "BTC": 1})
        exchange = guarded(simulated)
        log = run(store_of(exchange), script=script, trading=True, history=3, bars=len(path) - 3, **options)
        assert simulated.audit(exchange.order_journal.intents()).clean
        return log, simulated

    return start


def sent(simulated: Any) -> list[tuple[str, str, float]]:
    return [
        (str(order.side).lower(), str(order.type).lower(), float(order.amount))
        for order in simulated.orders()
    ]


def kept(make: str, **options: Any) -> Callable[[Any], None]:
    def act(strategy: Any) -> None:
        strategy.kept = getattr(strategy, make)(**options)

    return act


def test_a_trailing_stop_follows_the_closes_up_and_sells_at_market_when_they_fall_back(trade: Any) -> None:
    stops: list[float] = []
    script = {
        5: kept("sell", size=1, exectype=StopTrail, trailamount=0.001),
        9: lambda strategy: stops.append(strategy.kept.created.price),
    }
    log, simulated = trade([FLAT, FLAT, 0.051, 0.052, 0.053, 0.0525, 0.0519], script)
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]
    assert sent(simulated) == [("sell", "market", 1.0)]
    assert stops == [pytest.approx(0.052)]
    accepted, done = log.clones[1], log.clones[2]
    assert accepted.info["held"] == "here"
    assert done.triggered
    assert done.info["order_id"] == simulated.orders()[0].order_id
    assert done.executed.price == pytest.approx(0.052, rel=2e-2)


def test_a_trailing_buy_goes_down_with_a_share_of_the_price(trade: Any) -> None:
    script = {5: kept("buy", size=1, exectype=StopTrail, trailpercent=0.02)}
    log, simulated = trade([FLAT, FLAT, 0.049, 0.048, 0.0484, 0.0491], script)
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]
    assert log.clones[-1].created.price == pytest.approx(0.048 * 1.02)
    assert sent(simulated) == [("buy", "market", 1.0)]


def test_a_trailing_stop_limit_takes_its_limit_along(trade: Any) -> None:
    script = {5: kept("sell", size=1, exectype=StopTrailLimit, price=FLAT, plimit=0.0495, trailamount=0.001)}
    log, simulated = trade([FLAT, FLAT, 0.051, 0.052, 0.0508], script)
    (order,) = simulated.orders()
    assert (str(order.type), float(order.price)) == ("limit", pytest.approx(0.0505))
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]


def test_an_order_at_the_close_is_sent_when_the_session_ends(trade: Any) -> None:
    """The session ends two seconds after the order."""
    ends: list[Any] = []

    def order(strategy: Any) -> None:
        end = strategy.data.datetime.datetime(0) + timedelta(seconds=2.5)
        strategy.data.p.sessionend = end.time()
        strategy.sell(size=1, exectype=Close)
        ends.append(end)

    log, simulated = trade([FLAT] * 8, {5: order})
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]
    (fill,) = simulated.trades()
    late = fill.time_ms / 1000 - (ends[0] - ends[0].__class__(1970, 1, 1)).total_seconds()
    assert 0 <= late < 1.1


def test_a_stop_in_a_group_is_held_here_and_one_that_stands_alone_is_the_exchanges(trade: Any) -> None:
    def group(strategy: Any) -> None:
        first = strategy.sell(size=1, exectype=Limit, price=0.06)
        strategy.sell(size=1, exectype=Stop, price=0.049, oco=first)
        strategy.sell(size=1, exectype=Stop, price=0.045)

    log, simulated = trade([FLAT] * 4, {5: group})
    assert sent(simulated) == [("sell", "limit", 1.0), ("sell", "stop_loss", 1.0)]
    held = [clone.info.get("held") for clone in log.clones if clone.getstatusname() == "Accepted"]
    assert sorted(held, key=str) == [None, None, "here"]


@pytest.mark.parametrize(
    ("prices", "first", "second"),
    [([FLAT, FLAT, 0.061], "Completed", "Canceled"), ([FLAT, FLAT, 0.0485], "Canceled", "Completed")],
)
def test_of_a_group_one_is_filled_and_the_other_cancelled(
    trade: Any, prices: list[float], first: str, second: str
) -> None:
    orders: list[Any] = []

    def group(strategy: Any) -> None:
        orders.append(strategy.sell(size=1, exectype=Limit, price=0.06))
        orders.append(strategy.sell(size=1, exectype=Stop, price=0.049, oco=orders[0]))

    log, simulated = trade(prices, {5: group})
    assert log.of(orders[0]) == ["Submitted", "Accepted", first]
    assert log.of(orders[1]) == ["Submitted", "Accepted", second]
    assert sum(float(fill.quantity) for fill in simulated.trades()) == 1.0


def test_a_cancelled_order_takes_its_group_along(trade: Any) -> None:
    orders: list[Any] = []

    def group(strategy: Any) -> None:
        orders.append(strategy.sell(size=1, exectype=Stop, price=0.04))
        orders.append(strategy.sell(size=1, exectype=StopTrail, trailamount=0.02, oco=orders[0]))
        orders.append(strategy.sell(size=1, exectype=Limit, price=0.06, oco=orders[1]))

    log, simulated = trade([FLAT] * 6, {5: group, 7: lambda strategy: strategy.cancel(orders[1])})
    assert [log.of(order)[-1] for order in orders] == ["Canceled"] * 3
    assert {str(order.status) for order in simulated.orders()} == {"CANCELED"}


def test_the_partner_of_an_order_that_is_over_is_refused(trade: Any) -> None:
    script = {
        5: kept("buy", size=1),
        8: lambda strategy: strategy.sell(size=1, exectype=Limit, price=0.06, oco=strategy.kept),
    }
    log, simulated = trade([FLAT] * 6, script)
    assert [state for _, state in log.orders][-1] == "Rejected"
    assert "is over" in log.clones[-1].info["reason"]
    assert len(simulated.orders()) == 1


def test_a_held_order_expires_here_and_is_never_sent(trade: Any) -> None:
    script = {5: kept("sell", size=1, exectype=StopTrail, trailamount=0.01, valid=timedelta(seconds=2))}
    log, simulated = trade([FLAT] * 4 + [0.03], script)
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Expired"]
    assert simulated.orders() == []


def test_a_held_order_is_cancelled_at_once_and_never_sent(trade: Any) -> None:
    script = {
        5: kept("sell", size=1, exectype=StopTrail, trailamount=0.001),
        6: lambda strategy: strategy.cancel(strategy.kept),
    }
    log, simulated = trade([FLAT, FLAT, FLAT, 0.03], script)
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Canceled"]
    assert simulated.orders() == []


def test_a_cancel_that_comes_with_the_trigger_leaves_one_end(trade: Any) -> None:
    """The bar that triggers it is the bar at which the strategy cancels it."""
    script = {
        5: kept("sell", size=1, exectype=StopTrail, trailamount=0.001),
        7: lambda strategy: strategy.cancel(strategy.kept),
    }
    log, simulated = trade([FLAT, FLAT, FLAT, 0.045, 0.045], script)
    assert [state for _, state in log.orders][-1] in ("Canceled", "Completed")
    assert len(log.orders) == 3
    filled = sum(float(fill.quantity) for fill in simulated.trades())
    assert filled == abs(log.clones[-1].executed.size)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"size": 0.00001, "exectype": StopTrail, "trailamount": 0.01}, "minimum"),
        ({"size": 0.0015, "exectype": StopTrail, "trailamount": 0.01}, "cost"),
        ({"size": 1, "exectype": StopTrail}, "trailamount"),
        ({"size": 1, "exectype": StopTrail, "trailamount": 0.0, "trailpercent": 0.0}, "trailamount"),
        ({"size": 1, "exectype": StopTrail, "trailamount": -0.01}, "trailamount -0.01 is no distance"),
        ({"size": 1, "exectype": StopTrail, "trailamount": float("nan")}, "trailamount nan is no distance"),
        ({"size": 1, "exectype": StopTrail, "trailamount": 0.01, "trailpercent": -0.1}, "trailpercent -0.1"),
        ({"size": 1, "exectype": StopTrail, "trailpercent": float("inf")}, "trailpercent inf"),
        ({"size": 1e6, "exectype": Close}, "above the most"),
        (
            {"size": 1, "exectype": StopTrailLimit, "price": FLAT, "plimit": -1.0, "trailamount": 0.01},
            "no price",
        ),
    ],
)
def test_what_the_exchange_would_refuse_later_is_refused_now(
    trade: Any, options: dict[str, Any], reason: str
) -> None:
    log, simulated = trade([FLAT] * 3, {5: lambda strategy: strategy.sell(**options)})
    assert [state for _, state in log.orders] == ["Rejected"]
    assert reason in log.clones[-1].info["reason"]
    assert simulated.orders() == []


def test_a_triggered_stop_waits_until_trading_is_allowed_again(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    """An exit is not lost to a restriction that passes."""
    simulated = simulate(market=path_of(*[FLAT] * 3, *[0.045] * 40), balances={"ETH": 5, "BTC": 1})
    exchange = guarded(simulated)
    script = {
        5: kept("sell", size=1, exectype=StopTrail, trailamount=0.001),
        6: lambda _: exchange.interlock.halt("maintenance of the house"),
        12: lambda _: exchange.interlock.resume(),
    }
    log = run(store_of(exchange), script=script, trading=True, history=3, bars=30)
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]
    assert log.kinds().count("held_delayed") == 1
    assert len(simulated.orders()) == 1


def test_the_finest_bars_of_a_symbol_judge_its_stops(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    """The strategy trades bars of ten seconds; the price dips for one second."""
    prices = [*[FLAT] * 14, 0.045, *[FLAT] * 30]
    simulated = simulate(market=path_of(*prices, history=30), balances={"ETH": 5, "BTC": 1})
    store = store_of(guarded(simulated))
    log = Log()

    class Slow(bt.Strategy):
        def next(self) -> None:
            if len(self.data1) == 1 and not log.orders:
                self.sell(data=self.data1, size=1, exectype=StopTrail, trailamount=0.002)

        def notify_order(self, order: Any) -> None:
            log.orders.append((order.ref, order.getstatusname()))
            log.clones.append(order)

    env = bt.Cerebro(stdstats=False, quicknotify=True)
    fine = store.getdata(
        dataname="ETH/BTC", timeframe=bt.TimeFrame.Seconds, compression=1, history=3, bars=35
    )
    env.adddata(fine)
    env.resampledata(fine, timeframe=bt.TimeFrame.Seconds, compression=10)
    env.setbroker(store.getbroker())
    env.addstrategy(Slow)
    env.run()
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]
    assert log.clones[-1].executed.price == pytest.approx(0.045, rel=5e-2)


def test_each_symbol_is_judged_by_its_own_prices_and_a_group_may_span_two(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    markets = [
        path_of(*[FLAT] * 6, *[0.045] * 20),
        path_of(*[0.002] * 26, symbol="LTC/BTC"),
    ]
    simulated = simulate(market=markets, balances={"ETH": 5, "LTC": 500, "BTC": 1})
    store = store_of(guarded(simulated))
    log = Log()
    orders: list[Any] = []

    class Both(bt.Strategy):
        def next(self) -> None:
            if len(self.data0) == len(self.data1) == 5 and not orders:
                eth, ltc = self.datas
                orders.append(self.sell(data=eth, size=1, exectype=StopTrail, trailamount=0.002))
                orders.append(self.sell(data=ltc, size=100, exectype=StopTrail, trailamount=0.0005))
                orders.append(self.sell(data=ltc, size=100, exectype=Limit, price=0.003, oco=orders[0]))

        def notify_order(self, order: Any) -> None:
            log.orders.append((order.ref, order.getstatusname()))

    env = bt.Cerebro(stdstats=False, quicknotify=True)
    second = {"timeframe": bt.TimeFrame.Seconds, "compression": 1, "history": 3, "bars": 16}
    for symbol in ("ETH/BTC", "LTC/BTC"):
        env.adddata(store.getdata(dataname=symbol, **second))
    env.setbroker(store.getbroker())
    env.addstrategy(Both)
    env.run()
    assert [log.of(order)[-1] for order in orders] == ["Completed", "Accepted", "Canceled"]
    assert [(fill.symbol, float(fill.quantity)) for fill in simulated.trades()] == [("ETH/BTC", 1.0)]
