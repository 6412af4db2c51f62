"""One bot of a soak: a process that trades, writes down what it believes, and may be killed at any moment."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ccxt

from tradeguard import CircuitBreakerConfig, RetryConfig
from tradeguard.orders import JournalError, OrderAbsentError, OrderUnknownError
from tradeguard_ccxt import GuardConfig, GuardedExchange

SYMBOL = "ETH/BTC"
EXPIRY = 1.0
"""Seconds for which an order stays acceptable: the recvWindow that is sent, and that the simulator enforces, on receipt
and again before a late request reaches the book."""
VISIBILITY_LAG = 0.2
"""Seconds for which the simulator hides an accepted order; the bots reckon with more."""
ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class BotPlan:
    """What one bot is to do.

    Attributes:
        number: which bot it is, from 0.
        config: ccxt's configuration, the same for all bots.
        journal: path of the journal, the same for all bots.
        beliefs: path of what this bot alone writes down, over its restarts.
        seed: fixes what it orders.
        orders: how many orders it means to place.
    """

    number: int
    config: Mapping[str, Any]
    journal: str
    beliefs: str
    seed: int
    orders: int

    def amount(self, n: float) -> float:
        """Return the amount of its n-th order, which no other order of the run has: by it the book is audited.

        What the n-th order is changed into counts as order n + 0.5.
        """
        return round(0.01 + 0.0002 * (self.number * self.orders + n), 4)


class Beliefs:
    """Lines that are out of the process when `tell` returns, so that kill -9 takes none back.

    Args:
        path: of the file; it is appended to.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(self, n: float, what: str, **details: Any) -> None:
        os.write(self._file, json.dumps({"n": n, "what": what, **details}).encode() + b"\n")


def read_beliefs(path: str) -> Iterator[dict[str, Any]]:
    """Yield what a bot wrote down so far."""
    if Path(path).exists():
        yield from map(json.loads, Path(path).read_text().splitlines())


def guarded(config: Mapping[str, Any], journal: str) -> Any:
    """Make a guarded exchange whose bounds are those of the simulator, so that proofs take seconds."""
    guard = GuardConfig(
        journal=journal,
        order_expiry=EXPIRY,
        visibility_lag=VISIBILITY_LAG + 0.3,
        order_deadline=10.0,
        retry=RetryConfig(max_attempts=4, base_delay=0.05, max_delay=0.5, jitter="full"),
        breaker=CircuitBreakerConfig(failure_threshold=5, recovery_timeout=1.0),
        limit_pause=0.5,
        interlock={"stale_data": False},
    )
    return GuardedExchange("binance", dict(config), guard=guard)


def run(plan: BotPlan) -> None:
    """Place the orders that are left. What a killed predecessor was about is not repeated: it is recovered."""
    begun = [int(belief["n"]) for belief in read_beliefs(plan.beliefs) if belief["what"] == "meant"]
    bot = guarded(plan.config, plan.journal)
    beliefs = Beliefs(plan.beliefs)
    for n in range(max(begun, default=-1) + 1, plan.orders):
        trade(bot, plan, n, beliefs)
    bot.close()


def trade(bot: Any, plan: BotPlan, n: int, beliefs: Beliefs) -> None:
    """Place the n-th order; where it may still be open, change it now and then, and mostly cancel it."""
    rng = random.Random(f"{plan.seed}/{plan.number}/{n}")
    current: float = n
    order = place(bot, plan, n, beliefs, rng)
    if order is not None and order["type"] == "limit" and rng.random() < 0.25:
        current, order = n + 0.5, edit(bot, plan, n + 0.5, order, beliefs)
    if order is not None and order["type"] == "limit" and rng.random() < 0.75:
        cancel(bot, current, order, beliefs)


def place(bot: Any, plan: BotPlan, n: int, beliefs: Beliefs, rng: random.Random) -> Any:
    """Place the n-th order as a bot would that minds its errors: what is absent may be tried again, once."""
    side = rng.choice(["buy", "sell"])
    price = rng.choice([None, {"buy": 0.03, "sell": 0.07}[side]])
    # Half of the orders have an id of the bot's own, which it uses again when the order is surely absent.
    params = rng.choice([{}, {"clientOrderId": f"s{plan.seed}b{plan.number}n{n}"}])
    wish = (SYMBOL, "market" if price is None else "limit", side, plan.amount(n), price, params)
    for _ in range(2):
        order = heard(beliefs, n, lambda: bot.create_order(*wish))
        if order is not ABSENT:
            return order
    return None


def edit(bot: Any, plan: BotPlan, n: float, order: Mapping[str, Any], beliefs: Beliefs) -> Any:
    """Change an order's amount, once."""
    wish = (order["id"], SYMBOL, "limit", order["side"], plan.amount(n), order["price"])
    changed = heard(beliefs, n, lambda: bot.edit_order(*wish))
    return None if changed is ABSENT else changed


def heard(beliefs: Beliefs, n: float, send: Callable[[], Any]) -> Any:
    """Send, and write down what is meant and what is heard; returns the order, ABSENT, or None for anything else."""
    beliefs.tell(n, "meant")
    try:
        order = send()
    except OrderAbsentError as error:
        beliefs.tell(n, "absent", id=error.context["client_order_id"])
        return ABSENT
    except OrderUnknownError as error:
        beliefs.tell(n, "unknown", id=error.context["client_order_id"])
    except (ccxt.BaseError, JournalError) as error:
        beliefs.tell(n, "refused", error=f"{type(error).__name__}: {error}"[:300])
    else:
        beliefs.tell(n, "placed", id=order["clientOrderId"], order_id=order["id"])
        return order
    return None


def cancel(bot: Any, n: float, order: Mapping[str, Any], beliefs: Beliefs) -> None:
    """Cancel an order, and write down what is heard."""
    try:
        gone = bot.cancel_order(order["id"], SYMBOL)
    except ccxt.BaseError as error:
        beliefs.tell(n, "not_canceled", error=f"{type(error).__name__}: {error}"[:300])
    else:
        beliefs.tell(n, "canceled", status=gone["status"])
