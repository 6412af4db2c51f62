"""The plain run of a demo, in a process of its own: an exchange of its own, and the plain bot on it.

Run as `python -m tradeguard.cli.demo.plain_run PLAN`, it writes one line of JSON at each change, and the outcome
at last. A process of its own keeps the two bots from slowing each other down.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from decimal import Decimal
from typing import Any

import ccxt

from tradeguard.cli.demo.outcome import Belief, RunOutcome
from tradeguard.cli.demo.plain_bot import PlainBot
from tradeguard.cli.demo.plan import CANDLE_SECONDS, FAST, SLOW, TIMEFRAME, DemoPlan
from tradeguard.simulator import SimulatedExchange

__all__ = ["run_plain"]

_PAUSE_SECONDS = 0.2
_logger = logging.getLogger(__name__)


def run_plain(plan: DemoPlan, tell: Any) -> RunOutcome:
    """Trade `plan` with the plain bot, and audit it.

    Args:
        plan: what to trade.
        tell: called with a dictionary of counts when something has changed.
    """
    with plan.exchange() as exchange:
        bot = PlainBot(
            ccxt.binance(exchange.ccxt_config(timeout=3000)),
            symbol=plan.symbol,
            timeframe=TIMEFRAME,
            fast=FAST,
            slow=SLOW,
            stake=plan.stake(exchange),
        )
        account = plan.account(exchange)
        first_ms = _begin(bot, exchange)
        outage = threading.Timer(plan.outage_after, exchange.outage, [plan.outage]) if plan.outage else None
        if outage is not None:
            outage.daemon = True
            outage.start()
        _trade(bot, exchange, first_ms + round(plan.bars * CANDLE_SECONDS * 1000), tell)
        belief = _belief(plan, bot, first_ms)
        return RunOutcome.of(exchange.audit(bot.intents), belief, exchange, account)


def _begin(bot: PlainBot, exchange: SimulatedExchange) -> int:
    """Start the bot; returns the opening of the first candle that it may trade, in epoch milliseconds."""
    while True:
        try:
            bot.start()
            now_ms = exchange.time_ms()
            return now_ms - now_ms % round(CANDLE_SECONDS * 1000)
        except ccxt.BaseError as error:
            _logger.info("starting again: %s", error)


def _trade(bot: PlainBot, exchange: SimulatedExchange, end_ms: int, tell: Any) -> None:
    told: dict[str, int] = {}
    while exchange.time_ms() < end_ms + round(CANDLE_SECONDS * 1000):
        try:
            bot.step()
        except Exception as error:  # noqa: BLE001 - as the main loop of a bot does: say so, and go on
            _logger.info("%s", error)
        audit = exchange.audit(bot.intents)
        counts = {
            "orders": len(exchange.orders()),
            "duplicated": len(audit.duplicated),
            "lost": len(audit.lost),
            "phantom": len(audit.phantom),
        }
        if counts != told:
            told = counts
            tell({"counts": counts})
        time.sleep(_PAUSE_SECONDS)


def _belief(plan: DemoPlan, bot: PlainBot, first_ms: int) -> Belief:
    seen = [stamp for stamp in bot.candles_seen if stamp >= first_ms][: plan.bars]
    return Belief(
        position=Decimal(repr(bot.position)),
        cash=Decimal(repr(bot.cash)),
        bars=len(seen),
        bars_missed=plan.bars - len(seen),
    )


def _write(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    outcome = run_plain(DemoPlan.from_json(sys.argv[1]), _write)
    _write({"outcome": json.loads(outcome.to_json())})
