"""The example of docs/ccxt.md about WebSockets works, and what it names is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tradeguard_ccxt import GuardConfig, GuardedExchange
from tradeguard_ccxt.exchange import ProGuardedExchange

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "ccxt.md").read_text(encoding="utf-8")
SECTION = TEXT[TEXT.index("## Websockets") : TEXT.index("## What it tells")]


def test_the_example_runs(tmp_path: Path) -> None:
    [block] = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    program = tmp_path / "example.py"
    program.write_text(block + "\nprint(len(prices) >= 10)\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_the_settings_that_it_names_exist() -> None:
    for name in ("redial", "silence", "stream_deadline", "poll_interval"):
        assert f"`{name}`" in SECTION or f"`GuardConfig.{name}`" in SECTION
        assert name in GuardConfig.__dataclass_fields__
    assert issubclass(ProGuardedExchange, GuardedExchange)
