"""Interleaved rounds, medians, and ratios to peers in the same run.

A machine's speed drifts by the minute, so no time is compared across runs: in each round every contender runs once, in
turn, and a ratio is the median over rounds of the ratios within a round. What does not wait is timed by the process's
CPU time, on which other programs have little influence.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["Comparison", "Contender", "Goal", "Results", "measure", "readable", "repeat"]

Contender = Callable[[int], object]
"""Runs its operation n times."""
Timer = Callable[[], int]


@dataclass(frozen=True)
class Goal:
    """A bound on the ratio of the subject to a peer."""

    peer: str
    at_most: float


@dataclass
class Comparison:
    """Medians in nanoseconds an operation, and the ratios of the subject to each of the others."""

    name: str
    unit: str
    nanoseconds: dict[str, float]
    subject: str | None = None
    ratios: dict[str, float] = field(default_factory=dict)
    goals: tuple[Goal, ...] = ()


def repeat(func: Callable[[], Any]) -> Contender:
    """Return a contender that calls `func` n times."""

    def contender(n: int) -> None:
        for _ in range(n):
            func()

    return contender


def measure(
    name: str,
    contenders: dict[str, Contender],
    *,
    goals: tuple[Goal, ...] = (),
    number: int | None = None,
    rounds: int = 21,
    timer: Timer = time.process_time_ns,
) -> Comparison:
    """Run `contenders` in interleaved rounds.

    Args:
        name: what is compared.
        contenders: by name; the first that is of tradeguard is the subject.
        goals: bounds on ratios of the subject.
        number: operations a round and contender; None for as many as take about 10 ms.
        rounds: how many.
        timer: nanoseconds; `time.perf_counter_ns` for what waits.
    """
    numbers = {key: _number(run) if number is None else number for key, run in contenders.items()}
    took: dict[str, list[float]] = {contender: [] for contender in contenders}
    for _ in range(rounds):
        for contender, run in contenders.items():
            began = timer()
            run(numbers[contender])
            took[contender].append((timer() - began) / numbers[contender])
    subject = next((contender for contender in contenders if contender.startswith("tradeguard")), None)
    ratios = {
        peer: statistics.median(a / b for a, b in zip(took[subject], times, strict=True))
        for peer, times in took.items()
        if subject is not None and peer != subject
    }
    medians = {contender: statistics.median(times) for contender, times in took.items()}
    unit = "wall" if timer is time.perf_counter_ns else "CPU"
    return Comparison(name, unit, medians, subject, ratios, goals)


def _number(run: Contender) -> int:
    number = 1
    while True:
        began = time.perf_counter_ns()
        run(number)
        if (took := time.perf_counter_ns() - began) > 2_000_000:
            return max(1, round(number * 10_000_000 / took))
        number *= 4


class Results:
    """Collects comparisons and facts, prints them and writes them to a file."""

    def __init__(self) -> None:
        self.comparisons: list[Comparison] = []
        self.facts: dict[str, Any] = {}
        self._console = Console(width=110)

    def add(self, comparison: Comparison) -> None:
        """Keep and print a comparison."""
        self.comparisons.append(comparison)
        table = Table(title=f"{comparison.name} ({comparison.unit} time)", title_justify="left")
        table.add_column("contender")
        table.add_column("median", justify="right")
        table.add_column(f"{comparison.subject} takes" if comparison.subject else "", justify="right")
        for contender, nanoseconds in sorted(comparison.nanoseconds.items(), key=lambda item: item[1]):
            ratio = comparison.ratios.get(contender)
            table.add_row(contender, readable(nanoseconds), "" if ratio is None else f"{ratio:.3f} x")
        self._console.print(table)
        for goal in comparison.goals:
            ratio = comparison.ratios[goal.peer]
            self._tell(f"{comparison.subject} / {goal.peer}", f"{ratio:.3f}", ratio, goal.at_most)

    def fact(self, name: str, value: float, unit: str, at_most: float | None = None) -> None:
        """Keep and print a single number."""
        self.facts[name] = {"value": value, "unit": unit, "at_most": at_most}
        self._tell(name, f"{value:,.3f} {unit}", value, at_most)

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        document = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1),
            "comparisons": [
                {
                    "name": c.name,
                    "time": c.unit,
                    "nanoseconds": {k: round(v, 1) for k, v in c.nanoseconds.items()},
                    "subject": c.subject,
                    "ratios": {k: round(v, 4) for k, v in c.ratios.items()},
                    "goals": {goal.peer: goal.at_most for goal in c.goals},
                }
                for c in self.comparisons
            ],
            "facts": self.facts,
        }
        path.write_text(json.dumps(document, indent=2) + "\n")

    def _tell(self, name: str, text: str, value: float, at_most: float | None) -> None:
        verdict = "" if value is None or at_most is None else _verdict(value, at_most)
        self._console.print(f"  {name} = {text}{verdict}", highlight=False)


def _verdict(value: float, at_most: float) -> str:
    return f", goal {at_most:g}: " + ("[green]reached[/]" if value <= at_most else "[red]missed[/]")


def readable(nanoseconds: float) -> str:
    """Return a time with a unit that suits it."""
    if nanoseconds < 1e4:
        return f"{nanoseconds:,.0f} ns"
    return f"{nanoseconds / 1e3:,.1f} us" if nanoseconds < 1e7 else f"{nanoseconds / 1e6:,.1f} ms"
