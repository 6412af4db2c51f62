"""Write the stubs that show IDEs and type checkers what the mirrors of ccxt's modules have.

The mirrors guard a class of ccxt when it is asked for, which no IDE can follow. Run by `make generated`.
"""

from __future__ import annotations

import ast
import importlib
import types
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "adapters" / "tradeguard_ccxt"
MIRRORS = {"__init__": "ccxt", "async_support": "ccxt.async_support", "pro": "ccxt.pro"}
_FRONTS = {
    "ccxt": ("sync_mixin", "SyncMixin"),
    "ccxt.async_support": ("async_mixin", "AsyncMixin"),
    "ccxt.pro": ("async_mixin", "AsyncMixin"),
}
_FACADES = {
    "ccxt": "GuardedExchange",
    "ccxt.async_support": "AsyncGuardedExchange",
    "ccxt.pro": "ProGuardedExchange",
}


def stub(mirror: str) -> str:
    """Return the stub of a mirroring module, by the name of its file."""
    module_name = MIRRORS[mirror]
    exchanges = importlib.import_module(module_name).exchanges
    (room, mixin), facade = _FRONTS[module_name], _FACADES[module_name]
    lines = [
        "# Made by scripts/ccxt_stubs.py from the installed ccxt. Do not edit: `make generated` writes it anew.",
        f"import {module_name} as ccxt",
        *_exports(module_name),
        *_own_exports(mirror),
        f"from tradeguard_ccxt.exchange import {facade} as _Facade",
        f"from tradeguard_ccxt.{room} import {mixin} as _Mixin",
        "",
        "exchanges: list[str]",
        *(["__version__: str"] if mirror == "__init__" else []),
        "",
        *(f"class {name}(_Mixin, _Facade, ccxt.{name}): ..." for name in exchanges),
    ]
    return "\n".join(lines) + "\n"


def _exports(module_name: str) -> Iterator[str]:
    """Yield what a module of ccxt has beside its exchanges: errors, constants, functions."""
    module = importlib.import_module(module_name)
    for name in sorted(set(dir(module)) - {*module.exchanges, "exchanges"}):
        value = getattr(module, name)
        is_submodule = isinstance(value, types.ModuleType) and value.__name__ == f"{module_name}.{name}"
        if not name.startswith("_") and not is_submodule:
            yield f"from {module_name} import {name} as {name}"


def _own_exports(mirror: str) -> Iterator[str]:
    """Yield what the mirroring module has of its own."""
    for statement in ast.parse((FOLDER / f"{mirror}.py").read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.ImportFrom) and statement.module != "tradeguard_ccxt.mirror":
            for alias in statement.names:
                yield f"from {statement.module} import {alias.name} as {alias.asname or alias.name}"
    if mirror == "__init__":
        yield "from tradeguard_ccxt import async_support as async_support, pro as pro"


if __name__ == "__main__":
    for name in MIRRORS:
        (FOLDER / f"{name}.pyi").write_text(stub(name), encoding="utf-8")
