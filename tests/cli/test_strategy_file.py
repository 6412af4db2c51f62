"""The example strategy is found in a checkout and in an installation, and loaded from its file."""

from __future__ import annotations

import sys
from pathlib import Path

import backtrader as bt
import pytest

from tradeguard.cli import strategy_file
from tradeguard.cli.strategy_file import find_strategy, load_strategy
from tradeguard.exceptions import ConfigurationException


def test_in_a_checkout_it_is_beside_the_package() -> None:
    assert find_strategy() == Path(__file__).resolve().parents[2] / "strategies" / "sma_cross.py"


def test_an_installation_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "tradeguard" / "cli"
    (installed / "strategies").mkdir(parents=True)
    (installed / "strategies" / "sma_cross.py").touch()
    monkeypatch.setattr(strategy_file, "_PACKAGE", installed)
    assert find_strategy() == installed / "strategies" / "sma_cross.py"


def test_where_it_is_missing_both_places_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategy_file, "_PACKAGE", tmp_path / "tradeguard" / "cli")
    with pytest.raises(ConfigurationException, match="missing from this installation"):
        find_strategy()


def test_the_loaded_module_is_an_ordinary_one() -> None:
    module = load_strategy(find_strategy())
    assert issubclass(module.SmaCross, bt.Strategy)
    assert sys.modules[module.SmaCross.__module__] is module


def test_what_is_no_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationException, match="is no Python file"):
        load_strategy(tmp_path / "strategy.txt")


def test_the_wheel_takes_the_strategies_along() -> None:
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    assert '"strategies" = "tradeguard/cli/strategies"' in text
