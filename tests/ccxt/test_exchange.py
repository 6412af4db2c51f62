"""A guarded exchange is the ccxt exchange: same class tree, same configuration, one line to swap."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import ccxt
import pytest

import tradeguard_ccxt
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig, GuardedExchange


class OwnBinance(ccxt.binance):  # type: ignore[misc]
    """A user's subclass, from before there was a guard."""

    def fetch_ticker(self, symbol: str, params: Any = {}) -> Any:  # noqa: B006
        return super().fetch_ticker(symbol, params) | {"mine": True}


class GuardedOwn(tradeguard_ccxt.binance):  # type: ignore[misc,name-defined]
    """A user's subclass of the guarded class."""

    def fetch_ticker(self, symbol: str, params: Any = {}) -> Any:  # noqa: B006
        return super().fetch_ticker(symbol, params) | {"mine": True}


def test_the_swapped_import_guards_and_leaves_the_rest_as_it_is() -> None:
    assert issubclass(tradeguard_ccxt.kraken, ccxt.kraken)
    assert issubclass(tradeguard_ccxt.kraken, GuardedExchange)
    assert tradeguard_ccxt.exchanges == ccxt.exchanges
    assert tradeguard_ccxt.NetworkError is ccxt.NetworkError
    assert GuardedExchange.of("kraken") is tradeguard_ccxt.kraken
    assert GuardedExchange.of(ccxt.kraken) is tradeguard_ccxt.kraken
    with pytest.raises(AttributeError):
        _ = tradeguard_ccxt.no_such_exchange


@pytest.mark.parametrize("cls", [OwnBinance, GuardedOwn])
def test_a_users_subclass_keeps_its_own_behaviour_and_is_guarded(
    cls: type, server: SimulatedExchange, tmp_path: Path
) -> None:
    made = GuardedExchange(cls, server.ccxt_config(), guard=GuardConfig(journal=tmp_path / "s.db"))
    assert made.fetch_ticker("ETH/BTC")["mine"]  # type: ignore[attr-defined]
    assert made.guard_statistics()["calls"] == 1
    made.close()  # type: ignore[attr-defined]


class Named(ccxt.binance):  # type: ignore[misc]
    """A user's subclass whose constructor takes more than ccxt's."""

    def __init__(self, config: Any, desk: str = "", *, limit: int = 0) -> None:
        super().__init__(config)
        self.desk, self.limit = desk, limit


def test_what_else_a_users_constructor_takes_it_takes_guarded_too() -> None:
    guarded: Any = GuardedExchange.of(Named)
    config = {"apiKey": "k" * 8}
    for made in (
        guarded(config, "north", limit=3),
        guarded(config, desk="north", limit=3),
        GuardedExchange(Named, config, "north", limit=3, guard=GuardConfig()),
    ):
        assert (made.apiKey, made.desk, made.limit) == ("k" * 8, "north", 3)


def test_the_guard_may_come_with_the_configuration(server: SimulatedExchange) -> None:
    config = GuardConfig(deadline=7.0)
    for exchange in (
        GuardedExchange("binance", {"guard": config}),
        tradeguard_ccxt.binance({"guard": config}),
        GuardedExchange("binance", guard=config),
    ):
        assert exchange.guard_config is config


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_and_pickles_work_and_are_guarded(server: SimulatedExchange, twin: Any) -> None:
    exchange: Any = GuardedExchange("binance", {"apiKey": "k" * 8, "options": {"x": 1}})
    other = twin(exchange)
    assert type(other) is type(exchange)
    assert other.apiKey == exchange.apiKey
    assert other.options == exchange.options
    assert other.guard_statistics()["calls"] == 0
    assert other.interlock is not exchange.interlock


def test_a_copy_shares_what_its_config_was_given(server: SimulatedExchange) -> None:
    exchange: Any = GuardedExchange("binance", guard=GuardConfig(monitor=ErrorMonitor(), clock=ManualClock()))
    twin = copy.deepcopy(exchange)
    assert twin.guard_config is exchange.guard_config
    assert twin.guard_monitor is exchange.guard_monitor


def test_a_subclass_may_take_what_it_likes() -> None:
    class Mine(tradeguard_ccxt.binance):  # type: ignore[misc,name-defined]
        def __init__(self, key: str, secret: str, size: int, *, note: str) -> None:
            super().__init__({"apiKey": key, "secret": secret})
            self.size, self.note = size, note

    mine: Any = Mine("key", "secret", 3, note="x")
    assert (mine.apiKey, mine.size, mine.note) == ("key", 3, "x")


def test_camel_case_names_are_guarded_too(server: SimulatedExchange) -> None:
    ccxt.binance()  # plain ones first: their names must not be inherited
    for made in (GuardedExchange("binance"), GuardedExchange(OwnBinance), GuardedOwn()):
        for camel, snake in (("createOrder", "create_order"), ("fetchTicker", "fetch_ticker")):
            assert getattr(made, camel).__func__ is getattr(type(made), snake)


def test_what_the_guard_adds_has_no_camel_case_twin_and_slows_no_look_up(server: SimulatedExchange) -> None:
    """ccxt would freeze a twin's value at construction; a `__getattr__` would make every look-up of ccxt's slower."""
    made: Any = GuardedExchange("binance", server.ccxt_config())
    twins = ("guardConfig", "guardMonitor", "guardCircuits", "orderJournal", "stateStore")
    assert not any(hasattr(made, twin) for twin in twins)
    assert not hasattr(type(made), "__getattr__")
    assert made.state_store is None
    assert set(made.guard_circuits) == {"market_data", "account", "trading", "streams"}


@pytest.mark.parametrize("name", ["maxRetriesOnFailure", "maxRetriesOnFailureDelay"])
def test_options_of_repetition_leave_the_request_as_ccxt_takes_them_out(
    server: SimulatedExchange, name: str
) -> None:
    """Nothing is repeated by ccxt, wherever the option stands, and nothing of it is sent to the exchange."""
    made: Any = GuardedExchange("binance", server.ccxt_config(options={name: 5}))
    ask = made.handle_option_integer_and_params
    given = {"symbol": "ETHBTC"}
    assert ask(given, "ticker/24hr", "maxRetriesOnFailure", 0) == [0, given]
    assert ask(given | {name: 5}, "ticker/24hr", name, 0)[1] == given
    assert ask([given], "ticker/24hr", "maxRetriesOnFailure", 0) == [0, [given]]
    assert ask({"recvWindow": 7}, "fetchOrder", "recvWindow", 5) == [7, {}]


@pytest.mark.parametrize(
    ("exchange", "form"), [("binance", r"[0-9a-f]{32}"), ("gate", r"t-[0-9a-f]{26}"), ("bithumb", None)]
)
def test_a_fresh_client_order_id_has_the_exchanges_format(exchange: str, form: str | None) -> None:
    """None where the exchange is not known to take one."""
    made: Any = GuardedExchange(exchange)
    made.set_markets([{"id": "ETHBTC", "symbol": "ETH/BTC", "base": "ETH", "quote": "BTC", "spot": True}])
    identifier = made.fresh_client_order_id("ETH/BTC")
    if form is None:
        assert identifier is None
    else:
        assert re.fullmatch(form, identifier)
        assert made.fresh_client_order_id("ETH/BTC", "market") != identifier


def test_an_unknown_exchange_is_named_with_those_that_come_close() -> None:
    with pytest.raises(ConfigurationException, match=r"'binanc'.*did you mean binance"):
        GuardedExchange("binanc")
    with pytest.raises(ConfigurationException, match="exchange must be"):
        GuardedExchange(42)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("deadline", 0),
        ("order_deadline", -1),
        ("order_expiry", 0.0),
        ("visibility_lag", float("nan")),
        ("limit_pause", float("inf")),
        ("ban_pause", "soon"),
        ("max_age", {"fetch_ticker": -1}),
        ("max_age", {"ticker": 1}),
        ("retry", 3),
        ("breaker", 3),
        ("clock", 3),
        ("interlock", {"nonsense": True}),
    ],
)
def test_a_bad_setting_is_refused_at_once_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationException, match=rf"GuardConfig\.{field}"):
        GuardConfig(**{field: value})


def test_an_unusable_journal_is_refused_before_anything_else(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(ConfigurationException, match="folder"):
        GuardedExchange("binance", guard=GuardConfig(journal=folder))
    with pytest.raises(ConfigurationException, match="guard must be a GuardConfig"):
        GuardedExchange("binance", guard={"deadline": 3})  # type: ignore[arg-type]
