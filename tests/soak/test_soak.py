"""A short soak on each run of the suite: bots on one journal are killed, and no order is doubled, lost or in doubt."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).with_name("soak.py")


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")
def test_no_order_is_doubled_lost_or_left_in_doubt() -> None:
    size = ["--orders", "64", "--seeds", "1", "2", "--bots", "8", "--kills", "3", "--parallel", "2"]
    done = subprocess.run(
        [sys.executable, str(SOAK), *size, "--limit", "150"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "128 orders over 2 seeds, 6 kills" in done.stdout
    assert "duplicates 0, lost 0, unresolved 0" in done.stdout
