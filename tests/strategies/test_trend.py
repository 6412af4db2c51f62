"""The trend follower: entries at the market, a stop that rests at the exchange, and a way out of each position."""

from __future__ import annotations

from pathlib import Path

import backtrader as bt
import pytest
from st_runs import Told, example, exchange_of, walk

from tradeguard.simulator import FaultPlan
from tradeguard.testing import ManualClock

trend = example("trend")
SETTINGS = {
    "timeframe": bt.TimeFrame.Seconds, "factor": 4, "fast": 3, "slow": 3, "stop": 0.001, "target": 0.0015,
}  # fmt: skip


def test_every_entry_is_followed_by_a_stop_and_every_stop_by_an_exit_or_its_fill(tmp_path: Path) -> None:
    told = Told()
    with exchange_of(tmp_path, seed=3) as (exchange, simulated, _store):
        strategy = trend.run(exchange, **SETTINGS, bars=150, observer=told)
        orders = [(str(order.side), str(order.type), str(order.status)) for order in simulated.orders()]
        assert simulated.audit(exchange.order_journal.intents()).clean
    assert orders[:5] == [
        ("buy", "market", "FILLED"),
        ("sell", "stop_loss", "CANCELED"),
        ("sell", "market", "FILLED"),
        ("buy", "market", "FILLED"),
        ("sell", "stop_loss", "FILLED"),
    ]
    assert isinstance(strategy, trend.Trend)
    assert len(told.of("trade")) >= 3


def test_the_history_is_just_long_enough_for_the_long_average(tmp_path: Path) -> None:
    told = Told()
    with exchange_of(tmp_path) as (exchange, _simulated, _store):
        trend.run(exchange, **SETTINGS, bars=5, observer=told)
    first_live = told.index(("data", "LIVE"))
    assert any(kind == "bar" for kind, _ in told[:first_live])


def test_a_storm_costs_no_order_and_no_position_is_left_without_a_stop(tmp_path: Path) -> None:
    faults = FaultPlan.profile("hostile", seed=7)
    with exchange_of(tmp_path, seed=3, faults=faults) as (exchange, simulated, store):
        strategy = trend.run(exchange, **SETTINGS, bars=120)
        audit = simulated.audit(exchange.order_journal.intents())
        assert audit.clean
        assert audit.placed > 4
        assert store.getbroker().getposition(strategy.data).size < 0.11
        assert not strategy.is_invested() or strategy.stop_order or strategy.exit or strategy.wants_out


def bracketed(
    folder: Path, faults: FaultPlan | None
) -> tuple[Told, list[tuple[str, str, str]], float, float]:
    """What was told, the orders on the book, and how much was bought and sold."""
    told = Told()
    with exchange_of(folder, seed=3, faults=faults) as (exchange, simulated, _store):
        trend.run(exchange, **SETTINGS, bars=150, observer=told, brackets=True)
        assert simulated.audit(exchange.order_journal.intents()).clean
        orders = [(str(order.side), str(order.type), str(order.status)) for order in simulated.orders()]
        bought, sold = (
            sum(float(fill.quantity) for fill in simulated.trades() if str(fill.side.value).lower() == side)
            for side in ("buy", "sell")
        )
    return told, orders, bought, sold


def test_live_brackets_end_in_one_exit_each(tmp_path: Path) -> None:
    told, orders, bought, sold = bracketed(tmp_path, None)
    exits = [order for order in orders if order[0] == "sell" and order[2] == "FILLED"]
    assert orders.count(("buy", "market", "FILLED")) == len(exits) == len(told.of("trade")) > 5
    # the target rested at the exchange, and left the book when the stop, held here, or the strategy sold
    assert orders[:3] == [
        ("buy", "market", "FILLED"),
        ("sell", "limit", "CANCELED"),
        ("sell", "market", "FILLED"),
    ]
    assert sold == pytest.approx(bought * 0.999)  # the fee was taken in coin


def test_a_storm_lets_no_bracket_sell_twice(tmp_path: Path) -> None:
    _, orders, bought, sold = bracketed(tmp_path, FaultPlan.profile("hostile", seed=7))
    entries = orders.count(("buy", "market", "FILLED"))
    exits = [order for order in orders if order[0] == "sell" and order[2] == "FILLED"]
    assert entries > 5
    assert entries - len(exits) in (0, 1)  # the last one may be open as the run ends
    assert sold == pytest.approx(0.1 * len(exits) * 0.999)
    assert bought == pytest.approx(0.1 * entries)


def test_no_entry_is_made_while_the_interlock_restricts_the_market(tmp_path: Path) -> None:
    told = Told()
    with exchange_of(tmp_path, seed=3) as (exchange, simulated, _store):
        exchange.interlock.halt("a holiday")
        trend.run(exchange, **SETTINGS, bars=100, observer=told)
        assert simulated.orders() == []
    assert told.of("store")[0].startswith("trading is HALTED: a holiday (lifted by resume()")
    assert told.of("order") == []


@pytest.mark.parametrize("brackets", [False, True])
def test_it_runs_in_a_backtest_with_and_without_brackets(brackets: bool) -> None:
    cerebro = bt.Cerebro(stdstats=False)
    feed = bt.feeds.PandasData(
        dataname=walk(3000), openinterest=None, timeframe=bt.TimeFrame.Minutes, compression=5
    )
    cerebro.adddata(feed)
    cerebro.resampledata(feed, timeframe=bt.TimeFrame.Minutes, compression=30)
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    told = Told()
    cerebro.addstrategy(trend.Trend, brackets=brackets, observer=told)
    (strategy,) = cerebro.run()
    assert strategy.analyzers.trades.get_analysis().total.closed > 5
    assert any("sell 0.1: Canceled" in text for text in told.of("order"))
    assert abs(strategy.position.size) <= 0.1 + 1e-9


def test_the_script_trades_on_a_simulated_exchange(capsys: pytest.CaptureFixture[str]) -> None:
    """With threads and in real time: some three seconds."""
    arguments = ["--simulate", "--seed", "3", "--bars", "2", "--fast", "2", "--slow", "2", "--factor", "2"]
    assert trend.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  data  LIVE" in lines
    assert lines[-1].startswith("orders: ")


def test_an_outage_is_no_reason_to_take_the_stop_back(tmp_path: Path) -> None:
    clock = ManualClock(start=100.0)
    told = Told()
    with exchange_of(tmp_path, clock, seed=3) as (exchange, simulated, _store):
        pulled: list[float] = []

        def observe(kind: str, text: str) -> None:
            told(kind, text)
            if kind == "order" and text.startswith("sell") and "Accepted" in text and not pulled:
                pulled.append(clock.monotonic())
                simulated.outage(15)

        trend.run(exchange, **{**SETTINGS, "stop": 0.05, "target": 0.05}, bars=90, observer=observe)
        (stop, *_) = [order for order in simulated.orders() if str(order.type) == "stop_loss"]
        assert simulated.audit(exchange.order_journal.intents()).clean
    broken = told.index(("data", "CONNBROKEN"))
    live_again = told.index(("data", "LIVE"), broken)
    assert pulled
    assert not any(kind == "order" and "Canceled" in text for kind, text in told[broken:live_again])
    assert stop is not None
