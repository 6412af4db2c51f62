"""A demo from the command line to its audit, on real exchanges, in real time."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import pytest
from rich.console import Console

from tradeguard.analysis import load
from tradeguard.cli.demo.guarded_run import guard_config
from tradeguard.cli.demo.plain_process import PlainProcess, can_compare
from tradeguard.cli.demo.plan import VISIBILITY_LAG, DemoPlan
from tradeguard.cli.demo.session import run_demo
from tradeguard.storage import StateStore

Page = tuple[Console, io.StringIO]


def audit(text: str) -> dict[str, list[str]]:
    """The audit's rows, one value a run."""
    table = text.split("Audit:")[1]
    rows = re.findall(r"^(\w[\w, /]*?)  +(\S.*?)\s*$", table, re.MULTILINE)
    return {name: re.split(r"  +", values) for name, values in rows}


@pytest.mark.long
def test_a_calm_demo_passes_its_audit_beside_a_plain_run(run: Callable[..., Any], tmp_path: Path) -> None:
    done = run("demo", "--bars", 8, "--faults", "calm", "--seed", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = audit(done.stdout)
    for name in ("duplicated", "lost", "phantom", "unknown", "mismatched", "bars missed"):
        assert rows[name][0] == "0"
        assert len(rows[name]) == 2, "there is a plain run beside it"
    assert int(rows["orders meant"][0]) >= 1
    assert rows["orders meant"][0] == rows["orders on the book"][0] == rows["placed, as believed"][0]
    assert "Guarded: exactly what it believes." in done.stdout
    assert "bar 8 of 8" in done.stdout
    assert "Rescued on the way: " in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    frames = load(tmp_path / "tradeguard-demo.db")
    assert len(frames.intents) == int(rows["orders meant"][0])
    assert set(frames.intents["status"]) == {"PLACED"}


@pytest.mark.long
def test_a_demo_outlives_an_outage_in_mid_run_and_misses_no_bar(
    run: Callable[..., Any], candles: Callable[[int], Path], tmp_path: Path
) -> None:
    done = run(
        *("demo", "--data", candles(80), "--bars", 10, "--outage", 3, "--seed", 2),
        *("--faults", "hostile", "--no-plain", "--state", "run.db"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = audit(done.stdout)
    assert rows["bars missed"] == ["0"]
    assert rows["duplicated"] == rows["lost"] == rows["unknown"] == ["0"]
    assert "outage  the exchange's plug is pulled for 3 s" in done.stdout
    assert re.search(r"circuit market data open: .*circuit market data closed", done.stdout, re.DOTALL)
    assert re.search(r"rescue  \d+ bars came late, and in order", done.stdout)
    assert {"open", "closed"} <= set(load(tmp_path / "run.db").transitions["new_state"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_demo_with_a_short_line_and_130(
    start: Callable[..., Any], lines_until: Callable[..., Any], number: signal.Signals
) -> None:
    process = start("demo", "--bars", 60, "--faults", "calm")
    lines_until(process, "feed    live")
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "tradeguard: interrupted\n"


# A stand-in for the strategy, whose order goes behind the guard's back, as from another program with the same key.
def rogue(believed: float) -> types.ModuleType:
    class Data:
        """No bars."""

        datetime = types.SimpleNamespace(array=[])

        def __len__(self) -> int:
            return 0

    def run(exchange: Any, *, symbol: str, stake: float, **_: Any) -> Any:
        plain = ccxt.binance(
            {"apiKey": exchange.apiKey, "secret": exchange.secret, "options": exchange.options}
        )
        plain.urls["api"] = exchange.urls["api"]
        try:
            plain.create_order(symbol, "market", "buy", stake)
        finally:
            plain.close()
        broker = types.SimpleNamespace(
            getposition=lambda _: types.SimpleNamespace(size=believed), getcash=lambda: 10.0
        )
        return types.SimpleNamespace(data=Data(), broker=broker)

    module = types.ModuleType("rogue")
    vars(module)["run"] = run
    return module


def test_a_guarded_run_that_does_not_know_an_order_fails_its_audit(page: Page, tmp_path: Path) -> None:
    console, written = page
    plan = DemoPlan(bars=1, faults="calm")
    assert run_demo(plan, tmp_path / "demo.db", rogue(0.0), console, compare=False) is False
    rows = audit(written.getvalue())
    assert rows["lost"] == ["1"]
    assert rows["bars missed"] == ["1"]
    assert "believes 0, has 1.998" in rows["position, ETH"][0]
    assert "Guarded: 1 lost, position off by 1.998 ETH, 1 bar missed." in written.getvalue()


def test_a_failed_audit_exits_with_1(
    invoke: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradeguard.cli.strategy_file.load_strategy", lambda _: rogue(0.0))
    result = invoke("demo", "--bars", 1, "--no-plain", "--state", tmp_path / "demo.db", "--faults", "calm")
    assert result.exit_code == 1
    assert "Guarded: 1 lost" in result.stdout


def test_without_tenacity_the_demo_says_so_in_one_line_and_runs_alone(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert can_compare()
    monkeypatch.setitem(sys.modules, "tenacity", None)
    console, written = page
    run_demo(DemoPlan(bars=1, faults="calm"), tmp_path / "demo.db", rogue(0.0), console, compare=True)
    told = [line for line in written.getvalue().splitlines() if "tenacity is missing" in line]
    assert len(told) == 1
    assert "plain ccxt" not in written.getvalue()


def test_a_plain_run_that_breaks_costs_the_demo_nothing_but_the_comparison(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").write_text("#!/bin/sh\necho 'no such module' >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    console, written = page
    run_demo(DemoPlan(bars=1, faults="calm"), tmp_path / "demo.db", rogue(0.0), console, compare=True)
    assert "The plain run beside it gave no result: no such module" in written.getvalue()


def test_leaving_early_ends_the_plain_process() -> None:
    with PlainProcess(DemoPlan(bars=60, faults="calm")) as beside:
        child: subprocess.Popen[str] = beside._child
        assert beside.outcome(timeout=0.01) is None
        assert child.poll() is None
    assert child.returncode == -signal.SIGKILL


def test_the_guard_waits_longer_than_the_exchange_hides_an_order(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        config = guard_config(store)
        assert config.visibility_lag is not None
        assert config.visibility_lag > VISIBILITY_LAG
        assert config.order_expiry == 2.0
        assert config.journal is store
