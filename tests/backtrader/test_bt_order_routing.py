"""From a Backtrader order to the arguments of `create_order`, or to the reason why not."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange

from tradeguard.testing import ManualClock
from tradeguard_backtrader.accounts.markets import RefusedError, market_of
from tradeguard_backtrader.brokers.order_routing import (
    dust_of,
    is_native,
    route,
    symbol_of,
    valid_until_ms,
)

DATA = SimpleNamespace(
    close=[0.05],
    datetime=SimpleNamespace(date=lambda: datetime(2024, 1, 2).date()),
    date2num=bt.date2num,
)


@pytest.fixture
def exchange() -> ScriptedExchange:
    return ScriptedExchange(ManualClock())


def order(*, sell: bool = False, **options: Any) -> Any:
    make = bt.order.SellOrder if sell else bt.order.BuyOrder
    usual = {"size": 1.0, "price": 0.05, "exectype": bt.Order.Market}
    return make(owner=None, data=DATA, simulated=True, **{**usual, **options})


def test_a_market_order_has_no_price(exchange: ScriptedExchange) -> None:
    request = route(order(), "ETH/BTC", exchange, {})
    assert (request.type, request.side, request.amount, request.price) == ("market", "buy", 1.0, None)
    assert request.params == {}


def test_a_limit_order_has_the_markets_price(exchange: ScriptedExchange) -> None:
    request = route(
        order(sell=True, price=0.051234567, exectype=bt.Order.Limit), "ETH/BTC", exchange, {"postOnly": True}
    )
    assert (request.type, request.side, request.price) == ("limit", "sell", 0.0512346)
    assert request.params == {"postOnly": True}


def test_a_stop_has_its_trigger_and_a_stop_limit_its_limit_too(exchange: ScriptedExchange) -> None:
    stop = route(order(price=0.06, exectype=bt.Order.Stop), "ETH/BTC", exchange, {})
    assert (stop.type, stop.price, stop.params) == ("market", None, {"triggerPrice": 0.06})
    both = order(price=0.06, pricelimit=0.061, exectype=bt.Order.StopLimit)
    limited = route(both, "ETH/BTC", exchange, {})
    assert (limited.type, limited.price, limited.params) == ("limit", 0.061, {"triggerPrice": 0.06})


@pytest.mark.parametrize(("features", "params"), [(("stopLossPrice",), {"stopLossPrice": 0.06}), ((), None)])
def test_a_stop_is_named_as_the_exchange_names_it_or_refused(
    exchange: ScriptedExchange, features: tuple[str, ...], params: Any
) -> None:
    exchange.feature_value = lambda symbol, method, name: name in features  # type: ignore[method-assign]
    stop = order(price=0.06, exectype=bt.Order.Stop)
    if params is None:
        with pytest.raises(RefusedError, match="no stop orders"):
            route(stop, "ETH/BTC", exchange, {})
    else:
        assert route(stop, "ETH/BTC", exchange, {}).params == params


def test_what_is_awaited_here_is_sent_without_its_price(exchange: ScriptedExchange) -> None:
    stop = route(order(price=0.06, exectype=bt.Order.Stop), "ETH/BTC", exchange, {}, triggered=True)
    assert (stop.type, stop.price, stop.params) == ("market", None, {})
    close = route(order(exectype=bt.Order.Close), "ETH/BTC", exchange, {}, triggered=True, size=0.25)
    assert (close.type, close.amount) == ("market", 0.25)
    trail = order(price=0.06, pricelimit=0.061, exectype=bt.Order.StopTrailLimit, trailamount=0.01)
    limited = route(trail, "ETH/BTC", exchange, {}, triggered=True)
    assert (limited.type, limited.price) == ("limit", trail.created.pricelimit)


@pytest.mark.parametrize(
    ("kind", "by_features"),
    [
        ("Market", (True, True)), ("Limit", (True, True)), ("Stop", (True, False)), ("StopLimit", (True, False)),
        ("StopTrail", (False, False)), ("StopTrailLimit", (False, False)), ("Close", (False, False)),
    ],
)  # fmt: skip
def test_the_exchange_holds_what_its_features_say_and_the_broker_the_rest(
    exchange: ScriptedExchange, kind: str, by_features: tuple[bool, bool]
) -> None:
    chosen = order(exectype=bt.Order.ExecType(kind), trailamount=0.01)
    assert is_native(chosen, "ETH/BTC", exchange) is by_features[0]
    exchange.feature_value = lambda *_: None  # type: ignore[method-assign]
    assert is_native(chosen, "ETH/BTC", exchange) is by_features[1]


def test_where_a_market_buy_spends_an_amount_the_last_close_sizes_it(exchange: ScriptedExchange) -> None:
    exchange.options["createMarketBuyOrderRequiresPrice"] = True
    assert route(order(), "ETH/BTC", exchange, {}).price == 0.05
    assert route(order(sell=True), "ETH/BTC", exchange, {}).price is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"size": 0.00001}, "below the least"),
        ({"size": 0.0015}, "cost"),
        ({"size": 2000.0}, "above the most"),
        ({"exectype": bt.Order.Limit, "price": 1e-9}, "no price"),
        ({"exectype": bt.Order.Limit, "price": -1.0}, "no price"),
        ({"exectype": bt.Order.Historical}, "Historical"),
        ({"exectype": bt.Order.StopTrail}, "trailamount"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(
    exchange: ScriptedExchange, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        route(order(**options), "ETH/BTC", exchange, {})


def test_a_size_that_ccxt_refuses_is_refused(exchange: ScriptedExchange) -> None:
    def refuse(symbol: str, amount: float) -> str:
        raise ccxt.InvalidOrder("too small")

    exchange.amount_to_precision = refuse  # type: ignore[method-assign]
    with pytest.raises(RefusedError, match="too small"):
        route(order(), "ETH/BTC", exchange, {})


def test_only_spot_markets_of_the_exchange_are_traded(exchange: ScriptedExchange) -> None:
    with pytest.raises(RefusedError, match="no market SPY"):
        route(order(), "SPY", exchange, {})
    exchange.markets["X"] = {"symbol": "X", "spot": False}
    with pytest.raises(RefusedError, match="neither a spot market nor a perpetual swap"):
        route(order(), "X", exchange, {})


def test_dust_is_below_the_step_or_the_least_amount(exchange: ScriptedExchange) -> None:
    market = market_of(exchange, "ETH/BTC")
    assert str(dust_of(exchange, market)) == "0.0001"
    exchange.markets["ETH/BTC"] = {"limits": {"amount": {"min": None}}, "precision": {"amount": 4}}
    exchange.precisionMode = ccxt.DECIMAL_PLACES
    assert dust_of(exchange, market) == 0


def test_the_symbol_is_what_the_data_was_made_for_else_its_name() -> None:
    assert symbol_of(SimpleNamespace(_dataname="ETH/BTC", _name="mine")) == "ETH/BTC"
    assert symbol_of(SimpleNamespace(_dataname=object(), _name="BTC/USDT")) == "BTC/USDT"


def test_an_order_without_an_end_never_expires_and_a_day_order_at_midnight() -> None:
    assert valid_until_ms(SimpleNamespace(valid=None)) is None
    midnight = valid_until_ms(SimpleNamespace(valid=0, data=DATA))
    assert midnight is not None
    assert abs(midnight - 1_704_239_999_999) <= 1
