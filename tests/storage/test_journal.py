"""The order journal: what was written is there, once, and nothing is torn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from tradeguard.orders import (
    DuplicateIntentError,
    IntentStatus,
    JournalConflictError,
    JournalError,
    OrderIntent,
    OrderJournal,
)
from tradeguard.storage import SqlJournal, StateStore, schema
from tradeguard.storage.address import Address
from tradeguard.storage.database import Database

MakeIntent = Callable[..., OrderIntent]


def test_a_journal_is_an_order_journal(journal: SqlJournal) -> None:
    """The journal fills the seam that order safety is written against, and names itself without a secret."""
    assert isinstance(journal, OrderJournal)
    assert repr(journal).startswith("SqlJournal('binance', 'ab12', ")


def test_an_added_intent_is_read_back_as_it_was(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """Every field, the doubles and microseconds included, comes back exactly."""
    intent = make_intent()
    journal.add(intent)
    assert journal.get("tg-1") == intent


def test_an_intent_of_the_least_fields_is_read_back_as_it_was(
    journal: SqlJournal, make_intent: MakeIntent
) -> None:
    """None stays None, and no parameters are no parameters."""
    intent = make_intent(amount=None, price=None, accept_until=None, params={}, error="timed out")
    journal.add(intent)
    assert journal.get("tg-1") == intent


def test_an_unknown_id_is_none(journal: SqlJournal) -> None:
    """An id that was never added is None."""
    assert journal.get("nobody") is None


def test_an_intent_survives_the_store(location: str, make_intent: MakeIntent) -> None:
    """A second store on the same place reads what the first one wrote."""
    with StateStore(location) as first:
        first.journal("binance", "ab12").add(make_intent())
    with StateStore(location) as second:
        assert second.journal("binance", "ab12").get("tg-1") == make_intent()


def test_a_client_order_id_is_used_once(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """The same id is refused, and the intent that has it is untouched."""
    journal.add(make_intent())
    with pytest.raises(DuplicateIntentError, match="'tg-1' is in the journal already"):
        journal.add(make_intent(amount=5.0))
    assert journal.intents() == [make_intent()]


def test_accounts_do_not_share_ids_or_intents(store: StateStore, make_intent: MakeIntent) -> None:
    """Another account or exchange may use the same id, and sees its own intents only."""
    journals = [store.journal(*scope) for scope in (("binance", "a"), ("binance", "b"), ("kraken", "a"))]
    for journal in journals:
        journal.add(make_intent(exchange="", account=""))
    for journal in journals:
        expected = make_intent(exchange=journal.exchange, account=journal.account)
        assert journal.intents() == journal.open_intents() == [expected]


@pytest.mark.parametrize("scope", [{"exchange": "kraken"}, {"account": "other"}])
def test_an_intent_of_another_account_is_refused(
    journal: SqlJournal, make_intent: MakeIntent, scope: dict[str, str]
) -> None:
    """An intent goes into the journal of its own account alone."""
    with pytest.raises(JournalError, match="it is an order of"):
        journal.add(make_intent(**scope))
    assert journal.intents() == []


def test_an_update_replaces_the_state(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """All but the moment of creation is written over."""
    journal.add(make_intent())
    later = make_intent().updated_at + timedelta(seconds=1)
    changed = make_intent(
        status=IntentStatus.PLACED,
        order_id="42",
        attempts=2,
        error="read timed out",
        updated_at=later,
        price=0.06,
        params={"postOnly": True},
        accept_until=None,
        owner="host:9:9",
    )
    journal.update(changed.replace(created_at=later))
    assert journal.get("tg-1") == changed


def test_an_update_of_what_was_expected_is_written(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """Where status and attempts are still the expected ones, the update is written."""
    journal.add(make_intent())
    sent = make_intent(status=IntentStatus.SENT, attempts=1)
    journal.update(sent, expected=make_intent())
    assert journal.get("tg-1") == sent


@pytest.mark.parametrize("stored", [{"status": IntentStatus.SENT}, {"attempts": 1}])
def test_an_update_of_what_has_changed_is_a_conflict(
    journal: SqlJournal, make_intent: MakeIntent, stored: dict[str, object]
) -> None:
    """Where status or attempts have changed meanwhile, nothing is written."""
    journal.add(make_intent(**stored))
    with pytest.raises(JournalConflictError, match=r"was expected to be PENDING after 0"):
        journal.update(make_intent(status=IntentStatus.ABSENT), expected=make_intent())
    assert journal.get("tg-1") == make_intent(**stored)


@pytest.mark.parametrize("expecting", [False, True])
def test_an_update_of_what_was_never_added_is_an_error(
    journal: SqlJournal, make_intent: MakeIntent, expecting: bool
) -> None:
    """An update never makes an intent, and its absence is no conflict that reading again would solve."""
    with pytest.raises(JournalError, match="never added") as caught:
        journal.update(make_intent(), expected=make_intent() if expecting else None)
    assert not isinstance(caught.value, JournalConflictError)
    assert journal.intents() == []


def test_intents_come_oldest_first(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """Intents are in the order of their creation, and of their adding where that is equal."""
    start = make_intent().created_at
    for name, seconds in (("late", 2), ("first", 0), ("second", 0), ("early", -3)):
        journal.add(make_intent(name, created_at=start + timedelta(seconds=seconds)))
    names = [intent.client_order_id for intent in journal.intents()]
    assert names == ["early", "first", "second", "late"]
    assert [intent.client_order_id for intent in journal.open_intents()] == names


def test_intents_are_chosen_by_status(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """One status, as a member or as text, or what is still open, can be asked for."""
    for status in IntentStatus:
        journal.add(make_intent(status.name, status=status))
    assert [intent.status for intent in journal.intents(IntentStatus.PLACED)] == [IntentStatus.PLACED]
    assert [intent.status for intent in journal.intents("REJECTED")] == [IntentStatus.REJECTED]
    open_ones = {intent.status for intent in journal.open_intents()}
    assert open_ones == {IntentStatus.PENDING, IntentStatus.SENT, IntentStatus.UNKNOWN}
    assert len(journal.intents()) == len(IntentStatus)


def test_archiving_hides_resolved_intents_alone(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """Old resolved intents leave the lists; open ones and younger ones stay."""
    moment = make_intent().updated_at
    for status in IntentStatus:
        journal.add(make_intent(f"old-{status}", status=status, updated_at=moment))
        journal.add(make_intent(f"new-{status}", status=status, updated_at=moment + timedelta(hours=1)))
    assert journal.archive(moment + timedelta(minutes=1)) == 3
    assert journal.archive(moment + timedelta(minutes=1)) == 0
    left = {
        intent.client_order_id for intent in journal.intents() if intent.client_order_id.startswith("old-")
    }
    assert left == {"old-PENDING", "old-SENT", "old-UNKNOWN"}
    assert journal.intents("PLACED")[0].client_order_id == "new-PLACED"
    assert len(journal.open_intents()) == 6


def test_an_archived_intent_is_not_forgotten(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """It can be read, its id stays used, and a change brings it back."""
    placed = make_intent(status=IntentStatus.PLACED)
    journal.add(placed)
    journal.archive(placed.updated_at + timedelta(seconds=1))
    assert journal.get("tg-1") == placed
    with pytest.raises(DuplicateIntentError):
        journal.add(make_intent())
    doubtful = make_intent(status=IntentStatus.UNKNOWN)
    journal.update(doubtful)
    assert journal.intents() == [doubtful]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": float("nan")}, "amount is not a number"),
        ({"price": "a lot"}, "could not convert"),
        ({"created_at": datetime(2026, 1, 1)}, "no time zone"),
        ({"status": "HOPEFUL"}, "HOPEFUL"),
        ({"symbol": None}, "symbol"),
        ({"symbol": "half a character \ud800"}, "surrogates"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    journal: SqlJournal, make_intent: MakeIntent, changes: dict[str, object], reason: str
) -> None:
    """A value that would come back as another one is a JournalError, and nothing is stored."""
    with pytest.raises(JournalError, match=reason):
        journal.add(make_intent(**changes))
    assert journal.intents() == []


def test_secrets_are_masked_on_disk(tmp_path: Path, make_intent: MakeIntent) -> None:
    """A key in an error's text or among the parameters does not reach the file."""
    path = tmp_path / "state.db"
    with StateStore(path) as store:
        store.journal("binance", "ab12").add(
            make_intent(
                error="GET /x?signature=deadbeef77", params={"apiKey": "cafebabe88", "postOnly": True}
            )
        )
        stored = store.journal("binance", "ab12").get("tg-1")
    assert stored is not None
    assert stored.params == {"apiKey": "***", "postOnly": True}
    everything = path.read_bytes()
    assert b"deadbeef77" not in everything
    assert b"cafebabe88" not in everything


@pytest.fixture
def database(store: StateStore) -> Iterator[Database]:
    database = Database(Address.parse(store._address.url.render_as_string(hide_password=False)))
    yield database
    database.close()


@pytest.mark.parametrize("damage", [{"status": "LATER"}, {"params": "[1]"}, {"params": "{"}])
def test_what_cannot_be_understood_is_an_error(
    journal: SqlJournal, database: Database, make_intent: MakeIntent, damage: dict[str, str]
) -> None:
    """A row that another version wrote is never guessed at."""
    journal.add(make_intent())
    with database.connect(JournalError, "damaging") as connection:
        connection.execute(update(schema.intents).values(damage))
    with pytest.raises(JournalError, match="reading orders failed"):
        journal.intents()
    with pytest.raises(JournalError, match="reading order 'tg-1' failed"):
        journal.get("tg-1")


def test_threads_add_without_loss(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """Everything that many threads add at once is there."""

    def add(thread: int) -> None:
        for number in range(20):
            journal.add(make_intent(f"{thread}-{number}"))

    in_threads(add, 8)
    assert len({intent.client_order_id for intent in journal.intents()}) == 160


def test_one_thread_wins_an_expected_update(journal: SqlJournal, make_intent: MakeIntent) -> None:
    """Of many threads that resolve one intent at once, exactly one does; the others learn of it."""
    journal.add(make_intent())
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def resolve(thread: int) -> None:
        start.wait()
        try:
            journal.update(make_intent(attempts=1, owner=f"{thread}"), expected=make_intent())
            outcomes.append(f"{thread}")
        except JournalConflictError:
            outcomes.append("conflict")

    in_threads(resolve, 8)
    winner = journal.get("tg-1")
    assert winner is not None
    assert sorted(outcomes) == sorted([winner.owner, *["conflict"] * 7])


def test_a_closed_journal_says_so(store: StateStore, make_intent: MakeIntent) -> None:
    """After the store was closed, nothing is written and every call says why."""
    journal = store.journal("binance", "ab12")
    store.close()
    for call in (lambda: journal.add(make_intent()), lambda: journal.get("tg-1"), journal.open_intents):
        with pytest.raises(JournalError, match="it is closed"):
            call()


def in_threads(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
