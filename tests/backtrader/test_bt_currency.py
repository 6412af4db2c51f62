"""In which currency cash and value are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bt_exchange
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock, Log, run

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader import GuardedStore

Stores = Callable[..., GuardedStore]


@pytest.fixture
def exchange(clock: EventClock) -> ScriptedExchange:
    """Ten ETH, a BTC and 1000 USDT; ETH at 0.05 BTC, and BTC at 40,000 USDT."""

    class TwoMarkets(ScriptedExchange):
        def fetch_ohlcv(self, symbol: str, *arguments: Any) -> Any:
            rows = super().fetch_ohlcv(symbol, *arguments)
            price = {"ETH/BTC": 0.05, "BTC/USDT": 40_000.0}[symbol]
            return [[row[0], price, price, price, price, 1.0] for row in rows]

    made = TwoMarkets(clock)
    made.markets["BTC/USDT"] = {**bt_exchange.MARKET, "symbol": "BTC/USDT"}
    made.balance = {"ETH": (10.0, 0.0), "BTC": (1.0, 0.0), "USDT": (1000.0, 0.0)}
    return made


@pytest.fixture
def trade(exchange: ScriptedExchange, store_of: Stores) -> Callable[..., Log]:
    def start(script: Any = None, *, broker: Any = None, **options: Any) -> Log:
        given = {"history": 2, "bars": 8, "also": ("BTC/USDT",), **options}
        return run(store_of(exchange), script=script, trading=True, broker=broker, **given)

    return start


def look(seen: list[Any]) -> Callable[[Any], object]:
    def note(strategy: Any) -> None:
        broker, datas = strategy.broker, strategy.datas
        worth = [broker.get_value([data]) for data in datas]
        seen.extend((broker.get_cash(), broker.get_value(), *worth, broker.get_value(datas)))

    return note


@pytest.mark.parametrize(
    ("currency", "told"),
    [
        (None, [1.0, 1.525, 0.5, 1.0, 1.5]),
        ("BTC", [1.0, 1.525, 0.5, 1.0, 1.5]),
        ("USDT", [1000.0, 61_000.0, 20_000.0, 40_000.0, 60_000.0]),
        ("ETH", [10.0, 30.5, 10.0, 20.0, 30.0]),
    ],
)
def test_all_that_the_datas_tell_the_price_of_is_worth_something(
    trade: Any, currency: str | None, told: list[float]
) -> None:
    """Cash, value, the worth of ETH, that of BTC, and both."""
    seen: list[float] = []
    trade({5: look(seen)}, broker={"currency": currency})
    assert seen == pytest.approx(told)


def test_positions_counted_from_zero_are_converted_too(trade: Any, exchange: ScriptedExchange) -> None:
    exchange.fills_markets = True
    seen: list[float] = []
    trade(
        {
            4: lambda strategy: strategy.buy(size=2),
            9: lambda strategy: seen.append(strategy.broker.get_value()),
        },
        broker={"currency": "USDT", "use_positions": False},
    )
    assert seen == pytest.approx([1000 + 2 * 0.05 * 40_000])


@pytest.mark.parametrize("currency", ["XYZ", "usdt"])
def test_an_unknown_currency_is_named_with_what_is_known(trade: Any, currency: Any) -> None:
    with pytest.raises(ConfigurationException, match=f"{currency!r} .* known are BTC, ETH, USDT"):
        trade(broker={"currency": currency})


def test_a_currency_that_is_no_text_is_named(trade: Any) -> None:
    with pytest.raises(ConfigurationException, match=r"GuardedBroker\.currency.* 5"):
        trade(broker={"currency": 5})


def test_a_target_is_told_in_the_currency_of_the_account(trade: Any, exchange: ScriptedExchange) -> None:
    """ETH for half of the account: 30,500 USDT of 61,000, of which there are 20,000 in ETH already."""
    trade(
        {4: lambda strategy: strategy.order_target_percent(strategy.datas[0], target=0.5)},
        broker={"currency": "USDT"},
    )
    ((_, _, side, amount, _, _),) = exchange.called("create_order")
    assert (side, amount) == ("buy", 10_500 / (0.05 * 40_000))
