"""Where a state may live."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.storage.address import Address


@pytest.mark.parametrize("text", ["state.db", "sqlite:///state.db", "sqlite+pysqlite:///state.db"])
def test_a_path_is_made_absolute(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path means the working directory of now, whatever it is later."""
    monkeypatch.chdir(tmp_path)
    address = Address.parse(text)
    assert address.path == tmp_path / "state.db"
    assert address.label == str(tmp_path / "state.db")
    assert address.url.database == address.label


def test_the_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the user's folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Address.parse("~/state.db").path == tmp_path / "state.db"
    assert Address.parse(Path("~/state.db")).path == tmp_path / "state.db"


def test_a_server_is_shown_without_its_password() -> None:
    """Neither label nor repr holds the password; the driver is chosen where none is named."""
    address = Address.parse("postgresql://trader:hunter22@db.example/state?password=hunter33")
    assert address.path is None
    assert address.label.startswith("postgresql+psycopg://trader:***@db.example/state")
    assert "hunter" not in repr(address)
    assert address.url.password == "hunter22"
    assert Address.parse("postgresql+asyncpg://db/state").url.drivername == "postgresql+asyncpg"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs a file"),
        ("  ", "needs a file"),
        (":memory:", "needs a file"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///file:state.db", "needs a file"),
        ("sqlite:///state.db?mode=ro", "takes no options"),
        ("mysql://trader:hunter22@db/state", "only SQLite and PostgreSQL"),
        ("postgresql://trader:hunter22@db:port/state", "no database URL"),
        ("://trader:hunter22@db", "no database URL"),
        ("nonsense+://x", "no database URL|only SQLite and PostgreSQL"),
    ],
)
def test_what_cannot_keep_a_state_is_refused(text: str, reason: str) -> None:
    """The refusal is one line that says why and holds no password."""
    with pytest.raises(ConfigurationException, match=reason) as caught:
        Address.parse(text)
    assert "hunter" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
