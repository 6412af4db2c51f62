"""The store as a whole: values, closing, and what it shows of itself."""

from __future__ import annotations

import gc
import os
import pickle
import weakref
from pathlib import Path

import pytest

from tradeguard.exceptions import RecoveryException, ValidationException
from tradeguard.records import RescueRecord
from tradeguard.storage import StateStore

A_RESCUE = RescueRecord(timestamp=1.0, component="network", kind="retry")


@pytest.mark.parametrize(
    "value", [{"bid": 0.05, "asks": [[1, 2.5]], "info": None}, [1, "zwei", True], "text", 0, None]
)
def test_a_value_is_read_back_as_it_was(store: StateStore, value: object) -> None:
    """Whatever JSON can hold comes back with the time at which it was true."""
    store.put_value("binance/ticker", value, at=1_700_000_000.123)
    assert store.get_value("binance/ticker") == (value, 1_700_000_000.123)


def test_the_last_value_of_a_key_counts(store: StateStore) -> None:
    """A key has one value, the last that was put; other keys are untouched."""
    for number in range(3):
        store.put_value("a", number, at=float(number))
    store.put_value("b", "other", at=9.0)
    assert store.get_value("a") == (2, 2.0)
    assert store.get_value("b") == ("other", 9.0)
    assert store.get_value("c") is None


def test_a_value_that_is_no_json_is_refused(store: StateStore) -> None:
    """A value that would come back as something else is refused, and the former one stays."""
    store.put_value("a", 1, at=1.0)
    circular: list[object] = []
    circular.append(circular)
    for value in ({1, 2}, circular, object()):
        with pytest.raises(ValidationException, match="value 'a' is not JSON"):
            store.put_value("a", value, at=2.0)
    assert store.get_value("a") == (1, 1.0)


def test_closing_is_final_and_idempotent(location: str) -> None:
    """After closing, values are refused with a reason, records are dropped, and closing again is nothing."""
    with StateStore(location) as store:
        store.record(A_RESCUE)
    store.close()
    with pytest.raises(RecoveryException, match="reading value 'a' failed: it is closed"):
        store.get_value("a")
    with pytest.raises(RecoveryException, match="keeping value 'a' failed: it is closed"):
        store.put_value("a", 1, at=1.0)
    assert store.dropped == 0
    store.record(A_RESCUE)
    assert store.dropped == 1
    assert store.flush()


def test_a_store_shows_its_place(location: str) -> None:
    """Its repr names the place, with secrets masked."""
    with StateStore(location) as store:
        assert repr(store) == f"StateStore({store.location!r})"
        assert (store.path is None) == ("://" in location)


def test_a_journal_keeps_its_store_alive(tmp_path: Path) -> None:
    """A forgotten store closes itself, but not while a journal of it is in use."""
    store = StateStore(tmp_path / "state.db")
    alive = weakref.ref(store)
    journal = store.journal("binance", "ab12")
    del store
    gc.collect()
    assert journal.intents() == []
    assert alive() is not None
    del journal
    gc.collect()
    assert alive() is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.db"]


def test_a_pickled_store_carries_its_options(tmp_path: Path) -> None:
    """The copy of another process waits as long and keeps as much."""
    with StateStore(tmp_path / "state.db", lock_timeout=7.0, max_records=9) as store:
        copy = pickle.loads(pickle.dumps(store))
        with copy:
            assert copy.path == store.path
            assert copy._arguments == store._arguments


def test_records_of_a_store_are_flushed(store: StateStore) -> None:
    """A store takes records and says when they are written."""
    store.record(A_RESCUE)
    assert store.flush()
    assert store.dropped == 0


def test_a_system_that_cannot_fork_needs_no_care(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows, which cannot fork, a store works all the same."""
    monkeypatch.delattr(os, "register_at_fork", raising=False)
    with StateStore(tmp_path / "state.db") as store:
        store.put_value("a", 1, at=1.0)
        assert store.get_value("a") == (1, 1.0)
