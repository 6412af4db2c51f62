"""The plain bot is an honest bot of today: right where nothing goes wrong, and wrong where retries are blind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import ccxt
import pytest

from tradeguard.cli.demo.plain_bot import PlainBot
from tradeguard.simulator import Fault, FaultKind, Phase, ReplayMarket, SimulatedExchange
from tradeguard.testing import ManualClock

# Three falling candles, then rising ones, then falling ones: the fast average crosses up once, and down once.
CLOSES = [
    0.0510,
    0.0508,
    0.0506,
    0.0504,
    0.0502,
    0.0504,
    0.0508,
    0.0512,
    0.0514,
    0.0508,
    0.0502,
    0.0500,
    0.0498,
]
PAST = 5


@pytest.fixture
def trade() -> Iterator[Callable[..., tuple[PlainBot, SimulatedExchange]]]:
    """Let the bot trade the candles above with faults; nothing waits."""
    with ExitStack() as stack:

        def traded(*faults: Fault) -> tuple[PlainBot, SimulatedExchange]:
            clock = ManualClock()
            opens = [CLOSES[0], *CLOSES]
            rows = [
                [n * 1000, o, max(o, c), min(o, c), c, 1000]
                for n, (o, c) in enumerate(zip(opens, CLOSES, strict=False))
            ]
            market = ReplayMarket(
                [*rows, *([[99_000 + n, 0.0498, 0.0498, 0.0498, 0.0498, 1000] for n in range(9)])],
                history=PAST,
            )
            exchange = stack.enter_context(SimulatedExchange(market, seed=1, clock=clock))
            client: Any = ccxt.binance(exchange.ccxt_config())
            stack.callback(client.close)
            bot = PlainBot(
                client, symbol="ETH/BTC", timeframe="1s", fast=2, slow=3, stake=1.0, sleep=clock.sleep
            )
            bot.start()
            exchange.faults.add(*faults)
            for _ in range(len(CLOSES) - PAST):
                clock.advance(1.0)
                bot.step()
                bot.step()
            return bot, exchange

        yield traded


def fault(kind: FaultKind, **settings: Any) -> Fault:
    return Fault(kind, on="create", **settings)


def test_where_nothing_goes_wrong_the_plain_bot_believes_what_is_true(trade: Callable[..., Any]) -> None:
    bot, exchange = trade()
    assert [(intent.side, intent.status) for intent in bot.intents] == [("buy", "PLACED"), ("sell", "PLACED")]
    balances = {"BTC": bot.cash, "ETH": 100 + bot.position}
    assert exchange.audit(bot.intents, balances=balances).clean
    assert bot.position == pytest.approx(0.0)


def test_it_acts_on_each_closed_candle_once(trade: Callable[..., Any]) -> None:
    bot, exchange = trade()
    stamps = bot.candles_seen
    assert len(stamps) == len(CLOSES) - PAST
    assert [later - earlier for earlier, later in itertools.pairwise(stamps)] == [1000] * (len(stamps) - 1)
    assert stamps[-1] + 1000 <= exchange.time_ms()


def test_a_lost_answer_makes_it_buy_twice(trade: Callable[..., Any]) -> None:
    bot, exchange = trade(fault(FaultKind.DROPPED, phase=Phase.AFTER))
    audit = exchange.audit(bot.intents)
    assert (len(audit.duplicated), audit.lost, audit.phantom, audit.unknown) == (1, (), (), ())
    assert bot.intents[0].client_order_ids == ["plain-1-1", "plain-1-2"]
    assert exchange.balances()["ETH"].total > 100.9 + bot.position


def test_an_answer_that_names_no_order_is_lost_to_it(trade: Callable[..., Any]) -> None:
    bot, exchange = trade(fault(FaultKind.EMPTY, phase=Phase.AFTER))
    audit = exchange.audit(bot.intents)
    assert bot.intents[0].status == "REJECTED"
    assert audit.lost == ("plain-1-1",)


def test_a_refused_order_is_not_retried(trade: Callable[..., Any]) -> None:
    bot, exchange = trade(fault(FaultKind.SERVER_ERROR, status=400, code=-2010))
    assert (bot.intents[0].status, len(bot.intents[0].client_order_ids)) == ("REJECTED", 1)
    assert exchange.audit(bot.intents).clean


def test_an_order_that_never_arrived_is_retried_and_placed_once(trade: Callable[..., Any]) -> None:
    bot, exchange = trade(fault(FaultKind.DROPPED))
    assert len(bot.intents[0].client_order_ids) == 2
    assert exchange.audit(bot.intents).clean
