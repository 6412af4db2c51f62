"""What was held goes on in the next process, and nothing is sent twice, whenever the former one died."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from bt_runs import Log, path_of, run
from test_bt_brackets import Bracket

from tradeguard.simulator import Fault, FaultKind, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_backtrader import GuardedStore
from tradeguard_backtrader.held.held_orders import HeldOrder, Stage
from tradeguard_backtrader.held.held_store import held_store_of

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]
FLAT = 0.05


class Lives:
    """One account that is traded by one process after the other; each is a new exchange object on the same state."""

    def __init__(
        self, simulated: SimulatedExchange, guarded: Simulate, store_of: Stores, clock: ManualClock
    ) -> None:
        self.simulated = simulated
        self.clock = clock
        self._guarded = guarded
        self._store_of = store_of

    def live(self, script: Any = None, *, bars: int, **options: Any) -> Log:
        self.exchange = self._guarded(self.simulated, order_expiry=0.5, visibility_lag=0.1)
        store = self._store_of(self.exchange)
        log = run(store, script=script, trading=True, **{"history": 3, "bars": bars, **options})
        self.broker = store.getbroker()
        audit = self.simulated.audit(self.exchange.order_journal.intents())
        assert (audit.duplicated, audit.lost, audit.phantom, audit.mismatched) == ((), (), (), ())
        self.exchange.close()
        return log

    def held(self) -> list[HeldOrder]:
        exchange = self._guarded(self.simulated)
        kept = held_store_of(exchange).load(["ETH/BTC"])
        exchange.close()
        return kept

    def sells(self) -> list[float]:
        return [float(fill.quantity) for fill in self.simulated.trades() if str(fill.side).lower() == "sell"]


@pytest.fixture
def account(
    simulate: Simulate, guarded: Simulate, store_of: Stores, clock: ManualClock
) -> Callable[..., Lives]:
    def make(*prices: float) -> Lives:
        market = path_of(*prices, *[prices[-1]] * 200, history=20)
        return Lives(simulate(market=market, balances={"ETH": 5, "BTC": 1}), guarded, store_of, clock)

    return make


def trailing(strategy: Any) -> None:
    strategy.sell(size=1, exectype=bt.Order.StopTrail, trailamount=0.001, tradeid=7)


def test_a_trailing_stop_goes_on_where_it_stood(account: Any) -> None:
    """The bars before the restart lie below the stop that they drew up, and do not trigger it again."""
    traded = account(FLAT, FLAT, 0.051, 0.052, *[0.0525] * 4, 0.053, 0.0535, 0.0535, 0.0524)
    traded.live({5: trailing}, bars=6)
    (kept,) = traded.held()
    assert kept.price == pytest.approx(0.0515)
    log = traded.live(bars=14)
    assert [state for _, state in log.orders] == ["Accepted", "Completed"]
    adopted = log.clones[0]
    assert (adopted.owner, adopted.info["held"], adopted.info["adopted"]) == (None, "here", True)
    assert (adopted.exectype, adopted.created.size, adopted.tradeid) == (bt.Order.StopTrail, -1.0, 7)
    assert log.clones[-1].created.price == pytest.approx(0.0525)
    assert traded.sells() == [1.0]
    assert traded.held() == []


def test_a_stop_that_was_passed_while_nobody_watched_is_sent_at_the_start(account: Any) -> None:
    traded = account(*[FLAT] * 8, *[0.047] * 4, FLAT)
    traded.live({5: trailing}, bars=4)
    traded.clock.advance(12)
    log = traded.live(bars=4, history=20)
    assert [state for _, state in log.orders] == ["Accepted", "Completed"]
    assert traded.sells() == [1.0]


def test_a_bracket_in_mid_position_goes_on_with_both_exits(account: Any) -> None:
    traded = account(*[FLAT] * 14, 0.047)
    bracket = Bracket(exectype=bt.Order.Market, price=None)
    traded.live({5: bracket}, bars=8)
    assert {(kept.kind, str(kept.stage)) for kept in traded.held()} == {
        ("Market", "over"), ("Stop", "held"), ("Limit", "sent"),
    }  # fmt: skip
    at_exchange = {order.client_order_id for order in traded.simulated.orders()}
    assert {kept.client_order_id for kept in traded.held() if kept.kind != "Stop"} == at_exchange
    log = traded.live(bars=12)
    ends = {clone.exectype: clone.getstatusname() for clone in log.clones}
    assert ends == {bt.Order.Stop: "Completed", bt.Order.Limit: "Canceled"}
    assert traded.sells() == [0.999]
    assert traded.broker.get_cash() == pytest.approx(float(traded.simulated.balances()["BTC"].total))
    assert Decimal(str(traded.broker._executions.position("ETH/BTC").size)) == Decimal(5)


def test_an_entry_that_is_filled_while_nobody_watches_has_its_exits_at_the_start(account: Any) -> None:
    traded = account(*[FLAT] * 6, *[0.049] * 6, 0.05, 0.05, 0.05, 0.05, 0.05, 0.053)
    traded.live({5: Bracket()}, bars=4)
    traded.clock.advance(8)
    log = traded.live(bars=12)
    told = [(clone.exectype, clone.getstatusname()) for clone in log.clones]
    assert told.count((bt.Order.Limit, "Completed")) == 2  # the entry, and the exit at its limit
    assert told[-1] == (bt.Order.Stop, "Canceled")
    assert "order_in_doubt" not in log.kinds()
    assert traded.sells() == [0.999]
    assert traded.held() == []


def test_an_exit_that_is_filled_while_nobody_watches_ends_the_other(account: Any) -> None:
    traded = account(*[FLAT] * 9, *[0.053] * 3, FLAT, *[FLAT] * 6, 0.047)
    traded.live({5: Bracket(exectype=bt.Order.Market, price=None)}, bars=6)
    traded.clock.advance(8)
    log = traded.live(bars=12)
    ends = {clone.exectype: clone.getstatusname() for clone in log.clones}
    assert ends == {bt.Order.Stop: "Canceled", bt.Order.Limit: "Completed"}
    assert traded.sells() == [0.999]


def test_an_entry_that_ends_unfilled_while_nobody_watches_ends_its_exits(account: Any) -> None:
    traded = account(*[FLAT] * 40)
    traded.live({5: Bracket()}, bars=4)
    exchange = traded._guarded(traded.simulated)
    (entry,) = traded.simulated.orders()
    exchange.cancel_order(entry.order_id, "ETH/BTC")
    exchange.close()
    log = traded.live(bars=5)
    assert [state for _, state in log.orders][-3:] == ["Canceled"] * 3
    assert traded.held() == []


def test_orders_of_others_are_left_alone_and_ones_own_go_on(account: Any) -> None:
    traded = account(*[FLAT] * 12, 0.047)
    other = traded._guarded(traded.simulated)
    other.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    traded.live({5: Bracket(exectype=bt.Order.Market, price=None)}, bars=6, broker={"adopt_orders": False})
    log = traded.live(bars=10, broker={"adopt_orders": False})
    assert {clone.exectype for clone in log.clones} == {bt.Order.Stop, bt.Order.Limit}
    assert traded.sells() == [0.999]
    others = traded.simulated.orders()[0].order_id
    assert others not in [clone.info.get("order_id") for clone in log.clones]
    assert str(traded.simulated.orders()[0].status) == "NEW"


@pytest.mark.parametrize(
    ("held", "orders", "told"),
    [
        # Triggered and written down as sent, and the process died before the first byte.
        ({"is_fired": True}, 1, ["Accepted", "Completed"]),
        # An exit that became active as its entry was filled.
        ({"kind": "Limit", "price": 0.06, "parent": "gone"}, 1, ["Accepted"]),
        # An entry is as dead as its process.
        ({"kind": "Limit", "price": 0.04}, 0, ["Canceled"]),
        # One that was to be cancelled anyway.
        ({"is_fired": True, "is_cancelled": True}, 0, ["Canceled"]),
        # Nobody can tell where the exchange was told no id: it may have been sent, so it is not.
        ({"is_fired": True, "client_order_id": "here-1"}, 0, []),
    ],
)
def test_what_was_handed_over_and_never_sent(
    account: Any, held: dict[str, Any], orders: int, told: list[str]
) -> None:
    traded = account(*[FLAT] * 10)
    exchange = traded._guarded(traded.simulated)
    usual: dict[str, Any] = {
        "client_order_id": "held1", "symbol": "ETH/BTC", "home": "ETH/BTC", "kind": "Stop", "side": "sell",
        "amount": Decimal(1), "price": 0.049, "waits_for_price": True, "stage": Stage.SENT,
    }  # fmt: skip
    order = HeldOrder(**{**usual, **held})
    order.params = {"clientOrderId": order.client_order_id}
    held_store_of(exchange).save("ETH/BTC", [order.dump()], 0.0)
    exchange.close()
    log = traded.live(bars=5)
    assert [state for _, state in log.orders] == told
    assert len(traded.simulated.orders()) == orders
    again = traded.live(bars=5)
    assert len(traded.simulated.orders()) == orders
    assert [state for _, state in again.orders] == (told if told == ["Accepted"] else [])


def test_a_cancel_that_did_not_arrive_is_sent_by_the_next_process(account: Any) -> None:
    """The stop was triggered, and the process died before the limit's cancel went out."""
    traded = account(*[FLAT] * 40)
    exchange = traded._guarded(traded.simulated)
    exchange.create_order("ETH/BTC", "limit", "sell", 5, 0.06, {"clientOrderId": "limit1"})
    usual: dict[str, Any] = {
        "symbol": "ETH/BTC",
        "home": "ETH/BTC",
        "side": "sell",
        "amount": Decimal(5),
        "group": "g",
    }
    limit = HeldOrder(
        client_order_id="limit1", kind="Limit", price=0.06, stage=Stage.SENT, is_cancelled=True, **usual
    )
    stop = HeldOrder(
        client_order_id="stop1", kind="Stop", price=0.051, waits_for_price=True, stage=Stage.TRIGGERED,
        is_fired=True, params={"clientOrderId": "stop1"}, **usual,
    )  # fmt: skip
    held_store_of(exchange).save("ETH/BTC", [limit.dump(), stop.dump()], 0.0)
    exchange.close()
    log = traded.live(bars=6)
    ends = {clone.exectype: clone.getstatusname() for clone in log.clones}
    assert ends == {bt.Order.Stop: "Completed", bt.Order.Limit: "Canceled"}
    assert traded.sells() == [5.0]


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_trigger_whose_answer_is_lost_is_sent_once_over_a_restart(account: Any, phase: str) -> None:
    """The answer never comes, no look-up succeeds, and the process ends in doubt."""
    traded = account(*[FLAT] * 4, 0.047)
    faults = traded.simulated.faults
    faults.add(Fault(FaultKind.DROPPED, on="create", phase=phase, times=1))  # type: ignore[arg-type]

    def deaf(strategy: Any) -> None:
        faults.add(Fault(FaultKind.DROPPED, on="lookup", times=None))
        trailing(strategy)

    log = traded.live({5: deaf}, bars=12)
    assert "Completed" not in [state for _, state in log.orders]
    faults.clear()
    log = traded.live(bars=12)
    assert [state for _, state in log.orders][-1] == "Completed"
    assert traded.sells() == [1.0]
    assert traded.held() == []


BOT = """
import json, sys
import backtrader as bt
from tradeguard_backtrader import GuardedStore
from tradeguard_ccxt import GuardConfig, GuardedExchange

config, journal, trades = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3] == "trade"
guard = GuardConfig(journal=journal, order_expiry=0.5, visibility_lag=0.1)
store = GuardedStore(GuardedExchange("binance", config, guard=guard))


class Bot(bt.Strategy):
    placed = False

    def notify_data(self, data, status, *args, **kwargs):
        if trades and status == data.LIVE and not self.placed:
            self.placed = True
            self.buy_bracket(size=1, exectype=bt.Order.Market, stopprice=0.048, limitprice=0.06)

    def notify_order(self, order):
        print(order.getordername(), order.getstatusname(), order.executed.size, flush=True)


cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
second = {"timeframe": bt.TimeFrame.Seconds, "compression": 1, "history": 3}
cerebro.adddata(store.getdata(dataname="ETH/BTC", bars=60 if trades else 3, **second))
cerebro.setbroker(store.getbroker())
cerebro.addstrategy(Bot)
cerebro.run()
"""


def bot(config: dict[str, Any], journal: Path, mode: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-c", BOT, json.dumps(config), str(journal), mode]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")
@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_bot_that_is_killed_while_its_stop_is_on_its_way_sells_once(tmp_path: Path, phase: str) -> None:
    """It holds a coin and both exits; the stop's request has arrived, and the process gets kill -9."""
    market = path_of(*[FLAT] * 6, *[0.047] * 80, history=20)
    with SimulatedExchange(seed=1, market=market, balances={"ETH": 5, "BTC": 1}) as server:
        hung = Fault(kind="hung", on="create", phase=phase, skip=2, times=1)  # type: ignore[arg-type]
        server.faults.add(hung)
        first = bot(server.ccxt_config(), tmp_path / "state.db", "trade")
        never = threading.Event()
        for _ in range(6000):
            if server.requests.count("POST", "/api/v3/order") == 3:
                break
            assert first.poll() is None
            never.wait(0.01)
        os.kill(first.pid, signal.SIGKILL)
        first.communicate(timeout=10)
        assert server.requests.count("POST", "/api/v3/order") == 3

        second = bot(server.ccxt_config(), tmp_path / "state.db", "watch")
        told, _ = second.communicate(timeout=60)
        assert second.returncode == 0
        assert "Stop Completed" in told
        sells = [fill for fill in server.trades() if str(fill.side).lower() == "sell"]
        assert sum(float(fill.quantity) for fill in sells) == 0.999
        assert server.balances()["ETH"].total == 5
        filled = [order for order in server.orders() if order.filled]
        assert [str(order.side).lower() for order in filled] == ["buy", "sell"]
