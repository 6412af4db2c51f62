"""Scripts in the manner of ccxt's own examples run with their import line swapped, and then survive faults too."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tradeguard.backoff import Backoff
from tradeguard.simulator import Fault, FaultPlan, SimulatedExchange, StreamFault
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig

EXAMPLES = Path(__file__).parent / "examples"
STREAM_FAULTS: list[Any] = [
    {"kind": "refused", "on": "/ws"},
    {"kind": "lost", "on": "trade", "skip": 4},
    {"kind": "duplicated", "on": "trade", "skip": 7},
    {"kind": "dropped", "on": "trade", "skip": 9},
    {"kind": "closed", "on": "depth", "skip": 3},
    {"kind": "garbage", "on": "kline", "skip": 1},
]

Servers = dict[str, SimulatedExchange]


def run(script: str, servers: Servers, *, swapped: bool, **config: Any) -> dict[str, Any]:
    """Run the script on the servers; its import line is all that differs.

    Plain ccxt takes the key `guard` for an attribute like any other that it does not know.
    """
    source = (EXAMPLES / f"{script}.py").read_text()
    if swapped:
        source, swaps = re.subn(r"^import ccxt(\.\w+ as ccxt)?$", _swapped, source, flags=re.MULTILINE)
        assert swaps == 1
    namespace: dict[str, Any] = {"__name__": "example"}
    exec(compile(source, script, "exec"), namespace)
    settings = {"enableRateLimit": False, "timeout_on_exit": 0, "timeout": 2000, **config}
    result: dict[str, Any] = namespace["main"](
        {name: server.ccxt_config(**settings) for name, server in servers.items()}
    )
    return result


def _swapped(line: re.Match[str]) -> str:
    return f"import tradeguard_ccxt{line[1] or ' as ccxt'}"


@contextlib.contextmanager
def exchanges(clock: ManualClock, profile: str | None) -> Iterator[Servers]:
    with contextlib.ExitStack() as stack:
        plan = None if profile is None else FaultPlan.profile(profile)
        yield {
            dialect: stack.enter_context(SimulatedExchange(seed=6, clock=clock, faults=plan, dialect=dialect))
            for dialect in ("binance", "kraken")
        }


def outcome(script: str, tmp_path: Path, profile: str | None, *, swapped: bool) -> tuple[Any, Servers]:
    clock = ManualClock()
    guard = GuardConfig(clock=clock, journal=tmp_path / "state.db", order_expiry=5.0, visibility_lag=1.0)
    with exchanges(clock, profile) as servers:
        try:
            return run(script, servers, swapped=swapped, guard=guard), servers
        except Exception as error:
            if swapped:
                raise
            return error, servers


@pytest.mark.parametrize("script", ["polling", "many_at_once"])
def test_with_its_import_line_swapped_a_script_gives_what_it_gave(script: str, tmp_path: Path) -> None:
    plain, _ = outcome(script, tmp_path, None, swapped=False)
    swapped, servers = outcome(script, tmp_path, None, swapped=True)
    assert swapped == plain
    assert plain["errors"] == []
    for server in servers.values():
        assert len(server.orders()) >= 8


@pytest.mark.parametrize(
    ("script", "profile"), [("polling", "stormy"), ("polling", "hostile"), ("many_at_once", "hostile")]
)
def test_with_its_import_line_swapped_a_script_gets_through_a_storm(
    script: str, profile: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain, _ = outcome(script, tmp_path, profile, swapped=False)
    assert isinstance(plain, Exception) or plain["errors"]
    swapped, servers = outcome(script, tmp_path, profile, swapped=True)
    assert [e for e in swapped["errors"] if "network error" in e] == []
    believed = sorted(swapped["ids"])
    assert believed == sorted(order.order_id for server in servers.values() for order in server.orders())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("swapped", "faults"),
    [(False, []), (True, []), (True, STREAM_FAULTS)],
    ids=["plain", "calm", "faults"],
)
def test_with_its_import_line_swapped_a_watcher_misses_nothing(
    swapped: bool, faults: list[dict[str, Any]], tmp_path: Path
) -> None:
    plan = FaultPlan(StreamFault(**fault) for fault in faults)
    guard = GuardConfig(journal=tmp_path / "state.db", redial=Backoff(base_delay=0.05))
    if faults:
        plan.add(Fault("server_error", on="create", phase="after", status=504))  # type: ignore[arg-type]
    with SimulatedExchange(seed=6, faults=plan) as server:
        seen = run("watching", {"binance": server}, swapped=swapped, guard=guard)
        orders = {order.order_id for order in server.orders()}
    assert seen["errors"] == seen["crossed"] == []
    assert seen["trades"] == list(range(seen["trades"][0], seen["trades"][-1] + 1))
    assert len(seen["trades"]) >= 12
    assert set(seen["ids"]) == orders
    assert seen["told"]
    assert set(seen["told"]) <= orders
    assert seen["tickers"] == ["float", "float"]
