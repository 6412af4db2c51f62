"""Several processes on one state: killed, forked, spawned, racing."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tradeguard.orders import IntentStatus, OrderIntent
from tradeguard.storage import StateStore

MakeIntent = Callable[..., OrderIntent]

PRELUDE = """
import os, pickle, sys, threading
from datetime import UTC, datetime
from tradeguard.orders import IntentStatus, JournalConflictError, JournalError, OrderIntent
from tradeguard.records import RescueRecord
from tradeguard.storage import StateStore

def intent(name, **changes):
    now = datetime.now(UTC)
    return OrderIntent(client_order_id=name, symbol="ETH/BTC", type="limit", side="buy", amount=1.0, price=0.05,
                       status=IntentStatus.PENDING, created_at=now, updated_at=now).replace(**changes)

def rescue(kind):
    return RescueRecord(timestamp=1.0, component="network", kind=kind)

path = sys.argv[1]
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Run a script in a process of its own, whose lines and errors can be read."""
    command = [sys.executable, "-W", "error", "-c", PRELUDE + script, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str], told: str = "") -> str:
    """Tell a process something, wait for its good end, and return what it wrote."""
    try:
        output, errors = process.communicate(told, timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert errors == ""
    return output


pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def whole(path: Path) -> bool:
    raw = sqlite3.connect(path)
    findings = raw.execute("PRAGMA integrity_check").fetchall()
    raw.close()
    return findings == [("ok",)]


WRITE_FOR_EVER = """
store = StateStore(path)
journal = store.journal("binance", "ab12")
for number in range(10**9):
    journal.add(intent(f"tg-{number}"))
    print("added", number, flush=True)
    journal.update(intent(f"tg-{number}", status=IntentStatus.SENT, attempts=1))
    print("sent", number, flush=True)
    store.record(rescue("retry"))
"""


@pytest.mark.parametrize("lines", [1, 2, 60, 301])
def test_a_killed_process_loses_nothing_that_returned(path: Path, lines: int) -> None:
    """After kill -9 in the midst of writing, the state is whole, and each write that returned is there."""
    process = start(WRITE_FOR_EVER, path)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    with process:
        told += process.stdout.readlines()
    done = [line.split() for line in told if line.endswith("\n")]
    with StateStore(path) as store:
        stored = store.journal("binance", "ab12").intents()
    last_sent = max((int(number) for word, number in done if word == "sent"), default=-1)
    assert [intent.client_order_id for intent in stored] == [f"tg-{n}" for n in range(len(stored))]
    assert all(intent.status is IntentStatus.SENT for intent in stored[: last_sent + 1])
    # At most one order was on its way to the disk.
    assert last_sent + 1 <= len(stored) <= last_sent + 2
    assert whole(path)


RACE = """
store = StateStore(path)
journal = store.journal("binance", "ab12")
print("ready", flush=True)
sys.stdin.readline()
for number in range(30):
    journal.add(intent(f"{os.getpid()}-{number}"))
    try:
        journal.update(intent(f"shared-{number}", attempts=1, owner=str(os.getpid())), expected=intent("any"))
        print("won")
    except JournalConflictError:
        print("lost")
store.close()
"""


def test_processes_share_a_journal(path: Path, make_intent: MakeIntent) -> None:
    """Nothing that several processes add is lost, and each contested update is won by exactly one."""
    with StateStore(path) as store:
        journal = store.journal("binance", "ab12")
        for number in range(30):
            journal.add(make_intent(f"shared-{number}"))
        processes = [start(RACE, path) for _ in range(3)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        outcomes = [finish(process, "go\n").split() for process in processes]
        assert sum(outcome.count("won") for outcome in outcomes) == 30
        assert sum(outcome.count("lost") for outcome in outcomes) == 60
        assert len(journal.intents()) == 30 + 90
    assert whole(path)


CREATE = """
print("ready", flush=True)
sys.stdin.readline()
StateStore(path).close()
"""


def test_processes_create_a_state_at_once(location: str) -> None:
    """Processes that find no state make exactly one, and none of them fails."""
    processes = [start(CREATE, location) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        finish(process)
    with StateStore(location) as store:
        assert store.get_value("anything") is None


FORK = """
store = StateStore(path)
journal = store.journal("binance", "ab12")
journal.add(intent("before"))
store.record(rescue("of the parent"))
read, write = os.pipe()
child = os.fork()
if child == 0:
    assert journal.get("before") is not None
    store.record(rescue("of the child"))
    os.close(write)
    os.read(read, 1)  # the parent has closed the state
    journal.add(intent("after"))
    store.close()
    sys.exit(0)
journal.add(intent("beside"))
store.close()
os.write(write, b"x")
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_child_keeps_its_own_connections(location: str) -> None:
    """What a child writes after its parent has closed the state is there, and no record is written twice."""
    finish(start(FORK, location))
    with StateStore(location) as store:
        names = [intent.client_order_id for intent in store.journal("binance", "ab12").intents()]
        assert names == ["before", "beside", "after"]


def test_a_forked_child_writes_its_own_records_alone(path: Path) -> None:
    """Records that waited when the process forked are written by the parent, once."""
    finish(start(FORK, path))
    raw = sqlite3.connect(path)
    kinds = [kind for (kind,) in raw.execute("SELECT kind FROM rescues ORDER BY kind")]
    raw.close()
    assert kinds == ["of the child", "of the parent"]


FORK_WHILE_WRITING = """
store = StateStore(path)
journal = store.journal("binance", "ab12")
stop = threading.Event()
def write():
    number = 0
    while not stop.is_set():
        journal.add(intent(f"thread-{number}"))
        number += 1
    print(number)
thread = threading.Thread(target=write)
thread.start()
for number in range(10):
    child = os.fork()
    if child == 0:
        journal.add(intent(f"child-{number}"))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
thread.join()
store.close()
"""


def test_a_fork_beside_a_writing_thread_is_safe(path: Path) -> None:
    """Forking while another thread writes neither hangs nor loses an order."""
    script = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n" + FORK_WHILE_WRITING
    by_thread = int(finish(start(script, path)))
    with StateStore(path) as store:
        names = [intent.client_order_id for intent in store.journal("binance", "ab12").intents()]
    assert sum(name.startswith("thread") for name in names) == by_thread
    assert sum(name.startswith("child") for name in names) == 10
    assert whole(path)


PICKLE = """
store = pickle.loads(bytes.fromhex(sys.argv[2]))
store.journal("binance", "ab12").add(intent("spawned"))
store.close()
"""


def test_a_spawned_child_gets_the_state_by_pickle(location: str) -> None:
    """A pickled store opens the same place in another process."""
    with StateStore(location, lock_timeout=7.0) as store:
        finish(start(PICKLE, "-", pickle.dumps(store).hex()))
        assert store.journal("binance", "ab12").get("spawned") is not None


FULL_DISK = """
import resource, signal
store = StateStore(path)
journal = store.journal("binance", "ab12")
journal.add(intent("first"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path + "-wal") + 40_000, -1))
added = 1
try:
    while True:
        journal.add(intent(f"next-{added}"))
        added += 1
except JournalError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
journal.add(intent("last"))
print(added + 1)
store.close()
"""


def test_a_full_disk_is_a_clear_error(path: Path) -> None:
    """An order that could not be written down raises, and when there is room again the journal goes on."""
    message, added = finish(start(FULL_DISK, path)).splitlines()
    assert message.startswith("adding order 'next-")
    assert "disk" in message
    assert str(path) in message
    with StateStore(path) as store:
        assert len(store.journal("binance", "ab12").intents()) == int(added)
    assert whole(path)


EXIT = """
store = StateStore(path)
for number in range(700):
    store.record(rescue("retry"))
"""


def test_the_end_of_the_process_writes_what_was_recorded(path: Path) -> None:
    """A script that forgets to close its store loses no record."""
    finish(start(EXIT, path))
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT count(*) FROM rescues").fetchone() == (700,)
    raw.close()


FORK_WHILE_HANGING = """
store = StateStore(path, lock_timeout=0.05)
journal = store.journal("binance", "ab12")
lent, done = threading.Event(), threading.Event()
def hold():
    with store._database.connect(JournalError, "holding"):
        lent.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
lent.wait()
child = os.fork()
if child == 0:
    journal.add(intent("child"))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
done.set()
thread.join()
journal.add(intent("parent"))
store.close()
"""


def test_a_fork_does_not_wait_for_ever(path: Path) -> None:
    """Where another thread keeps the database beyond the bound, the process forks nevertheless."""
    script = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n" + FORK_WHILE_HANGING
    finish(start(script, path))
    with StateStore(path) as store:
        names = [intent.client_order_id for intent in store.journal("binance", "ab12").intents()]
    assert names == ["child", "parent"]
