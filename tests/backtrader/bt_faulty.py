"""A feed and brokers that fail as their scripts say, and runs of them."""

from __future__ import annotations

from typing import Any

import backtrader as bt
from bt_runs import Log, Scribe


class Faulty(bt.feed.DataBase):
    """Ten bars of one minute; `_load` raises what its script says before some of them."""

    params = (("faults", None), ("live", False), ("start_faults", None), ("note", "kept"))

    def islive(self) -> bool:
        return bool(self.p.live)

    def start(self) -> None:
        super().start()
        if self.p.start_faults:
            raise self.p.start_faults.pop()
        self.number = 0

    def _load(self) -> bool | None:
        if self.number == 10:
            return False
        faults = (self.p.faults or {}).get(self.number)
        if faults:
            raise faults.pop()
        self.number += 1
        self.lines.datetime[0] = 738_000 + self.number / 1440
        for line in (self.lines.open, self.lines.high, self.lines.low, self.lines.close):
            line[0] = float(self.number)
        self.lines.volume[0] = self.lines.openinterest[0] = 0.0
        return True


def down(times: int = 1) -> list[Exception]:
    return [ConnectionError(f"down {number}") for number in range(times)]


def run(feed: Any, broker: Any = None, script: Any = None, **ways: Any) -> Log:
    log = Log()
    cerebro = bt.Cerebro(stdstats=False, **ways)
    cerebro.adddata(feed)
    if broker is not None:
        cerebro.setbroker(broker)
    cerebro.addstrategy(Scribe, log=log, script=script or {})
    try:
        cerebro.run()
    finally:
        log.told.append("over")
    return log


def closes(log: Log) -> list[float]:
    return [bar[4] for bar in log.bars]


ALL = [float(number) for number in range(1, 11)]


class FaultyBroker(bt.brokers.BackBroker):
    """A broker whose connection is bad."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = []
        self.cancel_faults: list[Exception] = []
        self.next_faults: list[Exception] = []
        self.sent = 0

    def submit(self, order: Any, check: bool = True) -> Any:
        self.sent += 1
        if self.faults:
            raise self.faults.pop()
        return super().submit(order, check=check)

    def cancel(self, order: Any, bracket: bool = False) -> Any:
        if self.cancel_faults:
            raise self.cancel_faults.pop()
        return super().cancel(order, bracket)

    def next(self) -> None:
        if self.next_faults:
            raise self.next_faults.pop()
        super().next()


class SendsInBuy(bt.brokers.BackBroker):
    """A broker that sends within `buy`, before there is an order."""

    submit = bt.BrokerBase.submit

    def buy(
        self, owner: Any, data: Any, size: Any, price: Any = None, plimit: Any = None, **options: Any
    ) -> Any:
        raise ConnectionError("down")

    sell = buy


def buy(strategy: Any) -> None:
    strategy.made = strategy.buy(size=1, price=0.5, exectype=bt.Order.Limit, why="a test")


def states(log: Log) -> list[str]:
    return [state for _, state in log.orders]
