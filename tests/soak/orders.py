"""Orders under chaos: a guarded bot on a hostile exchange, held against the exchange's own book.

    python tests/soak/orders.py --orders 500 --seeds 1 2 3

Prints duplicates, lost, phantom and unresolved orders for each seed; exits 1 if there is any. The bot and the exchange
share a clock that moves by their waits alone, so an hour of trading takes seconds.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ccxt

from tradeguard.orders import OrderAbsentError, OrderUnknownError, TradingRestrictedError
from tradeguard.simulator import Audit, FaultPlan, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig, GuardedExchange

BALANCES = {"ETH": 1_000_000, "BTC": 100_000}


def trade(orders: int, seed: int, journal: Path, timeout_ms: int) -> tuple[Audit, dict[str, Any], float]:
    """Place `orders` orders under hostile faults; returns the audit, the statistics and the seconds it took."""
    clock = ManualClock()
    rng = random.Random(seed)
    with SimulatedExchange(
        seed=seed,
        faults=FaultPlan.profile("hostile", seed=seed),
        clock=clock,
        balances=BALANCES,
        visibility_lag=0.5,
        request_limit=None,
    ) as server:
        guard = GuardConfig(
            clock=clock,
            journal=journal,
            order_expiry=3.0,
            visibility_lag=1.0,
            interlock={"stale_data": False},
        )
        bot: Any = GuardedExchange("binance", server.ccxt_config(timeout=timeout_ms), guard=guard)
        began = time.perf_counter()
        for _ in range(orders):
            place_one(bot, rng)
            clock.advance(rng.uniform(0.0, 2.0))
        server.faults.clear()
        clock.advance(60.0)
        bot.recover_orders()
        took = time.perf_counter() - began
        audit = server.audit(bot.order_journal.intents())
        statistics = bot.guard_statistics()
        bot.close()
    return audit, statistics, took


def place_one(bot: Any, rng: random.Random) -> None:
    """Place a random order, and cancel it now and then, as a bot would that minds its errors."""
    side = rng.choice(["buy", "sell"])
    amount = rng.choice([0.01, 0.05, 0.1])
    try:
        if rng.random() < 0.5:
            bot.create_order("ETH/BTC", "market", side, amount)
        else:
            price = 0.03 if side == "buy" else 0.07
            order = bot.create_order("ETH/BTC", "limit", side, amount, price)
            if rng.random() < 0.5:
                bot.cancel_order(order["id"], "ETH/BTC")
    except (OrderAbsentError, OrderUnknownError, TradingRestrictedError, ccxt.BaseError) as error:
        if not isinstance(error, ccxt.BaseError):
            raise


def main() -> int:
    """Run the soak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--timeout-ms", type=int, default=500)
    options = parser.parse_args()
    failed = False
    print("seed  orders  placed  doubled  lost  phantom  unresolved  orders/s")
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            audit, statistics, took = trade(
                options.orders, seed, Path(folder) / "state.db", options.timeout_ms
            )
        row = (len(audit.duplicated), len(audit.lost), len(audit.phantom), len(audit.unknown))
        failed = failed or any(row)
        print(
            f"{seed:>4} {options.orders:>7} {statistics['orders']['placed']:>7} {row[0]:>8} {row[1]:>5} {row[2]:>8} "
            f"{row[3]:>11} {options.orders / took:>9.0f}"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
