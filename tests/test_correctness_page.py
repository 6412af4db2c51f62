"""docs/correctness.md names tests that exist, and for each guarantee at least one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "correctness.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


@cache
def collected_from(path: str) -> frozenset[str]:
    """Return what pytest collects at the top of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in tree.body:
        if isinstance(node, ast.Assign):  # a model of Hypothesis is a class made by an expression
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return frozenset(name for name in names if name.lower().startswith("test"))


def test_every_test_that_the_page_names_exists() -> None:
    assert len(NAMED) > 50
    missing = [f"{path}::{name}" for path, name in NAMED if name not in collected_from(path)]
    assert missing == []


def test_every_guarantee_has_a_test_and_is_one_sentence() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
    guarantees = [line for line in rows if not line.startswith("| Guarantee")]
    assert len(guarantees) > 50
    for line in guarantees:
        _, sentence, tests, _ = line.split("|")
        assert re.search(r"::test_\w+`|::Test\w+`", tests), line
        assert sentence.strip().endswith("."), line
        assert sentence.count(". ") == 1, line


def test_no_test_stands_for_two_guarantees() -> None:
    assert sorted({each for each in NAMED if NAMED.count(each) > 1}) == []
