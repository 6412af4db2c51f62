"""What an exchange that is down sees of fifty threads: once a circuit is open, one probe a period and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import ccxt
from harness import Results

from tradeguard import CircuitBreakerConfig, RetryConfig
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard_ccxt import GuardConfig, GuardedExchange

__all__ = ["run"]

_THREADS = 50
_OUTAGE = 60.0
_PERIOD = 5.0
_PAUSE = 0.2
_DOWN = Fault("server_error", times=None)


def run(results: Results, rounds: int) -> None:
    """Watch an outage once, guarded for a minute, and as plain ccxt for a twelfth of that."""
    del rounds
    config = GuardConfig(
        breaker=CircuitBreakerConfig(recovery_timeout=_PERIOD, success_threshold=1),
        retry=RetryConfig(max_attempts=2, base_delay=0.1),
        fallback=False,
    )
    seen, back = _watch(lambda options: GuardedExchange("binance", options, guard=config), _OUTAGE)
    opened = seen[0]
    later = [at - opened for at in seen if at - opened > _PERIOD / 2]
    periods = _OUTAGE / _PERIOD
    name = f"outage of {_OUTAGE:g} s, {_THREADS} threads: requests"
    results.fact(f"{name} until the circuit was open", len(seen) - len(later), "requests")
    results.fact(f"{name} for each period of {_PERIOD:g} s then", len(later) / periods, "requests", 1.0)
    results.fact("from recovery to the first success, of a period", back / _PERIOD, "periods", 1.0)
    plain, _ = _watch(ccxt.binance, _OUTAGE / 12)
    results.fact(f"{name} of plain ccxt for such a period", len(plain), "requests")


def _watch(make: Callable[[Any], Any], seconds: float) -> tuple[list[float], float]:
    """Return when the exchange saw requests while it was down, and how long after that the first one succeeded."""
    with SimulatedExchange(seed=1, request_limit=None) as server:
        exchange = make(server.ccxt_config())
        exchange.load_markets()
        stop, succeeded = threading.Event(), threading.Event()
        up = threading.Event()

        def trade() -> None:
            while not stop.wait(_PAUSE):
                try:
                    exchange.fetch_ticker("ETH/BTC")
                except ccxt.BaseError:
                    continue
                if up.is_set():
                    succeeded.set()

        threads = [threading.Thread(target=trade) for _ in range(_THREADS)]
        server.requests.clear()
        server.faults.add(_DOWN)
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        seen = [record.time for record in server.requests]
        server.faults.clear()
        up.set()
        began = time.monotonic()
        succeeded.wait(2 * _PERIOD)
        back = time.monotonic() - began
        stop.set()
        for thread in threads:
            thread.join()
        return seen, back
