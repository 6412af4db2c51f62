"""The grid: a ladder of buys, each followed by a sell one rung higher, and taken back when nobody can see."""

from __future__ import annotations

from pathlib import Path

import backtrader as bt
import pytest
from st_runs import Told, example, exchange_of, walk

from tradeguard.simulator import FaultPlan

grid = example("grid")
SETTINGS = {"timeframe": bt.TimeFrame.Seconds, "step": 0.001, "stake": 0.1}


def test_the_ladder_hangs_below_the_first_live_price(tmp_path: Path) -> None:
    with exchange_of(tmp_path) as (exchange, simulated, _store):
        strategy = grid.run(exchange, **SETTINGS, rungs=3, bars=3)
        prices = [float(order.price) for order in simulated.orders()]
    assert prices == pytest.approx([strategy.top * 0.999**rung for rung in (1, 2, 3)], rel=1e-4)


def test_what_a_rung_bought_is_sold_one_rung_higher_and_bought_again(tmp_path: Path) -> None:
    told = Told()
    with exchange_of(tmp_path, seed=4) as (exchange, simulated, store):
        strategy = grid.run(exchange, **SETTINGS, bars=150, observer=told)
        filled = [order for order in simulated.orders() if str(order.status) == "FILLED"]
        assert simulated.audit(exchange.order_journal.intents()).clean
        bought = sum(order.amount for order in filled if str(order.side) == "buy")
        sold = sum(order.amount for order in filled if str(order.side) == "sell")
        position = store.getbroker().getposition(strategy.data).size
    assert len(filled) > 20
    prices = {
        str(side): {float(o.price) for o in filled if str(o.side) == str(side)} for side in ("buy", "sell")
    }
    assert max(prices["sell"]) > max(prices["buy"])
    # A fee of 0.1 % is taken in coin.
    assert position == pytest.approx(float(bought) * 0.999 - float(sold), abs=1e-6)
    assert not [text for text in told.of("order") if "Rejected" in text or "Margin" in text]


def test_the_buys_are_taken_back_in_an_outage_and_hung_up_again_after_it(tmp_path: Path) -> None:
    told = Told()
    with exchange_of(tmp_path) as (exchange, simulated, _store):

        def observe(kind: str, text: str) -> None:
            told(kind, text)
            if kind == "bar" and len(told.of("bar")) == 8:
                simulated.outage(15)

        grid.run(exchange, **{**SETTINGS, "step": 0.02}, rungs=3, bars=60, observer=observe)
        statuses = [str(order.status) for order in simulated.orders()]
    assert told.of("data")[1:5] == ["LIVE", "CONNBROKEN", "DELAYED", "LIVE"]
    broken = told.index(("data", "CONNBROKEN"))
    after = [text for kind, text in told[broken:] if kind == "order"]
    assert after[:3] == ["buy 0.1: Canceled"] * 3
    assert after[3:9] == ["buy 0.1: Submitted"] * 3 + ["buy 0.1: Accepted"] * 3
    assert statuses == ["CANCELED"] * 6  # and once more at the end of the run


def test_a_hostile_exchange_doubles_no_rung(tmp_path: Path) -> None:
    faults = FaultPlan.profile("hostile", seed=7)
    with exchange_of(tmp_path, seed=4, faults=faults) as (exchange, simulated, _store):
        grid.run(exchange, **SETTINGS, bars=80)
        audit = simulated.audit(exchange.order_journal.intents())
        assert audit.clean
        assert audit.placed > 4
        resting = [order.price for order in simulated.orders() if str(order.status) == "NEW"]
        assert len(set(resting)) == len(resting)


def test_it_runs_in_a_backtest_as_it_is() -> None:
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=walk(3000), openinterest=None))
    told = Told()
    cerebro.addstrategy(grid.Grid, step=0.005, observer=told)
    cerebro.run()
    assert sum("sell 0.1: Completed" in text for text in told.of("order")) >= 3


@pytest.mark.long
def test_the_script_trades_on_a_simulated_exchange(capsys: pytest.CaptureFixture[str]) -> None:
    """With threads and in real time: some three seconds."""
    assert grid.main(["--simulate", "--seed", "3", "--bars", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " order  buy 0.1: Submitted" in lines
    assert lines[-1].startswith("orders: ")
