"""ccxt's own offline tests, run by ccxt's own harness with its import lines swapped, end guarded as they end plain."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote_plus, urlsplit

import ccxt
import ccxt.async_support
import pytest

import tradeguard_ccxt
import tradeguard_ccxt.async_support
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig
from tradeguard_ccxt.facts import EXCHANGE_FACTS

HARNESS = Path(ccxt.__file__).parent / "test"
MODULES: dict[str, tuple[Any, Any]] = {
    "sync": (ccxt, tradeguard_ccxt),
    "async": (ccxt.async_support, tradeguard_ccxt.async_support),
}
PARAMS_OF_ORDERS = {
    "createMarketBuyOrderWithCost": 2,
    "createMarketOrderWithCost": 3,
    "createMarketSellOrderWithCost": 2,
    "createOrder": 5,
}
"""Where the params stand among the arguments of what places an order."""
NOW_MS = 1_700_000_000_000
SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("httpProxy", "httpsProxy"), "http://fake:8080"),
    "apiKey": "key",
    "secret": "secretsecret",
    "uid": "uid",
    "enableRateLimit": False,
}
SWAPS = {  # the one line that a user changes
    "import ccxt.async_support as ccxt": "import tradeguard_ccxt.async_support as ccxt",
    "import ccxt as ccxt_sync": "import tradeguard_ccxt as ccxt_sync",
    "import ccxt.pro as ccxtpro": "import tradeguard_ccxt.pro as ccxtpro",
}
PROGRAM = """
import asyncio, json, sys
sys.path.insert(0, {folder!r})
sys.argv[1:] = ["--requestTests", "--responseTests"] + ["--sync"] * {sync}
import tests_{flavour} as harness

made, signed = [], {{}}
init = harness.init_exchange

def init_exchange(*args):
    exchange = init(*args)
    sign = exchange.sign
    def counting(*args, **kwargs):
        signed[exchange.id] = signed.get(exchange.id, 0) + 1
        return sign(*args, **kwargs)
    exchange.sign = counting
    made.append(exchange)
    return exchange

harness.init_exchange = init_exchange
try:
    run = harness.testMainClass().init(None, None, None)
    if not {sync}:
        asyncio.run(run)
finally:
    told = [getattr(exchange, "guard_statistics", dict)() for exchange in made]
    print("TOLD " + json.dumps({{"signed": signed, "statistics": [s for s in told if s]}}))
"""


class Run(NamedTuple):
    """What came of a run of the harness."""

    passed: list[str]
    signed: dict[str, int]
    statistics: list[dict[str, Any]]


@pytest.fixture(scope="module")
def run(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Run]:
    """Return what runs the harness, `sync` or `async`, guarded or plain; each run once."""
    root = tmp_path_factory.mktemp("ccxt")
    static = root / "ts/src/test/static"
    for source in (shared_data / "ccxt-static").glob("*/*.json"):
        target = static / source.relative_to(shared_data / "ccxt-static")
        target.parent.mkdir(parents=True, exist_ok=True)
        cases = json.loads(source.read_text(encoding="utf-8"))
        if source.parent.name == "response":
            echo_client_ids(cases)
        elif source.stem == "kraken" and source.parent.name == "request":
            name_orders(cases)
        target.write_text(json.dumps(cases), encoding="utf-8")
    runs: dict[tuple[str, bool], Run] = {}

    def start(flavour: str, guarded: bool) -> Run:
        if (flavour, guarded) not in runs:
            runs[flavour, guarded] = in_process(root, flavour, guarded)
        return runs[flavour, guarded]

    return start


def echo_client_ids(cases: dict[str, Any]) -> None:
    """Let an order be sent with the client order id that its recorded answer tells, as an exchange does."""
    for case in cases["methods"].get("createOrder", []):
        if (
            any(row[0] == cases["exchange"] for row in EXCHANGE_FACTS)
            and case["parsedResponse"]["clientOrderId"] is not None
        ):
            case["input"] += [None] * (5 - len(case["input"])) + [{}] * (len(case["input"]) < 6)
            case["input"][5]["clientOrderId"] = case["parsedResponse"]["clientOrderId"]


def name_orders(cases: dict[str, Any]) -> None:
    """Let orders be sent with a client order id and a deadline of the caller's own, which the guard would add."""
    added = {"clientOrderId": "cl_ord_id", "deadline": "deadline"}
    for method, place in PARAMS_OF_ORDERS.items():
        for n, case in enumerate(cases["methods"].get(method, [])):
            case["input"] += [None] * (place - len(case["input"])) + [{}] * (len(case["input"]) <= place)
            values = {"clientOrderId": f"{method[-9:]}-{n}", "deadline": "2026-11-25T14:31:25Z"}
            case["input"][place] |= values
            case["output"] += "".join(f"&{added[name]}={quote_plus(value)}" for name, value in values.items())


def in_process(root: Path, flavour: str, guarded: bool) -> Run:
    folder = root / f"{flavour}-{guarded}" / "ccxt" / "test"
    folder.mkdir(parents=True)
    (root / f"{flavour}-{guarded}" / "ts").symlink_to(root / "ts")
    for source in HARNESS.glob("tests_*.py"):
        text = source.read_text(encoding="utf-8").replace(
            "if 'site-packages' in", "if 0 and 'site-packages' in"
        )
        text = text.replace("'/../../../'", "'/../../'")
        for plain, swapped in SWAPS.items() if guarded else ():
            text = text.replace(plain, swapped)
        (folder / source.name).write_text(text, encoding="utf-8")
    program = PROGRAM.format(folder=str(folder), flavour=flavour, sync=flavour == "sync")
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"XDG_STATE_HOME": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-5000:] + told.stderr[-2000:]
    assert "TEST_FAILURE" not in told.stdout, told.stdout[-5000:]
    lines = told.stdout.splitlines()
    last = json.loads(next(line for line in lines if line.startswith("TOLD ")).removeprefix("TOLD "))
    return Run([line for line in lines if "TEST_SUCCESS" in line], last["signed"], last["statistics"])


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_ccxts_own_offline_tests_pass_guarded_as_they_pass_plain(
    run: Callable[[str, bool], Run], flavour: str
) -> None:
    plain, guarded = run(flavour, False), run(flavour, True)
    assert len(plain.passed) == 2  # one line for the requests, one for the responses
    assert guarded.passed == plain.passed
    assert guarded.signed == plain.signed
    assert sum(s["attempts"] for s in guarded.statistics) == sum(guarded.signed.values())
    assert all(s["retries"] == 0 for s in guarded.statistics)
    assert sum(s["calls"] for s in guarded.statistics) >= 40
    assert plain.statistics == []


class Sent(NamedTuple):
    """A request that never left, and how its call ended."""

    url: str | None
    body: str | None
    headers: dict[str, str]
    error: str


def sent_by(exchange: Any, case: dict[str, Any]) -> Sent:
    async def call() -> Any:
        result = getattr(exchange, case["method"])(*case["input"])
        return await result if asyncio.iscoroutine(result) else result

    exchange.last_request_url = exchange.last_request_body = None
    exchange.last_request_headers = {}
    try:
        asyncio.run(call())
        error = None
    except ccxt.BaseError as raised:
        error = raised
    finally:
        exchange.asyncio_loop = None
    told = f"{type(error).__module__}.{type(error).__name__}: {error}"
    return Sent(exchange.last_request_url, exchange.last_request_body, exchange.last_request_headers, told)


def fields(text: str | None) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(text).query or text, keep_blank_values=True) if text else []


def offline(module: Any, shared_data: Path, name: str, **config: Any) -> Any:
    """Make an exchange that stands still in time, so that two of them sign alike."""
    static = shared_data / "ccxt-static"
    known = {
        kind: json.loads((static / kind / f"{name}.json").read_text(encoding="utf-8"))
        for kind in ("markets", "currencies")
    }
    exchange = getattr(module, name)({**SETTINGS, **known, **config})
    exchange.milliseconds = lambda: NOW_MS
    exchange.uuid = exchange.uuid16 = exchange.uuid22 = lambda *_: "0" * 22
    return exchange


def declared(name: str) -> frozenset[str]:
    """Return the fields that the facts of an exchange add to the request of an order, and what is signed over them."""
    rows = [facts for (exchange_id, _), facts in EXCHANGE_FACTS.items() if exchange_id == name]
    ids = {facts.client_id.sent_as for facts in rows if facts.client_id is not None}
    expiries = {facts.expiry.name for facts in rows if facts.expiry is not None}
    return frozenset(ids | expiries | {"signature", "API-Sign"}) if rows else frozenset()


@pytest.mark.parametrize("name", ["binance", "bit2c", "coincheck", "coinone", "kraken"])
@pytest.mark.parametrize("flavour", MODULES)
def test_requests_are_the_same_to_the_byte_but_for_the_declared_fields(
    shared_data: Path, tmp_path: Path, flavour: str, name: str
) -> None:
    cases = json.loads((shared_data / "ccxt-static" / "request" / f"{name}.json").read_text(encoding="utf-8"))
    guard = GuardConfig(journal=tmp_path / "s.db", clock=ManualClock(epoch=NOW_MS / 1000))
    plain = offline(MODULES[flavour][0], shared_data, name)
    guarded = offline(MODULES[flavour][1], shared_data, name, guard=guard)
    every = [case for method in cases["methods"].values() for case in method]
    for count, case in enumerate(every, start=1):
        ours, theirs = sent_by(guarded, case), sent_by(plain, case)
        assert theirs.error.startswith("ccxt.base.errors.InvalidProxySettings")
        assert ours.error == theirs.error
        added = declared(name) if case["method"] in PARAMS_OF_ORDERS else frozenset()
        if added:
            assert [f for f in fields(ours.body) if f[0] not in added] == [
                f for f in fields(theirs.body) if f[0] not in added
            ]
            assert ours.url == theirs.url
            assert {k: v for k, v in ours.headers.items() if k not in added} == {
                k: v for k, v in theirs.headers.items() if k not in added
            }
        else:
            assert ours == theirs
        assert guarded.guard_statistics()["attempts"] == count
    assert guarded.guard_statistics()["retries"] == 0
    closing = guarded.close()
    if asyncio.iscoroutine(closing):
        asyncio.run(closing)
