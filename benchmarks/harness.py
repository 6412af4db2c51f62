"""Interleaved rounds, medians, and ratios to a peer in the same run.

A machine's speed drifts by the minute, so no time is compared across runs: in each round every contender runs once, in
turn, and a ratio is the median over rounds of the ratios within a round.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["Comparison", "Goal", "Results", "measure"]

Contender = Callable[[int], None]
"""Runs its operation n times."""


@dataclass(frozen=True)
class Goal:
    """A bound on the ratio of one contender to a peer."""

    subject: str
    peer: str
    at_most: float


@dataclass
class Comparison:
    """The medians of one comparison, in nanoseconds an operation, and its ratios."""

    name: str
    nanoseconds: dict[str, float]
    ratios: dict[str, float]
    goals: list[Goal] = field(default_factory=list)


def measure(
    name: str,
    contenders: dict[str, Contender],
    *,
    goals: list[Goal] | None = None,
    number: int = 20_000,
    rounds: int = 21,
    timer: Callable[[], int] = time.perf_counter_ns,
) -> Comparison:
    """Run `contenders` in interleaved rounds.

    Args:
        name: what is compared.
        contenders: by name; each runs its operation n times.
        goals: bounds on ratios.
        number: operations a round and contender.
        rounds: how many.
        timer: nanoseconds; CPU time with `time.process_time_ns`.
    """
    goals = goals or []
    took: dict[str, list[float]] = {contender: [] for contender in contenders}
    for contender in contenders.values():
        contender(max(number // 20, 1))
    for _ in range(rounds):
        for contender, run in contenders.items():
            began = timer()
            run(number)
            took[contender].append((timer() - began) / number)
    ratios = {
        f"{goal.subject} / {goal.peer}": statistics.median(
            a / b for a, b in zip(took[goal.subject], took[goal.peer], strict=True)
        )
        for goal in goals
    }
    medians = {contender: statistics.median(times) for contender, times in took.items()}
    return Comparison(name, medians, ratios, goals)


class Results:
    """Collects comparisons, prints them and writes them to a file."""

    def __init__(self) -> None:
        self.comparisons: list[Comparison] = []
        self.facts: dict[str, Any] = {}
        self._console = Console()

    def add(self, comparison: Comparison) -> None:
        """Keep and print a comparison."""
        self.comparisons.append(comparison)
        table = Table(title=comparison.name, title_justify="left")
        table.add_column("contender")
        table.add_column("median", justify="right")
        for contender, nanoseconds in sorted(comparison.nanoseconds.items(), key=lambda item: item[1]):
            table.add_row(contender, _readable(nanoseconds))
        self._console.print(table)
        for goal in comparison.goals:
            ratio = comparison.ratios[f"{goal.subject} / {goal.peer}"]
            verdict = "[green]reached[/]" if ratio <= goal.at_most else "[red]missed[/]"
            self._console.print(
                f"  {goal.subject} / {goal.peer} = {ratio:.3f}, goal {goal.at_most}: {verdict}"
            )

    def fact(self, name: str, value: float, unit: str, at_most: float | None = None) -> None:
        """Keep and print a single number."""
        self.facts[name] = {"value": value, "unit": unit, "at_most": at_most}
        bound = (
            ""
            if at_most is None
            else f", goal {at_most:g}: " + ("[green]reached[/]" if value <= at_most else "[red]missed[/]")
        )
        self._console.print(f"{name} = {value:.3f} {unit}{bound}")

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        document = {
            "comparisons": [
                {
                    "name": c.name,
                    "nanoseconds": {k: round(v, 1) for k, v in c.nanoseconds.items()},
                    "ratios": {k: round(v, 4) for k, v in c.ratios.items()},
                    "goals": [vars(g) for g in c.goals],
                }
                for c in self.comparisons
            ],
            "facts": self.facts,
        }
        path.write_text(json.dumps(document, indent=2) + "\n")


def _readable(nanoseconds: float) -> str:
    if nanoseconds < 1e4:
        return f"{nanoseconds:,.0f} ns"
    return f"{nanoseconds / 1e3:,.1f} us" if nanoseconds < 1e7 else f"{nanoseconds / 1e6:,.1f} ms"
