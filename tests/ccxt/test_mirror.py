"""The three mirrors have all that ccxt's modules have, and every class in them is ccxt's own, guarded."""

from __future__ import annotations

import contextlib
import copy
import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

import tradeguard_ccxt
import tradeguard_ccxt.async_support
import tradeguard_ccxt.pro
from tradeguard.simulator import SimulatedExchange
from tradeguard_ccxt import GuardConfig
from tradeguard_ccxt.operations import is_unified

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = {
    "apiKey": "k" * 16,
    "secret": "s" * 16,
    "timeout": 4321,
    "enableRateLimit": False,
    "rateLimit": 77,
    "verbose": False,
    "httpsProxy": "http://127.0.0.1:9",
    "wsProxy": "http://127.0.0.1:9",
    "headers": {"X-Own": "1"},
    "options": {"defaultType": "swap", "own": {"a": 1}},
    "has": {"fetchTicker": False, "own": True},
    "urls": {"own": "https://example.invalid"},
    "a_key_of_ones_own": 3,
}


class Pair(NamedTuple):
    plain: ModuleType
    guarded: ModuleType


PAIRS = {
    "sync": Pair(ccxt, tradeguard_ccxt),
    "async": Pair(ccxt.async_support, tradeguard_ccxt.async_support),
    "pro": Pair(ccxt.pro, tradeguard_ccxt.pro),
}


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]


def classes(pair: Pair) -> Iterator[tuple[Any, Any]]:
    for name in pair.plain.exchanges:
        yield getattr(pair.plain, name), getattr(pair.guarded, name)


def test_whatever_a_module_of_ccxt_has_its_mirror_has_too(pair: Pair) -> None:
    names = {name for name in dir(pair.plain) if not name.startswith("_")} - {"prediction", "test"}
    assert names <= set(dir(pair.guarded))
    for name in sorted(names - {*pair.plain.exchanges, "async_support", "errors", "pro"}):
        assert getattr(pair.guarded, name) is getattr(pair.plain, name), name
    with pytest.raises(AttributeError, match=rf"{pair.guarded.__name__}.*no_such_exchange"):
        _ = pair.guarded.no_such_exchange
    assert issubclass(pair.guarded.binance, pair.guarded.GuardedExchange)


def test_the_flavours_of_the_mirror_are_its_own() -> None:
    assert tradeguard_ccxt.__version__ == ccxt.__version__
    program = "import sys, tradeguard_ccxt as c; from tradeguard_ccxt import pro; print(c.async_support, pro)"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "'tradeguard_ccxt.async_support'" in told.stdout
    assert "'tradeguard_ccxt.pro'" in told.stdout
    assert not hasattr(
        tradeguard_ccxt.pro, "__path__"
    )  # else submodules of ccxt's would be imported under it


def test_what_the_guard_adds_is_in_each_of_the_three(pair: Pair) -> None:
    """A script that swapped its import line finds `ccxt.OrderUnknownError` in whatever flavour it uses."""
    added = set(tradeguard_ccxt.__all__) - set(dir(ccxt)) - {"GuardedExchange"}
    assert {"GuardConfig", "OrderUnknownError", "StaleResult"} <= added
    for name in sorted(added):
        assert getattr(pair.guarded, name) is getattr(tradeguard_ccxt, name), name


def test_the_errors_of_ccxt_are_in_the_room_of_that_name() -> None:
    for name in ccxt.errors.__all__:
        assert getattr(tradeguard_ccxt.errors, name) is getattr(ccxt, name)
    with pytest.raises(AttributeError, match="no_such_error"):
        _ = tradeguard_ccxt.errors.no_such_error


def test_a_starred_import_brings_what_it_brings_of_ccxt(pair: Pair) -> None:
    plain: dict[str, Any] = {}
    guarded: dict[str, Any] = {}
    exec(f"from {pair.plain.__name__} import *", plain)
    exec(f"from {pair.guarded.__name__} import *", guarded)
    modules = {name for name, value in plain.items() if isinstance(value, ModuleType)}
    assert set(plain) - modules <= set(guarded)
    assert guarded["kraken"] is pair.guarded.kraken


def test_every_exchange_constructs_guarded_as_it_does_plain(pair: Pair) -> None:
    for plain_class, guarded_class in classes(pair):
        plain, guarded = plain_class(), guarded_class()
        assert isinstance(guarded, plain_class)
        assert settled(guarded.describe()) == settled(plain.describe()), plain.id
        compare(plain, guarded)


def test_every_exchange_takes_its_configuration_as_ccxt_does(pair: Pair) -> None:
    for plain_class, guarded_class in classes(pair):
        plain, guarded = plain_class(config=SETTINGS), guarded_class(SETTINGS)
        compare(plain, guarded)
        assert guarded.has["fetchTicker"] is False
        assert guarded_class(config=SETTINGS).apiKey == plain.apiKey
    assert SETTINGS["options"] == {"defaultType": "swap", "own": {"a": 1}}


def compare(plain: Any, guarded: Any) -> None:
    """Compare all that the constructor has set, but for the instances' own clocks, ids and sessions."""
    own = {"origin", "session", "logger", "throttler"}
    mine, theirs = vars(guarded), vars(plain)
    assert set(theirs) - {"logger"} <= set(mine), plain.id
    for name in set(theirs) - own:
        if callable(theirs[name]):
            continue
        if name == "options":  # a dictionary of defaults that hides its keys from `==`
            assert dict(mine[name].items()) == dict(theirs[name].items()), (plain.id, name)
        else:
            assert settled(mine[name]) == settled(theirs[name]), (plain.id, name)
    for name in ("has", "features", "urls", "api", "timeframes", "id", "name", "rateLimit", "exceptions"):
        assert getattr(guarded, name) == getattr(plain, name), (plain.id, name)


def settled(value: Any) -> Any:
    """Return a value with each bound method in it by its name: two instances have two of them."""
    if isinstance(value, dict):
        return {key: settled(inner) for key, inner in value.items()}
    return value.__name__ if inspect.ismethod(value) else value


def test_each_method_is_ccxts_own_or_stands_before_it_with_its_signature(pair: Pair) -> None:
    for plain, guarded in classes(pair):
        for name, own in vars(guarded).items():
            theirs = getattr(plain, name, None)
            if name.startswith("_") or name != name.lower() or not inspect.isfunction(own):
                continue  # camelCase names are set by the constructor
            assert own.__wrapped__ is theirs, (plain, name)  # type: ignore[attr-defined]
            # A few of ccxt's are plain functions that hand on a coroutine: they are awaited all the same.
            assert inspect.iscoroutinefunction(own) is not plain.synchronous, (plain, name)
        for name in filter(is_unified, dir(plain)):
            assert name in vars(guarded) or not inspect.isfunction(getattr(plain, name)), (plain, name)


def test_signatures_read_as_they_did(pair: Pair) -> None:
    for name in (
        "fetch_ticker",
        "fetchOHLCV",
        "create_order",
        "cancel_order",
        "load_markets",
        "close",
        "sign",
    ):
        plain, guarded = getattr(pair.plain.binance(), name), getattr(pair.guarded.binance(), name)
        assert inspect.iscoroutinefunction(guarded) == inspect.iscoroutinefunction(plain), name
        if name not in ("close", "sign"):
            assert inspect.signature(guarded) == inspect.signature(plain), name


@pytest.mark.parametrize("switch", ["set_sandbox_mode", "enable_demo_trading"])
def test_sandboxes_and_demo_accounts_have_the_same_addresses(pair: Pair, switch: str) -> None:
    for name in ("binance", "bybit", "okx", "gate", "kraken", "upbit"):  # some have both, some one, some none
        plain, guarded = getattr(pair.plain, name)(), getattr(pair.guarded, name)()
        assert outcome(plain, switch) == outcome(guarded, switch), name
        assert guarded.urls == plain.urls
        assert guarded.isSandboxModeEnabled == plain.isSandboxModeEnabled


def outcome(exchange: Any, switch: str) -> str | None:
    try:
        getattr(exchange, switch)(True)
    except (ccxt.BaseError, KeyError, TypeError) as error:  # ccxt's own, where it has no such address
        return f"{type(error).__name__}: {error}"
    return None


def test_camel_case_names_are_guarded_too(pair: Pair) -> None:
    pair.plain.binance()  # plain ones first: their names must not be inherited
    made = pair.guarded.binance()
    for camel, snake in (("createOrder", "create_order"), ("fetchOHLCV", "fetch_ohlcv")):
        assert getattr(made, camel).__func__ is getattr(type(made), snake)
        assert getattr(made, camel).__func__ is not getattr(pair.plain.binance, snake)


async def test_what_a_users_class_has_beyond_ccxt_is_left_alone(server: SimulatedExchange) -> None:
    class Own(ccxt.async_support.binance):  # type: ignore[misc]
        def fetch_ticker(self, symbol: str, params: Any = {}) -> Any:  # noqa: B006 - gives the coroutine of another
            return super().fetch_ticker(symbol, params)

        def create_report(self, title: str) -> str:
            return f"report: {title}"

        def fetch_in_turn(self, *symbols: str) -> Iterator[Any]:
            return (self.fetch_ticker(symbol) for symbol in symbols)

    made: Any = tradeguard_ccxt.GuardedExchange(Own, server.ccxt_config(timeout_on_exit=0))
    assert made.create_report("x") == "report: x"
    assert [(await ticker)["symbol"] for ticker in made.fetch_in_turn("ETH/BTC")] == ["ETH/BTC"]
    assert (await made.fetchTicker("ETH/BTC"))["symbol"] == "ETH/BTC"
    assert made.guard_statistics()["calls"] == 2
    await made.close()


def test_a_proxy_and_verbose_output_are_those_of_ccxt(
    server: SimulatedExchange, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for cls in (ccxt.binance, tradeguard_ccxt.binance):
        exchange = cls({**server.ccxt_config(), "verbose": True, "httpProxy": server.url})
        exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], "http://exchange.invalid/api/v3")
        with contextlib.suppress(ccxt.BaseError):  # the simulator is no proxy, but it sees what one would see
            exchange.private_post_order({"symbol": "ETHBTC"})
        told.append(
            [line.split(" ", 3)[:3] for line in capsys.readouterr().out.splitlines() if "fetch" in line]
        )
        exchange.close()
    assert told[0] == told[1] != []
    plain, guarded = [request.path for request in server.requests][-2:]
    assert plain == guarded


def test_classes_say_from_where_they_can_be_imported(pair: Pair) -> None:
    for _, guarded in classes(pair):
        assert guarded.__module__ == pair.guarded.__name__
        assert pickle.loads(pickle.dumps(guarded)) is guarded

    class Own(pair.plain.binance):  # type: ignore[misc,name-defined]
        pass

    assert "GuardedExchange.of(" in repr(pair.guarded.GuardedExchange.of(Own))


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_and_pickles_are_guarded(pair: Pair, twin: Any) -> None:
    exchange = pair.guarded.binance({**SETTINGS, "guard": GuardConfig(deadline=7.0)})
    other = twin(exchange)
    assert type(other) is type(exchange)
    assert other.guard_config is exchange.guard_config or other.guard_config == exchange.guard_config
    assert (other.apiKey, other.options, other.has) == (exchange.apiKey, exchange.options, exchange.has)
    assert other.interlock is not exchange.interlock
    assert other.clone({"a": [1]}) == {"a": [1]}


def test_users_subclass_plain_and_guarded_classes_alike(pair: Pair) -> None:
    class Before(pair.plain.binance):  # type: ignore[misc,name-defined]
        mine = 1

    class After(pair.guarded.binance):  # type: ignore[misc,name-defined]
        mine = 1

    for cls in (pair.guarded.GuardedExchange.of(Before), After):
        made = cls(SETTINGS)
        assert made.mine == 1
        assert made.guard_statistics()["exchange"] == "binance"
        assert isinstance(made, pair.guarded.GuardedExchange)
        assert made.fetchTicker.__func__ is type(made).fetch_ticker
