"""A bot that is killed in a short position: the next one finds position and exits, and covers once."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from bt_runs import path_of

from tradeguard.simulator import Fault, SimulatedExchange

SWAP = "ETH/USDT:USDT"
ORDERS = ("POST", "/fapi/v1/order")

BOT = """
import base64, pickle, sys
import backtrader as bt
from tradeguard_backtrader import GuardedStore
from tradeguard_ccxt import GuardConfig, GuardedExchange

config, journal, trades = pickle.loads(base64.b64decode(sys.argv[1])), sys.argv[2], sys.argv[3] == "trade"
guard = GuardConfig(journal=journal, order_expiry=0.5, visibility_lag=0.1)
store = GuardedStore(GuardedExchange("binanceusdm", config, guard=guard))


class Bot(bt.Strategy):
    placed = False

    def notify_data(self, data, status, *args, **kwargs):
        if trades and status == data.LIVE and not self.placed:
            self.placed = True
            self.sell_bracket(size=2, exectype=bt.Order.Market, stopprice=2030.0, limitprice=1900.0)

    def notify_order(self, order):
        print(order.getordername(), order.getstatusname(), order.executed.size, flush=True)

    def next(self):
        if len(self) == 1:
            print("position", self.position.size, self.position.price, flush=True)


cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
second = {"timeframe": bt.TimeFrame.Seconds, "compression": 1, "history": 3}
cerebro.adddata(store.getdata(dataname="ETH/USDT:USDT", bars=60 if trades else 3, **second))
cerebro.setbroker(store.getbroker(leverage=3))
cerebro.addstrategy(Bot)
cerebro.run()
print("cash", store.getbroker().get_cash(), flush=True)
"""


def bot(config: dict[str, Any], journal: Path, mode: str) -> subprocess.Popen[str]:
    settings = base64.b64encode(pickle.dumps(config)).decode()
    command = [sys.executable, "-W", "ignore", "-c", BOT, settings, str(journal), mode]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")
@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_bot_that_is_killed_while_its_stop_is_on_its_way_covers_once(tmp_path: Path, phase: str) -> None:
    """It is short with both exits; the stop's request has arrived, and the process gets kill -9."""
    market = path_of(*[2000.0] * 6, *[2080.0] * 80, history=20, symbol=SWAP)
    options = {"dialect": "binanceusdm", "market": market, "balances": {"USDT": 10_000}}
    with SimulatedExchange(seed=1, **options) as server:  # type: ignore[arg-type]
        server.faults.add(Fault(kind="hung", on="create", phase=phase, skip=2, times=1))  # type: ignore[arg-type]
        first = bot(server.ccxt_config(), tmp_path / "state.db", "trade")
        never = threading.Event()
        for _ in range(6000):
            if server.requests.count(*ORDERS) == 3:
                break
            assert first.poll() is None
            never.wait(0.01)
        os.kill(first.pid, signal.SIGKILL)
        first.communicate(timeout=10)
        assert server.requests.count(*ORDERS) == 3

        second = bot(server.ccxt_config(), tmp_path / "state.db", "watch")
        told, _ = second.communicate(timeout=60)
        assert second.returncode == 0
        expected = (0.0, 0.0) if phase == "after" else (-2.0, float(server.trades()[0].price))
        assert "position {} {}".format(*expected) in told
        assert "Stop Completed" in told
        assert server.positions()[SWAP].amount == 0
        filled = [order for order in server.orders() if order.filled]
        assert [(str(order.side).lower(), order.reduce_only) for order in filled] == [
            ("sell", False),
            ("buy", True),
        ]
        assert f"cash {float(server.balances()['USDT'].free)}" in told
