"""The operator's restrictions are kept: they reach other processes, and outlive this one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tradeguard.orders import Interlock, InterlockState, JournalError, OrderJournal, TradingRestrictedError
from tradeguard.storage import Control, JournalOperator, SqlJournal, StateStore
from tradeguard.testing import ManualClock

HALT, REDUCE = InterlockState.HALTED, InterlockState.REDUCE_ONLY
MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)


def control(exchange: str = "", account: str = "", **changes: object) -> Control:
    values: dict[str, object] = {"state": HALT, "reason": "lunch", "since": MOMENT}
    return Control(exchange=exchange, account=account, **(values | changes))  # type: ignore[arg-type]


def interlock_of(journal: OrderJournal, *, is_open: bool = True) -> Interlock:
    interlock = Interlock(clock=ManualClock())
    interlock.remember(JournalOperator(lambda: journal, lambda: is_open))
    return interlock


def test_a_restriction_is_read_back_as_it_was(store: StateStore) -> None:
    """One for each exchange and account, the newest counting; lifting one leaves the others."""
    controls = store.controls()
    assert controls.standing() == []
    controls.put(control(reason="first"))
    controls.put(control(state=REDUCE, since=MOMENT + timedelta(seconds=1)))
    controls.put(control("binance", "ab12"))
    assert controls.standing() == [
        control("binance", "ab12"),
        control(state=REDUCE, since=MOMENT + timedelta(seconds=1)),
    ]
    controls.lift()
    controls.lift()
    assert controls.standing() == [control("binance", "ab12")]


def test_a_reason_is_masked_and_bounded(store: StateStore) -> None:
    store.controls().put(control(reason="signature=deadbeef77 " + "x" * 9999))
    [kept] = store.controls().standing()
    assert "deadbeef77" not in kept.reason
    assert len(kept.reason) == 500


@pytest.mark.parametrize(
    ("exchange", "account", "concerned"),
    [
        ("", "", True),
        ("binance", "", True),
        ("binance", "ab12", True),
        ("kraken", "", False),
        ("binance", "x", False),
    ],
)
def test_a_restriction_from_outside_stops_those_it_concerns(
    store: StateStore, journal: SqlJournal, exchange: str, account: str, concerned: bool
) -> None:
    interlock = interlock_of(journal)
    interlock.check("ETH/BTC", reduces=False)
    store.controls().put(control(exchange, account))
    assert interlock.status().state == (HALT if concerned else InterlockState.NORMAL)
    if concerned:
        with pytest.raises(TradingRestrictedError, match=r"lunch \(lifted by .*`tradeguard resume .+`\)"):
            interlock.check("ETH/BTC", reduces=True)
        store.controls().lift(exchange, account)
    interlock.check("ETH/BTC", reduces=False)
    assert interlock.status().causes == ()


def test_the_strictest_restriction_counts(store: StateStore, journal: SqlJournal) -> None:
    interlock = interlock_of(journal)
    store.controls().put(control(state=REDUCE))
    interlock.check("ETH/BTC", reduces=True)
    store.controls().put(control("binance"))
    with pytest.raises(TradingRestrictedError, match="HALTED"):
        interlock.check("ETH/BTC", reduces=True)


def test_a_halt_outlives_the_process_until_it_is_resumed(journal: SqlJournal) -> None:
    """Also in a process that had been running all the time."""
    bystander = interlock_of(journal)
    interlock_of(journal).halt("lunch")
    successor = interlock_of(journal)
    for interlock in (bystander, successor):
        with pytest.raises(
            TradingRestrictedError, match=r"lunch \(lifted by resume\(\) or `tradeguard resume"
        ):
            interlock.check("ETH/BTC", reduces=True)
    successor.resume()
    for interlock in (bystander, successor):
        interlock.check("ETH/BTC", reduces=False)


def test_a_bot_does_not_lift_what_was_halted_from_outside(store: StateStore, journal: SqlJournal) -> None:
    interlock = interlock_of(journal)
    store.controls().put(control(reason="from outside"))
    interlock.halt("from inside")
    interlock.resume()
    [cause] = interlock.status().causes
    assert (cause.kind, cause.reason) == ("operator", "from outside")


def test_a_halt_that_cannot_be_kept_stands_here_and_is_kept_later(
    store: StateStore, journal: SqlJournal
) -> None:
    interlock = interlock_of(journal)
    with store._database.connect(JournalError, "breaking") as connection:
        connection.execute(text("ALTER TABLE controls RENAME TO away"))
    with pytest.raises(JournalError, match="restricting trading failed"):
        interlock.halt("lunch")
    assert [(c.kind, c.state) for c in interlock.status().causes] == [("operator", HALT), ("journal", HALT)]
    with pytest.raises(JournalError):
        interlock.check("ETH/BTC", reduces=True)
    with store._database.connect(JournalError, "mending") as connection:
        connection.execute(text("ALTER TABLE away RENAME TO controls"))
    with pytest.raises(TradingRestrictedError, match="lunch"):
        interlock.check("ETH/BTC", reduces=True)
    assert [c.reason for c in store.controls().standing()] == ["lunch"]


def test_a_resume_that_cannot_be_kept_lifts_nothing(store: StateStore, journal: SqlJournal) -> None:
    interlock = interlock_of(journal)
    interlock.halt("lunch")
    store.close()
    with pytest.raises(JournalError, match="it is closed"):
        interlock.resume()
    assert "operator" in {cause.kind for cause in interlock.status().causes}


def test_a_state_that_cannot_be_read_stops_orders(store: StateStore, journal: SqlJournal) -> None:
    interlock = interlock_of(journal)
    with store._database.connect(JournalError, "breaking") as connection:
        connection.execute(text("DROP TABLE controls"))
    with pytest.raises(JournalError, match=r"reading the operator's restrictions failed: .*controls"):
        interlock.check("ETH/BTC", reduces=True)
    [cause] = interlock.status().causes
    assert (cause.kind, cause.state, cause.lifted_by) == ("journal", HALT, "a state that can be used again")


def test_a_state_that_cannot_be_understood_stops_orders(store: StateStore, journal: SqlJournal) -> None:
    interlock = interlock_of(journal)
    store.controls().put(control())
    with store._database.connect(JournalError, "damaging") as connection:
        connection.execute(text("UPDATE controls SET state = 'LATER'"))
    with pytest.raises(JournalError, match="reading the operator's restrictions failed"):
        interlock.check("ETH/BTC", reduces=True)


class ForgetfulJournal:
    """A journal of the user's own, without a place for restrictions."""


def test_a_journal_without_a_place_for_them_keeps_none() -> None:
    """The process itself is halted and resumed nevertheless."""
    interlock = interlock_of(ForgetfulJournal(), is_open=False)  # type: ignore[arg-type]
    interlock.halt("lunch")
    with pytest.raises(TradingRestrictedError):
        interlock.check("ETH/BTC", reduces=True)
    interlock.resume()
    interlock.check("ETH/BTC", reduces=False)


def test_looking_opens_no_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A status, or an order's check before there is a state, reads nothing."""

    def journal() -> OrderJournal:
        raise AssertionError("it was opened")

    interlock = Interlock()
    interlock.remember(JournalOperator(journal, lambda: False))
    interlock.check("ETH/BTC", reduces=False)
    assert interlock.status().causes == ()


def test_threads_halt_and_resume_without_loss(store: StateStore, journal: SqlJournal) -> None:
    """Whatever the others did meanwhile: after a halt has returned, its own check refuses."""
    interlocks = [interlock_of(store.journal("binance", f"account-{n}")) for n in range(4)]
    wrong: list[str] = []

    def work(number: int) -> None:
        for _ in range(10):
            interlocks[number].halt(f"by {number}")
            try:
                interlocks[number].check("ETH/BTC", reduces=True)
                wrong.append("passed while halted")
            except TradingRestrictedError as error:
                if f"by {number}" not in str(error):
                    wrong.append(str(error))
            interlocks[number].resume()
            interlocks[number].check("ETH/BTC", reduces=False)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.controls().standing() == []
