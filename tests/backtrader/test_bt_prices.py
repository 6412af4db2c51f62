"""By which data of a run an account is valued: the newest close, and never that of another exchange."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import SECOND, EventClock, Log, Scribe
from bt_swaps import SWAP, SwapExchange

from tradeguard_backtrader import GuardedStore
from tradeguard_backtrader.brokers.prices import is_of

Stores = Callable[..., GuardedStore]
TEN_SECONDS = {"timeframe": bt.TimeFrame.Seconds, "compression": 10}


def run(
    store: GuardedStore, *more: Callable[[bt.Cerebro], object], symbol: str = "ETH/BTC", **options: Any
) -> Log:
    """Run a feed of `store` and whatever `more` adds."""
    log, env = Log(), bt.Cerebro(stdstats=False, quicknotify=True, **options.pop("cerebro", {}))
    env.adddata(store.getdata(dataname=symbol, history=3, **{"bars": 40, **SECOND}))
    for add in more:
        add(env)
    env.setbroker(store.getbroker())
    env.addstrategy(Scribe, log=log, **options)
    env.run()
    return log


def resampled(env: bt.Cerebro) -> None:
    env.resampledata(env.datas[0], **TEN_SECONDS)


def also(store: GuardedStore, **feed: Any) -> Callable[[bt.Cerebro], object]:
    return lambda env: env.adddata(
        store.getdata(dataname="ETH/BTC", history=3, **{"bars": 40, **SECOND, **feed})
    )


def test_the_account_is_worth_what_the_newest_bar_says(scripted: ScriptedExchange, store_of: Stores) -> None:
    """Five ETH and one BTC, by bars of a second and of ten."""
    seen: list[tuple[float, float]] = []

    def look(strategy: Any) -> None:
        seen.append((strategy.broker.get_value(), 1.0 + 5 * strategy.datas[0].close[0]))

    run(store_of(scripted), resampled, each=look)
    assert len(seen) > 20
    assert [told for told, _ in seen] == pytest.approx([worth for _, worth in seen])


def test_cash_and_value_of_a_swap_follow_the_newest_bar(clock: EventClock, store_of: Stores) -> None:
    exchange = SwapExchange(clock)
    exchange.position, exchange.leverage = (4.0, 100.0), 4.0
    seen: list[tuple[float, float]] = []

    def look(strategy: Any) -> None:
        exchange.price += 1
        seen.append((strategy.broker.get_value(), 1000 + 4 * (strategy.datas[0].close[0] - 100)))

    run(store_of(exchange), resampled, symbol=SWAP, each=look)
    assert [told for told, _ in seen] == pytest.approx([worth for _, worth in seen])
    assert max(worth for _, worth in seen) > 1040


def test_the_prices_of_another_exchange_value_nothing(
    clock: EventClock, scripted: ScriptedExchange, store_of: Stores
) -> None:
    dear, seen = ScriptedExchange(clock), []
    dear.moves = [(0, 90.0)]

    def look(strategy: Any) -> None:
        seen.append((strategy.broker.get_value(), 1.0 + 5 * strategy.datas[0].close[0]))

    run(store_of(scripted), also(store_of(dear)), each=look)
    assert [told for told, _ in seen] == pytest.approx([worth for _, worth in seen])


def test_what_is_held_here_is_not_judged_by_another_exchange(
    clock: EventClock, scripted: ScriptedExchange, store_of: Stores
) -> None:
    """The other one's data are far below the stop, and come first."""
    cheap = ScriptedExchange(clock)
    cheap.moves = [(0, 0.1)]
    stop = {"size": 1, "exectype": bt.Order.StopTrail, "trailamount": 0.5}
    script = {5: lambda strategy: strategy.sell(data=strategy.datas[1], **stop)}
    log, env, store = Log(), bt.Cerebro(stdstats=False, quicknotify=True), store_of(scripted)
    for each in (store_of(cheap), store):
        env.adddata(each.getdata(dataname="ETH/BTC", history=3, bars=20, **SECOND))
    env.setbroker(store.getbroker())
    env.addstrategy(Scribe, log=log, script=script)
    env.run()
    assert [state for _, state in log.orders] == ["Submitted", "Accepted"]
    assert scripted.called("create_order") == []


def test_an_order_for_the_data_of_another_exchange_is_rejected(
    clock: EventClock, scripted: ScriptedExchange, store_of: Stores
) -> None:
    other = ScriptedExchange(clock)
    script = {5: lambda strategy: strategy.buy(data=strategy.datas[1], size=1)}
    sizes: list[float] = []
    log = run(
        store_of(scripted), also(store_of(other)), script=script,
        each=lambda strategy: sizes.append(strategy.getposition(strategy.datas[1]).size),
    )  # fmt: skip
    assert [state for _, state in log.orders] == ["Rejected"]
    assert "another store" in log.clones[0].info["reason"]
    assert scripted.called("create_order") == other.called("create_order") == []
    assert set(sizes) == {0.0}


def test_strategies_find_their_positions_by_data_and_by_name(
    clock: EventClock, scripted: ScriptedExchange, store_of: Stores
) -> None:
    other, seen = ScriptedExchange(clock), []

    def look(strategy: Any) -> None:
        by_data = strategy.positions
        seen.append([by_data[data].size for data in strategy.datas])
        seen.append([position.size for position in strategy.positionsbyname.values()])

    run(store_of(scripted), resampled, also(store_of(other), name="other"), script={5: look})
    assert seen == [[5.0, 5.0, 0.0]] * 2


def test_a_data_of_no_store_has_its_part(tmp_path: Path) -> None:
    """A file's bars of the symbol."""
    path = tmp_path / "bars.csv"
    path.write_text("2020-01-01 00:00:00,1,1,1,7,1\n")
    file = bt.feeds.GenericCSVData(dataname=str(path), name="ETH/BTC", openinterest=-1)
    assert is_of(object(), file)


def fail_after(exchange: ScriptedExchange, seconds: float) -> None:
    if seconds < exchange.clock.monotonic() < seconds + 20:
        exchange.fail("fetch_ohlcv", ccxt.NetworkError("down"))


def test_a_run_that_keeps_one_bar_knows_the_last_price_between_bars(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    class Asking(Scribe):
        def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
            super().notify_data(data, status)
            self.log.told.append(str(self.broker.get_value() > 0))

    log, env, store = Log(), bt.Cerebro(stdstats=False, quicknotify=True, exactbars=1), store_of(scripted)
    scripted.on["fetch_ohlcv"] = lambda: fail_after(scripted, 1002)
    env.adddata(store.getdata(dataname="ETH/BTC", history=3, bars=30, **SECOND))
    env.setbroker(store.getbroker())
    env.addstrategy(Asking, log=log)
    env.run()
    assert log.told[log.told.index("CONNBROKEN") + 1] == "True"
    assert "False" not in log.told
