"""What a call means: read or write, and whose circuit it runs on.

HTTP verbs lie: 41 exchanges read by POST and a few write by GET. So the unified operation decides; for calls outside
one, `endpoint_kinds` knows the endpoints that are not what they look like. The operation is set in a context variable
when a unified method is entered. The outermost operation names the call (in errors, statistics and the cache); the
innermost one decides how its requests may be treated, since `create_order` may load markets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tradeguard_ccxt.endpoint_kinds import endpoint_key, told_kind
from tradeguard_ccxt.operation_kinds import (
    IDEMPOTENT_WRITES,
    NO_OPERATIONS,
    READS,
    SIGN_INS,
    STREAMS,
    WRITES,
)

__all__ = [
    "CURRENT",
    "Circuit",
    "Entered",
    "Kind",
    "Operation",
    "entered_on",
    "implicit_operation",
    "is_unified",
    "kind_of",
    "looks_like_a_write",
    "operation_of",
]


class Kind(StrEnum):
    """What repeating a call would do."""

    READ = "read"  # nothing
    IDEMPOTENT_WRITE = "idempotent_write"  # nothing more than the first time
    WRITE = "write"  # the same thing once more


class Circuit(StrEnum):
    """The parts of an exchange that fail apart from each other."""

    MARKET_DATA = "market_data"
    ACCOUNT = "account"
    TRADING = "trading"
    STREAMS = "streams"  # the WebSockets, whatever goes over them


@dataclass(frozen=True, slots=True)
class Operation:
    """A unified method, or an implicit endpoint called on its own.

    Attributes:
        name: as the caller wrote it, such as `fetch_ticker`.
        kind: whether it may be repeated.
        circuit: whose health it shares.
    """

    name: str
    kind: Kind
    circuit: Circuit


class Entered(NamedTuple):
    """The operation that is running: the outermost names it, the innermost treats it.

    Attributes:
        exchange: the instance on which it was called.
        outermost: what the caller called.
        innermost: what that is calling.
        symbol: its symbol, or None.
        is_nested: whether there is a call around the innermost one.
    """

    exchange: object
    outermost: Operation
    innermost: Operation
    symbol: str | None
    is_nested: bool = False


CURRENT: ContextVar[Entered | None] = ContextVar("tradeguard_ccxt_operation", default=None)


def entered_on(exchange: object) -> Entered | None:
    """Return the operation that is running on `exchange`, or None; another instance's call may be around it."""
    entered = CURRENT.get()
    return entered if entered is not None and entered.exchange is exchange else None


# What a name that only a newer ccxt has is taken for.
_READING = ("fetch_", "load_", "watch_", "un_watch_")
_REPEATABLE = ("cancel_", "set_leverage", "set_margin", "set_position_mode")
_WRITING = (
    "create_", "edit_", "borrow_", "repay_", "add_margin", "reduce_margin", "close_position", "close_all_positions",
    "withdraw", "transfer", "deposit",
)  # fmt: skip
_ACCOUNT = re.compile(
    r"balance|order(?!_book)|my_|position|ledger|deposit|withdraw|transfer|account|leverage(?!_tiers)|trading_fee"
    r"|borrow_interest|transaction|margin_mode|margin_adjustment|funding_history|convert_trade|portfolio|api_key|asset_history"
    r"|builder|estimate_tx|gift_code|migration|nonce|standard_tier|unified|is_uta|uta_balance|wallet_history"
)
# Of endpoints outside the unified API that no table knows, a GET is believed to be a read unless its path says
# otherwise. A read wrongly taken for a write is merely not retried.
_WRITING_PATH = re.compile(
    r"(?i)(^|[/_.-])(buy|sell|edit|cancel|close|create|place|submit|add|remove|delete|set|change|toggle|update|reset|enable"
    r"|disable|transfer|withdraw|broadcast|replace|batchcancelreplace|liquidate|redeem|subscribe|apply|verify|execute)"
)


def kind_of(name: str) -> Kind | None:
    """Return the kind of a method by its snake_case name; None for one that is no operation."""
    if name in NO_OPERATIONS:
        return None
    if name in WRITES:
        return Kind.WRITE
    if name in IDEMPOTENT_WRITES or name in SIGN_INS:
        return Kind.IDEMPOTENT_WRITE
    if name in READS or name in STREAMS or name.startswith(_READING):
        return Kind.READ
    if name.startswith(_REPEATABLE):
        return Kind.IDEMPOTENT_WRITE
    return Kind.WRITE if name.startswith(_WRITING) else None


def is_unified(name: str) -> bool:
    """Whether `name` is that of an operation, and not of one of its websocket forms."""
    return kind_of(name) is not None and not name.endswith("_ws") and "watch" not in name


def operation_of(name: str) -> Operation:
    """Return the operation of a unified method.

    Raises:
        KeyError: `name` is no operation.
    """
    kind = kind_of(name)
    if kind is None:
        raise KeyError(name)
    if kind is not Kind.READ:
        return Operation(name, kind, Circuit.ACCOUNT if name in SIGN_INS else Circuit.TRADING)
    return Operation(name, kind, Circuit.ACCOUNT if _ACCOUNT.search(name) else Circuit.MARKET_DATA)


def looks_like_a_write(path: str) -> bool:
    """Whether the path of a GET says that it changes something."""
    return _WRITING_PATH.search(path) is not None


def implicit_operation(
    path: str, api: str | Sequence[str], method: str, family: Sequence[str] = ()
) -> Operation:
    """Return what an endpoint that is called outside a unified method is taken for, on the cautious side.

    Args:
        path: of the endpoint.
        api: the section, or sections, of the API that it belongs to.
        method: the HTTP verb.
        family: the names of the exchange's class and of those that it inherits from, most derived first.
    """
    key = section, verb, _ = endpoint_key(path, api, method)
    name = f"{verb} {path}"
    told = told_kind(family, key)
    is_read = told == Kind.READ if told is not None else verb == "GET" and not looks_like_a_write(path)
    if not is_read:
        return Operation(name, Kind.WRITE, Circuit.TRADING)
    private = "private" in section.lower() or any(s.startswith("sapi") for s in section.lower().split("."))
    return Operation(name, Kind.READ, Circuit.ACCOUNT if private else Circuit.MARKET_DATA)
