"""docs/comparison.md says what the programs find, and TradeGuard's own column holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import run
from verdict import Answer, Verdict

OURS = [
    pytest.param(subject.libraries[0], program, id=f"{subject.title}: {guarantee}")
    for subject in run.SUBJECTS
    for guarantee, program in subject.programs.items()
]


@pytest.mark.parametrize(("library", "program"), OURS)
def test_every_guarantee_holds_for_tradeguard(library: Any, program: Callable[[Any], Verdict]) -> None:
    assert library.distribution == "tradeguard"
    verdict = program(library)
    assert verdict.answer is Answer.YES, verdict


def test_the_page_says_what_the_programs_find() -> None:
    missing = run.missing_peers()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    found = run.markdown([subject.run() for subject in run.SUBJECTS])
    assert run.section() == found, "python tests/comparison/run.py --markdown writes the page anew"


def test_a_peer_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_version", lambda name: "1.0" if name == "tradeguard" else None)
    assert "pybreaker" in run.missing_peers()
    assert [library.distribution for library in run.SUBJECTS[0].installed()] == ["tradeguard"]
