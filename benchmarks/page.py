"""The page of the documentation that shows a run's results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import readable

__all__ = ["write_page"]

_INTRODUCTION = """\
# Benchmarks

`make bench` measures everything below in some minutes, prints it, and writes `benchmarks.json`. This page is one such
run ({machine}, Python {python}, {date}), written by `python benchmarks/run.py --page docs/benchmarks.md`.

Nanoseconds are the machine's own affair; **what travels is the ratios**. In each round every contender runs once, in
turn; a time is the median over the rounds, a ratio the median of the ratios within a round. What does not wait is
measured by CPU time. A ratio below 1 says that TradeGuard takes less. "Bare" is the same call without any guard. The
load average at the end of the run was {load}: what waits for the disk or for another process has its share of that.

## Goals

| what | measured | goal | |
| --- | ---: | ---: | --- |
"""


def write_page(results: Path, page: Path) -> None:
    """Write the page for what `Results.write` wrote."""
    run: dict[str, Any] = json.loads(results.read_text())
    head = _INTRODUCTION.format(**{**run, "date": run["date"].partition("T")[0]})
    lines = [*_goals(run), "", "## Comparisons", ""]
    for comparison in run["comparisons"]:
        lines += [*_comparison(comparison), ""]
    lines += ["## Single numbers", "", "| what | measured |", "| --- | ---: |"]
    lines += [f"| {name} | {_value(fact)} |" for name, fact in run["facts"].items()]
    page.write_text(head + "\n".join(lines) + "\n")


def _goals(run: dict[str, Any]) -> Iterator[str]:
    for comparison in run["comparisons"]:
        for peer, goal in comparison["goals"].items():
            ratio = comparison["ratios"][peer]
            what = f"{comparison['name']}: {comparison['subject']} / {peer}"
            yield f"| {what} | {ratio:.3f} x | {goal:g} x | {_verdict(ratio, goal)} |"
    for name, fact in run["facts"].items():
        if fact["at_most"] is not None:
            verdict = _verdict(fact["value"], fact["at_most"])
            yield f"| {name} | {_value(fact)} | {fact['at_most']:g} {fact['unit']} | {verdict} |"


def _comparison(comparison: dict[str, Any]) -> Iterator[str]:
    yield f"### {comparison['name']}"
    yield ""
    yield f"| contender | median, {comparison['time']} time | {comparison['subject']} takes |"
    yield "| --- | ---: | ---: |"
    for name, nanoseconds in sorted(comparison["nanoseconds"].items(), key=lambda item: item[1]):
        ratio = comparison["ratios"].get(name)
        yield f"| {name} | {readable(nanoseconds)} | {'' if ratio is None else f'{ratio:.3f} x'} |"


def _value(fact: dict[str, Any]) -> str:
    return f"{fact['value']:,.3f} {fact['unit']}"


def _verdict(value: float, goal: float) -> str:
    return "reached" if value <= goal else "**missed**"
