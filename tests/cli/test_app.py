"""The command line as a whole: what it lists, how quickly, and that all of it is documented."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

import tradeguard.cli
from tradeguard.cli.app import COMMANDS, app
from tradeguard.cli.options import FaultProfile
from tradeguard.cli.orders_command import OrderStatus
from tradeguard.orders import IntentStatus
from tradeguard.simulator.fault_profiles import PROFILES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()
GROUP: Any = typer.main.get_command(app)


def section(command: str) -> str:
    """What the page says of a command."""
    found = re.search(rf"^## tradeguard {command}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, f"docs/cli.md has no section on {command}"
    return found[1]


def test_the_package_has_the_console_script() -> None:
    assert tradeguard.cli.__all__ == ["main"]
    assert callable(tradeguard.cli.main)


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_the_commands_are_listed(invoke: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 0
    for name in COMMANDS:
        assert name in result.stdout


def test_the_version_is_shown(invoke: Callable[..., Any]) -> None:
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"tradeguard {version('tradeguard')}\n")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_has_help(invoke: Callable[..., Any], command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert "--debug" in result.stdout


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['tradeguard', '--help']\n"
        "from tradeguard.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'aiohttp', 'backtrader', 'ccxt', 'numpy', 'pandas', 'sqlalchemy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_and_each_of_its_options_is_documented(command: str) -> None:
    text = section(command)
    assert f"`tradeguard {command}`" in PAGE
    for parameter in GROUP.commands[command].params:
        names = [*parameter.opts, *parameter.secondary_opts]
        for name in (name for name in names if name.startswith("--") and name != "--help"):
            assert f"`{name}" in text, f"{name} of {command}"
        if parameter.param_type_name == "argument":
            assert f"`{parameter.name.upper()}`" in text


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_nothing_is_documented_that_is_not_there(command: str) -> None:
    known = {name for p in GROUP.commands[command].params for name in (*p.opts, *p.secondary_opts)}
    documented = set(re.findall(r"^\| `(--[\w-]+)", section(command), re.MULTILINE))
    assert documented <= known


def test_defaults_are_documented_as_they_are() -> None:
    for parameter in GROUP.commands["demo"].params:
        if isinstance(parameter.default, int) and not isinstance(parameter.default, bool):
            assert re.search(rf"`{parameter.opts[0]} N`.*\| {parameter.default} \|", section("demo"))


def test_the_choices_are_those_of_the_rooms_below() -> None:
    assert {profile.value for profile in FaultProfile} == set(PROFILES)
    assert {status.value.upper() for status in OrderStatus} == {status.value for status in IntentStatus}


def test_every_exit_code_is_documented() -> None:
    codes = re.findall(r"^\| (\d+) \|", PAGE.split("## When something is wrong")[1], re.MULTILINE)
    assert [int(code) for code in codes] == [0, 1, 2, 70, 130]
