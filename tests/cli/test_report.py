"""What a stored run met, as tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tradeguard.analysis import load
from tradeguard.cli.demo_command import DEFAULT_STATE
from tradeguard.cli.report_tables import orders_table, report_tables
from tradeguard.orders import IntentStatus, OrderIntent
from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord
from tradeguard.storage import StateStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = {IntentStatus.PLACED: "placed-0001", IntentStatus.UNKNOWN: "unknown-0002"}


def intent(status: IntentStatus, **changes: Any) -> OrderIntent:
    given: dict[str, Any] = {
        "client_order_id": IDS[status],
        "symbol": "ETH/BTC",
        "type": "market",
        "side": "buy",
        "amount": 0.999,
        "price": None,
        "status": IntentStatus.PENDING,
        "created_at": NOON,
        "updated_at": NOON,
        "exchange": "binance",
        "account": "ab12",
    }
    return OrderIntent(**given | changes)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state with an outage of ten seconds, a rescue and two orders, one of them unknown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    start = NOON.timestamp()
    path = tmp_path / "bot.db"
    with StateStore(path) as store:
        for number in range(3):
            store.record(
                ErrorRecord(
                    timestamp=start + number,
                    component="binance.market_data",
                    error_type="NetworkError",
                    error_code="NETWORK_ERROR",
                    message="reset",
                    severity="WARNING" if number else "ERROR",
                    operation="fetch_ohlcv",
                    rescued=bool(number),
                )
            )
        for seconds, old, new in (
            (10, "closed", "open"),
            (19, "open", "half_open"),
            (20, "half_open", "closed"),
        ):
            store.record(
                TransitionRecord(
                    timestamp=start + seconds, circuit="binance.market_data", old_state=old, new_state=new
                )
            )
        store.record(
            RescueRecord(
                timestamp=start + 30,
                component="orders",
                kind="order_found",
                operation="create_order",
                detail={"client_order_id": IDS[IntentStatus.PLACED]},
            )
        )
        journal = store.journal("binance", "ab12")
        for status, order_id in ((IntentStatus.PLACED, "4711"), (IntentStatus.UNKNOWN, None)):
            first = intent(
                status,
                type="limit" if order_id is None else "market",
                price=0.05 if order_id is None else None,
            )
            journal.add(first)
            sent = first.replace(status=IntentStatus.SENT, attempts=1)
            journal.update(sent)
            journal.update(
                sent.replace(status=status, order_id=order_id, updated_at=NOON + timedelta(seconds=1))
            )
    return path


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def test_the_report_shows_errors_circuits_orders_and_rescues(invoke: Callable[..., Any], state: Path) -> None:
    result = invoke("report", state)
    assert result.exit_code == 0, result.output
    found = rows(result.stdout)
    assert ["binance.market_data", "NetworkError", "warning", "2", "2", "12:00:02"] in found
    assert ["binance.market_data", "NetworkError", "error", "1", "0", "12:00:00"] in found
    assert ["placed", "1", "1", "1"] in found
    assert ["unknown", "1", "1", "0"] in found
    assert ["order", "found", "create_order", "1"] in found
    assert "2 orders, 3 errors, 1 rescues" in result.stdout
    assert "\x1b" not in result.stdout


def test_the_report_draws_when_each_circuit_was_open(invoke: Callable[..., Any], state: Path) -> None:
    line = next(row for row in rows(invoke("report", state).stdout) if "█" in row[-1])
    name, opened, seconds, unit, strip = line
    assert (name, opened, seconds, unit) == ("binance.market_data", "1", "10.0", "s")
    assert len(strip) == 32
    # Open from second 10 to 19 of 30, then half-open for one, closed before and after.
    assert strip.startswith("·" * 10 + "█")
    assert strip.rstrip("·")[-1] in "▒█"


def test_orders_are_listed_oldest_first_with_their_ids(invoke: Callable[..., Any], state: Path) -> None:
    result = invoke("orders", state)
    assert result.exit_code == 0, result.output
    listed = [row for row in rows(result.stdout) if row[0] == "12:00:00"]
    assert listed[0] == [
        "12:00:00",
        "ETH/BTC",
        "buy",
        "0.999",
        "at",
        "market",
        "placed",
        "1",
        "4711",
        "placed-0001",
    ]
    assert listed[1] == ["12:00:00", "ETH/BTC", "buy", "0.999", "at", "0.05", "unknown", "1", "unknown-0002"]


def test_a_narrow_terminal_gets_the_ends_of_client_order_ids(state: Path, page: Any) -> None:
    console, written = page
    console.print(orders_table(load(state), None, 80))
    assert "…d-0001" in written.getvalue()
    assert "placed-0001" not in written.getvalue()


@pytest.mark.parametrize("word", ["unknown", "UNKNOWN"])
def test_orders_are_chosen_by_status(invoke: Callable[..., Any], state: Path, word: str) -> None:
    result = invoke("orders", state, "--status", word)
    assert "unknown-0002" in result.stdout
    assert "placed-0001" not in result.stdout


def test_no_order_that_stands_so_is_said(invoke: Callable[..., Any], state: Path) -> None:
    result = invoke("orders", state, "--status", "absent")
    assert (result.exit_code, result.stdout) == (0, "No orders that are absent.\n")


def test_an_empty_state_is_no_error(invoke: Callable[..., Any], tmp_path: Path, page: Any) -> None:
    StateStore(tmp_path / "empty.db").close()
    assert invoke("orders", tmp_path / "empty.db").stdout == "No orders.\n"
    console, written = page
    for part in report_tables(load(tmp_path / "empty.db")):
        console.print(part)
    assert written.getvalue().split("\n\n")[0].strip() == "Nothing is stored yet."
    assert written.getvalue().count("none") == 4


def test_without_a_name_the_demos_state_is_read_then_the_users_own(
    invoke: Callable[..., Any], state: Path, tmp_path: Path
) -> None:
    own = tmp_path / "home" / "tradeguard" / "state.db"
    own.parent.mkdir(parents=True)
    state.rename(own)
    assert "placed-0001" in invoke("orders").stdout
    StateStore(DEFAULT_STATE).close()
    assert invoke("orders").stdout == "No orders.\n"


def test_reading_changes_nothing(invoke: Callable[..., Any], state: Path) -> None:
    before = state.read_bytes()
    assert invoke("report", state).exit_code == 0
    assert state.read_bytes() == before
    assert sorted(path.name for path in state.parent.iterdir()) == ["bot.db"]
