"""What a backtest sets on its broker does not end a live run."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import backtrader as bt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import SECOND, Log, Scribe

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader import GuardedStore

Stores = Callable[..., GuardedStore]


def configure(broker: Any) -> None:
    """The lines of a backtest."""
    broker.setcash(10_000)
    broker.setcommission(commission=0.001)
    broker.set_slippage_perc(0.001, slip_open=True)
    broker.set_coc(True)


def test_a_backtest_becomes_a_live_run_by_its_feed_and_broker_alone(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    store, log = store_of(scripted), Log()
    cerebro = bt.Cerebro(stdstats=False, cheat_on_open=True)
    cerebro.adddata(store.getdata(dataname="ETH/BTC", history=3, bars=1, **SECOND))
    cerebro.setbroker(store.getbroker())
    configure(cerebro.broker)
    cerebro.addstrategy(Scribe, log=log)
    cerebro.run()
    assert len(log.bars) == 4
    assert [text.split(" ")[0] for kind, text in log.store if kind == "ignored"] == [
        "broker.set_cash()", "broker.set_slippage_perc()", "broker.set_coc()", "broker.set_coo()",
    ]  # fmt: skip
    assert (
        "ignored",
        "broker.set_cash() is ignored: the cash is what the account at the exchange has",
    ) in log.store
    assert cerebro.broker.startingcash == 1.0
    assert cerebro.broker.getcommissioninfo(cerebro.datas[0]).p.commission == 0.001


def test_every_setter_of_backtraders_own_broker_is_known(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    broker = store_of(scripted).getbroker()
    setters = {name for name in dir(bt.brokers.BackBroker) if name.startswith(("set", "add_cash"))}
    assert {name for name in setters if not hasattr(broker, name)} == set()


def test_a_broker_of_a_real_account_goes_to_no_other_process(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    with pytest.raises(ConfigurationException, match="optimize with Backtrader's own broker"):
        pickle.dumps(store_of(scripted).getbroker())
