"""A guarded exchange against plain ccxt, over loopback; the exchange runs in a process of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ccxt
from harness import Comparison, Goal, Results, measure

from tradeguard_ccxt import GuardConfig, GuardedExchange

__all__ = ["run"]

_SERVER = """
import json, sys
from tradeguard.simulator import SimulatedExchange
with SimulatedExchange(seed=1, request_limit=None, balances={"BTC": 10**6, "ETH": 10**6}) as exchange:
    print(json.dumps(exchange.ccxt_config()), flush=True)
    sys.stdin.read()
"""


@contextmanager
def _server() -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()
        process.wait(10)


def run(results: Results, rounds: int) -> None:
    """Measure reads by CPU time, and orders by the wall's."""
    with _server() as config, tempfile.TemporaryDirectory() as folder:
        plain = ccxt.binance(config)
        guarded: Any = GuardedExchange(
            "binance", config, guard=GuardConfig(journal=Path(folder) / "state.db")
        )

        def reading(exchange: Any) -> Any:
            return lambda n: [exchange.fetch_ticker("ETH/BTC") for _ in range(n)]

        def ordering(exchange: Any) -> Any:
            return lambda n: [exchange.create_order("ETH/BTC", "market", "buy", 0.01) for _ in range(n)]

        results.add(
            measure(
                "fetch_ticker over loopback",
                {"tradeguard_ccxt": reading(guarded), "ccxt": reading(plain)},
                goals=(Goal("ccxt", 1.05),),
                number=50,
                rounds=3 * rounds,
            )
        )
        orders = {"tradeguard_ccxt": ordering(guarded), "ccxt": ordering(plain)}
        results.add(measure("create_order over loopback", orders, number=10, rounds=rounds))
        # One at a time, so that both meet the same moments of a busy disk.
        comparison = measure(
            "create_order over loopback",
            orders,
            number=1,
            rounds=20 * rounds,
            timer=time.perf_counter_ns,
        )
        results.add(comparison)
        results.fact(
            "added by guard and journal, one wait for the disk included", _added(comparison), "ms", 1.0
        )
        results.fact("a wait for the disk at that time", _disk_wait(Path(folder) / "probe"), "ms")
        guarded.close()


def _added(comparison: Comparison) -> float:
    times = comparison.nanoseconds
    return (times["tradeguard_ccxt"] - times["ccxt"]) / 1e6


def _disk_wait(path: Path) -> float:
    """Return the median milliseconds of an fsync of four new kilobytes: the floor of any durable journal."""
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            began = time.perf_counter_ns()
            os.fsync(file.fileno())
            took.append((time.perf_counter_ns() - began) / 1e6)
    return statistics.median(took)
