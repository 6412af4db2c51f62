"""A power failure may take back how an order ended, which waits for no disk, and nothing that a send followed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

from tradeguard.orders import IntentStatus, OrderIntent
from tradeguard.storage import SqlJournal, StateStore

MakeIntent = Callable[..., OrderIntent]
FRAME = 24 + 4096  # a page in the log, with its header (https://www.sqlite.org/fileformat2.html#walformat)


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({"status": IntentStatus.SENT, "attempts": 2}, True),
        ({"status": IntentStatus.PLACED, "order_id": "1"}, False),
        ({"status": IntentStatus.REJECTED}, False),
        ({"status": IntentStatus.UNKNOWN}, False),
        ({"status": IntentStatus.PLACED, "order_id": "1", "accept_until": None}, True),
        ({"status": IntentStatus.UNKNOWN, "accept_until": None}, True),
        ({"status": IntentStatus.ABSENT}, True),  # it was UNKNOWN
    ],
)
def test_what_a_send_follows_or_nobody_could_find_out_again_waits_for_the_disk(
    journal: SqlJournal, make_intent: MakeIntent, changes: dict[str, object], waits: bool
) -> None:
    """Without a bound on its acceptance an order can never be proved absent, so its end is not risked."""
    waited: list[str] = []
    was = IntentStatus.UNKNOWN if changes["status"] is IntentStatus.ABSENT else IntentStatus.SENT
    before = make_intent(status=was, attempts=1)
    journal.add(before)
    event.listen(
        journal._database._durable, "before_cursor_execute", lambda *arguments: waited.append(arguments[2])
    )
    journal.update(before.replace(**changes), expected=before)
    assert journal.get("tg-1") == before.replace(**changes)
    assert [statement.split()[0] for statement in waited] == (["UPDATE"] if waits else []) + ["SELECT"]


@pytest.mark.parametrize("torn", [False, True])
def test_a_log_that_lost_its_end_still_knows_each_order_that_was_sent(
    tmp_path: Path, make_intent: MakeIntent, torn: bool
) -> None:
    """Of all that was written since the last wait for the disk, any part may be missing: an order is at least SENT."""
    path, log = tmp_path / "state.db", tmp_path / "state.db-wal"
    sent = make_intent(status=IntentStatus.SENT, attempts=1)
    placed = sent.replace(status=IntentStatus.PLACED, order_id="1")
    with StateStore(path) as store:
        journal = store.journal("binance", "ab12")
        journal.add(sent)
        on_disk = log.stat().st_size
        journal.update(placed, expected=sent)
        state, written = path.read_bytes(), log.read_bytes()
    assert len(written) >= on_disk + FRAME
    outcomes = []
    for number, kept in enumerate(range(on_disk, len(written) + 1, FRAME // 2)):
        copy = tmp_path / f"{number}.db"
        copy.write_bytes(state)
        # Sectors reach the disk in any order: the file may have its full length, and nothing in a part of it.
        lost = bytes(min(FRAME, len(written) - kept)) + written[kept + FRAME :] if torn else b""
        copy.with_name(f"{number}.db-wal").write_bytes(written[:kept] + lost)
        with StateStore(copy) as store:
            found = store.journal("binance", "ab12").get("tg-1")
        with sqlite3.connect(copy) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        raw.close()
        outcomes.append(found)
    assert outcomes[-1] == placed
    assert outcomes[0] == sent
    assert all(found in (sent, placed) for found in outcomes)
