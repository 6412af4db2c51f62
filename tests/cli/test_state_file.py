"""The state of a demo is replaced at each run; a bot's own state never is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tradeguard.cli.demo.state_file import fresh_state
from tradeguard.exceptions import ConfigurationException
from tradeguard.storage import StateStore


def test_a_demos_state_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "demo.db"
    with fresh_state(path) as store:
        store.put_value("old", 1, 0.0)
    with fresh_state(path) as store:
        assert store.get_value("old") is None


def test_an_empty_file_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "demo.db"
    path.touch()
    with fresh_state(path) as store:
        assert store.path == path


def test_a_bots_state_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with StateStore(path) as store:
        store.put_value("mine", 1, 0.0)
    with pytest.raises(ConfigurationException, match="no demo has written it, so it is not replaced"):
        fresh_state(path)
    with StateStore(path) as store:
        assert store.get_value("mine") == (1, 0.0)


def test_a_state_that_another_process_has_open_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "demo.db"
    program = (
        "import sys; from tradeguard.cli.demo.state_file import fresh_state; from pathlib import Path\n"
        "store = fresh_state(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read(); store.close()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(ConfigurationException, match="in use by another process"):
            fresh_state(path)
        other.communicate()
    with fresh_state(path) as store:
        assert store.path == path
