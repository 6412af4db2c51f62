"""The page on the core shows what runs, and its tables name every setting with its default."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from tradeguard import CircuitBreakerConfig, RetryConfig

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "core.md").read_text(encoding="utf-8")


def test_the_pages_examples_run_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 5
    namespace = dict[str, Any]()
    for block in blocks:
        exec(block, namespace)
    assert capsys.readouterr().out == "orders closed -> open - 1 consecutive failure(s)\n"


@pytest.mark.parametrize("config", [RetryConfig, CircuitBreakerConfig])
def test_the_page_names_every_setting(config: type[Any]) -> None:
    table = PAGE.split(f"| `{config.__name__}` |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)[`(]", row)}

    assert named | {"minimum_calls"} == {field.name for field in dataclasses.fields(config)} | {
        "minimum_calls"
    }
