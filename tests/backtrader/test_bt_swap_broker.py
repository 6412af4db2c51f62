"""Trading a swap on a scripted exchange: positions, profit, cash and value, contracts, orders that only reduce."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock, Log, run
from bt_swaps import SWAP, SwapExchange

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader import GuardedStore, StoreConfig

Stores = Callable[..., GuardedStore]
Trade = Callable[..., Log]


@pytest.fixture
def exchange(clock: EventClock) -> SwapExchange:
    return SwapExchange(clock)


@pytest.fixture
def trade(exchange: SwapExchange, store_of: Stores) -> Trade:
    def start(script: Any = None, *, config: StoreConfig | None = None, **options: Any) -> Log:
        settings = {} if config is None else {"config": config}
        given = {"symbol": SWAP, "history": 2, "bars": 12, **options}
        return run(store_of(exchange, **settings), script=script, trading=True, **given)

    return start


def look_at(seen: list[Any], *names: str) -> Callable[[Any], object]:
    return lambda strategy: seen.append(tuple(getattr(strategy.broker, name)() for name in names))


def test_a_position_is_adopted_with_its_entry_price_before_the_first_next(
    trade: Trade, exchange: SwapExchange
) -> None:
    exchange.position = (-3.0, 110.0)
    seen: list[Any] = []
    trade({1: lambda strategy: seen.append((strategy.position.size, strategy.position.price))})
    assert seen == [(-3.0, 110.0)]


def test_a_short_is_opened_and_closed_and_its_profit_told(trade: Trade, exchange: SwapExchange) -> None:
    seen: list[Any] = []

    def cover(strategy: Any) -> None:
        seen.append((strategy.position.size, strategy.position.price))
        exchange.price = 90.0
        strategy.close()

    log = trade({4: lambda strategy: strategy.sell(size=2), 8: cover,
                 12: lambda strategy: seen.append((strategy.position.size, strategy.position.price))})  # fmt: skip
    assert seen == [(-2.0, 100.0), (0.0, 0.0)]
    (_, closed) = log.trades
    assert (closed.isclosed, closed.long, closed.pnl, closed.pnlcomm) == (True, False, 20.0, 20.0)
    assert exchange.wallet == 1020.0


def test_an_order_turns_a_long_into_a_short(trade: Trade, exchange: SwapExchange) -> None:
    def turn(strategy: Any) -> None:
        exchange.price = 110.0
        strategy.sell(size=5)

    seen: list[Any] = []
    log = trade({4: lambda strategy: strategy.buy(size=2), 8: turn,
                 12: lambda strategy: seen.append((strategy.position.size, strategy.position.price))})  # fmt: skip
    assert seen == [(-3.0, 110.0)]
    opened, closed, short = log.trades
    assert (opened.long, closed.isclosed, closed.pnl) == (True, True, 20.0)
    assert (short.long, short.size, short.price) == (False, -3.0, 110.0)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_cash_is_free_margin_and_value_the_margin_balance(
    trade: Trade, exchange: SwapExchange, side: str
) -> None:
    """Four at 100 with a leverage of 4, and then the price rises to 105; nothing is asked for in between."""
    exchange.leverage = 4.0
    sign, seen = 1 if side == "buy" else -1, []

    def rise(strategy: Any) -> None:
        seen.append((strategy.broker.get_cash(), strategy.broker.get_value()))
        exchange.price = 105.0

    def look(strategy: Any) -> None:
        broker = strategy.broker
        seen.append((broker.get_cash(), broker.get_value(), broker.get_value([strategy.data])))

    trade({4: lambda strategy: getattr(strategy, side)(size=4), 8: rise, 11: look})
    gain, margin = sign * 4 * 5.0, 4 * 105 / 4
    assert seen[0] == (1000.0 - 100.0, 1000.0)
    assert seen[1] == (1000.0 + gain - margin, 1000.0 + gain, margin)


def test_a_limit_order_binds_margin_for_what_it_would_add(trade: Trade, exchange: SwapExchange) -> None:
    """Two short, worth 200, would become four long, of which the rest cost 320."""
    exchange.leverage = 4.0
    exchange.position = (-2.0, 100.0)
    seen: list[Any] = []
    trade({
        4: lambda strategy: strategy.buy(size=6, exectype=bt.Order.Limit, price=80.0),
        8: look_at(seen, "get_cash"),
    })  # fmt: skip
    assert seen == [(1000.0 - 50.0 - (6 * 80 - 200 - 200) / 4,)]


def test_orders_on_both_sides_bind_margin_once(trade: Trade, exchange: SwapExchange) -> None:
    exchange.leverage = 4.0
    seen: list[Any] = []

    def grid(strategy: Any) -> None:
        strategy.buy(size=2, exectype=bt.Order.Limit, price=90.0)
        strategy.sell(size=2, exectype=bt.Order.Limit, price=110.0)

    trade({4: grid, 8: look_at(seen, "get_cash"), 30: look_at(seen, "get_cash")}, bars=40)
    assert seen == [(1000.0 - 2 * 110 / 4,)] * 2


def test_margin_that_the_exchange_reckons_otherwise_is_the_exchanges(
    trade: Trade, exchange: SwapExchange
) -> None:
    """It sets nothing aside for an order that reduces in fact, though it may open."""
    honest, seen = exchange.fetch_balance, []

    def fetch_balance(*params: Any) -> Any:
        answer = honest(*params)
        return answer | {"USDT": {"free": 1000.0, "used": 0.0, "total": 1000.0}}

    exchange.fetch_balance = fetch_balance  # type: ignore[method-assign]
    trade({
        4: lambda strategy: strategy.buy(size=2, exectype=bt.Order.Limit, price=90.0),
        10: look_at(seen, "get_cash"),
    }, config=StoreConfig(balance_refresh=2.0))  # fmt: skip
    assert seen == [(1000.0,)]


def test_a_fee_leaves_the_wallet_and_not_the_position(trade: Trade, exchange: SwapExchange) -> None:
    honest = exchange.fill
    exchange.fill = lambda *a, **k: honest(*a, **{**k, "cost": 0.25})  # type: ignore[method-assign]
    seen: list[Any] = []

    def look(strategy: Any) -> None:
        seen.append((strategy.position.size, strategy.broker.get_value()))

    log = trade({4: lambda strategy: strategy.sell(size=2)}, each=look)
    assert log.clones[-1].executed.comm == 0.25
    assert (-2.0, 999.75) in seen
    assert {size for size, _ in seen} == {0.0, -2.0}


def test_positions_are_refreshed_in_the_background(
    trade: Trade, exchange: SwapExchange, clock: EventClock
) -> None:
    clock.at(4.0, lambda: setattr(exchange, "position", (7.0, 90.0)))
    seen: list[Any] = []
    trade({12: lambda strategy: seen.append((strategy.position.size, strategy.position.price))},
          config=StoreConfig(balance_refresh=2.0))  # fmt: skip
    assert seen == [(7.0, 90.0)]


def test_a_position_that_was_there_can_be_left_out(trade: Trade, exchange: SwapExchange) -> None:
    exchange.position = (7.0, 90.0)
    seen: list[Any] = []

    def look(strategy: Any) -> None:
        exchange.price = 110.0
        seen.append((strategy.position.size, strategy.position.price))

    trade({3: look, 4: lambda strategy: strategy.sell(size=1), 8: look, 12: look_at(seen, "get_value")},
          broker={"use_positions": False})  # fmt: skip
    assert seen[:2] == [(0.0, 0.0), (-1.0, 110.0)]


def test_an_order_that_the_margin_does_not_carry_ends_as_margin(trade: Trade, exchange: SwapExchange) -> None:
    exchange.fail("create_order", ccxt.InsufficientFunds("-2019 Margin is insufficient."))
    log = trade({4: lambda strategy: strategy.sell(size=500)})
    assert [clone.getstatusname() for clone in log.clones] == ["Submitted", "Margin"]


@pytest.mark.parametrize("name", ["triggerPrice", "stopLossPrice", "trailingPercent"])
def test_an_order_of_the_exchanges_own_that_waits_is_rejected(
    trade: Trade, exchange: SwapExchange, name: str
) -> None:
    log = trade({4: lambda strategy: strategy.sell(size=1, params={name: 90.0})})
    assert f"{name} makes an order that cannot be followed up" in log.clones[0].info["reason"]
    assert exchange.called("create_order") == []


def test_a_fee_in_a_third_currency_is_told_by_the_price_of_its_swap(
    trade: Trade, exchange: SwapExchange
) -> None:
    """As Binance takes its fees in BNB, and has BNB/USDT:USDT alone; of the coin of the swap itself, too."""
    honest = exchange.fill
    exchange.fill = lambda *a, **k: honest(*a, **{**k, "cost": 0.01, "currency": "ETH"})  # type: ignore[method-assign]
    seen: list[Any] = []
    log = trade(
        {4: lambda strategy: strategy.sell(size=2), 8: lambda strategy: seen.append(strategy.position.size)}
    )
    assert (log.clones[-1].executed.comm, seen) == (1.0, [-2.0])


@pytest.mark.parametrize(
    ("left", "size", "own", "told"),
    [
        (-2.0, 2, 0, []),  # closes what was left, and no more
        (-2.0, 1, 0, []),
        (-2.0, 5, 0, [(3.0, False)]),  # and opens the rest
        (-2.0, 1, -1, [(-1.0, False), (0.0, True)]),  # its own comes first
        (-2.0, 3, -1, [(-1.0, False), (0.0, True)]),
        (2.0, 1, 0, [(1.0, False)]),  # adds
    ],
)
def test_what_closes_a_position_that_was_left_belongs_to_no_trade(
    trade: Trade, exchange: SwapExchange, left: float, size: float, own: float, told: list[tuple[float, bool]]
) -> None:
    exchange.position = (left, 110.0)
    honest = exchange.fill
    exchange.fill = lambda *a, **k: honest(*a, **{**k, "cost": 0.5})  # type: ignore[method-assign]
    script: dict[int, Any] = {8: lambda strategy: strategy.buy(size=size)}
    if own:
        script[4] = lambda strategy: strategy.sell(size=-own)
    log = trade(script)
    assert [(each.size, each.isclosed) for each in log.trades] == told
    assert (log.clones[-1].executed.size, log.clones[-1].executed.comm) == (size, 0.5)
    closed = sum(each.commission for each in log.trades[-1:])
    shares = {5: 0.5 * 3 / 5, 3: 0.5 + 0.5 / 3}
    assert closed == pytest.approx(shares.get(size, 0.5 * len(told)))


def test_after_a_position_that_was_left_is_closed_trades_are_told_again(
    trade: Trade, exchange: SwapExchange
) -> None:
    exchange.position = (-2.0, 110.0)
    log = trade({
        4: lambda strategy: strategy.close(), 7: lambda strategy: strategy.buy(size=1),
        10: lambda strategy: strategy.close(),
    }, bars=14)  # fmt: skip
    assert [(each.size, each.isclosed, each.long) for each in log.trades] == [
        (1.0, False, True),
        (0.0, True, True),
    ]


def test_a_child_that_adds_is_no_exit(trade: Trade, exchange: SwapExchange) -> None:
    def enter(strategy: Any) -> None:
        entry = strategy.sell(size=1, transmit=False)
        strategy.sell(size=1, parent=entry, exectype=bt.Order.Limit, price=120.0)

    trade({4: enter})
    assert sent(exchange) == [("sell", False), ("sell", False)]


# -- contracts ------------------------------------------------------------------------------------------------------


@pytest.fixture
def contracts(clock: EventClock, store_of: Stores) -> tuple[SwapExchange, Trade]:
    """An exchange whose contracts are a tenth of an ETH, and whose step is one contract."""
    exchange = SwapExchange(
        clock, contractSize=0.1, precision={"amount": 1.0, "price": 0.01}, limits={"amount": {"min": 1.0}}
    )

    def truncate(symbol: str, amount: float) -> str:
        return str(ccxt.binance().decimal_to_precision(amount, ccxt.TRUNCATE, 1.0, ccxt.TICK_SIZE))

    exchange.amount_to_precision = truncate  # type: ignore[method-assign]

    def start(script: Any = None, **options: Any) -> Log:
        # A fill that the trades do not show is taken from the order after so long.
        store = store_of(exchange, config=StoreConfig(patience=2.0))
        return run(store, script=script, trading=True, symbol=SWAP, history=2, bars=12, **options)

    return exchange, start


def test_sizes_are_base_currency_and_orders_are_contracts(contracts: tuple[SwapExchange, Trade]) -> None:
    exchange, trade = contracts
    exchange.position = (-50.0, 100.0)
    seen: list[Any] = []
    log = trade({
        1: lambda strategy: seen.append(strategy.position.size),
        4: lambda strategy: strategy.buy(size=0.37),
        8: lambda strategy: seen.append((strategy.position.size, strategy.broker.get_value())),
    })  # fmt: skip
    assert exchange.called("create_order")[0][:4] == (SWAP, "market", "buy", 3.0)
    assert seen == [-5.0, (-4.7, 1000.0)]
    assert exchange.called("fetch_order") == []  # the answer told that it is filled
    done = log.clones[-1]
    assert (done.getstatusname(), done.executed.size, done.info["requested_size"]) == ("Completed", 0.3, 0.37)


def test_an_order_of_less_than_a_contract_is_rejected(contracts: tuple[SwapExchange, Trade]) -> None:
    _, trade = contracts
    log = trade({4: lambda strategy: strategy.buy(size=0.09)})
    assert "amount 0 is below the least of 1.0" in log.clones[0].info["reason"]


def test_open_orders_are_looked_at_together_in_base_currency(contracts: tuple[SwapExchange, Trade]) -> None:
    exchange, trade = contracts
    for number in ("1", "2"):
        exchange.place(number, amount=30.0, side="sell", price=120.0, symbol=SWAP)
    exchange.clock.at(4.5, lambda: exchange.fill("1", 10.0, price=120.0))  # type: ignore[attr-defined]
    log = trade()
    assert [state for _, state in log.orders] == ["Accepted", "Accepted", "Partial"]
    assert log.clones[-1].executed.size == -1.0
    assert exchange.called("fetch_order") == []


def test_an_adopted_order_that_only_reduces_locks_nothing(trade: Trade, exchange: SwapExchange) -> None:
    exchange.leverage, exchange.position = 4.0, (-2.0, 100.0)
    exchange.place("1", amount=5.0, side="buy", price=80.0, symbol=SWAP, reduceOnly=True)
    seen: list[Any] = []
    trade({8: look_at(seen, "get_cash")})
    assert seen == [(950.0,)]


def test_a_currency_that_no_data_tells_the_price_of_is_refused(trade: Trade, exchange: SwapExchange) -> None:
    with pytest.raises(ConfigurationException, match=r"'EUR' is none of which .* known are USDT"):
        trade(broker={"currency": "EUR"})


def test_an_open_order_is_adopted_in_base_currency(contracts: tuple[SwapExchange, Trade]) -> None:
    exchange, trade = contracts
    exchange.place("1", amount=30.0, side="sell", price=120.0, symbol=SWAP, reduceOnly=True)
    exchange.fill("1", 10.0, price=120.0)
    exchange.clock.at(4.5, lambda: exchange.fill("1", 20.0, price=120.0))  # type: ignore[attr-defined]
    log = trade()
    assert [state for _, state in log.orders] == ["Accepted", "Completed"]
    assert (log.clones[0].created.size, log.clones[-1].executed.size) == (-2.0, -2.0)


# -- orders that only reduce --------------------------------------------------------------------------------------


def sent(exchange: ScriptedExchange) -> list[tuple[str, bool]]:
    return [(call[2], call[5].get("reduceOnly", False)) for call in exchange.called("create_order")]


def test_an_order_is_told_to_reduce_only_where_the_strategy_says_so(
    trade: Trade, exchange: SwapExchange
) -> None:
    log = trade(
        {4: lambda strategy: strategy.sell(size=1), 8: lambda strategy: strategy.close(reduce_only=True)}
    )
    assert sent(exchange) == [("sell", False), ("buy", True)]
    assert log.clones[-1].info["reduce_only"] is True


def test_the_least_cost_of_an_order_holds_for_entries_alone(trade: Trade, exchange: SwapExchange) -> None:
    exchange.position = (0.1, 100.0)
    log = trade(
        {4: lambda strategy: strategy.sell(size=0.1), 5: lambda strategy: strategy.close(reduce_only=True)}
    )
    assert "cost 10 is below the least of 20.0" in log.clones[0].info["reason"]
    assert log.clones[-1].getstatusname() == "Completed"


@pytest.mark.parametrize("stop_first", [True, False])
def test_the_exits_of_a_short_only_reduce_and_its_stop_is_held(
    trade: Trade, exchange: SwapExchange, stop_first: bool
) -> None:
    def enter(strategy: Any) -> None:
        strategy.sell_bracket(size=1, exectype=bt.Order.Market, stopprice=105.0, limitprice=90.0)

    def move(strategy: Any) -> None:
        if stop_first:
            exchange.price = 106.0
        else:
            exchange.fill("2", 1.0, price=90.0)

    log = trade({4: enter, 8: move}, bars=16)
    ends = {clone.exectype: clone.getstatusname() for clone in log.clones if not clone.alive()}
    assert ends[bt.Order.Market] == "Completed"
    assert ends[bt.Order.Stop] == ("Completed" if stop_first else "Canceled")
    assert ends[bt.Order.Limit] == ("Canceled" if stop_first else "Completed")
    assert sent(exchange)[:2] == [("sell", False), ("buy", True)]
    assert all(reduces for _, reduces in sent(exchange)[1:])
    assert exchange.position == (0.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (bt.Order.Stop, {"price": 103.0}),
        (bt.Order.StopLimit, {"price": 103.0, "plimit": 104.0}),
        (bt.Order.StopTrail, {"trailamount": 3.0}),
        (bt.Order.StopTrailLimit, {"price": 103.0, "plimit": 104.0, "trailamount": 3.0}),
    ],
)
def test_a_buy_stop_above_closes_a_short(
    trade: Trade, exchange: SwapExchange, kind: int, options: dict[str, Any]
) -> None:
    exchange.position = (-2.0, 100.0)

    def protect(strategy: Any) -> None:
        strategy.buy(size=2, exectype=kind, reduce_only=True, **options)

    log = trade({4: protect, 8: lambda strategy: setattr(exchange, "price", 103.5)}, bars=14)
    assert log.clones[0].info["held"] == "here" or log.clones[1].info["held"] == "here"
    call = exchange.called("create_order")[0]
    is_limited = kind in {bt.Order.StopLimit, bt.Order.StopTrailLimit}
    assert (call[1], call[2], call[3]) == ("limit" if is_limited else "market", "buy", 2.0)
    assert call[5]["reduceOnly"] is True
    assert "triggerPrice" not in call[5]


def test_a_market_order_has_no_price_even_where_coin_is_bought_for_an_amount(
    trade: Trade, exchange: SwapExchange
) -> None:
    exchange.options["createMarketBuyOrderRequiresPrice"] = True
    trade({4: lambda strategy: strategy.buy(size=1)})
    assert exchange.called("create_order")[0][4] is None


def test_the_keyword_says_nothing_on_a_spot_market(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.fills_markets = True
    script = {4: lambda strategy: strategy.sell(size=1, reduce_only=True)}
    log = run(store_of(scripted), script=script, trading=True, history=2, bars=8)
    assert scripted.called("create_order")[0][5] == {}
    assert log.clones[-1].getstatusname() == "Completed"


def test_a_commission_scheme_of_your_own_wins(trade: Trade, exchange: SwapExchange) -> None:
    seen: list[Any] = []

    def look(strategy: Any) -> None:
        broker = strategy.broker
        seen.append(broker.getcommissioninfo(strategy.data).stocklike)
        broker.setcommission(commission=0.1, margin=7.0)
        seen.append(broker.getcommissioninfo(strategy.data).get_margin(100.0))

    trade({4: look})
    assert seen == [False, 7.0]


def test_an_executed_order_is_worth_its_margin(trade: Trade, exchange: SwapExchange) -> None:
    """As Backtrader's own broker tells it: the value of four at 100 is their margin, at a leverage of 4."""
    exchange.leverage = 4.0
    log = trade({4: lambda strategy: strategy.sell(size=4), 8: lambda strategy: strategy.buy(size=1)})
    values = [clone.executed.value for clone in log.clones if clone.status == bt.Order.Completed]
    assert values == [100.0, 25.0]
