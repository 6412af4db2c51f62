"""Where a state lives: a file of SQLite or a database of PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tradeguard.exceptions import ConfigurationException
from tradeguard.redaction import redact

__all__ = ["Address", "refusal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One state's address.

    Attributes:
        url: for SQLAlchemy; it may hold a password and is not shown.
        path: absolute, of the SQLite file; None for a server.
        label: what messages call it, with secrets masked.
    """

    url: URL = field(repr=False)
    path: Path | None
    label: str

    @classmethod
    def parse(cls, path_or_url: str | Path) -> Address:
        """Read a path (an SQLite file) or a URL of SQLAlchemy (`sqlite:///…` or `postgresql://…`).

        Raises:
            ConfigurationException: it is empty, in memory, no URL, or of an unsupported database.
        """
        text = str(path_or_url)
        if isinstance(path_or_url, Path) or "://" not in text:
            return cls._of_file(text)
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            # Neither the rest nor the cause is shown: nobody knows where in it the password stands.
            raise refusal(f"{text.partition('://')[0]}://…", "it is no database URL") from None
        if url.get_backend_name() == "sqlite":
            if url.query:
                raise refusal(redact(text), "an SQLite address takes no options")
            return cls._of_file(url.database or "")
        if url.get_backend_name() != "postgresql":
            raise refusal(_masked(url), "only SQLite and PostgreSQL can keep a state")
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        return cls(url=url, path=None, label=_masked(url))

    @classmethod
    def _of_file(cls, text: str) -> Address:
        if text.strip() in {"", ":memory:"} or text.startswith("file:"):
            raise refusal(text, "a state needs a file, so that it survives the process")
        # Absolute, since connections are opened later too, after a change of the working directory.
        path = Path(text).expanduser().absolute()
        return cls(url=URL.create("sqlite", database=str(path)), path=path, label=str(path))

    def mask(self, text: str) -> str:
        """Return `text` without this address's password and anything else that looks secret."""
        return redact(text, secrets=[self.url.password] if self.url.password else [])


def refusal(label: str, reason: str) -> ConfigurationException:
    """Return the one error that a state which cannot be used raises: its place and why, on one line."""
    line = " ".join(reason.split())
    return ConfigurationException(f"state {label!r} cannot be used: {line}", component="storage", state=label)


def _masked(url: URL) -> str:
    return redact(url.render_as_string(hide_password=True))
