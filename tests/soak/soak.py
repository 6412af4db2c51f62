"""Orders under chaos: several guarded bots on one journal and a hostile exchange, killed at random, then audited.

    python tests/soak/soak.py --orders 500 --seeds 1 2 3

For each seed: a simulated exchange under its hostile faults, bot processes that share one journal and one account, and
`kill -9` at random moments; a killed bot is started again and recovers by itself before its next order. At the end the
faults stop, what the last kills left behind is recovered, and the exchange's book is held against the journal and
against what each bot wrote down. Exits 1 if any order is doubled, lost, unresolved or wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import ccxt
from soak_audit import judge
from soak_bot import SYMBOL, VISIBILITY_LAG, BotPlan, guarded, run

from tradeguard.orders import OrderAbsentError
from tradeguard.simulator import FaultPlan, SimulatedExchange

HERE = str(Path(__file__).parent)
POLL = 0.005
HEADER = "seed  orders  on book  kills  faults  duplicates  lost  unresolved  wrong  orders/s     added"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one seed.

    Attributes:
        seed: of everything.
        orders: that the bots meant to place.
        on_book: that the exchange accepted.
        kills: times that a bot was killed.
        faults: requests that a fault struck.
        duplicated: what is wrong, each in a sentence; likewise `lost`, `unresolved` and `wrong`.
        seconds: from the first order until all was resolved.
        added_ms: median time that the guard adds to an order, on a healthy exchange.
        failure: why the run itself failed, if it did.
    """

    seed: int
    orders: int = 0
    on_book: int = 0
    kills: int = 0
    faults: int = 0
    duplicated: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    added_ms: float = 0.0
    failure: str = ""

    @property
    def complaints(self) -> list[str]:
        """Everything that is wrong."""
        failure = [self.failure] if self.failure else []
        return [*failure, *self.duplicated, *self.lost, *self.unresolved, *self.wrong]


class Crew:
    """The bot processes of one run.

    Args:
        plans: one a bot.
    """

    def __init__(self, plans: list[BotPlan]) -> None:
        # Children of a server that has imported everything and holds nothing: cheap to start again, and free of the
        # threads and connections of this process.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["soak_bot"])
        # Up to Python 3.12 the server looks for it where the environment says, and nowhere else.
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [HERE, os.environ.get("PYTHONPATH")]))
        self._plans = plans
        self._running = [self._start(plan) for plan in plans]
        self.kills = 0

    def kill_one(self, rng: random.Random) -> None:
        """Kill -9 a random bot that is running, and start it again."""
        alive = [number for number, process in enumerate(self._running) if process.is_alive()]
        if alive:
            number = rng.choice(alive)
            self._running[number].kill()
            self._running[number].join()
            self._running[number] = self._start(self._plans[number])
            self.kills += 1

    def is_busy(self) -> bool:
        """Whether a bot is still running.

        Raises:
            RuntimeError: one has ended by an error of its own.
        """
        codes = [process.exitcode for process in self._running]
        if any(code not in (None, 0) for code in codes):
            raise RuntimeError(f"a bot crashed: exit codes {codes}")
        return None in codes

    def dismiss(self) -> None:
        """End what still runs."""
        for process in self._running:
            process.kill()
            process.join()

    def _start(self, plan: BotPlan) -> BaseProcess:
        process = self._context.Process(target=run, args=(plan,))
        process.start()
        return process


def soak(seed: int, orders: int, bots: int, kills: int, limit: float) -> Outcome:
    """Run one seed, for at most `limit` seconds."""
    each = -(-orders // bots)
    hostile = SimulatedExchange(
        seed=seed,
        faults=FaultPlan.profile("hostile", seed=seed),
        balances={"ETH": 1_000_000, "BTC": 100_000},
        visibility_lag=VISIBILITY_LAG,
        request_limit=None,
    )
    with tempfile.TemporaryDirectory() as folder, hostile as server:
        config, journal = server.ccxt_config(timeout=3000), f"{folder}/state.db"
        plans = [
            BotPlan(
                number=number,
                config=config,
                journal=journal,
                beliefs=f"{folder}/{number}",
                seed=seed,
                orders=each,
            )
            for number in range(bots)
        ]
        began = time.perf_counter()
        crew = Crew(plans)
        failure = ""
        try:
            trade(crew, kill_moments(seed, each * bots, kills), server, began + limit)
        except (RuntimeError, TimeoutError) as error:
            failure = str(error)
        finally:
            crew.dismiss()
        faults = sum(record.fault is not None for record in server.requests)
        server.faults.clear()
        last: Any = guarded(config, journal)
        last.recover_orders()
        seconds = time.perf_counter() - began
        intents, book = last.order_journal.intents(), server.orders()
        findings = judge(server.audit(intents), intents, book, plans)
        added = added_ms(ccxt.binance(config), last)
        last.close()
    return Outcome(
        seed=seed,
        orders=each * bots,
        on_book=len(book),
        kills=crew.kills,
        faults=faults,
        seconds=seconds,
        added_ms=added,
        failure=failure,
        **asdict(findings),
    )


def kill_moments(seed: int, orders: int, kills: int) -> Iterator[tuple[int, float, random.Random]]:
    """Yield at which number of sends to kill, how many seconds later, and a source of chance."""
    rng = random.Random(f"{seed}/kills")
    for sends in sorted(rng.sample(range(1, orders), min(kills, orders - 1))):
        # From just after the exchange has an order until well after its answer.
        yield sends, rng.uniform(0.0, 0.08), rng


def trade(
    crew: Crew, moments: Iterator[tuple[int, float, random.Random]], server: SimulatedExchange, until: float
) -> None:
    """Let the bots trade, and kill them, until they have done all.

    Raises:
        TimeoutError: the time is up.
        RuntimeError: a bot crashed.
    """
    moment = next(moments, None)
    while crew.is_busy():
        if time.perf_counter() > until:
            raise TimeoutError("the bots did not come to an end in time")
        if moment is not None and server.requests.count("POST", "/api/v3/order") >= moment[0]:
            time.sleep(moment[1])
            crew.kill_one(moment[2])
            moment = next(moments, None)
        time.sleep(POLL)


def added_ms(plain: Any, guarded_one: Any, rounds: int = 30) -> float:
    """Return the median of what the guard adds to an order on a healthy exchange, journal included."""

    def timed(create: Callable[..., Any]) -> float | None:
        began = time.perf_counter()
        try:
            create(SYMBOL, "limit", "buy", 1, 0.03)
        except OrderAbsentError:  # the machine was too busy to sign it in time
            return None
        return time.perf_counter() - began

    plain.cancel_all_orders(SYMBOL)  # the exchange takes 200 open ones
    guarded_one.load_markets()
    pairs = [(timed(plain.create_order), timed(guarded_one.create_order)) for _ in range(rounds)]
    whole = [(p, g) for p, g in pairs if p is not None and g is not None]
    if not whole:
        return math.nan
    return 1000 * (statistics.median(g for _, g in whole) - statistics.median(p for p, _ in whole))


def in_own_process(seed: int, options: argparse.Namespace) -> Outcome:
    """Run one seed in a process of its own, so that several go at once."""
    settings = {name: getattr(options, name) for name in ("orders", "bots", "kills", "limit")}
    arguments = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, __file__, "--json", "--seeds", str(seed), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=options.limit + 120, check=False)
    if done.returncode != 0:
        return Outcome(seed=seed, failure=done.stderr[-2000:])
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def row(outcome: Outcome) -> str:
    """Return a seed's line of the table, and its complaints below it."""
    rate = outcome.orders / outcome.seconds if outcome.seconds else 0.0
    line = (
        f"{outcome.seed:>4} {outcome.orders:>7} {outcome.on_book:>8} {outcome.kills:>6} {outcome.faults:>7} "
        f"{len(outcome.duplicated):>11} {len(outcome.lost):>5} {len(outcome.unresolved):>11} {len(outcome.wrong):>6} "
        f"{rate:>9.1f} {outcome.added_ms:>6.1f} ms"
    )
    return "\n      ".join([line, *outcome.complaints])


def total(outcomes: list[Outcome], seconds: float) -> str:
    """Return the sum of all seeds on one line."""
    names = {"duplicates": "duplicated", "lost": "lost", "unresolved": "unresolved"}
    counts = ", ".join(f"{name} {sum(len(getattr(o, at)) for o in outcomes)}" for name, at in names.items())
    orders, kills = sum(o.orders for o in outcomes), sum(o.kills for o in outcomes)
    added = statistics.median(o.added_ms for o in outcomes if not math.isnan(o.added_ms))
    return (
        f"{orders} orders over {len(outcomes)} seeds, {kills} kills, {seconds:.0f} s: {counts}; "
        f"{orders / seconds:.1f} orders/s; {added:.1f} ms added to an order on a healthy exchange"
    )


def main() -> int:
    """Run the soak; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=500, help="a seed (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--bots", type=int, default=3, help="on one journal (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=6, help="a seed (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds a seed (default: %(default)s)")
    parser.add_argument("--parallel", type=int, default=1, help="seeds at once (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.json:
        outcome = soak(options.seeds[0], options.orders, options.bots, options.kills, options.limit)
        print(json.dumps(asdict(outcome)))
        return 0
    print(HEADER, flush=True)
    began = time.perf_counter()
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(options.parallel) as pool:
        for outcome in pool.map(lambda seed: in_own_process(seed, options), options.seeds):
            print(row(outcome), flush=True)
            outcomes.append(outcome)
    print(total(outcomes, time.perf_counter() - began))
    return int(any(outcome.complaints for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
