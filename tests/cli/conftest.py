"""The command line, in this process and in one of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tradeguard.cli.app import app

Invoke = Callable[..., Any]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]

COMMAND = (sys.executable, "-P", "-c", "from tradeguard.cli import main; main()")


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run a command line in this process, whose output goes to no terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def invoked(*arguments: object) -> Any:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoked


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command line in a process of its own, in an empty folder."""

    def ran(*arguments: object, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=_environment(),
        )

    return ran


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command line in a process of its own; what still runs after the test is killed."""
    running: list[subprocess.Popen[str]] = []

    def started(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(),
        )
        running.append(process)
        return process

    yield started
    for process in running:
        with process:
            process.kill()


@pytest.fixture
def lines_until() -> Callable[[subprocess.Popen[str], str], list[str]]:
    """Read what a process writes, up to the line that holds a marker."""

    def read(process: subprocess.Popen[str], marker: str) -> list[str]:
        lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if marker in line:
                return lines
        assert process.stderr is not None
        pytest.fail(f"{marker!r} was not written; stderr: {process.stderr.read()}")

    return read


@pytest.fixture
def page() -> tuple[Console, io.StringIO]:
    """A console that writes plain text, and what it has written."""
    written = io.StringIO()
    return Console(file=written, width=120, highlight=False), written


@pytest.fixture
def candles(tmp_path: Path) -> Callable[[int], Path]:
    """Write a recording of so many candles, whose price rises and falls every third one."""

    def write(count: int) -> Path:
        lines = ["timestamp,open,high,low,close,volume"]
        price = 0.05
        for number in range(count):
            close = price + (0.0001 if number // 3 % 2 else -0.0001)
            low, high = min(price, close), max(price, close)
            lines.append(f"{number * 60_000},{price:.6f},{high:.6f},{low:.6f},{close:.6f},100")
            price = close
        path = tmp_path / "candles.csv"
        path.write_text("\n".join(lines))
        return path

    return write


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "dumb"}
