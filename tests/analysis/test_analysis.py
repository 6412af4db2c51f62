"""The frames: fixed columns, exact values, and a file that reading never changes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tradeguard.analysis import (
    COLUMNS,
    StateFrames,
    circuit_timeline,
    error_summary,
    errors_per_minute,
    load,
    order_outcomes,
)
from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import IntentStatus, OrderIntent
from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord
from tradeguard.storage import StateStore, reading

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> float:
    return NOON.timestamp() + seconds


def moment(seconds: float) -> pd.Timestamp:
    return pd.Timestamp(NOON + timedelta(seconds=seconds))


def an_error(seconds: float, **changes: Any) -> ErrorRecord:
    fields: dict[str, Any] = {
        "timestamp": at(seconds),
        "component": "network",
        "error_type": "RequestTimeout",
        "error_code": "NETWORK_ERROR",
        "message": "timed out",
        "severity": "ERROR",
        "context": {"symbol": "ETH/BTC", "attempts": 2},
    }
    return ErrorRecord(**{**fields, **changes})


def a_transition(
    seconds: float, old_state: str, new_state: str, circuit: str = "trading"
) -> TransitionRecord:
    return TransitionRecord(
        timestamp=at(seconds), circuit=circuit, old_state=old_state, new_state=new_state, reason="5 failures"
    )


def an_intent(name: str, seconds: float = 0, **changes: Any) -> OrderIntent:
    when = NOON + timedelta(seconds=seconds)
    fields: dict[str, Any] = {
        "client_order_id": name,
        "symbol": "ETH/BTC",
        "type": "limit",
        "side": "buy",
        "amount": 0.1,
        "price": 0.05,
        "status": IntentStatus.PLACED,
        "created_at": when,
        "updated_at": when,
        "attempts": 1,
    }
    return OrderIntent(**{**fields, **changes})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[StateStore]:
    with StateStore(path) as store:
        yield store


@pytest.fixture
def frames_of(store: StateStore, path: Path) -> Callable[..., StateFrames]:
    """Records, adds intents, and loads what the state then holds."""

    def make(*items: ErrorRecord | TransitionRecord | RescueRecord | OrderIntent) -> StateFrames:
        for item in items:
            if isinstance(item, OrderIntent):
                store.journal("binance", "ab12").add(item)
            else:
                store.record(item)
        assert store.flush()
        return load(path)

    return make


FramesOf = Callable[..., StateFrames]


def test_frames_have_fixed_columns_even_when_empty(frames_of: FramesOf) -> None:
    """An empty state has the same columns and dtypes as a full one, and no rows."""
    empty = frames_of()
    full = frames_of(
        an_error(0), a_transition(0, "closed", "open"), an_intent("a"),
        RescueRecord(timestamp=at(0), component="network", kind="retry"),
    )  # fmt: skip
    for frames, rows in ((empty, 0), (full, 1)):
        for name, frame in frames.items():
            assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == dict(COLUMNS[name])
            assert len(frame) == rows


def test_frames_are_attributes_and_a_mapping(frames_of: FramesOf) -> None:
    """A frame is reached by its name either way; another name is a KeyError."""
    frames = frames_of(an_error(0))
    assert list(frames) == ["errors", "transitions", "rescues", "intents"]
    assert len(frames) == 4
    assert all(frames[name] is getattr(frames, name) for name in frames)
    assert repr(frames) == "<StateFrames: 1 errors, 0 transitions, 0 rescues, 0 intents>"
    with pytest.raises(KeyError, match="orders"):
        frames["orders"]


def test_values_are_exact(frames_of: FramesOf) -> None:
    """Times keep their microseconds, mappings are dictionaries, and what is missing is missing."""
    frames = frames_of(
        an_error(0.123457, operation="fetch_ticker", rescued=True),
        an_error(1.5),
        an_intent("a", 0.654321, price=None, accept_until=at(5.25), params={"postOnly": True}),
        an_intent("b", 1),
    )
    first, second = frames.errors.to_dict("records")
    assert first["timestamp"] == moment(0.123457)
    assert (first["operation"], first["rescued"], first["context"]["attempts"]) == ("fetch_ticker", True, 2)
    assert pd.isna(second["operation"])
    intent, other = frames.intents.to_dict("records")
    assert (intent["created_at"], intent["accept_until"]) == (moment(0.654321), moment(5.25))
    assert (intent["amount"], intent["params"], intent["exchange"]) == (0.1, {"postOnly": True}, "binance")
    assert pd.isna(intent["price"])
    assert other["accept_until"] is pd.NaT


def test_archived_orders_are_still_analysed(store: StateStore, frames_of: FramesOf) -> None:
    """Archiving hides an order from the bot, not from its history; orders come oldest first."""
    store.journal("binance", "ab12").add(an_intent("late", 5))
    store.journal("binance", "ab12").add(an_intent("early", 1))
    assert store.journal("binance", "ab12").archive(NOON + timedelta(seconds=2)) == 1
    assert frames_of().intents[["client_order_id", "archived"]].values.tolist() == [
        ["early", True],
        ["late", False],
    ]


def digest(path: Path) -> dict[str, str]:
    return {entry.name: hashlib.sha256(entry.read_bytes()).hexdigest() for entry in path.parent.iterdir()}


def test_reading_a_closed_state_leaves_no_trace(path: Path) -> None:
    """Neither the file nor its folder is changed, not even by a log beside it."""
    with StateStore(path) as store:
        store.record(an_error(0))
    before = digest(path)
    assert len(load(path).errors) == 1
    assert digest(path) == before


def test_reading_while_a_bot_writes_sees_one_moment(store: StateStore, path: Path) -> None:
    """What was committed is seen, what is being written is not, and nobody waits."""
    store.record(an_error(0))
    assert store.flush()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM errors")
        assert len(load(path).errors) == 1
        writer.execute("COMMIT")
    assert len(load(path).errors) == 0


def test_a_crashed_bots_log_is_read(path: Path, tmp_path: Path) -> None:
    """What a killed bot left in its log counts: here a copy of all its files, taken while it ran."""
    with StateStore(path) as store:
        store.journal("binance", "ab12").add(an_intent("a"))
        copy = tmp_path / "copy"
        copy.mkdir()
        for entry in list(tmp_path.glob("state.db*")):
            (copy / entry.name).write_bytes(entry.read_bytes())
    assert len(load(copy / "state.db").intents) == 1


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize(("runs", "modes"), [(1, ["plain"] * 2), (9, ["plain"] * 3 + ["ro"])])
def test_a_bot_that_runs_meanwhile_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: bool, runs: int, modes: list[str]
) -> None:
    """A file that changes while it is read as a plain file is read again, in the end with SQLite's locks."""
    StateStore(path).close()
    read = reading._read
    seen: list[str] = []

    def read_beside_a_bot(address: Any, work: Any) -> Any:
        seen.append(address.url.query.get("mode", "plain"))
        result = read(address, work)
        if seen[-1] == "plain" and len(seen) <= runs:
            with StateStore(path) as store:
                store.record(an_error(0, message="m" * 2_000))
            if failing:
                raise ConfigurationException("half of it was old and half of it new")
        return result

    monkeypatch.setattr(reading, "_read", read_beside_a_bot)
    assert len(load(path).errors) == len(modes) - 1
    assert seen == modes


@pytest.mark.parametrize("content", [None, b"", b"not a database at all\n" * 100])
def test_what_is_no_state_is_refused(path: Path, content: bytes | None) -> None:
    """A missing, empty or foreign file is one clear line, and nothing is created."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        ConfigurationException, match=r"no such file|no state in it|not an SQLite file"
    ) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [entry.read_bytes() for entry in path.parent.iterdir()] == ([] if content is None else [content])


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A folder is no state."""
    with pytest.raises(ConfigurationException, match="it is a directory"):
        load(tmp_path)


def test_what_cannot_be_understood_is_refused(store: StateStore, path: Path) -> None:
    """A damaged value names the state instead of becoming a wrong number."""
    store.record(an_error(0))
    assert store.flush()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE errors SET context = '{'")
    with pytest.raises(ConfigurationException, match=f"'{path}' cannot be used: it holds what"):
        load(path)


def test_a_time_that_is_none_is_missing(frames_of: FramesOf) -> None:
    """A clock gone mad costs its own time, not the whole state."""
    frames = frames_of(an_error(0), an_error(1e300))
    assert frames.errors["timestamp"].isna().tolist() == [False, True]
    assert errors_per_minute(frames).to_numpy().sum() == 1


def test_errors_are_counted_by_minute_and_type(frames_of: FramesOf) -> None:
    """Minutes without errors are zeros, and the most frequent type comes first."""
    frames = frames_of(an_error(1, error_type="Rare"), *[an_error(seconds) for seconds in (59, 60, 61, 181)])
    counts = errors_per_minute(frames)
    assert counts.columns.tolist() == ["RequestTimeout", "Rare"]
    assert counts["RequestTimeout"].tolist() == [1, 2, 0, 1]
    assert counts["Rare"].tolist() == [1, 0, 0, 0]
    assert counts.index.tolist() == [moment(60 * minute) for minute in range(4)]
    assert (counts.index.name, counts.columns.name) == ("minute", "error_type")


def test_years_between_errors_are_not_filled(frames_of: FramesOf) -> None:
    """A clock that was once wrong by years costs no memory."""
    counts = errors_per_minute(frames_of(an_error(0), an_error(3 * 365 * 86_400)))
    assert len(counts) == 2


def test_a_timeline_covers_the_whole_state(frames_of: FramesOf) -> None:
    """It begins with the first that is known of anything, ends with the last, and has no holes."""
    timeline = circuit_timeline(
        frames_of(
            an_error(-10),
            an_intent("a", 100),
            a_transition(0, "closed", "open"),
            a_transition(30, "open", "half_open"),
            a_transition(32, "half_open", "closed"),
            a_transition(50, "closed", "open", circuit="account"),
        )
    )
    assert timeline.values.tolist() == [
        ["account", "closed", moment(-10), moment(50)],
        ["account", "open", moment(50), moment(100)],
        ["trading", "closed", moment(-10), moment(0)],
        ["trading", "open", moment(0), moment(30)],
        ["trading", "half_open", moment(30), moment(32)],
        ["trading", "closed", moment(32), moment(100)],
    ]


def test_a_timeline_can_end_now(frames_of: FramesOf) -> None:
    """The last state lasts until the end that is given."""
    frames = frames_of(a_transition(0, "closed", "open"))
    assert circuit_timeline(frames).empty
    timeline = circuit_timeline(frames, end=NOON + timedelta(seconds=5))
    assert timeline.values.tolist() == [["trading", "open", moment(0), moment(5)]]


def test_a_probe_that_took_no_time_parts_nothing(frames_of: FramesOf) -> None:
    """What no time passed in is left out, and the state around it is one interval."""
    timeline = circuit_timeline(
        frames_of(
            a_transition(0, "closed", "open"),
            a_transition(30, "open", "half_open"),
            a_transition(30, "half_open", "open"),
            a_transition(60, "open", "closed"),
            an_error(61),
        )
    )
    assert timeline[["state", "start", "end"]].values.tolist() == [
        ["open", moment(0), moment(60)],
        ["closed", moment(60), moment(61)],
    ]


def test_orders_are_counted_by_outcome(frames_of: FramesOf) -> None:
    """Each status has its row, with the sends and the rescued orders."""
    outcomes = order_outcomes(
        frames_of(
            an_intent("a"),
            an_intent("b", attempts=2),
            an_intent("c", status=IntentStatus.REJECTED),
            an_intent("d", status=IntentStatus.UNKNOWN, attempts=3),
            RescueRecord(
                timestamp=at(1), component="orders", kind="order_resent", detail={"client_order_id": "b"}
            ),
            RescueRecord(timestamp=at(1), component="network", kind="retry"),
        )
    )
    assert outcomes.index.tolist() == ["PENDING", "SENT", "PLACED", "REJECTED", "ABSENT", "UNKNOWN"]
    assert outcomes.loc["PLACED"].to_dict() == {"orders": 2, "sends": 3, "rescued": 1}
    assert outcomes.loc["REJECTED"].to_dict() == {"orders": 1, "sends": 1, "rescued": 0}
    assert outcomes.loc["UNKNOWN"].to_dict() == {"orders": 1, "sends": 3, "rescued": 0}
    assert outcomes["orders"].sum() == 4


def test_errors_are_summed_up(frames_of: FramesOf) -> None:
    """One row for each component, type and severity, most frequent first, with first and last."""
    summary = error_summary(
        frames_of(
            an_error(5, component="feed"),
            an_error(0),
            an_error(9, rescued=True),
            an_error(3, severity="WARNING"),
        )
    )
    assert summary.columns.tolist() == [
        "component",
        "error_type",
        "severity",
        "count",
        "rescued",
        "first",
        "last",
    ]
    assert summary.values.tolist() == [
        ["network", "RequestTimeout", "ERROR", 2, 1, moment(0), moment(9)],
        ["feed", "RequestTimeout", "ERROR", 1, 0, moment(5), moment(5)],
        ["network", "RequestTimeout", "WARNING", 1, 0, moment(3), moment(3)],
    ]


def test_functions_answer_empty_states_alike(frames_of: FramesOf) -> None:
    """Of nothing, every function gives a frame of the usual shape and dtypes."""
    empty, full = (
        frames_of(),
        frames_of(an_error(0), an_error(90), a_transition(0, "closed", "open"), an_intent("a")),
    )
    assert len(errors_per_minute(empty)) == 0
    assert errors_per_minute(empty).index.dtype == errors_per_minute(full).index.dtype
    for function in (circuit_timeline, order_outcomes, error_summary):
        assert function(empty).dtypes.to_dict() == function(full).dtypes.to_dict()
        assert len(function(full)) > 0
    assert order_outcomes(empty)["orders"].sum() == 0


def test_a_real_run_adds_up(stored_run: Path) -> None:
    """What the monitor, the breakers and the journal stored of one afternoon is consistent."""
    frames = load(stored_run)
    counts = errors_per_minute(frames)
    assert counts.to_numpy().sum() == len(frames.errors) == error_summary(frames)["count"].sum()
    outcomes = order_outcomes(frames)
    assert outcomes["orders"].sum() == len(frames.intents)
    assert outcomes["rescued"].sum() == frames.rescues["kind"].str.startswith("order_").sum() > 0
    timeline = circuit_timeline(frames)
    assert set(timeline["state"]) == {"closed", "open", "half_open"}
    for _, intervals in timeline.groupby("circuit"):
        assert intervals["start"].tolist()[1:] == intervals["end"].tolist()[:-1]
