"""Write the table of those endpoints whose HTTP verb lies: reads by POST, writes by GET.

Derived from the installed ccxt, exchange by exchange: an endpoint that only reading operations come to is a read, one
that only writing operations come to is a write. Python's own code objects tell which endpoints a method names; it is
followed through the methods that are no operations themselves. Run by `make generated`.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ccxt.async_support
from ccxt.base.types import Entry

from tradeguard_ccxt.endpoint_kinds import TABLE, endpoint_key
from tradeguard_ccxt.operation_kinds import (
    IDEMPOTENT_WRITES,
    NO_OPERATIONS,
    READS,
    SIGN_INS,
    STREAMS,
    WRITES,
)
from tradeguard_ccxt.operations import Kind, kind_of, looks_like_a_write

FILE = Path(__file__).resolve().parents[1] / "adapters" / "tradeguard_ccxt" / TABLE
_GROUPS = (READS, STREAMS, SIGN_INS, IDEMPOTENT_WRITES, WRITES, NO_OPERATIONS)
_HEAD = """\
# Endpoints whose HTTP verb, or whose path, lies: exchange, kind, verb, section, path.
# Made by scripts/ccxt_endpoint_kinds.py from the installed ccxt. Do not edit: `make generated` writes it anew.
"""

Row = tuple[str, str, str, str]
"""Kind, verb, section, path."""


def table() -> str:
    """Return the table of all exchanges; what an exchange has from another one's class is left out."""
    rows: dict[type, set[Row]] = {}
    lines = []
    for name in ccxt.async_support.exchanges:
        cls = getattr(ccxt.async_support, name)
        rows[cls] = set(exceptions_of(cls))
        inherited = {row for base in cls.__mro__[1:] for row in _rows_of(base, rows)}
        lines += ["\t".join((name, *row)) for row in sorted(rows[cls] - inherited)]
    return _HEAD + "\n".join(lines) + "\n"


def _rows_of(cls: type, rows: dict[type, set[Row]]) -> set[Row]:
    if cls not in rows and cls.__name__ in ccxt.async_support.exchanges:
        rows[cls] = set(exceptions_of(cls))
    return rows.get(cls, set())


def exceptions_of(cls: type) -> Iterator[Row]:
    """Yield the endpoints of one exchange that are not what they look like."""
    for (section, verb, path), kinds in reached_by(cls).items():
        if len(kinds) > 1:
            continue
        is_read = kinds == {Kind.READ}
        if is_read is not (verb == "GET") or (is_read and looks_like_a_write(path)):
            yield (Kind.READ if is_read else Kind.WRITE), verb, section, path


def reached_by(cls: type) -> Mapping[tuple[str, str, str], set[Kind]]:
    """Return the endpoints that a class's operations come to, with the kinds of these; a write is a write."""
    methods = dict(coroutines(cls))
    endpoints = {  # an instance that was made has set some anew, as functions
        name: value
        for c in reversed(cls.__mro__)
        for name, value in vars(c).items()
        if isinstance(value, Entry)
    }
    snake = {_camel(name): name for name in methods}
    reached: dict[tuple[str, str, str], set[Kind]] = defaultdict(set)
    for operation in methods:
        kind = kind_of(operation)
        pending, seen = [operation] if kind is not None else [], set[str]()
        while pending:
            method = pending.pop()
            seen.add(method)
            for name in mentioned(methods[method].__code__):
                inner = snake.get(name, name)
                if name in endpoints:
                    entry = endpoints[name]
                    key = endpoint_key(entry.path, entry.api, entry.method)
                    reached[key].add(Kind.READ if kind is Kind.READ else Kind.WRITE)
                elif inner in methods and inner not in seen and kind_of(inner) is None:
                    pending.append(inner)
    return reached


def unclassified(cls: type) -> list[str]:
    """Return the coroutines of a class that are in no group of `operation_kinds`, or in several."""
    return [name for name, _ in coroutines(cls) if sum(name in group for group in _GROUPS) != 1]


def coroutines(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the methods of a class that may ask the exchange something, by their snake_case names."""
    for name, value in _attributes(cls):
        if inspect.iscoroutinefunction(value) and name == name.lower() and not name.startswith("__"):
            yield name, value


def _attributes(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield what a class has, as far as it was not overridden."""
    yield from {name: value for c in reversed(cls.__mro__) for name, value in vars(c).items()}.items()


@functools.cache
def mentioned(code: types.CodeType) -> frozenset[str]:
    """Return all names and texts in a function; ccxt looks some endpoints up by their names."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= mentioned(constant)
        else:
            found |= {part for part in _parts(constant) if isinstance(part, str)}
    return frozenset(found)


def _parts(constant: object) -> tuple[object, ...]:
    return constant if isinstance(constant, tuple) else (constant,)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


if __name__ == "__main__":
    FILE.write_text(table(), encoding="utf-8")
