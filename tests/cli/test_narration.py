"""What happens is told in short lines, and what goes without saying is not told."""

from __future__ import annotations

from typing import Any

import pytest

from tradeguard.cli.demo.narration import line_of_event, line_of_record
from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord


def told(kind: str, text: str) -> tuple[str, str] | None:
    line = line_of_event(kind, text)
    return None if line is None else (line.label, line.text)


def transition(old: str, new: str, reason: str = "") -> str | None:
    record = TransitionRecord(
        timestamp=0.0, circuit="binance.market_data", old_state=old, new_state=new, reason=reason
    )
    line = line_of_record(record)
    return None if line is None else line.text


def rescue(kind: str, operation: str | None = "create_order", **detail: Any) -> str:
    line = line_of_record(
        RescueRecord(timestamp=0.0, component="orders", kind=kind, operation=operation, detail=detail)
    )
    assert line is not None
    assert line.label == "rescue"
    return line.text


@pytest.mark.parametrize(
    ("kind", "text", "line"),
    [
        ("order", "buy 1: Submitted", ("order", "buy 1: submitted")),
        ("order", "buy 1: Completed, 1 at 0.05", ("order", "buy 1: filled, 1 at 0.05")),
        ("order", "buy 1: Accepted", None),
        ("order", "buy 1: Rejected (too small)", ("order", "buy 1: Rejected (too small)")),
        ("data", "LIVE", ("feed", "live")),
        ("data", "CONNBROKEN", ("feed", "the exchange does not answer")),
        ("data", "NOTSUPPORTED_TF", ("feed", "NOTSUPPORTED_TF")),
        ("trade", "closed with +1", ("trade", "closed with +1")),
        ("outage", "pulled", ("outage", "pulled")),
        ("else", "something", ("else", "something")),
    ],
)
def test_events_of_the_strategy_are_told(kind: str, text: str, line: tuple[str, str] | None) -> None:
    assert told(kind, text) == line


def test_an_address_is_not_told() -> None:
    text = "ETH/BTC: binance GET http://127.0.0.1:1/api/v3/account?timestamp=1&signature=secret"
    assert told("store", text) == ("note", "ETH/BTC: no answer")


def test_a_circuit_is_told_when_it_opens_and_when_it_closes_and_not_at_each_trial() -> None:
    assert (
        transition("closed", "open", "5 consecutive failures") == "market data open: 5 consecutive failures"
    )
    assert transition("open", "half_open") is None
    assert transition("half_open", "open") is None
    assert transition("half_open", "closed") == "market data closed"


def test_each_kind_of_rescue_says_what_was_spared() -> None:
    name = "0123456789abcdef"
    assert rescue("retry", "fetch_ohlcv", attempts=3) == "fetch_ohlcv succeeded at attempt 3"
    assert rescue("fallback", "fetch_ticker", age=2.04) == "fetch_ticker served from the cache, 2.0 s old"
    assert rescue("fallback", "fetch_ticker") == "fetch_ticker served from the cache, some time old"
    assert rescue("order_found", client_order_id=name) == (
        "order …abcdef was on the book after an ambiguous answer: not sent again"
    )
    assert rescue("order_resent", client_order_id=name) == "order …abcdef proved absent, and sent again"
    assert (
        rescue("order_recovered", client_order_id=name, status="PLACED") == "order …abcdef resolved: placed"
    )
    assert rescue("gap_filled", bars=11) == "11 bars came late, and in order"
    assert rescue("cancel_found", None) == "orders: cancel found"


def test_an_error_is_told_unless_it_is_being_rescued() -> None:
    error = ErrorRecord(
        timestamp=0.0,
        component="binance.account",
        error_type="NetworkError",
        error_code="NETWORK_ERROR",
        message="no",
        severity="ERROR",
        operation="fetch_balance",
    )
    line = line_of_record(error)
    assert line is not None
    assert (line.label, line.text) == ("error", "fetch_balance: NetworkError")
    rescued = ErrorRecord(
        **{name: getattr(error, name) for name in error.__dataclass_fields__} | {"rescued": True}
    )
    assert line_of_record(rescued) is None
