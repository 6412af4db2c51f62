"""Hours of streams, compressed into what it takes to compute them, under drops, freezes and worse; then the audit.

    python tests/soak/streams.py --hours 4 --seeds 1 2 3

Every trade must have been delivered once and in order, every candle once and as the exchange has it now, every change
of an order and every fill once; a book that is returned must be one of the present.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.async_support

from tradeguard.backoff import Backoff
from tradeguard.simulator import FaultPlan, SimulatedExchange, StreamFault, StreamFaultKind, SyntheticMarket
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig
from tradeguard_ccxt.pro import GuardedExchange
from tradeguard_ccxt.socket_client import SocketMixin
from tradeguard_ccxt.stream import Stream

SYMBOL = "ETH/BTC"
_STEP_SECONDS = 1.0
_ORDER_EVERY = 15  # steps
_FEW = 20  # more or less are alive at one moment or another
_HEALING_STEPS = 40  # after the last fault
_K = StreamFaultKind
DROPS = (
    (0.05, StreamFault(_K.REFUSED, times=None, status=503)),
    (0.0015, StreamFault(_K.DROPPED, times=None)),
    (0.0010, StreamFault(_K.CLOSED, times=None, code=1006)),
    (0.0010, StreamFault(_K.CLOSED, times=None, code=1012)),
    (0.0010, StreamFault(_K.FROZEN, times=None)),
)
WORSE = (
    (0.0005, StreamFault(_K.TRUNCATED, times=None)),
    (0.0005, StreamFault(_K.GARBAGE, times=None)),
    (0.0020, StreamFault(_K.LAGGING, times=None, delay=3.0)),
    (0.0020, StreamFault(_K.LOST, on="trade", times=None)),
    (0.0040, StreamFault(_K.DUPLICATED, times=None)),
    (0.0030, StreamFault(_K.REORDERED, on="trade", times=None)),
)


@dataclass
class Heard:
    """What a bot was told."""

    trades: list[Any] = field(default_factory=list)
    candles: list[Any] = field(default_factory=list)
    orders: list[Any] = field(default_factory=list)
    fills: list[Any] = field(default_factory=list)
    books: int = 0
    late_books: int = 0
    tickers: int = 0
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Verdict:
    """What the audit found; `problems` is empty where nothing is wrong."""

    problems: list[str]
    heard: Heard
    statistics: dict[str, Any]
    struck: dict[str, int]
    sockets: int
    seconds: float


async def soak(
    faults: FaultPlan, steps: int, seed: int = 1, *, exact: bool = True, **guarded: Any
) -> Verdict:
    """Watch six streams for `steps` seconds of the exchange's time, and audit what was heard.

    Args:
        faults: what goes wrong.
        steps: seconds.
        seed: of the market.
        exact: whether closed candles must be as the exchange has them now: not so where single messages are lost.
        guarded: for GuardConfig.
    """
    began = time.monotonic()
    clock = ManualClock()
    market = SyntheticMarket([SYMBOL], volatility=0.00005)
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatedExchange(market, faults, seed, clock=clock, request_limit=None) as server,
    ):
        guard = GuardConfig(clock=clock, journal=Path(folder, "soak.db"), **guarded)
        exchange: Any = GuardedExchange("binance", server.ccxt_config(timeout=5000), guard=guard)
        plain = ccxt.async_support.binance(server.ccxt_config(timeout=5000))
        try:
            heard = Heard()
            await exchange.load_markets()
            await plain.load_markets()
            await _run(server, exchange, plain, heard, steps)
            problems = await _audit(server, plain, heard, exact=exact)
            struck = sum((Counter(socket.faults) for socket in server.sockets), Counter())
            refused = Counter(r.fault for r in server.requests if r.fault and r.group == "handshake")
            return Verdict(
                problems,
                heard,
                exchange.guard_statistics(),
                dict(struck + refused),
                len(server.sockets),
                time.monotonic() - began,
            )
        finally:
            await exchange.close()
            await plain.close()


async def _run(server: SimulatedExchange, exchange: Any, plain: Any, heard: Heard, steps: int) -> None:
    def book(told: Any) -> None:
        heard.books += 1
        stamp = told.get("timestamp")
        heard.late_books += stamp is not None and server.time_ms() - stamp > 60_000

    def ticker(_: Any) -> None:
        heard.tickers += 1

    def copied(into: list[Any]) -> Callable[[Any], None]:
        return lambda told: into.extend(dict(one) if isinstance(one, dict) else list(one) for one in told)

    watching = {
        asyncio.create_task(_loop(call, take, heard))
        for call, take in (
            (lambda: exchange.watch_trades(SYMBOL), copied(heard.trades)),
            (lambda: exchange.watch_ohlcv(SYMBOL, "1m"), copied(heard.candles)),
            (lambda: exchange.watch_orders(SYMBOL), copied(heard.orders)),
            (lambda: exchange.watch_my_trades(SYMBOL), copied(heard.fills)),
            (lambda: exchange.watch_order_book(SYMBOL, None, {"watchOrderBookRate": "1000"}), book),
            (lambda: exchange.watch_ticker(SYMBOL), ticker),
        )
    }
    try:
        await _turns(server, 20)
        for step in range(steps):
            server.advance(_STEP_SECONDS)
            await _turns(server, 1)
            if step % _ORDER_EVERY == 0:
                await _order(plain, step, float(server.last_price(SYMBOL)))
        server.faults.clear()
        for _ in range(_HEALING_STEPS):
            server.advance(_STEP_SECONDS)
            await _turns(server, 1)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


async def _loop(call: Callable[[], Awaitable[Any]], take: Callable[[Any], None], heard: Heard) -> None:
    while True:
        try:
            take(await call())
        except Exception as error:
            heard.errors.append(f"{type(error).__name__}: {error}")
            if len(heard.errors) > 20:
                return


async def _turns(server: SimulatedExchange, turns: int) -> None:
    """Let everything be done that the present asks for."""
    for _ in range(turns):
        for _ in range(20):
            await asyncio.sleep(0.0005)
            if not any(socket.is_open and socket.waiting for socket in server.sockets[-12:]):
                break


async def _order(plain: Any, step: int, price: float) -> None:
    side = "buy" if step % (2 * _ORDER_EVERY) else "sell"
    if step % (3 * _ORDER_EVERY):
        await plain.create_order(SYMBOL, "market", side, 0.05)
        return
    order = await plain.create_order(SYMBOL, "limit", "buy", 0.05, round(price * 0.8, 5))
    await plain.cancel_order(order["id"], SYMBOL)


async def _audit(server: SimulatedExchange, plain: Any, heard: Heard, *, exact: bool) -> list[str]:
    problems = [f"error: {error}" for error in heard.errors]
    ids = [int(trade["id"]) for trade in heard.trades]
    problems += [f"trade {b} after {a}" for a, b in itertools.pairwise(ids) if b != a + 1]
    opens = list(dict.fromkeys(candle[0] for candle in heard.candles))
    problems += [f"candle {b} after {a}" for a, b in itertools.pairwise(opens) if b != a + 60_000]
    final = {candle[0]: candle for candle in heard.candles}
    told: dict[int, Any] = {}
    since = opens[0] if opens else 0
    while since <= opens[-1]:
        page = await plain.fetch_ohlcv(SYMBOL, "1m", since, 1000)
        told |= {candle[0]: candle for candle in page}
        since = page[-1][0] + 60_000
    if exact:
        problems += [
            f"candle {opened} is {final[opened]} and not {told[opened]}"
            for opened in opens[:-1]
            if final[opened] != told[opened]
        ]
    fills = [int(fill["id"]) for fill in heard.fills]
    actual = [int(trade.trade_id) for trade in server.trades()]
    if sorted(fills) != sorted(actual):
        problems.append(f"fills: {len(fills)} of {len(actual)}, doubled {len(fills) - len(set(fills))}")
    last = {order["id"]: order["status"] for order in heard.orders}
    names = {"FILLED": "closed", "CANCELED": "canceled", "NEW": "open", "EXPIRED": "expired"}
    for record in server.orders():
        status = names.get(str(record.status), str(record.status))
        if last.get(str(record.order_id)) != status:
            problems.append(f"order {record.order_id} is {status} and not {last.get(str(record.order_id))}")
    if heard.late_books:
        problems.append(f"{heard.late_books} books of the past")
    return problems


async def left_behind(reconnects: int) -> Counter[str]:
    """Lose the sockets of three streams again and again; returns what of them is still alive then, by kind.

    The exchange keeps a record of each connection in this process: so kinds are counted, and not bytes.
    """
    clock = ManualClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatedExchange(SyntheticMarket([SYMBOL]), clock=clock, request_limit=None) as server,
    ):
        guard = GuardConfig(clock=clock, journal=Path(folder, "soak.db"), redial=Backoff(base_delay=0.0))
        exchange: Any = GuardedExchange("binance", server.ccxt_config(timeout=5000), guard=guard)
        try:
            await exchange.load_markets()
            for _ in range(reconnects):
                await _heard_and_lost(server, exchange)
            await asyncio.sleep(0.3)
            gc.collect()
            return _alive()
        finally:
            await exchange.close()


async def _heard_and_lost(server: SimulatedExchange, exchange: Any) -> None:
    calls = [
        asyncio.create_task(call)
        for call in (
            exchange.watch_trades(SYMBOL),
            exchange.watch_ticker(SYMBOL),
            exchange.watch_ohlcv(SYMBOL, "1m"),
        )
    ]
    pending = set(calls)
    while pending:
        server.advance(_STEP_SECONDS)
        _, pending = await asyncio.wait(pending, timeout=0.005)
    for call in calls:
        call.result()
    for client in list(exchange.clients.values()):
        client.drop(ccxt.NetworkError("lost by the soak"))


def _alive() -> Counter[str]:
    kinds = (SocketMixin, asyncio.Future, Stream, aiohttp.ClientWebSocketResponse, asyncio.TimerHandle)
    return Counter(kind.__name__ for one in gc.get_objects() for kind in kinds if _is(one, kind))


def _is(one: object, kind: type) -> bool:
    if not issubclass(type(one), kind):  # proxies lie of their class, and some die of being asked
        return False
    # The loop keeps cancelled timers until there are many of them.
    return not (isinstance(one, asyncio.TimerHandle) and one.cancelled())


def main() -> int:
    """Run the soaks that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hours", type=float, default=4.0, help="of each stream")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--drops-only", action="store_true", help="drops and freezes, and candles compared exactly"
    )
    parser.add_argument(
        "--reconnects", type=int, default=1000, help="of three sockets each, for what they leave"
    )
    options = parser.parse_args()
    failed = 0
    if options.reconnects:
        few, many = (asyncio.run(left_behind(count)) for count in (20, options.reconnects))
        grown = {kind: many[kind] - few[kind] for kind in many if many[kind] > few[kind] + _FEW}
        print(
            f"{options.reconnects} reconnects left {dict(many)}, 20 left {dict(few)}; grown: {grown or 'nothing'}"
        )
        failed += bool(grown)
    for seed in options.seeds:
        plan = FaultPlan((), seed, DROPS if options.drops_only else (*DROPS, *WORSE))
        silence = dict.fromkeys(("watch_orders", "watch_my_trades"), 20.0)
        steps = int(options.hours * 3600)
        verdict = asyncio.run(soak(plan, steps, seed, exact=options.drops_only, silence=silence))
        gc.collect()
        heard = verdict.heard
        print(
            f"seed {seed}: {len(heard.trades)} trades, {len(heard.candles)} candles, {len(heard.orders)} orders, "
            f"{len(heard.fills)} fills, {heard.books} books, {heard.tickers} tickers over {verdict.sockets} sockets "
            f"in {verdict.seconds:.0f} s; {verdict.statistics['streams']}; {verdict.struck}; "
            f"{len(verdict.problems)} problems",
            *verdict.problems[:20],
            sep="\n    ",
        )
        failed += bool(verdict.problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
