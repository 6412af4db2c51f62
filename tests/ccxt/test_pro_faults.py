"""Each fault of a stream on each stream that a bot lives on: what it is told is whole all the same."""

from __future__ import annotations

import pytest

from tests.soak.streams import Verdict, soak
from tradeguard.simulator import FaultPlan, StreamFault, StreamFaultKind
from tradeguard_ccxt.stream_kinds import STREAM_KINDS

GROUPS = ("trade", "kline", "ticker", "depth", "user")
SILENCE = dict.fromkeys(STREAM_KINDS, 6.0)
STEPS = 75  # a candle of a minute closes on the way
K = StreamFaultKind


async def watched(*faults: StreamFault, exact: bool = True) -> Verdict:
    return await soak(FaultPlan(faults), STEPS, exact=exact, silence=SILENCE)


def on_each(kind: StreamFaultKind, **settings: object) -> list[StreamFault]:
    """One fault for each of the streams, once they have told something."""
    return [
        StreamFault(kind, on=group, skip=1 if group == "user" else 12, **settings)  # type: ignore[arg-type]
        for group in GROUPS
    ]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (K.DROPPED, {}),
        (K.CLOSED, {"code": 1006}),
        (K.CLOSED, {"code": 1012}),
        (K.FROZEN, {}),
        (K.TRUNCATED, {}),
        (K.GARBAGE, {}),
        (K.DUPLICATED, {}),
        (K.LAGGING, {"delay": 4.0}),
    ],
)
async def test_nothing_is_missing_or_doubled(kind: StreamFaultKind, settings: dict[str, object]) -> None:
    verdict = await watched(*on_each(kind, **settings))
    assert verdict.problems == []
    assert verdict.struck[str(kind)] == len(GROUPS)


@pytest.mark.parametrize("kind", [K.LOST, K.REORDERED])
async def test_what_single_messages_lost_is_missing_nowhere_either(kind: StreamFaultKind) -> None:
    verdict = await watched(*on_each(kind), exact=False)
    assert verdict.problems == []
    assert verdict.struck[str(kind)] == len(GROUPS)


@pytest.mark.parametrize("kind", [K.REFUSED, K.HUNG])
async def test_a_refused_or_hung_handshake_is_dialled_again(kind: StreamFaultKind) -> None:
    faults = [StreamFault(kind, times=5), *on_each(K.DROPPED), StreamFault(kind, skip=5, times=4)]
    verdict = await watched(*faults)
    assert verdict.problems == []
    assert verdict.struck[str(kind)] >= 5
