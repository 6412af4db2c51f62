"""The examples of docs/simulator.md work, and its tables tell the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tradeguard.simulator import EndpointGroup, FaultKind, StreamFaultKind
from tradeguard.simulator.fault_profiles import PROFILES, chances_of
from tradeguard.simulator.stream_faults import stream_chances

TEXT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_examples_run_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    for block in blocks:
        exec(compile(block, "docs/simulator.md", "exec"), namespace)
    assert len(blocks) >= 5
    assert "hostile" in namespace
    assert capsys.readouterr().out


def test_every_kind_of_fault_is_documented() -> None:
    assert [kind for kind in FaultKind if f"`{kind.name}`" not in TEXT] == []
    streams = TEXT[TEXT.index("### Faults of streams") : TEXT.index("## Faults\n")]
    assert [kind for kind in StreamFaultKind if f"| `{kind.name}` |" not in streams] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_documented_shares_of_messages_are_those_of_the_profile(profile: str) -> None:
    row = re.search(rf"\| {profile} \|(.*)\|", TEXT)
    assert row is not None
    refused, struck, ended = (float(cell.strip(" %")) for cell in row[1].split("|"))
    shares = dict.fromkeys(StreamFaultKind, 0.0)
    for chance, fault in stream_chances(profile):
        shares[fault.kind] += 100 * chance
    handshakes = shares.pop(StreamFaultKind.REFUSED)
    ending = ("DROPPED", "CLOSED", "FROZEN", "TRUNCATED", "GARBAGE")
    assert refused == pytest.approx(handshakes, abs=0.051)
    assert struck == pytest.approx(sum(shares.values()), abs=0.0051)
    assert ended == pytest.approx(sum(shares[StreamFaultKind[name]] for name in ending), abs=0.0051)


@pytest.mark.parametrize("profile", PROFILES)
def test_documented_shares_are_those_of_the_profile(profile: str) -> None:
    row = re.search(rf"\| `{profile}` \|(.*)\|", TEXT)
    assert row is not None
    create, accepted, *others = (float(cell.strip(" %")) for cell in row[1].split("|"))
    chances = chances_of(profile)

    def share(group: EndpointGroup, ends: tuple[str, ...] = ("",)) -> float:
        return 100 * sum(
            chance for chance, fault in chances if fault.on == group and fault.label.endswith(ends)
        )

    assert create == pytest.approx(share(EndpointGroup.CREATE), abs=0.051)
    assert accepted == pytest.approx(share(EndpointGroup.CREATE, ("after", "late_acceptance")), abs=0.051)
    groups = (EndpointGroup.CANCEL, EndpointGroup.LOOKUP, EndpointGroup.MARKET, EndpointGroup.ACCOUNT)
    assert others == pytest.approx([share(group) for group in groups], abs=0.051)
