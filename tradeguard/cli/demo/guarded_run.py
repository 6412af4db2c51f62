"""The guarded run of a demo: the example strategy, live, through GuardedExchange, GuardedFeed and GuardedBroker."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC
from decimal import Decimal
from types import ModuleType
from typing import Any, Protocol

import backtrader as bt

from tradeguard.circuit_breaker import CircuitBreakerConfig
from tradeguard.cli.demo.outcome import Belief, RunOutcome
from tradeguard.cli.demo.plan import CANDLE_SECONDS, FAST, HISTORY, SLOW, VISIBILITY_LAG, DemoPlan
from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord
from tradeguard.retry_manager import RetryConfig
from tradeguard.simulator import SimulatedExchange
from tradeguard.storage import StateStore
from tradeguard_backtrader import StoreConfig
from tradeguard_ccxt import GuardConfig, GuardedExchange

__all__ = ["GuardedRun", "Observer", "guard_config"]


# As with `guard_config`: pauses that suit candles of one second.
_STORE_CONFIG = StoreConfig(
    patience=2.0,
    retry_pause=0.1,
    max_retry_pause=1.0,
    refetch_pause=0.1,
    order_poll=0.3,
    balance_refresh=2.0,
)


class Observer(Protocol):
    """Who is told what happens in a run; called from any thread."""

    def on_event(self, kind: str, text: str) -> None:
        """Take in what the strategy reports."""

    def on_record(self, record: ErrorRecord | TransitionRecord | RescueRecord) -> None:
        """Take in what the monitor reports."""


def guard_config(store: StateStore) -> GuardConfig:
    """Return how the demo's exchange is guarded.

    The defaults suit candles of minutes and an exchange on another continent. Here a candle lasts one second and an
    answer takes milliseconds, so everything is scaled down alike: a read gives up after three candles, a circuit
    tries again after one, and an order whose fate is unknown is proved absent two seconds after it was signed, since
    the exchange is told (recvWindow) to refuse it later. Only the visibility lag follows the exchange: it must be
    above the simulator's, or a look-up could come too early and prove nothing.
    """
    return GuardConfig(
        retry=RetryConfig(max_attempts=5, base_delay=0.05, max_delay=0.5, jitter="full"),
        breaker=CircuitBreakerConfig(failure_threshold=5, recovery_timeout=1.0, success_threshold=1),
        deadline=3.0,
        order_deadline=10.0,
        order_expiry=2.0,
        visibility_lag=VISIBILITY_LAG + 0.1,
        limit_pause=1.0,
        journal=store,
    )


class GuardedRun:
    """One guarded run.

    Args:
        plan: what to trade.
        store: where the run is kept.
        strategy: the module of the example strategy.
        exchange: the simulated exchange, started.
    """

    def __init__(
        self, plan: DemoPlan, store: StateStore, strategy: ModuleType, exchange: SimulatedExchange
    ) -> None:
        self._plan = plan
        self._strategy = strategy
        self._exchange = exchange
        self._account = plan.account(exchange)
        self._guarded = GuardedExchange(
            "binance", exchange.ccxt_config(timeout=3000), guard=guard_config(store)
        )

    def circuits(self) -> Mapping[str, str]:
        """Return the states of the circuits, by name."""
        return {
            name: str(breaker.get_state().value) for name, breaker in self._guarded.guard_circuits.items()
        }

    def orders(self) -> Mapping[str, int]:
        """Return how many orders there are, by status in lower case."""
        return Counter(str(intent.status).lower() for intent in self._guarded.order_journal.intents())

    def trade(self, observer: Observer) -> RunOutcome:
        """Trade, then audit."""
        plan, guarded = self._plan, self._guarded
        guarded.guard_monitor.add_listener(observer.on_record)
        outage = _Outage(plan, self._exchange, observer)
        began_ms = self._exchange.time_ms()
        try:
            ran = self._strategy.run(
                guarded,
                symbol=plan.symbol,
                timeframe=bt.TimeFrame.Seconds,
                compression=round(CANDLE_SECONDS),
                fast=FAST,
                slow=SLOW,
                stake=plan.stake(self._exchange),
                bars=plan.bars,
                history=HISTORY,
                observer=outage.on_event,
                config=_STORE_CONFIG,
            )
        finally:
            outage.stop()
        if guarded.orders_in_doubt():
            # What the next start of a bot would do first.
            guarded.recover_orders()
        outcome = self._outcome(ran, began_ms)
        guarded.guard_monitor.remove_listener(observer.on_record)
        guarded.close()
        return outcome

    def _outcome(self, ran: Any, began_ms: int) -> RunOutcome:
        plan = self._plan
        live, missed = _bars(ran.data, plan.bars, began_ms)
        belief = Belief(
            position=Decimal(repr(float(ran.broker.getposition(ran.data).size))),
            cash=Decimal(repr(float(ran.broker.getcash()))),
            bars=live,
            bars_missed=missed,
        )
        audit = self._exchange.audit(self._guarded.order_journal.intents())
        return RunOutcome.of(audit, belief, self._exchange, self._account)


class _Outage:
    """Pulls the exchange's plug in mid-run, counted from the first live bar."""

    def __init__(self, plan: DemoPlan, exchange: SimulatedExchange, observer: Observer) -> None:
        self._plan = plan
        self._exchange = exchange
        self._observer = observer
        self._timer: threading.Timer | None = None

    def on_event(self, kind: str, text: str) -> None:
        if kind == "bar" and self._plan.outage and self._timer is None:
            self._timer = threading.Timer(self._plan.outage_after, self._pull)
            self._timer.daemon = True
            self._timer.start()
        self._observer.on_event(kind, text)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _pull(self) -> None:
        seconds = self._plan.outage or 0.0
        self._observer.on_event("outage", f"the exchange's plug is pulled for {seconds:g} s")
        self._exchange.outage(seconds)


def _bars(data: Any, wanted: int, began_ms: int) -> tuple[int, int]:
    """Return how many live bars were delivered, and how many are missing among them and the history."""
    closes_ms = [
        round(bt.num2date(stamp).replace(tzinfo=UTC).timestamp() * 1000)
        for stamp in data.datetime.array[: len(data)]
    ]
    candle_ms = round(CANDLE_SECONDS * 1000)
    holes = sum((later - earlier) // candle_ms - 1 for earlier, later in itertools.pairwise(closes_ms))
    live = sum(1 for close_ms in closes_ms if close_ms > began_ms)
    return min(live, wanted), holes + max(0, wanted - live)
