"""The endpoints whose HTTP verb lies, for calls outside the unified API: reads by POST, writes by GET.

The table beside this module is derived from ccxt's own source, by `make generated`: an endpoint that only `fetch_*`
and the like come to is a read, one that only `create_order` and the like come to is a write.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import resources

__all__ = ["TABLE", "endpoint_key", "told_kind"]

TABLE = "endpoint_kinds.tsv"
"""The table's file, in this package."""

Key = tuple[str, str, str]


def endpoint_key(path: str, api: str | Sequence[str], method: str) -> Key:
    """Return what an endpoint is known by: section, verb and path."""
    return api if isinstance(api, str) else ".".join(map(str, api)), method.upper(), path


def told_kind(family: Sequence[str], key: Key) -> str | None:
    """Return `read` or `write` for an endpoint that is not what it looks like; None for all others.

    Args:
        family: the names of the exchange's class and of those that it inherits from, most derived first.
        key: of the endpoint.
    """
    for name in family:
        kind = _table().get(name, {}).get(key)
        if kind is not None:
            return kind
    return None


@functools.cache
def _table() -> Mapping[str, Mapping[Key, str]]:
    table: dict[str, dict[Key, str]] = {}
    for line in resources.files(__package__).joinpath(TABLE).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            exchange, kind, verb, section, path = line.split("\t")
            table.setdefault(exchange, {})[section, verb, path] = kind
    return table
