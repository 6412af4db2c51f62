"""A short soak of streams; `make soak-streams` runs it for hours of the exchange's time."""

from __future__ import annotations

import pytest

from tests.soak.streams import DROPS, WORSE, left_behind, soak
from tradeguard.simulator import FaultPlan
from tradeguard_ccxt.stream_kinds import STREAM_KINDS

MINUTES = 5
SILENCE = dict.fromkeys(STREAM_KINDS, 15.0)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("is_hostile", [True, False])
async def test_nothing_is_missing_or_doubled_after_healing(seed: int, is_hostile: bool) -> None:
    chances = (*DROPS, *WORSE) if is_hostile else DROPS
    plan = FaultPlan((), seed, [(5 * chance, fault) for chance, fault in chances])
    verdict = await soak(plan, MINUTES * 60, seed, exact=not is_hostile, silence=SILENCE)
    assert verdict.problems == []
    assert verdict.statistics["streams"]["reconnects"] > 5
    assert verdict.statistics["streams"]["healed"] > 50


async def test_reconnects_leave_nothing_behind() -> None:
    few, many = await left_behind(10), await left_behind(110)
    assert {kind: many[kind] for kind in many if many[kind] > few[kind] + 20} == {}
