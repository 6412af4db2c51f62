"""What is settled with the exchange before the first order on a swap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import ccxt
import numpy as np
import pytest
from bt_exchange import MARKET, ScriptedExchange
from bt_runs import EventClock, Log, run
from bt_swaps import SWAP, SwapExchange, swap_market

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader import GuardedStore
from tradeguard_backtrader.accounts.trading_terms import TradingTerms

Stores = Callable[..., GuardedStore]
Trade = Callable[..., Log]


@pytest.fixture
def exchange(clock: EventClock) -> SwapExchange:
    return SwapExchange(clock)


@pytest.fixture
def trade(exchange: SwapExchange, store_of: Stores) -> Trade:
    def start(script: Any = None, **options: Any) -> Log:
        given = {"symbol": SWAP, "history": 2, "bars": 6, **options}
        return run(store_of(exchange), script=script, trading=True, **given)

    return start


def watched(exchange: SwapExchange) -> list[tuple[Any, ...]]:
    """The parameters of each request for the balance."""
    asked: list[tuple[Any, ...]] = []
    honest = exchange.fetch_balance
    exchange.fetch_balance = lambda *params: (asked.append(params), honest())[1]  # type: ignore[method-assign]
    return asked


def reasons(log: Log) -> list[str]:
    return [f"{clone.getstatusname()}: {clone.info.get('reason', '')}" for clone in log.clones]


@pytest.mark.parametrize(
    "leverage",
    [3, 3.0, Decimal(3), np.int64(3), np.float64(3), {SWAP: 3}, {SWAP: Decimal(3)}, {SWAP: np.int64(3)}],
)
def test_leverage_and_margin_mode_are_set_before_the_first_order(
    trade: Trade, exchange: SwapExchange, leverage: Any
) -> None:
    trade(
        {3: lambda strategy: strategy.sell(size=1)}, broker={"leverage": leverage, "margin_mode": "isolated"}
    )
    names = [name for name, _ in exchange.calls]
    assert exchange.called("set_leverage") == [(3, SWAP)]
    assert isinstance(exchange.called("set_leverage")[0][0], int)  # some exchanges take no 3.0
    assert exchange.called("fetch_leverage") == []
    assert exchange.called("set_margin_mode") == [("isolated", SWAP)]
    assert names.index("set_leverage") < names.index("create_order")


def test_without_terms_nothing_is_set_and_the_leverage_is_asked_for(
    trade: Trade, exchange: SwapExchange
) -> None:
    exchange.leverage = 5.0
    seen: list[float] = []
    trade({
        3: lambda strategy: strategy.sell(size=1),
        6: lambda strategy: seen.append(strategy.broker.get_cash()),
    })  # fmt: skip
    assert exchange.called("set_leverage") == exchange.called("set_margin_mode") == []
    assert seen == [1000.0 - 100.0 / 5.0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"leverage": 0.5}, r"GuardedBroker\.leverage must be a finite number of at least 1, not 0\.5"),
        ({"leverage": True}, r"GuardedBroker\.leverage must be"),
        ({"leverage": float("nan")}, r"GuardedBroker\.leverage must be"),
        ({"leverage": {SWAP: "3"}}, r"GuardedBroker\.leverage\['ETH/USDT:USDT'\] must be"),
        ({"margin_mode": "crossed"}, r"margin_mode must be 'cross' or 'isolated', not 'crossed'"),
    ],
)
def test_terms_out_of_bounds_are_refused_at_once(options: Mapping[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationException, match=text):
        TradingTerms(**options)


def test_terms_by_symbol_leave_the_others_as_they_are() -> None:
    terms = TradingTerms(leverage={SWAP: 3}, margin_mode={"X": "cross"})
    assert (terms.leverage_of(SWAP), terms.leverage_of("X")) == (3, None)
    assert (terms.margin_mode_of(SWAP), terms.margin_mode_of("X")) == (None, "cross")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"leverage": 51}, "leverage of ETH/USDT:USDT must be from 1 to 50, not 51"),
        (
            {"leverage": {"BTC/USDT:USDT": 3}},
            "leverage names 'BTC/USDT:USDT', which is no swap among the datas",
        ),
    ],
)
def test_a_leverage_that_the_market_does_not_have_ends_the_run(trade: Trade, options: Any, text: str) -> None:
    with pytest.raises(ConfigurationException, match=text):
        trade(broker=options)


def test_hedge_mode_ends_the_run_and_says_what_to_change(trade: Trade, exchange: SwapExchange) -> None:
    exchange.hedged = True
    with pytest.raises(ConfigurationException, match=r"hedge mode.*set_position_mode\(False, symbol\)"):
        trade()


def test_hedge_mode_shows_in_the_positions_of_an_exchange_that_tells_no_mode(
    trade: Trade, exchange: SwapExchange
) -> None:
    exchange.has["fetchPositionMode"] = False
    exchange.hedged, exchange.position = True, (1.0, 100.0)
    with pytest.raises(ConfigurationException, match="hedge mode"):
        trade()


@pytest.mark.parametrize("method", ["set_leverage", "set_margin_mode"])
def test_terms_that_the_exchange_refuses_reject_entries_and_let_exits_pass(
    trade: Trade, exchange: SwapExchange, method: str
) -> None:
    exchange.position = (2.0, 100.0)
    exchange.fail(method, ccxt.BadRequest("-4028 Leverage 3 is not valid"))
    log = trade(
        {
            3: lambda strategy: strategy.sell(size=1),
            4: lambda strategy: strategy.sell(size=1, reduce_only=True),
        },
        broker={"leverage": 3, "margin_mode": "cross"},
    )
    first, *others = reasons(log)
    assert first.startswith("Rejected: ETH/USDT:USDT cannot be entered on the terms that were asked for")
    assert "-4028 Leverage 3 is not valid" in first
    assert others[-1] == "Completed: "
    told = f"{SWAP} cannot be entered: {method}("
    assert any(kind == "account" and text.startswith(told) for kind, text in log.store)


def test_an_exchange_that_cannot_set_leverage_rejects_entries(trade: Trade, exchange: SwapExchange) -> None:
    exchange.has["setLeverage"] = False
    log = trade({3: lambda strategy: strategy.sell(size=1)}, broker={"leverage": 3})
    assert "scripted has no set_leverage, and 3 was asked for" in reasons(log)[0]


@pytest.mark.parametrize("error", [ccxt.NoChange("same"), ccxt.BadRequest("leverage not modified")])
def test_what_is_so_already_is_no_refusal(trade: Trade, exchange: SwapExchange, error: Exception) -> None:
    exchange.leverage = 3.0
    exchange.fail("set_leverage", error)
    log = trade({3: lambda strategy: strategy.sell(size=1)}, broker={"leverage": 3})
    assert reasons(log)[-1] == "Completed: "


def test_an_outage_while_terms_are_set_is_waited_for(trade: Trade, exchange: SwapExchange) -> None:
    for method in ("set_leverage", "fetch_position_mode", "set_margin_mode"):
        exchange.fail(method, ccxt.RequestTimeout("slow"), ccxt.ExchangeNotAvailable("down"))
    log = trade(
        {3: lambda strategy: strategy.sell(size=1)}, bars=30, broker={"leverage": 3, "margin_mode": "cross"}
    )
    assert exchange.leverage == 3.0
    assert reasons(log)[-1] == "Completed: "


def test_an_answer_that_tells_no_mode_or_leverage_is_none(trade: Trade, exchange: SwapExchange) -> None:
    for method in ("fetch_position_mode", "fetch_leverage"):
        exchange.fail(method, ccxt.NotSupported(method))
    seen: list[float] = []
    trade({3: lambda strategy: seen.append(strategy.broker.get_cash())})
    assert seen == [1000.0]


def test_datas_of_two_settle_currencies_are_refused(trade: Trade, exchange: SwapExchange) -> None:
    other = "ETH/USDC:USDC"
    exchange.markets[other] = swap_market(symbol=other, quote="USDC", settle="USDC")
    with pytest.raises(ConfigurationException, match=r"must share one settle currency.*USDC and USDT"):
        trade(also=[other])


@pytest.mark.parametrize("exchange_id", ["scripted", "bybit"])
def test_spot_and_swaps_share_a_broker_where_they_share_an_account(
    trade: Trade, exchange: SwapExchange, exchange_id: str
) -> None:
    exchange.markets["ETH/USDT"] = {**MARKET, "symbol": "ETH/USDT"}
    exchange.id = exchange_id
    asked = watched(exchange)
    if exchange_id == "bybit":
        log = trade({3: lambda strategy: strategy.buy(data=strategy.datas[1], size=1)}, also=["ETH/USDT"])
        assert reasons(log)[0] == "Submitted: "
        assert asked == [()] * len(asked)
    else:
        with pytest.raises(ConfigurationException, match="keeps spot and swaps in separate accounts"):
            trade(also=["ETH/USDT"])


@pytest.mark.parametrize(
    ("usual", "params"), [(None, ({"type": "swap"},)), ("spot", ({"type": "swap"},)), ("swap", ())]
)
def test_the_swap_account_is_asked_for_where_the_exchange_tells_another(
    exchange: SwapExchange, store_of: Stores, usual: str | None, params: tuple[Any, ...]
) -> None:
    asked = watched(exchange)
    exchange.markets["ETH/BTC"] = MARKET
    exchange.options["defaultType"] = usual
    run(store_of(exchange), symbol=SWAP, trading=True, history=2, bars=3)
    assert asked
    assert asked == [params] * len(asked)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"leverage": 3}, "GuardedBroker.leverage is of swaps, and there are none among the datas: ETH/BTC"),
        ({"margin_mode": "cross"}, "GuardedBroker.margin_mode is of swaps"),
        ({"leverage": {"ETH/BTC": 3}}, "GuardedBroker.leverage names 'ETH/BTC', which is no swap"),
        (
            {"margin_mode": {"ETH/BTC": "cross"}},
            "GuardedBroker.margin_mode names 'ETH/BTC', which is no swap",
        ),
    ],
)
def test_terms_of_swaps_are_refused_where_only_coins_are_traded(
    scripted: ScriptedExchange, store_of: Stores, terms: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigurationException, match=reason):
        run(store_of(scripted), trading=True, history=2, bars=6, broker=terms)


@pytest.mark.parametrize("leverage", [Decimal("NaN"), Decimal("0.5"), np.int64(0), np.True_, "3", True])
def test_what_is_no_leverage_is_refused(leverage: Any) -> None:
    with pytest.raises(ConfigurationException, match=r"GuardedBroker\.leverage must be a finite number"):
        TradingTerms(leverage=leverage)
