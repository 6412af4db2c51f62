"""A demo from its start to its audit."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.text import Text

from tradeguard.cli.demo.audit_table import audit_table, verdict_lines
from tradeguard.cli.demo.guarded_run import GuardedRun
from tradeguard.cli.demo.outcome import RunOutcome
from tradeguard.cli.demo.plain_process import PlainProcess, can_compare
from tradeguard.cli.demo.plan import DemoPlan
from tradeguard.cli.demo.progress import Progress
from tradeguard.cli.demo.screen import counts_text, screen_for
from tradeguard.cli.demo.state_file import fresh_state
from tradeguard.simulator import SimulatedExchange

__all__ = ["run_demo"]

_PLAIN_PATIENCE = 30.0


def run_demo(plan: DemoPlan, state: Path, strategy: ModuleType, console: Console, *, compare: bool) -> bool:
    """Run a demo; returns whether the guarded run passed its audit.

    Args:
        plan: what to trade.
        state: where the run is kept; an earlier demo's state is replaced.
        strategy: the module of the example strategy.
        console: where it is shown.
        compare: whether plain ccxt runs beside it.

    Raises:
        ConfigurationException: the recording or the state cannot be used.
    """
    with ExitStack() as stack:
        # What a supervisor sends should end the child process and give the cursor back too.
        former = signal.signal(signal.SIGTERM, signal.default_int_handler)
        stack.callback(signal.signal, signal.SIGTERM, former)
        exchange = stack.enter_context(plan.exchange())
        replaced = state.exists()
        store = stack.enter_context(fresh_state(state))
        _say(console, _introduction(plan, state, replaced=replaced))
        if compare and not can_compare():
            _say(console, "tenacity is missing (pip install 'tradeguard[demo]'): no plain run beside it.")
            compare = False
        beside = stack.enter_context(PlainProcess(plan)) if compare else None
        run = GuardedRun(plan, store, strategy, exchange)
        guarded, rescues = _watch(plan, run, exchange, beside, console)
        plain = None if beside is None else beside.outcome(_PLAIN_PATIENCE)
        if beside is not None and plain is None:
            _say(console, f"The plain run beside it gave no result: {beside.failure()}")
    console.print()
    console.print(audit_table(guarded, plain, plan.base, plan.quote))
    for line in verdict_lines(guarded, plain, plan.base):
        _say(console, line)
    _say(console, f"Rescued on the way: {counts_text(rescues)}.")
    _say(
        console,
        f"\nEvery error, transition, rescue and order of the guarded run is in {state}: see it with "
        f"`tradeguard report {state}`, or plot it with notebooks/error_analysis.ipynb.",
    )
    return guarded.is_clean


def _watch(
    plan: DemoPlan,
    run: GuardedRun,
    exchange: SimulatedExchange,
    beside: PlainProcess | None,
    console: Console,
) -> tuple[RunOutcome, Mapping[str, int]]:
    with screen_for(console, plan.bars, plan.symbol) as screen:
        progress = Progress(
            exchange,
            plan.symbol,
            plan.account(exchange),
            screen,
            circuits=run.circuits,
            orders=run.orders,
            plain=dict if beside is None else beside.counts,
        )
        screen.show(progress.picture)
        outcome = run.trade(progress)
    return outcome, progress.picture().rescues


def _introduction(plan: DemoPlan, state: Path, *, replaced: bool) -> str:
    market = "a synthetic market" if plan.data is None else plan.data.name
    outage = f", with the plug pulled for {plan.outage:g} s in mid-run" if plan.outage else ""
    kept = f"in place of the last run's {state}" if replaced else f"kept in {state}"
    return (
        f"{plan.symbol} from {market}, a second each candle, {plan.bars} bars, {plan.faults} faults, seed {plan.seed}"
        f"{outage}; {kept}.\n"
    )


def _say(console: Console, text: str | Text) -> None:
    # A terminal breaks lines between words; in a file each sentence stays one line.
    console.print(text, soft_wrap=not console.is_terminal)
