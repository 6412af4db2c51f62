"""Brackets: the entry first, then its exits, of which one is filled, whatever races what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock, Log, path_of, run

from tradeguard.orders.errors import DuplicateIntentError
from tradeguard_backtrader import GuardedStore

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]
Market, Limit, Stop = bt.Order.Market, bt.Order.Limit, bt.Order.Stop
FLAT = 0.05


class Bracket:
    """Places one bracket of a whole coin; knows its three orders."""

    def __init__(self, **options: Any) -> None:
        usual = {"size": 1, "price": 0.0495, "stopprice": 0.048, "limitprice": 0.052}
        self.options = {**usual, **options}
        self.orders: list[Any] = []

    def __call__(self, strategy: Any) -> None:
        make = strategy.sell_bracket if self.options.get("short") else strategy.buy_bracket
        self.orders = make(**{name: value for name, value in self.options.items() if name != "short"})

    def states(self, log: Log) -> list[list[str]]:
        return [log.of(order) for order in self.orders]

    def last(self, log: Log) -> list[str]:
        return [states[-1] for states in self.states(log)]


@pytest.fixture
def trade(simulate: Simulate, guarded: Simulate, store_of: Stores) -> Callable[..., tuple[Log, Any]]:
    """Trades along a path of prices, with 5 ETH and 1 BTC, and audits the orders."""

    def start(prices: list[float], script: Any, **options: Any) -> tuple[Log, Any]:
        path = [*prices, *[prices[-1]] * 8]
        simulated = simulate(market=path_of(*path), balances={"ETH": 5, "BTC": 1})
        exchange = guarded(simulated)
        log = run(store_of(exchange), script=script, trading=True, history=3, bars=len(path) - 3, **options)
        assert simulated.audit(exchange.order_journal.intents()).clean
        return log, simulated

    return start


def book(simulated: Any) -> list[tuple[str, str, float, str]]:
    return [
        (str(order.side).lower(), str(order.type).lower(), float(order.amount), str(order.status))
        for order in simulated.orders()
    ]


@pytest.mark.parametrize(
    ("then", "ends"),
    [
        ([0.053], ["Completed", "Canceled", "Completed"]),
        ([0.047], ["Completed", "Completed", "Canceled"]),
        ([FLAT], ["Completed", "Accepted", "Accepted"]),
    ],
)
def test_the_exits_are_active_once_the_entry_is_filled_and_one_of_them_is_filled(
    trade: Any, then: list[float], ends: list[str]
) -> None:
    bracket = Bracket()
    log, simulated = trade([FLAT, FLAT, FLAT, 0.049, 0.0495, 0.05, *then], {5: bracket})
    entry, stop, limit = bracket.states(log)
    assert entry == ["Submitted", "Accepted", "Completed"]
    assert stop[:2] == limit[:2] == ["Submitted", "Accepted"]
    assert bracket.last(log) == ends
    sold = sum(float(fill.quantity) for fill in simulated.trades() if str(fill.side).lower() == "sell")
    assert sold == (0.0 if then == [FLAT] else 0.999)  # what the entry brought, its fee in coin apart
    assert log.sizes()[-1] == pytest.approx(5.999 - sold)


def test_exits_have_the_size_of_what_the_entry_brought(trade: Any) -> None:
    """A fee of 0.1 % in coin leaves 0.999 to sell."""
    bracket = Bracket(exectype=Market, price=None)
    log, _ = trade([FLAT] * 4 + [0.053], {5: bracket})
    done = log.clones[-2:]
    assert sorted((clone.getstatusname(), clone.created.size) for clone in done) == [
        ("Canceled", -1.0), ("Completed", -0.999),
    ]  # fmt: skip
    completed = next(clone for clone in done if clone.getstatusname() == "Completed")
    assert (completed.executed.size, completed.info["requested_size"]) == (-0.999, -1.0)


def test_a_short_bracket_buys_back_what_was_sold(trade: Any) -> None:
    bracket = Bracket(short=True, price=0.0505, stopprice=0.052, limitprice=0.049)
    log, simulated = trade([FLAT, FLAT, FLAT, 0.051, 0.0505, 0.053, 0.053], {5: bracket})
    assert bracket.last(log) == ["Completed", "Completed", "Canceled"]
    assert [(side, amount) for side, _, amount, status in book(simulated) if status == "FILLED"] == [
        ("sell", 1.0), ("buy", 1.0),
    ]  # fmt: skip


def test_an_entry_that_is_cancelled_takes_its_exits_along(trade: Any) -> None:
    bracket = Bracket()
    script = {5: bracket, 7: lambda strategy: strategy.cancel(bracket.orders[0])}
    log, simulated = trade([FLAT] * 6, script)
    assert bracket.last(log) == ["Canceled"] * 3
    assert [status for *_, status in book(simulated)] == ["CANCELED"]


def test_an_entry_that_expires_takes_its_exits_along(trade: Any) -> None:
    bracket = Bracket(oargs={"valid": timedelta(seconds=2)})
    log, simulated = trade([FLAT] * 8, {5: bracket})
    assert bracket.last(log) == ["Expired", "Canceled", "Canceled"]
    assert len(simulated.orders()) == 1


def test_an_exit_that_is_cancelled_takes_the_whole_bracket_along(trade: Any) -> None:
    bracket = Bracket()
    script = {5: bracket, 7: lambda strategy: strategy.cancel(bracket.orders[1])}
    log, _ = trade([FLAT] * 6, script)
    assert bracket.last(log) == ["Canceled"] * 3


def test_an_entry_that_the_exchange_refuses_takes_its_exits_along(trade: Any) -> None:
    bracket = Bracket(size=50)
    log, simulated = trade([FLAT] * 6, {5: bracket})
    assert bracket.last(log) == ["Margin", "Canceled", "Canceled"]
    assert simulated.orders() == []


@pytest.mark.parametrize("wrong", [{"stopprice": -1.0}, {"limitprice": -1.0}, {"price": -1.0}])
def test_a_bracket_of_which_one_order_is_impossible_is_refused_as_a_whole(
    trade: Any, wrong: dict[str, float]
) -> None:
    bracket = Bracket(**wrong)
    log, simulated = trade([FLAT] * 4, {5: bracket})
    assert bracket.states(log) == [["Rejected"]] * 3
    assert simulated.orders() == []


def test_a_bracket_that_is_never_transmitted_is_never_sent_and_can_be_cancelled(trade: Any) -> None:
    def order(strategy: Any) -> None:
        strategy.kept = strategy.buy(size=1, exectype=Limit, price=0.04, transmit=False)
        strategy.other = strategy.sell(
            size=1, exectype=Stop, price=0.03, parent=strategy.kept, transmit=False
        )

    log, simulated = trade([FLAT] * 6, {5: order, 8: lambda strategy: strategy.cancel(strategy.other)})
    assert [state for _, state in log.orders] == ["Canceled", "Canceled"]
    assert simulated.orders() == []


def test_an_exit_can_be_given_to_an_entry_that_is_at_the_exchange(trade: Any) -> None:
    def entry(strategy: Any) -> None:
        strategy.kept = strategy.buy(size=1, exectype=Limit, price=0.0495)

    def leave(strategy: Any) -> None:
        strategy.late = strategy.sell(size=1, exectype=Stop, price=0.048, parent=strategy.kept)

    log, simulated = trade([FLAT, FLAT, FLAT, FLAT, 0.049, 0.049, 0.049, 0.047], {5: entry, 7: leave})
    assert [(side, kind) for side, kind, *_ in book(simulated)] == [("buy", "limit"), ("sell", "stop_loss")]
    assert [state for _, state in log.orders][-1] == "Completed"


def test_a_trailing_exit_is_judged_from_the_entry_on(trade: Any) -> None:
    """The low before the entry's fill is not its business."""
    bracket = Bracket(
        exectype=Stop, price=0.051, stopexec=bt.Order.StopTrail, stopargs={"trailamount": 0.0015},
        limitexec=None, stopprice=0.051,
    )  # fmt: skip
    log, simulated = trade([FLAT, FLAT, 0.047, FLAT, 0.0515, 0.0535, 0.0535, 0.0515], {5: bracket})
    assert [log.of(order)[-1] for order in bracket.orders[:2]] == ["Completed", "Completed"]
    assert log.clones[-1].created.price == pytest.approx(0.052)
    assert [(side, kind) for side, kind, *_ in book(simulated)] == [("buy", "stop_loss"), ("sell", "market")]


# -- races, on an exchange whose every answer is decided --------------------------------------------------------------


@pytest.fixture
def scene(scripted: ScriptedExchange, store_of: Stores) -> Callable[..., Log]:
    """Runs on the scripted exchange, where the price is 0.05 but where a test moves it."""
    scripted.moves.append((0, FLAT))

    def start(script: Any, *, bars: int = 25, **options: Any) -> Log:
        return run(store_of(scripted), script=script, trading=True, history=2, bars=bars, **options)

    return start


def test_an_entry_that_is_cancelled_half_filled_leaves_exits_for_the_half(
    scene: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    bracket = Bracket()
    clock.at(4.5, lambda: scripted.fill("1", 0.4))
    script = {4: bracket, 8: lambda strategy: strategy.cancel(bracket.orders[0])}
    log = scene(script)
    assert bracket.states(log)[0] == ["Submitted", "Accepted", "Partial", "Canceled"]
    assert bracket.last(log)[1:] == ["Accepted", "Accepted"]
    assert [call[:4] for call in scripted.called("create_order")][1:] == [("ETH/BTC", "limit", "sell", 0.4)]


def test_a_stop_waits_for_the_limit_to_be_gone_and_sells_what_that_left(
    scene: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    """The limit is filled in part while it is being cancelled, and its cancel does not get through at first."""
    bracket = Bracket()
    clock.at(4.5, lambda: scripted.fill("1", 1.0))
    scripted.move(9, 0.047)
    scripted.fail("cancel_order", ccxt.NetworkError("down"), ccxt.NetworkError("down"))
    raced: list[bool] = []

    def race() -> None:
        if not raced:
            raced.append(True)
            scripted.fill("2", 0.3)

    scripted.on["cancel_order"] = race
    scripted.fills_markets = True
    log = scene({4: bracket})
    assert bracket.last(log) == ["Completed", "Completed", "Canceled"]
    orders = [call[1:4] for call in scripted.called("create_order")]
    assert orders == [("limit", "buy", 1.0), ("limit", "sell", 1.0), ("market", "sell", 0.7)]
    first_sale = next(i for i, (name, _) in enumerate(scripted.calls) if name == "create_order" and i > 0)
    assert first_sale < [name for name, _ in scripted.calls].index("cancel_order")


def test_a_limit_that_is_filled_while_it_is_being_cancelled_leaves_nothing_to_stop(
    scene: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    bracket = Bracket()
    clock.at(4.5, lambda: scripted.fill("1", 1.0))
    scripted.move(9, 0.047)
    scripted.on["cancel_order"] = lambda: scripted.fill("2", 1.0) if not scripted.trades["2"] else None
    log = scene({4: bracket})
    assert bracket.last(log) == ["Completed", "Canceled", "Completed"]
    assert len(scripted.called("create_order")) == 2


def test_what_a_limit_left_and_cannot_be_traded_ends_the_stop_too(
    scene: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    bracket = Bracket()
    clock.at(4.5, lambda: scripted.fill("1", 1.0))
    clock.at(7.5, lambda: scripted.fill("2", 0.99995))
    scripted.move(11, 0.047)
    log = scene({4: bracket})
    assert bracket.last(log) == ["Completed", "Canceled", "Canceled"]
    reasons = [clone.info.get("reason") for clone in log.clones if clone.ref == bracket.orders[1].ref]
    assert "least" in reasons[-1]
    assert len(scripted.called("create_order")) == 2


def test_a_trigger_whose_id_is_in_the_journal_already_was_sent_and_is_looked_for(
    scene: Any, scripted: ScriptedExchange
) -> None:
    """It is neither sent again nor taken for refused."""
    scripted.move(6, 0.047)
    scripted.fail("create_order", DuplicateIntentError("the client order id is in the journal already"))
    script = {4: lambda strategy: strategy.sell(size=1, exectype=bt.Order.StopTrail, trailamount=0.001)}
    log = scene(script)
    assert [state for _, state in log.orders] == ["Submitted", "Accepted"]
    assert len(scripted.called("create_order")) == 1


def test_a_stop_covers_what_a_limit_has_not_sold_yet(
    scene: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    bracket = Bracket()
    clock.at(4.5, lambda: scripted.fill("1", 1.0))
    clock.at(7.5, lambda: scripted.fill("2", 0.25))
    scripted.move(11, 0.047)
    scripted.fills_markets = True
    log = scene({4: bracket})
    assert bracket.last(log) == ["Completed", "Completed", "Canceled"]
    assert scripted.called("create_order")[-1][1:4] == ("market", "sell", 0.75)
    assert abs(log.clones[-1].executed.size) == 0.75


def test_ten_fills_of_the_limit_are_the_whole_and_cancel_the_stop(
    scene: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    bracket = Bracket()
    clock.at(4.5, lambda: scripted.fill("1", 1.0))
    for number in range(10):
        clock.at(6.5 + number, lambda: scripted.fill("2", 0.1))
    log = scene({4: bracket})
    assert bracket.states(log)[2] == ["Submitted", "Accepted", *["Partial"] * 9, "Completed"]
    assert bracket.last(log)[1] == "Canceled"


def test_the_first_fill_of_a_group_has_those_at_the_exchange_cancelled(
    scene: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    orders: list[Any] = []

    def group(strategy: Any) -> None:
        orders.append(strategy.buy(size=1, exectype=Limit, price=0.049))
        orders.append(strategy.buy(size=1, exectype=Limit, price=0.048, oco=orders[0]))

    clock.at(4.5, lambda: scripted.fill("1", 0.1))
    log = scene({4: group})
    assert [log.of(order)[-1] for order in orders] == ["Partial", "Canceled"]
    assert [arguments[0] for arguments in scripted.called("cancel_order")] == ["2"]


def test_a_limit_that_the_exchange_refuses_leaves_the_stop_in_force(
    scene: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    bracket = Bracket()
    clock.at(4.5, lambda: scripted.fill("1", 1.0))
    scripted.fail("create_order", None, ccxt.InvalidOrder("price out of band"))
    scripted.move(12, 0.047)
    scripted.fills_markets = True
    log = scene({4: bracket})
    assert bracket.last(log) == ["Completed", "Completed", "Rejected"]


def test_an_exit_that_the_exchange_ends_takes_the_other_along(
    scene: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    bracket = Bracket()
    clock.at(4.5, lambda: scripted.fill("1", 1.0))
    clock.at(8.5, lambda: scripted.orders["2"].update(status="canceled"))
    log = scene({4: bracket})
    assert bracket.last(log) == ["Completed", "Canceled", "Canceled"]


def test_orders_held_for_an_exchange_without_a_state_are_told_as_lost_at_the_end(
    scene: Any, scripted: ScriptedExchange, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="tradeguard.backtrader"):
        scene({4: Bracket()}, bars=8)
    assert "held_lost: 2 orders" in caplog.text
    assert len(scripted.called("create_order")) == 1
