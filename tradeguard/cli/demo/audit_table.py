"""The audit as people read it: what each bot believes, beside what the exchange has."""

from __future__ import annotations

from decimal import Decimal

from rich import box
from rich.table import Table
from rich.text import Text

from tradeguard.cli.demo.outcome import RunOutcome, agrees

__all__ = ["audit_table", "verdict_lines"]

_FINDINGS = (
    ("duplicated", "orders beyond the first of one intent"),
    ("lost", "on the book, and the bot does not know"),
    ("phantom", "believed, and not on the book"),
    ("unknown", "the bot cannot tell"),
    ("mismatched", "not what the bot believes"),
)


def audit_table(guarded: RunOutcome, plain: RunOutcome | None, base: str, quote: str) -> Table:
    """Return the table; without a plain run it has its columns for the guarded one alone."""
    runs = [run for run in (guarded, plain) if run is not None]
    table = Table(
        title="Audit: the exchange's book against what the bot believes",
        title_style="bold",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("")
    for name in ("guarded", "plain ccxt + tenacity")[: len(runs)]:
        table.add_column(name, justify="right")
    table.add_row("orders meant", *(str(run.intents) for run in runs))
    table.add_row("orders on the book", *(str(run.on_book) for run in runs))
    table.add_row("placed, as believed", *(_pair(run.believed, run.believed - run.phantom) for run in runs))
    for name, _ in _FINDINGS:
        table.add_row(name, *(_count(getattr(run, name)) for run in runs))
    table.add_row(f"position, {base}", *(_amounts(run.position) for run in runs))
    table.add_row(f"cash, {quote}", *(_amounts(run.cash) for run in runs))
    table.add_row("bars missed", *(_count(run.bars_missed) for run in runs))
    table.add_row("faults met", *(Text(f"{run.faults} of {run.requests}", style="dim") for run in runs))
    return table


def verdict_lines(guarded: RunOutcome, plain: RunOutcome | None, base: str) -> list[Text]:
    """Return one sentence for each run."""
    lines = [_verdict("Guarded", guarded, base)]
    if plain is not None:
        lines.append(_verdict("Plain", plain, base))
    return lines


def _verdict(name: str, run: RunOutcome, base: str) -> Text:
    found = [f"{getattr(run, field)} {field}" for field, _ in _FINDINGS if getattr(run, field)]
    if not agrees(run.position):
        found.append(f"position off by {abs(run.position[0] - run.position[1]).normalize():f} {base}")
    elif not agrees(run.cash):
        found.append("cash wrong")
    if run.bars_missed:
        found.append(f"{run.bars_missed} {'bar' if run.bars_missed == 1 else 'bars'} missed")
    if not found:
        return Text.assemble((f"{name}: ", "bold"), ("exactly what it believes.", "green"))
    return Text.assemble((f"{name}: ", "bold"), (", ".join(found) + ".", "red"))


def _pair(believed: int, actual: int) -> Text:
    return Text(str(believed), style="" if believed == actual else "red")


def _count(number: int) -> Text:
    return Text(str(number), style="bold red" if number else "green")


def _amounts(pair: tuple[Decimal, Decimal]) -> Text:
    believed, actual = (_plain_number(amount) for amount in pair)
    if agrees(pair):
        return Text(actual, style="green")
    return Text(f"believes {believed}, has {actual}", style="bold red")


def _plain_number(amount: Decimal) -> str:
    return f"{round(amount, 8).normalize():f}"
