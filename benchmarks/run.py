"""Measure everything: `make bench`. Writes benchmarks.json.

python benchmarks/run.py [--rounds 21] [--only core exchange] [--page docs/benchmarks.md]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import backtest
import core
import exchange
import footprint
import monitor
import outage
import trouble
from harness import Results
from page import write_page

PARTS = {
    "core": core.run,
    "trouble": trouble.run,
    "monitor": monitor.run,
    "footprint": footprint.run,
    "exchange": exchange.run,
    "backtest": backtest.run,
    "outage": outage.run,
}


def main() -> None:
    """Run the benchmarks that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--output", type=Path, default=Path("benchmarks.json"))
    parser.add_argument("--page", type=Path, help="write the results as a page, too")
    options = parser.parse_args()
    results = Results()
    for part in options.only:
        PARTS[part](results, options.rounds)
    results.write(options.output)
    if options.page is not None:
        write_page(options.output, options.page)


if __name__ == "__main__":
    main()
