"""Every unified read is equal guarded and plain, calm and under each kind of fault, synchronous and asynchronous."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ccxt
import ccxt.async_support
import pytest

import tradeguard_ccxt
import tradeguard_ccxt.async_support
from tradeguard.retry_manager import RetryConfig
from tradeguard.simulator import Fault, FaultKind, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig
from tradeguard_ccxt.operation_kinds import READS

MODULES: dict[str, tuple[Any, Any]] = {
    "sync": (ccxt, tradeguard_ccxt),
    "async": (ccxt.async_support, tradeguard_ccxt.async_support),
}
DIALECTS = ["binance", "kraken"]  # those that the simulator speaks, by their ccxt ids
BEYOND = frozenset(
    {"load_markets", "load_markets_and_sign_in", "load_leverage_brackets"}
)  # kept by the instance
PASSING: dict[str, dict[str, Any]] = {  # one request fails, the next one does not
    "dropped": {"kind": "dropped"},
    "dropped after": {"kind": "dropped", "phase": "after"},
    "hung": {"kind": "hung"},
    "500 -1000": {"kind": "server_error", "status": 500, "code": -1000},
    "502": {"kind": "server_error", "status": 502},
    "503 after": {"kind": "server_error", "status": 503, "phase": "after"},
    "truncated": {"kind": "truncated"},
    "empty": {"kind": "empty"},
    "html": {"kind": "html"},
    "late": {"kind": "late", "delay": 1.0},
    "limited": {"kind": "limited", "retry_after": 2.0},
    "banned": {"kind": "banned", "retry_after": 2.0},
    "clock skew": {"kind": "clock_skew", "skew": -5.0},
    "maintenance": {"kind": "maintenance"},
}
LASTING: dict[str, dict[str, Any]] = {  # the data themselves are at fault, for guarded and plain alike
    "frozen": {"kind": "frozen"},
    "lookup lag": {"kind": "lookup_lag", "delay": 5.0},
    "missing values": {"kind": "missing_values"},
    "half built": {"kind": "half_built"},
}
SHORT, LONG = 150, 10_000  # milliseconds
OF_ORDERS = {FaultKind.LATE_ACCEPTANCE, FaultKind.LOOKUP_GAP}  # in the fault matrix of orders
TRUTH = {  # what an answer says of the fault itself
    ("clock skew", "fetch_status"),  # kraken stamps it
    ("clock skew", "fetch_time"),
    ("clock skew", "load_time_difference"),
    ("maintenance", "fetch_status"),
}


class Exchanges(NamedTuple):
    """A guarded and a plain exchange on the same server, with what to ask them for."""

    guarded: Any
    plain: Any
    arguments: dict[str, Any]

    def reads(self) -> list[str]:
        return sorted(n for n in READS - BEYOND if hasattr(self.plain, n) and not n.endswith("_ws"))

    def call(self, exchange: Any, name: str) -> Any:
        method = getattr(exchange, name)
        needed = inspect.signature(getattr(self.plain, name)).parameters.values()
        return method(*(self.arguments[p.name] for p in needed if p.default is p.empty or p.name == "symbol"))


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(clock: ManualClock, dialect: str) -> Iterator[SimulatedExchange]:
    with SimulatedExchange(seed=1, clock=clock, dialect=dialect) as exchange:
        yield exchange


@pytest.fixture
async def exchanges(
    dialect: str,
    flavour: str,
    server: SimulatedExchange,
    clock: ManualClock,
    tmp_path: Path,
) -> AsyncIterator[Exchanges]:
    plain_module, guarded_module = MODULES[flavour]
    config = server.ccxt_config(timeout_on_exit=0)

    def wait_longer(_attempt: int, _delay: float) -> None:
        guarded.timeout = LONG  # a busy machine may time out by itself

    retry = RetryConfig(max_attempts=10, base_delay=0.1, max_delay=0.1, on_retry=wait_longer)
    guard = GuardConfig(
        clock=clock, journal=tmp_path / "s.db", fallback=False, maintenance_pause=2.0, retry=retry
    )
    plain = getattr(plain_module, dialect)(config)
    guarded = getattr(guarded_module, dialect)({**config, "guard": guard})
    for exchange in (plain, guarded):
        await answer(exchange.load_markets())
    order = await answer(guarded.create_order("ETH/BTC", "limit", "buy", 1, 0.03))
    await answer(guarded.create_order("ETH/BTC", "market", "sell", 0.5))
    arguments = {
        "symbol": "ETH/BTC",
        "id": order["id"],
        "clientOrderId": order["clientOrderId"],
        "code": "BTC",
    }
    unknown = {"timeframe": "1m", "type": "spot", "fromCode": "BTC", "toCode": "ETH", "marketType": "spot"}
    yield Exchanges(guarded, plain, Arguments(arguments | unknown))
    for exchange in (guarded, plain):
        if flavour == "async":
            await exchange.close()


class Arguments(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        return None


@pytest.fixture(params=MODULES)
def flavour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def answer(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


async def outcome(call: Callable[[], Any]) -> Any:
    """Return a result, or the name of the error that it failed with, by ccxt's class where it is one of ccxt's."""
    try:
        return await answer(call())
    except Exception as error:
        mro = type(error).__mro__
        return next((c.__name__ for c in mro if c.__module__ == "ccxt.base.errors"), mro[0].__name__)


async def answered(exchanges: Exchanges) -> list[str]:
    """Return the reads that the server knows."""
    results = {
        name: await outcome(lambda n=name: exchanges.call(exchanges.plain, n)) for name in exchanges.reads()
    }
    return [name for name, result in results.items() if not isinstance(result, str)]


async def test_every_read_ends_guarded_as_it_ends_plain(exchanges: Exchanges) -> None:
    outcomes = {}
    for name in exchanges.reads():
        ours = await outcome(lambda n=name: exchanges.call(exchanges.guarded, n))
        theirs = await outcome(lambda n=name: exchanges.call(exchanges.plain, n))
        exchanges.guarded.guard_circuits["account"].reset()
        exchanges.guarded.guard_circuits["market_data"].reset()
        assert ours == theirs, name
        outcomes[name] = theirs
    assert sum(not isinstance(result, str) for result in outcomes.values()) >= 20, outcomes


@pytest.mark.parametrize("fault", PASSING)
async def test_a_fault_that_passes_changes_no_result(
    exchanges: Exchanges, server: SimulatedExchange, fault: str
) -> None:
    names = await answered(exchanges)
    for name in names:
        if fault == "hung":
            exchanges.guarded.timeout = SHORT
        if (fault, name) in TRUTH:
            continue
        server.faults.add(Fault(**PASSING[fault]))
        ours = await answer(exchanges.call(exchanges.guarded, name))
        server.faults.clear()
        assert ours == await answer(exchanges.call(exchanges.plain, name)), name
    stats = exchanges.guarded.guard_statistics()
    assert stats["failures"] == stats["fallbacks"] == 0


@pytest.mark.parametrize("fault", LASTING)
async def test_a_fault_in_the_data_comes_through_as_it_is(
    exchanges: Exchanges, server: SimulatedExchange, fault: str
) -> None:
    server.faults.add(Fault(**LASTING[fault], times=None))
    for name in exchanges.reads():
        ours = await outcome(lambda n=name: exchanges.call(exchanges.guarded, n))
        assert ours == await outcome(lambda n=name: exchanges.call(exchanges.plain, n)), name
        exchanges.guarded.guard_circuits["account"].reset()
        exchanges.guarded.guard_circuits["market_data"].reset()


def test_no_kind_of_fault_is_left_out() -> None:
    tried = {FaultKind(fault["kind"]) for fault in (PASSING | LASTING).values()}
    assert tried | OF_ORDERS == set(FaultKind)
