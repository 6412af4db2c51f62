"""The page on monitoring shows what runs, and its table names every statistic."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tradeguard import ErrorMonitor

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")


def test_the_pages_examples_run_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    namespace = dict[str, Any]()
    for block in blocks:
        exec(block, namespace)
    assert namespace["monitor"].flush()
    assert capsys.readouterr().out.startswith("Alert: ERROR in api: NetworkException: API timeout\n")


def test_the_page_names_every_statistic() -> None:
    table = PAGE.split("## What is counted")[1].split("## Alerts")[0]
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert named == set(ErrorMonitor().get_error_statistics())
