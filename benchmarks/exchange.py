"""A guarded exchange against plain ccxt, over loopback; the exchange runs in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ccxt
from harness import Goal, Results, measure

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
                "fetch_ticker, CPU time",
                {"ccxt": reading(plain), "tradeguard_ccxt": reading(guarded)},
                goals=[Goal("tradeguard_ccxt", "ccxt", 1.05)],
                number=100,
                rounds=rounds,
                timer=time.process_time_ns,
            )
        )
        comparison = measure(
            "create_order, wall time",
            {"ccxt": ordering(plain), "tradeguard_ccxt": ordering(guarded)},
            number=20,
            rounds=rounds,
        )
        results.add(comparison)
        times = comparison.nanoseconds
        results.fact(
            "added by the durable journal and the guard",
            (times["tradeguard_ccxt"] - times["ccxt"]) / 1e6,
            "ms",
            1.0,
        )
        guarded.close()
