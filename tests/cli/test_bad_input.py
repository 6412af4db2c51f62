"""Whatever is wrong with a command line, a file or a port: one clear line, and exit code 2."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASES = {
    "an unknown command": (["trade"], "trade"),
    "an unknown option": (["demo", "--fast"], "--fast"),
    "an extra argument": (["demo", "now"], "now"),
    "an unknown profile": (["demo", "--faults", "wild"], "'wild' is not one of 'calm', 'stormy', 'hostile'"),
    "a profile of the simulator": (["simulate", "--faults", "wild"], "'wild'"),
    "negative bars": (["demo", "--bars", "-3"], "--bars"),
    "no bars": (["demo", "--bars", "0"], "--bars"),
    "too many bars": (["demo", "--bars", "99999"], "--bars must be between 1 and 3600, not 99999"),
    "bars that are no number": (["demo", "--bars", "many"], "--bars"),
    "a negative seed": (["demo", "--seed", "-1"], "--seed"),
    "a negative outage": (["demo", "--outage", "-1"], "--outage"),
    "an outage that is no number": (["demo", "--outage", "nan"], "--outage"),
    "an endless outage": (["demo", "--outage", "inf"], "--outage must be between 0 and 600 seconds"),
    "a symbol that is none": (["demo", "--symbol", "ETHBTC"], "ETHBTC"),
    "a recording that is missing": (["demo", "--data", "no.csv"], "no.csv: cannot be read: No such file"),
    "a recording that is a folder": (["demo", "--data", "."], "cannot be read: Is a directory"),
    "a recording of something else": (["demo", "--data", "words.csv"], "column 'timestamp' is missing"),
    "a recording that cannot be true": (["simulate", "--data", "untrue.csv"], "line 2, column 'high'"),
    "a recording that is too short": (["demo", "--data", "short.csv"], "has 1 candles, and 110 are needed"),
    "a state that is a folder": (["demo", "--state", "."], "it is a directory"),
    "a state in no folder": (["demo", "--state", "/proc/none/state.db"], "cannot be used"),
    "a state of another application": (["demo", "--state", "other.db"], "another application"),
    "a state that is text": (["demo", "--state", "words.csv"], "it is not an SQLite file"),
    "a port that is none": (["simulate", "--port", "70000"], "--port"),
    "a negative port": (["simulate", "--port", "-1"], "--port"),
    "an unknown timeframe": (["simulate", "--timeframe", "7x"], "'7x' is not one of 1s, 1m"),
    "no state to report": (["report"], "there is no such file"),
    "a report of text": (["report", "words.csv"], "it is not an SQLite file"),
    "orders of no state": (["orders", "none.db"], "none.db"),
    "an unknown status": (["orders", "--status", "gone"], "'gone' is not one of 'pending'"),
    "two states": (["report", "a.db", "b.db"], "b.db"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with files of many kinds, and a home without a state."""
    header = "timestamp,open,high,low,close,volume\n"
    (tmp_path / "words.csv").write_text("once, upon, a, time\nthere was no candle\n" * 100)
    (tmp_path / "untrue.csv").write_text(f"{header}0,2,1,1,2,5\n")
    (tmp_path / "short.csv").write_text(f"{header}0,1,1,1,1,5\n")
    other = sqlite3.connect(tmp_path / "other.db")
    other.executescript("PRAGMA application_id = 77; CREATE TABLE things (name TEXT)")
    other.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("name", CASES)
def test_bad_input_ends_in_one_clear_line_and_exit_code_2(invoke: Callable[..., Any], name: str) -> None:
    arguments, words = CASES[name]
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("tradeguard: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_in_use_is_named(invoke: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = invoke("simulate", "--port", port)
    assert result.exit_code == 2
    assert result.stderr == f"tradeguard: port: {port} on 127.0.0.1 cannot be bound: Address already in use\n"


def test_the_password_of_a_state_is_never_shown(invoke: Callable[..., Any]) -> None:
    result = invoke("report", "mysql://bot:hunter2@localhost/state", "--debug")
    assert result.exit_code == 2
    assert "hunter2" not in result.output


def test_a_refused_demo_leaves_the_file_as_it_was(invoke: Callable[..., Any], folder: Path) -> None:
    before = (folder / "other.db").read_bytes()
    assert invoke("demo", "--state", "other.db").exit_code == 2
    assert (folder / "other.db").read_bytes() == before
