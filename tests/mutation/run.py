"""Break the core in thousands of ways, one at a time, and see which its tests do not notice.

    make mutants                                             # all of it, from scratch
    make mutants ARGS="circuit_breaker orders.submission"    # some modules
    make mutants ARGS=--resume                               # what an interrupted run has left over
    make mutants ARGS=--survivors                            # the diffs of what survived the latest run

mutmut makes the mutants and runs, against each, the tests that reach its function. This prints the share killed of each
module and of all, and exits 1 if less than 90 % of all are. A mutant that runs out of its time is killed.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORK = ROOT / "mutants"
GOAL = 0.9

MUTMUT = [str(Path(sys.executable).with_name("mutmut"))]
"""Run by name, not with `-m`, under which it would import itself twice."""

STATUS = {0: "survived", 1: "killed", 3: "killed", 5: "untested", 33: "untested", None: "not run"}
"""What the exit code of a mutant's tests means; from mutmut's own table."""

TIMED_OUT = (-24, 24, 36, 152, 255)


def settings() -> dict[str, Any]:
    """Return mutmut's part of pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["tool"]["mutmut"]


def modules() -> list[str]:
    """Return the modules that are mutated, without the name of the package."""
    patterns = settings()["only_mutate"]
    paths = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("tradeguard/**/*.py")]
    wanted = sorted(path for path in paths if any(fnmatch.fnmatch(path, pattern) for pattern in patterns))
    return [path.removeprefix("tradeguard/").removesuffix(".py").replace("/", ".") for path in wanted]


def run(wanted: list[str], workers: int, *, afresh: bool) -> int:
    """Let mutmut run; return its exit code."""
    if afresh:
        shutil.rmtree(WORK, ignore_errors=True)
    shutil.rmtree(WORK / "tests", ignore_errors=True)  # mutmut copies tests there and removes none
    # after its module's name, that of a mutant begins with an x
    patterns = [f"tradeguard.{module}.x*" for module in wanted]
    return subprocess.run(
        [*MUTMUT, "run", "--max-children", str(workers), *patterns],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(HERE)},  # for the plugin
        check=False,
    ).returncode


def results(module: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each mutant of `module`, and what became of it."""
    path = WORK / "tradeguard" / (module.replace(".", "/") + ".py.meta")
    if path.exists():
        for name, code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            yield name, "timed out" if code in TIMED_OUT else STATUS.get(code, "odd")


def report(wanted: list[str]) -> bool:
    """Print the score of each module and of all; return whether it is good enough."""
    columns = ("killed", "timed out", "survived", "untested", "odd", "not run")
    line = "{:26}" + "{:>10}" * 8
    print(line.format("module", "mutants", *columns, "score"))
    total: Counter[str] = Counter()
    for module in [*wanted, "all"]:
        counts = total if module == "all" else Counter(status for _, status in results(module))
        if counts:
            score = f"{killed_of(counts):.1%}" if counts.total() > counts["not run"] else "-"
            print(line.format(module, counts.total(), *(counts[column] for column in columns), score))
        if module != "all":
            total += counts
    if total.total() == total["not run"]:
        return False
    return not (total["not run"] and set(wanted) == set(modules())) and killed_of(total) >= GOAL


def killed_of(counts: Counter[str]) -> float:
    """Return the share that the tests noticed, of the mutants that were run."""
    return (counts["killed"] + counts["timed out"]) / (counts.total() - counts["not run"])


def show_survivors(wanted: list[str]) -> None:
    """Print the diff of each mutant that was not killed."""
    for module in wanted:
        for name, status in results(module):
            if status not in {"killed", "timed out", "not run"}:
                subprocess.run([*MUTMUT, "show", name], cwd=ROOT, check=False)


def main() -> int:
    known = modules()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("modules", nargs="*", help="such as retry_run; all of them if none is given")
    parser.add_argument("--resume", action="store_true", help="keep the results that there are")
    parser.add_argument("--survivors", action="store_true", help="run nothing, show what survived")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    arguments = parser.parse_args()
    if unknown := set(arguments.modules) - set(known):
        parser.error(f"not mutated: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    wanted = arguments.modules or known
    if arguments.survivors:
        show_survivors(wanted)
        return 0
    code = run(arguments.modules, arguments.workers, afresh=not (arguments.modules or arguments.resume))
    return code or not report(wanted)


if __name__ == "__main__":
    sys.exit(main())
