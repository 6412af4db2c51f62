"""The guarded backtest of a file: the results of the plain one, and no bar passed over."""

from __future__ import annotations

from pathlib import Path

import backtrader as bt
import pytest
from st_runs import Told, example, exchange_of

from tradeguard.exceptions import DataFeedException

backtest = example("csv_backtest")


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A file of 400 bars of a simulated exchange."""
    path = tmp_path / "bars.csv"
    with exchange_of(tmp_path) as (exchange, _simulated, _store):
        backtest.download(exchange, "ETH/BTC", path, 400)
    return path


def test_a_download_has_the_last_closed_candles_each_once(bars: Path) -> None:
    times = [int(line.split(",")[0]) for line in bars.read_text().splitlines()[1:]]
    assert len(times) == 400
    assert times == list(range(times[0], times[0] + 400))


def test_it_trades_what_a_plain_backtest_trades(bars: Path) -> None:
    told = Told()
    strategy = backtest.run(bars, observer=told)
    plain = Told()
    cerebro = bt.Cerebro(stdstats=False)
    params = {"dtformat": 1, "openinterest": -1, "timeframe": bt.TimeFrame.Seconds}
    cerebro.adddata(bt.feeds.GenericCSVData(dataname=str(bars), **params))
    cerebro.setbroker(bt.brokers.BackBroker(cash=10.0))
    cerebro.broker.setcommission(commission=0.001)
    cerebro.addstrategy(backtest.SmaCross, observer=plain)
    (other,) = cerebro.run()
    assert told == plain
    assert len(told.of("trade")) > 3
    assert strategy.broker.getvalue() == other.broker.getvalue()


def test_a_file_that_is_not_there_is_tried_again_and_then_named(tmp_path: Path) -> None:
    before = backtest.monitor.get_error_statistics()["total_errors"]
    with pytest.raises(DataFeedException, match=r"nowhere\.csv"):
        backtest.run(tmp_path / "nowhere.csv")
    assert backtest.monitor.get_error_statistics()["total_errors"] == before + 3


def test_the_script_backtests_a_file_of_its_own_making(capsys: pytest.CaptureFixture[str]) -> None:
    assert backtest.main(["--simulate", "--bars", "300", "--fast", "5", "--slow", "15"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("300 bars, ")
    assert lines[-1].startswith("failures that were survived: ")
