"""The journal keeps itself small: old resolved orders leave its lists, and nothing that is open ever does."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import IntentStatus, JournalError, OrderIntent
from tradeguard.storage import SqlJournal, StateStore, archive, schema

MakeIntent = Callable[..., OrderIntent]

WEEK = timedelta(days=7)


def end(journal: SqlJournal, intent: OrderIntent, at: datetime) -> None:
    """Add an order that ends `at`, as every order does."""
    journal.add(intent)
    journal.update(intent.replace(status=IntentStatus.PLACED, updated_at=at), expected=intent)


def put(store: StateStore, intents: list[OrderIntent]) -> None:
    """Put many rows into the table at once."""
    journal = store.journal("binance", "ab12")
    rows = [{**journal._encode(intent), "archived": False} for intent in intents]
    with store._database.transaction(JournalError, "filling") as connection:
        connection.execute(insert(schema.intents), rows)


def test_old_resolved_orders_leave_the_lists_by_themselves(
    store: StateStore, journal: SqlJournal, make_intent: MakeIntent
) -> None:
    """After a week, when another order ends; what is open, in doubt or younger stays."""
    moment = make_intent().updated_at
    for status in IntentStatus:
        journal.add(make_intent(f"old-{status}", status=status))
        journal.add(make_intent(f"new-{status}", status=status, updated_at=moment + timedelta(seconds=1)))
    end(journal, make_intent("last"), moment + WEEK + timedelta(seconds=1))
    left = {intent.client_order_id for intent in journal.intents()}
    gone = {f"old-{status}" for status in IntentStatus if not status.is_open}
    assert left == {f"{age}-{status}" for status in IntentStatus for age in ("old", "new")} - gone | {"last"}
    assert len(journal.open_intents()) == 6


def test_an_order_that_goes_on_archives_nothing(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """What stands before a send must cost that send nothing."""
    journal.add(make_intent("old", status=IntentStatus.PLACED))
    later = make_intent("b")
    journal.add(later)
    journal.update(later.replace(status=IntentStatus.SENT, updated_at=later.updated_at + 2 * WEEK))
    assert len(journal.intents()) == 2


def test_the_age_is_chosen(location: str, make_intent: MakeIntent) -> None:
    """`archive_after` is in seconds; None keeps all."""
    moment = make_intent().updated_at
    with StateStore(location, archive_after=None) as store:
        end(store.journal("binance", "ab12"), make_intent("a"), moment)
        end(store.journal("binance", "ab12"), make_intent("b"), moment + 100 * WEEK)
        assert len(store.journal("binance", "ab12").intents()) == 2
    with StateStore(location, archive_after=60) as store:
        end(store.journal("binance", "ab12"), make_intent("c"), moment + timedelta(seconds=61))
        names = [intent.client_order_id for intent in store.journal("binance", "ab12").intents()]
        assert names == ["b", "c"]


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_an_impossible_age_is_refused(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(ConfigurationException, match="archive_after"):
        StateStore(tmp_path / "state.db", archive_after=seconds)


def test_other_accounts_are_left_alone(store: StateStore, make_intent: MakeIntent) -> None:
    moment = make_intent().updated_at
    other = store.journal("binance", "cd34")
    end(other, make_intent(account="cd34"), moment)
    end(store.journal("binance", "ab12"), make_intent("b"), moment + 2 * WEEK)
    assert len(other.intents()) == 1


def test_a_round_is_bounded_and_rounds_keep_up(
    store: StateStore, make_intent: MakeIntent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round takes a batch of the oldest, whatever lies open before them; rounds take more than comes in."""
    moment = make_intent().updated_at
    doubtful = [make_intent(f"doubt-{n}", status=IntentStatus.UNKNOWN) for n in range(50)]
    done = [make_intent(f"old-{n}", status=IntentStatus.PLACED) for n in range(1200)]
    put(store, doubtful + done)
    journal = store.journal("binance", "ab12")
    monkeypatch.setattr(archive, "_EVERY", 10)
    sizes = []
    for number in range(21):
        end(journal, make_intent(f"last-{number}"), moment + 2 * WEEK)
        sizes.append(len(journal.intents()) - number - 1)
    assert sizes == [750] * 10 + [250] * 10 + [50]


def test_a_round_looks_at_a_batch_alone(tmp_path: Path, make_intent: MakeIntent) -> None:
    """The oldest orders are found by the index, in its order: nothing is searched through or sorted."""
    executed: list[tuple[str, Any]] = []
    with StateStore(tmp_path / "state.db") as store:
        event.listen(
            store._database._relaxed,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, values, *_: executed.append((statement, values)),
        )
        end(store.journal("binance", "ab12"), make_intent(), make_intent().updated_at)
    raw = sqlite3.connect(tmp_path / "state.db")
    del executed[0]  # the end of the order itself
    assert [statement.split()[0] for statement, _ in executed] == ["UPDATE", "DELETE"]
    for statement, values in executed:
        plan = " ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values))
        assert "intents_archived (exchange=? AND account=? AND archived=?" in plan
        assert "TEMP B-TREE" not in plan
        assert "SCAN intents" not in plan
    raw.close()


def test_archived_orders_beyond_the_bound_are_deleted(location: str, make_intent: MakeIntent) -> None:
    """The oldest go first; what is open stays, however old it is."""
    moment = make_intent().updated_at
    with StateStore(location, max_records=100) as store:
        done = [make_intent(f"old-{n}", status=IntentStatus.PLACED) for n in range(300)]
        put(store, [make_intent("doubt", status=IntentStatus.UNKNOWN), *done])
        journal = store.journal("binance", "ab12")
        end(journal, make_intent("last"), moment + 2 * WEEK)
        assert [intent.client_order_id for intent in journal.intents()] == ["doubt", "last"]
        assert journal.get("old-201") is not None
        assert journal.get("old-200") is None
        with store._database.connect(JournalError, "counting") as connection:
            assert connection.execute(text("SELECT count(*) FROM intents")).scalar() == 101


def test_a_round_that_fails_harms_no_order(
    tmp_path: Path, make_intent: MakeIntent, caplog: pytest.LogCaptureFixture
) -> None:
    """The order has ended and is stored; that the journal could not be tidied is logged."""
    path = tmp_path / "state.db"
    with StateStore(path) as store:
        journal = store.journal("binance", "ab12")
        raw = sqlite3.connect(path)
        raw.execute(
            "CREATE TRIGGER broken BEFORE UPDATE OF archived ON intents WHEN new.archived"
            " BEGIN SELECT RAISE(ABORT, 'no archiving today'); END"
        )
        raw.close()
        moment = make_intent().updated_at
        journal.add(make_intent("old", status=IntentStatus.PLACED))
        with caplog.at_level(logging.WARNING):
            end(journal, make_intent("last"), moment + 2 * WEEK)
        stored = journal.get("last")
    assert stored is not None
    assert stored.status is IntentStatus.PLACED
    assert "archiving orders failed: no archiving today" in caplog.text
