"""The broker on an exchange of ccxt.pro: orders, cancels and fills, through faults and restarts."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import backtrader as bt
import pytest
from bt_runs import Log, run
from bt_streams import Stage, async_support, pro, stage

from tradeguard.simulator import Fault, FaultKind, FaultPlan, Phase, StreamFault, StreamFaultKind

Limit, Stop = bt.Order.Limit, bt.Order.Stop
BALANCES = {"balances": {"ETH": 5, "BTC": 1}}


class Trader:
    """Buys, rests an order and cancels it, and sells."""

    def __init__(self) -> None:
        self.script = {5: self.buy, 8: self.rest, 14: self.cancel, 20: self.sell}

    def buy(self, strategy: Any) -> None:
        strategy.buy(size=2)

    def rest(self, strategy: Any) -> None:
        self.resting = strategy.buy(size=1, exectype=Limit, price=0.01)

    def cancel(self, strategy: Any) -> None:
        strategy.cancel(self.resting)

    def sell(self, strategy: Any) -> None:
        strategy.sell(size=1)


def traded(ran: Stage, bars: int = 30, script: Any = None) -> Log:
    return run(
        ran.store, trading=True, history=3, bars=bars, script=Trader().script if script is None else script
    )


def agrees(ran: Stage, log: Log) -> None:
    """What the strategy was told is what the exchange has."""
    completed = [order for order in log.clones if order.getstatusname() == "Completed"]
    told = [(order.executed.size, order.executed.price) for order in completed]
    actual = [
        (float(trade.quantity if str(trade.side) == "buy" else -trade.quantity), float(trade.price))
        for trade in ran.simulated.trades()
    ]
    assert told == actual
    assert ran.simulated.audit(ran.exchange.order_journal.intents()).clean
    free = float(ran.simulated.balances()["BTC"].free)
    assert ran.store.getbroker().getcash() == pytest.approx(free, abs=1e-9)


def test_orders_cancels_and_fills_are_those_of_the_exchange(tmp_path: Path) -> None:
    with stage(tmp_path, simulated=BALANCES) as ran:
        log = traded(ran)
        agrees(ran, log)
        orders = [str(order.status) for order in ran.simulated.orders()]
    assert log.orders == [
        (ref, state)
        for ref, end in zip(dict(log.orders), ("Completed", "Canceled", "Completed"), strict=True)
        for state in ("Submitted", "Accepted", end)
    ]
    assert orders == ["FILLED", "CANCELED", "FILLED"]
    assert ran.asked() == 1


def test_what_the_strategy_is_told_is_what_polling_tells(tmp_path: Path) -> None:
    told = []
    for flag in (True, False):
        (tmp_path / str(flag)).mkdir()
        with stage(tmp_path / str(flag), simulated=BALANCES) as ran:
            log = run(ran.store, trading=True, history=3, bars=30, script=Trader().script, websocket=flag)
            told.append((log.bars, [state for _, state in log.orders], log.statuses))
    assert told[0] == told[1]


@pytest.mark.parametrize("phase", [Phase.BEFORE, Phase.AFTER])
def test_an_order_in_doubt_is_placed_once(tmp_path: Path, phase: Phase) -> None:
    faults = FaultPlan([Fault(FaultKind.DROPPED, on="create", phase=phase)])
    with stage(tmp_path, simulated={**BALANCES, "faults": faults}, order_expiry=2.0) as ran:
        log = traded(ran, bars=60)
        agrees(ran, log)
        assert len(ran.simulated.orders()) == 3


def test_trading_goes_on_while_the_stream_is_lost(tmp_path: Path) -> None:
    fault = StreamFault(StreamFaultKind.FROZEN, on="kline", skip=6)
    with stage(tmp_path, fault, simulated=BALANCES) as ran:
        log = traded(ran)
        agrees(ran, log)
    assert log.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]


def test_a_held_stop_sells_at_the_exchange(tmp_path: Path) -> None:
    def bracket(strategy: Any) -> None:
        price = strategy.data.close[0]
        strategy.buy_bracket(
            size=1, exectype=bt.Order.Market, stopprice=price * 0.99995, limitprice=price * 1.5
        )

    with stage(tmp_path, simulated=BALANCES) as ran:
        log = traded(ran, bars=120, script={5: bracket})
        agrees(ran, log)
        assert [str(trade.side) for trade in ran.simulated.trades()] == ["buy", "sell"]


def test_an_order_that_rested_when_a_run_ended_is_adopted_by_the_next(tmp_path: Path) -> None:
    with stage(tmp_path, simulated=BALANCES) as ran:
        traded(ran, bars=8, script={5: lambda strategy: strategy.buy(size=1, exectype=Limit, price=0.01)})
        again = traded(ran, bars=4, script={})
    (order,) = [order for order in again.clones if order.info.get("adopted")]
    assert (order.getstatusname(), order.created.size) == ("Accepted", 1.0)


def test_the_positions_of_the_account_are_known_before_the_first_bar(tmp_path: Path) -> None:
    with stage(tmp_path, simulated=BALANCES) as ran:
        log = traded(ran, bars=2, script={})
    assert set(log.sizes()) == {5.0}


def test_the_example_strategy_trades_on_websockets_as_it_does_by_polling(tmp_path: Path) -> None:
    sma_cross = example()
    traded_by = []
    for flavour in (pro, async_support):
        folder = tmp_path / flavour.__name__
        folder.mkdir()
        told: list[tuple[str, str]] = []
        with stage(folder, flavour=flavour, simulated=BALANCES) as ran:
            settings = {"timeframe": bt.TimeFrame.Seconds, "fast": 2, "slow": 4, "stake": 0.1, "history": 6}
            sma_cross.run(
                ran.exchange, **settings, bars=60, observer=lambda *event, told=told: told.append(event)
            )
            assert ran.simulated.audit(ran.exchange.order_journal.intents()).clean
            traded_by.append([str(order.side) for order in ran.simulated.orders()])
        assert [text for kind, text in told if kind == "data"] == ["DELAYED", "LIVE", "DISCONNECTED"]
        assert ran.simulated.sockets == [] or ran.asked() == 1
    assert traded_by[0] == traded_by[1]
    assert traded_by[0][:4] == ["buy", "sell", "buy", "sell"]


def example() -> ModuleType:
    """strategies/sma_cross.py, loaded the way that the demo loads it."""
    path = Path(__file__).resolve().parents[2] / "strategies" / "sma_cross.py"
    spec = importlib.util.spec_from_file_location("sma_cross_on_streams", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Backtrader looks strategies up by their module
    spec.loader.exec_module(module)
    return module
