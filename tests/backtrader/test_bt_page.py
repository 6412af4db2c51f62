"""The page on Backtrader shows what runs, and names every param, setting and kind of notification."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tradeguard_backtrader import GuardedFeed

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "backtrader.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    module = types.ModuleType("a_page_of_the_documentation")
    monkeypatch.setitem(
        sys.modules, module.__name__, module
    )  # Backtrader looks strategies up by their module
    namespace: dict[str, Any] = module.__dict__
    exec(compile(block, "backtrader.md", "exec"), namespace)
    assert "bt" in namespace


def test_the_page_names_every_param_of_the_feed() -> None:
    table = PAGE.split("## The feed")[1].split("- **Closed")[0]
    named = set(re.findall(r"`(\w+)`(?: \(|, `todate`| )", table)) | {"fromdate", "todate"}
    own = set(GuardedFeed.params._getkeys()) - {"store"}
    added = {name for name in own if name not in _base_params()} | {"fromdate", "todate", "qcheck"}
    assert added <= named


def _base_params() -> set[str]:
    import backtrader as bt

    return set(bt.feed.DataBase.params._getkeys())


def test_the_page_names_every_kind_of_store_notification() -> None:
    source = "".join(path.read_text() for path in (ROOT / "adapters" / "tradeguard_backtrader").rglob("*.py"))
    kinds = set(re.findall(r'notify\(\s*"(\w+)"', source))
    table = PAGE.split("`notify_store(")[1].split("## The feed")[0]
    assert len(kinds) >= 7
    assert kinds <= set(re.findall(r"`(\w+)`", table))
