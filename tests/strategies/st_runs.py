"""What the tests of the example strategies share: their modules, and exchanges on a clock of their own."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from tradeguard.simulator import SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_backtrader import GuardedStore, InlineWorkers
from tradeguard_ccxt import GuardConfig, GuardedExchange

FOLDER = Path(__file__).resolve().parents[2] / "strategies"


def example(name: str) -> ModuleType:
    """The module of an example, found as Python finds it for somebody who runs it: beside the others."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


@contextmanager
def exchange_of(
    folder: Path, clock: ManualClock | None = None, **options: Any
) -> Iterator[tuple[Any, SimulatedExchange, Any]]:
    """A guarded exchange, the simulated one behind it, and a store that keeps its work inline."""
    clock = ManualClock(start=100.0) if clock is None else clock
    settings = {"seed": 1, "dialect": "binance", "balances": {"ETH": 100, "BTC": 10}, **options}
    with SimulatedExchange(clock=clock, **settings) as simulated:
        guard = GuardConfig(clock=clock, journal=folder / "orders.sqlite", order_expiry=2.0)
        exchange = GuardedExchange(settings["dialect"], simulated.ccxt_config(), guard=guard)
        try:
            yield exchange, simulated, GuardedStore(exchange, clock=clock, workers=InlineWorkers(clock))
        finally:
            exchange.close()


class Told(list[tuple[str, str]]):
    """An observer that writes down what it is told."""

    def __call__(self, kind: str, text: str) -> None:
        self.append((kind, text))

    def of(self, kind: str) -> list[str]:
        return [text for each, text in self if each == kind]


def walk(bars: int) -> pd.DataFrame:
    """Bars of five minutes that walk at random, the same ones each time."""
    chance, price, rows = random.Random(5), 0.05, []
    for _ in range(bars):
        path = [price := price * (1 + chance.gauss(0, 0.002)) for _ in range(4)]
        rows.append((path[0], max(path), min(path), path[-1], 10.0))
    index = pd.date_range("2024-01-01 00:05", periods=bars, freq="5min")
    return pd.DataFrame(rows, index=index, columns=["open", "high", "low", "close", "volume"])
