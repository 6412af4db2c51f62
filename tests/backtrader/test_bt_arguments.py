"""A bad argument is refused where it is given, by its name, its value and its bound."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import backtrader as bt
import ccxt.async_support
import pytest
from bt_exchange import ScriptedExchange

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader import GuardedStore
from tradeguard_ccxt import GuardedExchange

Stores = Callable[..., GuardedStore]


@pytest.mark.parametrize("exchange", [None, "binance", 5, ccxt.binance])
def test_a_store_is_made_of_an_exchange(exchange: Any) -> None:
    with pytest.raises(
        ConfigurationException, match=r"GuardedStore.exchange must be .*GuardedExchange\("
    ) as told:
        GuardedStore(exchange)
    assert repr(exchange) in str(told.value)


def test_a_store_without_an_exchange_says_what_it_lacks() -> None:
    make: Any = GuardedStore
    with pytest.raises(ConfigurationException, match=r"GuardedStore\.exchange must be"):
        make()


@pytest.mark.parametrize("exchange", [ccxt.async_support.binance(), GuardedExchange("binance", {})])
def test_exchanges_of_every_kind_pass(exchange: Any) -> None:
    assert GuardedStore(exchange).exchange.id == "binance"


@pytest.mark.parametrize(
    "settings",
    [{"config": {"patience": 3}}, {"clock": 5}, {"workers": "threads"}, {"monitor": True}],
    ids=str,
)
def test_a_setting_of_a_store_is_of_its_kind(scripted: ScriptedExchange, settings: dict[str, Any]) -> None:
    (name,) = settings
    with pytest.raises(ConfigurationException, match=f"GuardedStore.{name} must be"):
        GuardedStore(scripted, **settings)


@pytest.mark.parametrize(
    "params",
    [
        {"dataname": None}, {"dataname": 5}, {"dataname": ""},
        {"timeframe": "1m"}, {"timeframe": 99}, {"timeframe": True},
        {"compression": 0}, {"compression": -1}, {"compression": "1"},
        {"history": -5}, {"history": "x"}, {"history": 2.5},
        {"bars": -1}, {"bars": "x"},
        {"page": 0}, {"page": -3},
        {"recheck": -1},
        {"qcheck": -1}, {"qcheck": None},
        {"fromdate": "2018-01-01"}, {"todate": "2018-01-01"}, {"todate": 20180101},
        {"backfill_from": "file.csv"}, {"backfill_from": bt.feeds.GenericCSVData},
        {"websocket": "yes"}, {"websocket": 1},
        {"historical": "no"}, {"fill_empty": None}, {"backfill_opens": 0},
    ],
    ids=str,
)  # fmt: skip
def test_a_param_of_a_feed_is_within_its_bounds(
    scripted: ScriptedExchange, store_of: Stores, params: dict[str, Any]
) -> None:
    ((name, value),) = params.items()
    with pytest.raises(ConfigurationException, match=f"GuardedFeed.{name} must be") as told:
        store_of(scripted).getdata(**{"dataname": "ETH/BTC", **params})
    assert repr(value) in str(told.value)


def test_a_feed_without_a_symbol_says_so(scripted: ScriptedExchange, store_of: Stores) -> None:
    with pytest.raises(
        ConfigurationException, match=r"GuardedFeed\.dataname must be a symbol, such as 'ETH/BTC'"
    ):
        store_of(scripted).getdata(timeframe=bt.TimeFrame.Minutes)


def test_a_day_is_a_date(scripted: ScriptedExchange, store_of: Stores) -> None:
    feed = store_of(scripted).getdata(dataname="ETH/BTC", fromdate=date(2023, 11, 1), bars=0, page=None)
    assert feed.p.fromdate.hour == 0


@pytest.mark.parametrize(
    "params", [{"currency": 5}, {"currency": ""}, {"use_positions": "yes"}, {"adopt_orders": None}], ids=str
)
def test_a_param_of_a_broker_is_within_its_bounds(
    scripted: ScriptedExchange, store_of: Stores, params: dict[str, Any]
) -> None:
    (name,) = params
    with pytest.raises(ConfigurationException, match=f"GuardedBroker.{name} must be"):
        store_of(scripted).getbroker(**params)
