"""Public data of the futures, and what the simulated exchange lists and refuses."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.pro
import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import SimulatedExchange, SyntheticMarket
from tradeguard.simulator.symbols import assets_of, rules_for, split_symbol
from tradeguard.testing import ManualClock

from .conftest import Connect, Start

SYMBOL = "ETH/USDT:USDT"


def test_markets_are_linear_swaps(futures: SimulatedExchange, usdm: ccxt.binanceusdm) -> None:
    assert futures.symbols == tuple(usdm.markets) == (SYMBOL, "BTC/USDT:USDT")
    market = usdm.market(SYMBOL)
    assert (market["swap"], market["linear"], market["settle"], market["id"]) == (
        True,
        True,
        "USDT",
        "ETHUSDT",
    )
    assert market["contractSize"] == 1
    assert market["precision"]["amount"] == market["limits"]["amount"]["min"] == 0.001
    assert market["limits"]["cost"]["min"] == 5


def test_prices_are_told_alike(futures: SimulatedExchange, usdm: ccxt.binanceusdm) -> None:
    last = float(futures.last_price(SYMBOL))
    assert usdm.fetch_ticker(SYMBOL)["last"] == last
    assert usdm.fetch_tickers([SYMBOL])[SYMBOL]["last"] == last
    assert usdm.fetch_last_prices()[SYMBOL]["price"] == last
    assert usdm.fetch_mark_price(SYMBOL)["markPrice"] == last
    assert usdm.fetch_trades(SYMBOL)[-1]["price"] == last
    assert usdm.fetch_ohlcv(SYMBOL, "1m")[-1][4] == last
    book, best = usdm.fetch_order_book(SYMBOL, 5), usdm.fetch_bids_asks([SYMBOL])[SYMBOL]
    assert (book["bids"][0][0], book["asks"][0][0]) == (best["bid"], best["ask"])
    assert best["bid"] < last < best["ask"]
    rate = usdm.fetch_funding_rate(SYMBOL)
    assert (rate["fundingRate"], rate["markPrice"]) == (0, last)
    assert set(usdm.fetch_funding_rates()) == set(futures.symbols)
    assert usdm.fetch_funding_rate_history(SYMBOL) == []


def test_a_page_of_candles_is_as_long_as_the_futures(start: Start, connect: Connect) -> None:
    exchange = start(market=SyntheticMarket(SYMBOL, history=2000), dialect="binanceusdm")
    client = connect(exchange)
    wanted = {"symbol": "ETHUSDT", "interval": "1s", "limit": 1500}
    assert len(client.fapiPublicGetKlines(wanted)) == 1500
    assert (
        client.fetch_ohlcv(SYMBOL, "1s", limit=9, params={"price": "mark"})[-1]
        == (client.fetch_ohlcv(SYMBOL, "1s", limit=9)[-1])
    )


def test_time_status_and_fees_are_told(clock: ManualClock, usdm: ccxt.binanceusdm) -> None:
    assert usdm.fetch_time() == int(clock.time() * 1000)
    assert usdm.fetch_status()["status"] == "ok"
    fee = usdm.fetch_trading_fee(SYMBOL)
    assert (fee["maker"], fee["taker"]) == (0.001, 0.001)
    assert list(usdm.fetch_trading_fees()) == [SYMBOL, "BTC/USDT:USDT"]
    [tier] = usdm.fetch_leverage_tiers()[SYMBOL]
    assert tier["maxLeverage"] == 125


def test_nothing_leads_to_the_real_exchange(futures: SimulatedExchange) -> None:
    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for inner in value.values():
                yield from texts(inner)
        elif isinstance(value, str):
            yield value

    client = ccxt.pro.binanceusdm(futures.ccxt_config())
    assert {text.split("/")[2] for text in texts(client.urls["api"])} == {futures.url.split("/")[2]}


async def test_streams_are_refused_and_say_so(futures: SimulatedExchange, patience: None) -> None:
    client = ccxt.pro.binanceusdm(futures.ccxt_config())
    try:
        with pytest.raises(ccxt.NetworkError, match=r"404.*not-simulated/linear"):
            await client.watch_trades(SYMBOL)
    finally:
        await client.close()
    assert [record.status for record in futures.requests if record.path.startswith("/not-simulated")] == [404]


def test_each_dialect_lists_its_own_kind_of_market() -> None:
    with pytest.raises(ConfigurationException, match="ETH/USDT is no linear swap, such as ETH/USDT:USDT"):
        SimulatedExchange(SyntheticMarket("ETH/USDT"), dialect="binanceusdm")
    with pytest.raises(ConfigurationException, match="ETH/USDT:USDT is no spot, such as ETH/BTC"):
        SimulatedExchange(SyntheticMarket(SYMBOL))
    assert SimulatedExchange(dialect="binanceusdm").symbols == (SYMBOL,)


@pytest.mark.parametrize(
    "symbol", ["ETH/USDT:BTC", "ETH/USDT:", "ETH:USDT", "eth/usdt:usdt", "ETH/USDT:USDT-250101"]
)
def test_a_symbol_that_is_none_is_refused(symbol: str) -> None:
    with pytest.raises(ConfigurationException, match="symbol"):
        split_symbol(symbol)


def test_a_swap_needs_what_it_is_settled_in_alone() -> None:
    assert assets_of(SYMBOL) == ("USDT",)
    assert assets_of("ETH/BTC") == ("ETH", "BTC")
    assert list(SimulatedExchange(dialect="binanceusdm").balances()) == ["USDT"]
    assert rules_for("XRP/USDT:USDT", Decimal("0.5")).step_size == Decimal("0.1")


def test_a_recording_without_a_name_is_listed_as_a_swap(start: Start, tmp_path: Any) -> None:
    path = tmp_path / "candles.csv"
    path.write_text("timestamp,open,high,low,close,volume\n0,10,11,9,10,5\n60000,10,11,9,10,5\n")
    assert start(market=path, dialect="binanceusdm").symbols == (SYMBOL,)
