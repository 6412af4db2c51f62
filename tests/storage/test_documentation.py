"""docs/state.md: its examples run, and it names every column."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tradeguard.storage import schema

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "state.md").read_text()


def test_the_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows, and what it asserts, holds."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    exec(compile("\n".join(blocks), "docs/state.md", "exec"), {})
    assert (tmp_path / "bot.db").is_file()


def test_every_table_and_column_is_documented() -> None:
    """The page's table of tables is the schema, in its order."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|$", PAGE, re.MULTILINE)
    documented = {table: re.findall(r"`(\w+)`", columns.partition(":")[0]) for table, columns in rows}
    actual = {
        name: [column.name for column in table.columns] for name, table in schema.METADATA.tables.items()
    }
    assert documented == actual
    assert f"`schema_version` is `{schema.SCHEMA_VERSION}`" in PAGE
