"""The outcome of a run: clean only where belief and book agree in everything."""

from __future__ import annotations

import dataclasses
import io
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from tradeguard.cli.demo.audit_table import audit_table, verdict_lines
from tradeguard.cli.demo.outcome import RunOutcome

CLEAN = RunOutcome(
    intents=20,
    believed=20,
    on_book=20,
    duplicated=0,
    lost=0,
    phantom=0,
    unknown=0,
    mismatched=0,
    position=(Decimal("0.999"), Decimal("0.99900000")),
    cash=(Decimal("9.9"), Decimal("9.900000001")),
    bars=75,
    bars_missed=0,
    requests=200,
    faults=40,
)
WRONG: list[tuple[str, Any, str]] = [
    ("duplicated", 2, "2 duplicated"),
    ("lost", 1, "1 lost"),
    ("phantom", 1, "1 phantom"),
    ("unknown", 3, "3 unknown"),
    ("mismatched", 1, "1 mismatched"),
    ("bars_missed", 1, "1 bar missed"),
    ("bars_missed", 2, "2 bars missed"),
    ("position", (Decimal(1), Decimal("2.5")), "position off by 1.5 ETH"),
    ("cash", (Decimal(1), Decimal("1.1")), "cash wrong"),
]


def test_a_run_whose_belief_and_book_agree_is_clean() -> None:
    assert CLEAN.is_clean
    assert [line.plain for line in verdict_lines(CLEAN, None, "ETH")] == [
        "Guarded: exactly what it believes."
    ]


@pytest.mark.parametrize(("field", "value", "words"), WRONG)
def test_whatever_differs_makes_a_run_unclean_and_is_said(field: str, value: Any, words: str) -> None:
    run = dataclasses.replace(CLEAN, **{field: value})
    assert not run.is_clean
    assert verdict_lines(CLEAN, run, "ETH")[1].plain == f"Plain: {words}."


def test_an_outcome_crosses_processes() -> None:
    assert RunOutcome.from_json(CLEAN.to_json()) == CLEAN


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_shows_both_runs_within_any_terminal(width: int) -> None:
    written = io.StringIO()
    wrong = dataclasses.replace(CLEAN, duplicated=4, position=(Decimal(0), Decimal("1.998")))
    Console(file=written, width=width).print(audit_table(CLEAN, wrong, "ETH", "BTC"))
    rows = {
        line.split("  ")[0].strip(): line.split() for line in written.getvalue().splitlines() if line.strip()
    }
    assert rows["duplicated"] == ["duplicated", "0", "4"]
    assert rows["position, ETH"][2:] == ["0.999", "believes", "0,", "has", "1.998"]
    assert rows["cash, BTC"][2:] == ["9.9", "9.9"]
    assert rows["faults met"][2:] == ["40", "of", "200", "40", "of", "200"]


def test_without_a_plain_run_the_table_has_one_column() -> None:
    assert len(audit_table(CLEAN, None, "ETH", "BTC").columns) == 2
