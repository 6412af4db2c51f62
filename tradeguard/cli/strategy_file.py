"""The example strategy, loaded from its file: it is written for people to copy, not for us to import."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from tradeguard.exceptions import ConfigurationException

__all__ = ["find_strategy", "load_strategy"]

_PACKAGE = Path(__file__).resolve().parent
_NAME = "sma_cross.py"


def find_strategy() -> Path:
    """Return the path of `strategies/sma_cross.py`, in an installation or in a checkout.

    Raises:
        ConfigurationException: it is in neither place.
    """
    installed = _PACKAGE / "strategies" / _NAME
    checkout = _PACKAGE.parents[1] / "strategies" / _NAME
    for path in (installed, checkout):
        if path.is_file():
            return path
    raise ConfigurationException(
        f"the example strategy is missing from this installation: neither {installed} nor {checkout} exists",
        component="cli",
    )


def load_strategy(path: Path) -> ModuleType:
    """Return the module in the file `path`.

    Raises:
        ConfigurationException: it cannot be loaded.
    """
    name = f"tradeguard_strategy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationException(f"{path}: is no Python file", component="cli")
    module = importlib.util.module_from_spec(spec)
    # Backtrader looks strategies up by their module.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
