"""Errors end in one line and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest
import typer
from typer.testing import CliRunner

from tradeguard.cli.boundary import (
    BAD_INPUT,
    INTERRUPTED,
    UNEXPECTED,
    OneLineErrors,
    exit_code_of,
    sentence_of,
)
from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import SimulatedExchange
from tradeguard_ccxt import GuardConfig, GuardedExchange


def failing(error: BaseException | Callable[[], Any]) -> typer.Typer:
    """A command line whose only commands are `fail` and `pass`."""
    app = typer.Typer(cls=OneLineErrors, pretty_exceptions_enable=False)

    def fail(debug: bool = False) -> None:
        if isinstance(error, BaseException):
            raise error
        error()

    app.command("fail")(fail)
    app.command("pass")(lambda: None)
    return app


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigurationException("bars must be > 0"), BAD_INPUT, "bars must be > 0"),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), BAD_INPUT, "x.csv: No such file"),
        (PermissionError(13, "Permission denied"), BAD_INPUT, "Permission denied"),
        (ccxt.AuthenticationError("binance bad key"), BAD_INPUT, "AuthenticationError: binance bad key"),
        (ccxt.BadSymbol("binance has no X/Y"), BAD_INPUT, "BadSymbol: binance has no X/Y"),
        (ModuleNotFoundError("No module named 'tenacity'"), UNEXPECTED, "No module named 'tenacity'"),
        (ZeroDivisionError("division by zero"), UNEXPECTED, "ZeroDivisionError: division by zero (--debug"),
        (ValueError("two\nlines"), UNEXPECTED, "ValueError: two lines"),
    ],
)
def test_an_error_is_one_line_on_stderr_and_a_code(error: Exception, code: int, words: str) -> None:
    result = CliRunner().invoke(failing(error), ["fail"])
    assert result.exit_code == code == exit_code_of(error)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("tradeguard: ")
    assert words in result.stderr


def test_an_interrupted_command_ends_with_a_short_line_and_130() -> None:
    result = CliRunner().invoke(failing(KeyboardInterrupt()), ["fail"])
    assert (result.exit_code, result.stderr) == (INTERRUPTED, "tradeguard: interrupted\n")


def test_debug_shows_the_traceback_and_ends_alike() -> None:
    result = CliRunner().invoke(failing(ConfigurationException("no")), ["fail", "--debug"])
    assert result.exit_code == BAD_INPUT
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.endswith("tradeguard: no\n")


def test_a_command_that_ends_well_exits_with_0() -> None:
    result = CliRunner().invoke(failing(ValueError()), ["pass"])
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_command_chooses_its_own_code() -> None:
    result = CliRunner().invoke(failing(typer.Exit(1)), ["fail"])
    assert (result.exit_code, result.stderr) == (1, "")


def test_an_unknown_exchange_is_bad_input() -> None:
    result = CliRunner().invoke(failing(lambda: GuardedExchange("binanze")), ["fail"])
    assert result.exit_code == BAD_INPUT
    assert "binanze" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_wrong_key_is_bad_input_and_is_not_shown(tmp_path: Any) -> None:
    secret = "an-invented-secret-of-some-length"

    def fetch() -> None:
        with SimulatedExchange(seed=1) as exchange:
            config = exchange.ccxt_config(apiKey="wrong", secret=secret)
            guarded: Any = GuardedExchange(
                "binance", config, guard=GuardConfig(journal=tmp_path / "state.db")
            )
            try:
                guarded.fetch_balance()
            finally:
                guarded.close()

    result = CliRunner().invoke(failing(fetch), ["fail"])
    assert result.exit_code == BAD_INPUT
    assert "Error: " in result.stderr
    assert result.stderr.count("\n") == 1
    assert secret not in result.stderr


def test_secrets_are_masked() -> None:
    assert "hunter2" not in sentence_of(ValueError("GET /order?apiKey=hunter2&signature=hunter2"))


def test_without_standalone_mode_errors_are_the_callers() -> None:
    command: Any = typer.main.get_command(failing(ValueError("mine")))
    with pytest.raises(ValueError, match="mine"):
        command.main(["fail"], standalone_mode=False)
