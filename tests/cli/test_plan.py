"""The plan of a demo: bounds, equal exchanges from equal plans, a stake that suits any market."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradeguard.cli.demo.plan import HISTORY, VISIBILITY_LAG, DemoPlan
from tradeguard.cli.market import market_for
from tradeguard.exceptions import ConfigurationException


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bars", 0),
        ("bars", -1),
        ("bars", 3601),
        ("seed", -1),
        ("outage", -1.0),
        ("outage", float("nan")),
        ("outage", 601),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_options_name(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationException, match=f"--{field} must be .* not {value}"):
        DemoPlan(**{field: value})


def test_an_unknown_profile_is_refused_when_the_exchange_is_made() -> None:
    with pytest.raises(ConfigurationException, match="wild"):
        DemoPlan(faults="wild").exchange()


def test_a_plan_crosses_processes(tmp_path: Path) -> None:
    plan = DemoPlan(data=tmp_path / "a b.csv", symbol="XRP/ETH", faults="calm", seed=3, bars=9, outage=1.5)
    assert DemoPlan.from_json(plan.to_json()) == plan
    assert DemoPlan.from_json(DemoPlan().to_json()) == DemoPlan()


def test_equal_plans_make_equal_markets_keys_and_faults() -> None:
    first, second = DemoPlan(seed=5).exchange(), DemoPlan(seed=5).exchange()
    draws = [
        [exchange.faults.draw("create", "POST /api/v3/order") for _ in range(50)]
        for exchange in (first, second)
    ]
    assert draws[0] == draws[1]
    assert any(draws[0])
    assert repr(first).partition(", port")[0] == repr(second).partition(", port")[0]


@pytest.mark.parametrize(("symbol", "stake"), [("ETH/BTC", 2.0), ("ETH/USDT", 0.5), ("XRP/ETH", 700.0)])
def test_the_stake_is_a_round_hundredth_of_the_cash(symbol: str, stake: float) -> None:
    plan = DemoPlan(symbol=symbol)
    assert plan.stake(plan.exchange()) == pytest.approx(stake)


def test_coins_held_from_the_start_are_no_position() -> None:
    plan = DemoPlan()
    exchange = plan.exchange()
    account = plan.account(exchange)
    assert account.held > 0
    assert account.now(exchange) == (0, exchange.balances()["BTC"].total)


def test_the_outage_lies_in_the_middle_of_the_run() -> None:
    assert DemoPlan(bars=40, outage=10.0).outage_after == 15.0
    assert DemoPlan(bars=5, outage=100.0).outage_after == 1.0


def test_the_simulator_lags_as_the_plan_says() -> None:
    assert DemoPlan().exchange()._venue.visibility_lag_ms == VISIBILITY_LAG * 1000


def test_a_recording_gives_at_most_half_of_it_to_the_past(candles: Callable[[int], Path]) -> None:
    def history(count: int, **needs: int) -> int:
        market: Any = market_for(
            candles(count),
            "ETH/BTC",
            timeframe="1s",
            **{"history": HISTORY, "least_history": 5, "live": 10, **needs},
        )
        return int(market.listings(0)[0].history)

    assert history(1000) == HISTORY
    assert history(100) == 50
    assert history(100, live=80) == 20
    assert history(15) == 5


def test_a_recording_that_is_too_short_says_what_it_needs(candles: Callable[[int], Path]) -> None:
    with pytest.raises(
        ConfigurationException, match=r"candles.csv: has 20 candles, and 45 are needed for this run"
    ):
        DemoPlan(data=candles(20), bars=10).exchange()
