"""The path of the price within a candle."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tradeguard.simulator.candles import Candle, candle_of_prints
from tradeguard.simulator.path import prints_of, prints_per_candle, unit
from tradeguard.simulator.symbols import SymbolRules

TICK, STEP = Decimal("0.01"), Decimal("0.001")
RULES = SymbolRules(symbol="ETH/USDT", tick_size=TICK, step_size=STEP)
TIMEFRAMES = st.sampled_from([1000, 60_000, 300_000, 3_600_000, 86_400_000])


@st.composite
def candles(draw: st.DrawFn) -> Candle:
    ticks = sorted(draw(st.integers(1, 10_000)) for _ in range(4))
    opened, close = draw(st.permutations(ticks[1:3]))
    volume = draw(st.integers(0, 10**9)) * Decimal("0.00000001")
    return Candle(0, opened * TICK, ticks[3] * TICK, ticks[0] * TICK, close * TICK, volume)


@given(candle=candles(), candle_ms=TIMEFRAMES, number=st.integers(0, 10_000), seed=st.text(max_size=5))
def test_prints_add_up_to_exactly_their_candle(
    candle: Candle, candle_ms: int, number: int, seed: str
) -> None:
    prints = prints_of(candle, 5_000, candle_ms, number, seed, RULES)
    whole = candle_of_prints(prints, 5_000)
    assert (whole.open, whole.high, whole.low, whole.close) == (
        candle.open,
        candle.high,
        candle.low,
        candle.close,
    )
    assert whole.volume == candle.volume


@given(candle=candles(), candle_ms=TIMEFRAMES)
def test_prints_are_numbered_ascending_in_time_and_within_their_candle(
    candle: Candle, candle_ms: int
) -> None:
    prints = prints_of(candle, 5_000, candle_ms, 80, "seed", RULES)
    times = [one.time_ms for one in prints]
    assert [one.number for one in prints] == list(range(80, 80 + prints_per_candle(candle_ms)))
    assert times == sorted(set(times))
    assert times[0] == 5_000
    assert times[-1] < 5_000 + candle_ms


@given(candle=candles())
def test_prices_are_whole_ticks_and_no_quantity_is_negative(candle: Candle) -> None:
    for one in prints_of(candle, 0, 1000, 0, "seed", RULES):
        assert one.price % TICK == 0
        assert one.quantity >= 0


def test_same_seed_takes_the_same_path_and_another_one_another() -> None:
    candle = Candle(0, Decimal(10), Decimal(20), Decimal(5), Decimal(15), Decimal(7))
    first = prints_of(candle, 0, 1000, 0, "a", RULES)
    assert prints_of(candle, 0, 1000, 0, "a", RULES) == first
    assert prints_of(candle, 0, 1000, 0, "b", RULES) != first


def test_either_extreme_may_come_first() -> None:
    candle = Candle(0, Decimal(10), Decimal(20), Decimal(5), Decimal(15), Decimal(7))
    firsts = set()
    for number in range(30):
        prices = [one.price for one in prints_of(candle, 0, 1000, number, "a", RULES)]
        firsts.add(prices.index(Decimal(20)) < prices.index(Decimal(5)))
    assert firsts == {True, False}


@given(text=st.text())
def test_unit_is_a_fraction_of_the_text_alone(text: str) -> None:
    assert 0 <= unit(text) < 1
    assert unit(text) == unit(text)
