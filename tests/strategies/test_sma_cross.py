"""The example strategy: a plain Backtrader strategy, traded in a backtest, on a simulated exchange and as a script."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import backtrader as bt
import pytest
from st_runs import exchange_of

from tradeguard.simulator import FaultPlan
from tradeguard_ccxt import GuardedExchange

PATH = Path(__file__).resolve().parents[2] / "strategies" / "sma_cross.py"


@pytest.fixture(scope="module")
def sma_cross() -> ModuleType:
    """The strategy's file as a module, loaded the way that the demo loads it."""
    spec = importlib.util.spec_from_file_location("example_sma_cross", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Backtrader looks strategies up by their module
    spec.loader.exec_module(module)
    return module


SETTINGS = {"timeframe": bt.TimeFrame.Seconds, "fast": 2, "slow": 4, "stake": 0.1, "history": 6}


def test_it_trades_round_trips_and_tells_of_them(sma_cross: ModuleType, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    with exchange_of(tmp_path) as (exchange, simulated, _store):
        strategy = sma_cross.run(exchange, **SETTINGS, bars=60, observer=lambda *event: told.append(event))
        orders = simulated.orders()
    assert isinstance(strategy, sma_cross.SmaCross)
    assert [str(order.side) for order in orders[:4]] == ["buy", "sell", "buy", "sell"]
    assert {kind for kind, _ in told} == {"bar", "data", "order", "trade"}
    assert [text for kind, text in told if kind == "data"] == ["DELAYED", "LIVE", "DISCONNECTED"]
    assert any(text.startswith("closed with ") for kind, text in told if kind == "trade")
    assert any(text.startswith("buy 0.1: Completed, 0.1 at 0.05") for kind, text in told if kind == "order")


def test_it_trades_its_own_coins_and_not_those_that_were_there(sma_cross: ModuleType, tmp_path: Path) -> None:
    with exchange_of(tmp_path) as (exchange, simulated, _store):
        sma_cross.run(exchange, **SETTINGS, bars=60)
        assert max(order.amount for order in simulated.orders()) <= 0.1
        assert simulated.balances()["ETH"].total > 99


def test_it_does_not_enter_on_bars_of_the_past(sma_cross: ModuleType, tmp_path: Path) -> None:
    """The history has crosses enough; none of them is traded."""
    with exchange_of(tmp_path) as (exchange, simulated, _store):
        bars: list[str] = []
        settings = SETTINGS | {"history": 100}
        sma_cross.run(
            exchange, **settings, bars=1,
            observer=lambda kind, text: bars.append(text) if kind == "bar" else None,
        )  # fmt: skip
        assert len(bars) > 90
        assert simulated.orders() == []


def test_limit_orders_rest_beside_the_close_and_expire(sma_cross: ModuleType, tmp_path: Path) -> None:
    told: list[str] = []
    with exchange_of(tmp_path) as (exchange, simulated, _store):
        sma_cross.run(
            exchange, **SETTINGS, bars=150, limit=0.01,
            observer=lambda kind, text: told.append(text) if kind == "order" else None,
        )  # fmt: skip
        (order, *_) = simulated.orders()
    assert told[:3] == ["buy 0.1: Submitted", "buy 0.1: Accepted", "buy 0.1: Expired"]
    assert float(order.price or 0) == pytest.approx(0.0497, rel=0.01)


def test_a_hostile_exchange_changes_nothing_that_counts(sma_cross: ModuleType, tmp_path: Path) -> None:
    faults = FaultPlan.profile("hostile", seed=7)
    with exchange_of(tmp_path, faults=faults) as (exchange, simulated, store):
        sma_cross.run(exchange, **SETTINGS, bars=80)
        audit = simulated.audit(exchange.order_journal.intents())
        assert audit.clean
        assert audit.placed > 4
        cash = float(simulated.balances()["BTC"].free)
        assert store.getbroker().get_cash() == pytest.approx(cash, abs=1e-7)


def test_a_rejected_order_is_explained_and_the_strategy_goes_on(
    sma_cross: ModuleType, tmp_path: Path
) -> None:
    told: list[str] = []
    with exchange_of(tmp_path, balances={"ETH": 0, "BTC": 0.001}) as (exchange, simulated, _store):
        sma_cross.run(
            exchange, **SETTINGS, bars=60,
            observer=lambda kind, text: told.append(text) if kind == "order" else None,
        )  # fmt: skip
        assert simulated.orders() == []
    assert told[1].startswith("buy 0.1: Margin (")
    assert told.count("buy 0.1: Submitted") > 1


def test_it_runs_in_a_backtest_as_it_is(sma_cross: ModuleType, shared_data: Path) -> None:
    import pandas as pd

    frame = pd.read_csv(shared_data / "ETHBTC-5m-2018-01.csv").head(1500)
    frame.index = pd.to_datetime(frame.pop("timestamp"), unit="ms")
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame, openinterest=None))
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    cerebro.addstrategy(sma_cross.SmaCross, fast=10, slow=30, stake=1)
    (strategy,) = cerebro.run()
    assert strategy.analyzers.trades.get_analysis().total.closed > 5


@pytest.mark.parametrize("options", [[], ["--websocket"]])
def test_the_script_trades_on_a_simulated_exchange(
    sma_cross: ModuleType, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """With threads and in real time: some three seconds."""
    settings = ["--simulate", "--seed", "3", "--bars", "2", "--fast", "2", "--slow", "3"]
    assert sma_cross.main([*settings, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  data  DELAYED" in lines
    assert "  data  LIVE" in lines
    assert lines[-1].startswith("orders: ")


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("1s", (bt.TimeFrame.Seconds, 1)),
        ("15m", (bt.TimeFrame.Minutes, 15)),
        ("4h", (bt.TimeFrame.Minutes, 240)),
        ("1d", (bt.TimeFrame.Days, 1)),
    ],
)
def test_bar_lengths_are_read_as_exchanges_write_them(
    sma_cross: ModuleType, text: str, length: tuple[int, int]
) -> None:
    assert sma_cross.bar_length(text) == length


@pytest.mark.parametrize("text", ["", "m", "1", "1x", "-1m"])
def test_what_is_no_bar_length_is_refused(sma_cross: ModuleType, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no timeframe"):
        sma_cross.bar_length(text)


def test_keys_come_from_the_environment_and_the_testnet_is_the_exchanges_own(
    sma_cross: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEGUARD_API_KEY", "the-key")
    monkeypatch.setenv("TRADEGUARD_SECRET", "the-secret")
    options = argparse.Namespace(simulate=False, testnet=True, exchange="binance")
    with sma_cross.connect(options) as exchange:
        assert (exchange.apiKey, exchange.secret) == ("the-key", "the-secret")
        assert "testnet" in exchange.urls["api"]["public"]
        assert isinstance(exchange, GuardedExchange)


def test_without_keys_there_are_none(sma_cross: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADEGUARD_API_KEY", raising=False)
    monkeypatch.delenv("TRADEGUARD_SECRET", raising=False)
    options = argparse.Namespace(simulate=False, testnet=False, exchange="kraken")
    with sma_cross.connect(options) as exchange:
        assert not exchange.apiKey
        assert exchange.id == "kraken"
