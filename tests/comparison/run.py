"""The same small programs, run against TradeGuard and its peers.

python tests/comparison/run.py              print what each library does
python tests/comparison/run.py --markdown   and write it into docs/comparison.md
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from breaker_peers import BREAKERS
from breaker_programs import BREAKER_PROGRAMS
from retry_peers import RETRIES
from retry_programs import RETRY_PROGRAMS
from rich.console import Console
from rich.table import Table
from verdict import Answer, Verdict

__all__ = ["SUBJECTS", "Subject", "markdown", "missing_peers", "section"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "comparison.md"
BEGIN, END = "<!-- what the programs found: begin -->", "<!-- what the programs found: end -->"
COLOURS = {Answer.YES: "green", Answer.PARTLY: "yellow", Answer.NO: "red", Answer.NOT_APPLICABLE: "dim"}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is compared: libraries of one kind, and the programs for them."""

    title: str
    libraries: Sequence[Any]
    programs: Mapping[str, Callable[[Any], Verdict]]

    def installed(self) -> list[Any]:
        """Return the libraries that can be run here."""
        return [library for library in self.libraries if _version(library.distribution) is not None]

    def run(self) -> dict[str, list[Verdict]]:
        """Return the verdicts on each installed library by program."""
        libraries = self.installed()
        logging.disable(logging.CRITICAL)  # some programs provoke errors that are rightly logged
        try:
            return {
                guarantee: [program(library) for library in libraries]
                for guarantee, program in self.programs.items()
            }
        finally:
            logging.disable(logging.NOTSET)


SUBJECTS = (
    Subject("Circuit breakers", BREAKERS, BREAKER_PROGRAMS),
    Subject("Retries", RETRIES, RETRY_PROGRAMS),
)


def missing_peers() -> list[str]:
    """Return the peers that are not installed."""
    names = [library.distribution for subject in SUBJECTS for library in subject.libraries]
    return [name for name in names if _version(name) is None]


def markdown(results: Sequence[Mapping[str, Sequence[Verdict]]]) -> str:
    """Return the part of the page that tells `results`, which are those of all subjects."""
    lines = [BEGIN]
    for subject, verdicts in zip(SUBJECTS, results, strict=True):
        libraries = subject.installed()
        lines += ["", f"## {subject.title}", ""]
        lines.append("| | " + " | ".join(_heading(library) for library in libraries) + " |")
        lines.append("| --- " * (len(libraries) + 1) + "|")
        lines += [
            f"| {guarantee} | " + " | ".join(f"**{v.answer}**: {v.fact}" for v in row) + " |"
            for guarantee, row in verdicts.items()
        ]
    return "\n".join([*lines, "", END])


def section() -> str:
    """Return that part of the page as it is written."""
    text = PAGE.read_text(encoding="utf-8")
    return text[text.index(BEGIN) : text.index(END) + len(END)]


def show(subject: Subject, verdicts: Mapping[str, Sequence[Verdict]], console: Console) -> None:
    """Print what was found."""
    table = Table(title=subject.title, title_justify="left", show_lines=True)
    table.add_column("")
    for library in subject.installed():
        table.add_column(_heading(library))
    for guarantee, row in verdicts.items():
        table.add_row(guarantee, *(f"[{COLOURS[v.answer]}]{v.answer}[/]: {v.fact}" for v in row))
    console.print(table)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _heading(library: Any) -> str:
    name: str = library.distribution
    return name if name == "tradeguard" else f"{name} {_version(name)}"


def main() -> None:
    """Run every program against every library that is installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="write docs/comparison.md anew")
    options = parser.parse_args()
    missing = missing_peers()
    if missing:
        print(f"not installed, and left out: {', '.join(missing)} (pip install 'tradeguard[bench]')")
        if options.markdown:
            sys.exit("docs/comparison.md tells of all peers and is left as it is")
    results = [subject.run() for subject in SUBJECTS]
    console = Console()
    for subject, verdicts in zip(SUBJECTS, results, strict=True):
        show(subject, verdicts, console)
    if options.markdown:
        PAGE.write_text(
            PAGE.read_text(encoding="utf-8").replace(section(), markdown(results)), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
