"""Backtrader's own test suite, with every feed and the BackBroker guarded.

The suite is no part of Backtrader's wheel. Point BACKTRADER_TESTS at the `tests` folder of a checkout:

    git clone https://github.com/mementum/backtrader
    BACKTRADER_TESTS=$PWD/backtrader/tests python -m pytest tests/backtrader/test_bt_own_suite.py

Its essential checks are reproduced in `test_bt_guarded_results.py`, which needs no checkout.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = os.environ.get("BACKTRADER_TESTS")
HERE = Path(__file__).resolve().parent


@pytest.mark.skipif(not SUITE, reason="BACKTRADER_TESTS names no checkout of Backtrader's tests")
def test_backtraders_own_suite_passes_with_every_feed_and_the_broker_guarded() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-c", os.devnull, "-p", "guarded_suite",
               "-p", "no:tradeguard", "-p", "no:cacheprovider", "--rootdir", str(SUITE), str(SUITE)]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    ran = subprocess.run(
        command, env=environment, cwd=str(SUITE), capture_output=True, text=True, timeout=900, check=False
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed is not None
    assert int(passed[1]) > 70
    seen = {what: int(count) for what, count in re.findall(r"guarded: (.*) (\d+)$", ran.stdout, re.MULTILINE)}
    print(passed[0], seen)
    assert all(seen.values())
