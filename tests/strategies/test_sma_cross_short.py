"""The example strategy on a swap: long and short, with leverage, and always what the exchange says it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from st_runs import Told, example, exchange_of, walk

from tradeguard.simulator import FaultPlan, SyntheticMarket

sma_cross = example("sma_cross")
SWAP = "ETH/USDT:USDT"
BARS_TO_A_SHORT = 34
"""After so many bars the market of seed 1 has it short."""
SETTINGS = {
    "symbol": SWAP, "timeframe": bt.TimeFrame.Seconds, "fast": 2, "slow": 4, "stake": 0.1, "history": 6,
    "short": True, "leverage": 3,
}  # fmt: skip


@contextmanager
def futures(folder: Path, **options: Any) -> Iterator[tuple[Any, Any, Any]]:
    settings = {
        "dialect": "binanceusdm",
        "market": SyntheticMarket(SWAP),
        "balances": {"USDT": 1000},
        **options,
    }
    with exchange_of(folder, **settings) as parts:
        yield parts


def agrees(store: Any, strategy: Any, simulated: Any) -> None:
    """Position, value and trades of the broker are the exchange's own."""
    position, broker = simulated.positions()[SWAP], store.getbroker()
    held = broker.getposition(strategy.data)
    assert held.size == float(position.amount)
    assert held.price == pytest.approx(float(position.entry_price))
    drift = float(position.amount) * (strategy.data.close[0] - float(position.mark_price))
    assert broker.get_value() == pytest.approx(float(simulated.balances()["USDT"].total) + drift)
    fills = simulated.trades()
    assert (
        sum(fill.quantity * (1 if str(fill.side).lower() == "buy" else -1) for fill in fills)
        == position.amount
    )


def test_it_turns_from_long_to_short_and_back_with_the_leverage_asked_for(tmp_path: Path) -> None:
    told = Told()
    with futures(tmp_path) as (exchange, simulated, store):
        strategy = sma_cross.run(exchange, **SETTINGS, bars=80, observer=told)
        orders = simulated.orders()
        agrees(store, strategy, simulated)
        assert simulated.positions()[SWAP].leverage == 3
        audit = simulated.audit(exchange.order_journal.intents())
        assert audit.clean
    # Each side is closed before the other is opened, by an order that can do no more.
    assert [order.reduce_only for order in orders[:6]] == [False, True] * 3
    assert {str(order.side).lower() for order in orders if not order.reduce_only} == {"buy", "sell"}
    assert len(told.of("trade")) > 4


def test_a_hostile_exchange_changes_nothing_that_counts(tmp_path: Path) -> None:
    faults = FaultPlan.profile("hostile", seed=7)
    with futures(tmp_path, faults=faults) as (exchange, simulated, store):
        strategy = sma_cross.run(exchange, **SETTINGS, bars=80)
        agrees(store, strategy, simulated)
        audit = simulated.audit(exchange.order_journal.intents())
        assert audit.clean
        assert audit.placed > 4


def test_a_second_run_goes_on_with_the_position_of_the_first(tmp_path: Path) -> None:
    """It ends short, and what it held is closed by the next one, not doubled."""
    with futures(tmp_path) as (exchange, simulated, store):
        sma_cross.run(exchange, **SETTINGS, bars=BARS_TO_A_SHORT)
        assert simulated.positions()[SWAP].amount == Decimal("-0.1")
        strategy = sma_cross.run(exchange, **SETTINGS, bars=40)
        agrees(store, strategy, simulated)
        signs = [1 if str(fill.side).lower() == "buy" else -1 for fill in simulated.trades()]
        sizes = accumulate(sign * fill.quantity for sign, fill in zip(signs, simulated.trades(), strict=True))
        assert max(map(abs, sizes)) == Decimal("0.1")
        assert len(signs) > 6


def test_it_goes_short_in_a_backtest(tmp_path: Path) -> None:
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=walk(1500), openinterest=None))
    cerebro.broker.setcommission(
        commission=0.0005, commtype=bt.CommInfoBase.COMM_PERC, stocklike=False, automargin=0.3
    )
    told = Told()
    cerebro.addstrategy(sma_cross.SmaCross, stake=0.1, short=True, observer=told)
    cerebro.run()
    sells = sum(text.startswith("sell 0.1: Completed") for text in told.of("order"))
    assert sells > len(told.of("trade")) / 2 > 10


def test_the_script_trades_a_swap_on_a_simulated_exchange(capsys: pytest.CaptureFixture[str]) -> None:
    """With threads and in real time: some three seconds."""
    arguments = ["--simulate", "--symbol", SWAP, "--short", "--leverage", "3", "--bars", "2"]
    assert sma_cross.main([*arguments, "--fast", "2", "--slow", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  data  LIVE" in lines
    assert lines[-1].startswith("orders: ")
