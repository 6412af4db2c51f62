"""Measure everything: `make bench`. Writes benchmarks.json.

python benchmarks/run.py [--rounds 21] [--only core exchange]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import core
import exchange
from harness import Results

PARTS = {"core": core.run, "exchange": exchange.run}


def main() -> None:
    """Run the benchmarks that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), default=sorted(PARTS))
    parser.add_argument("--output", type=Path, default=Path("benchmarks.json"))
    options = parser.parse_args()
    results = Results()
    for part in options.only:
        PARTS[part](results, options.rounds)
    results.write(options.output)


if __name__ == "__main__":
    main()
