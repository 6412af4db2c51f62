"""How texts, mappings and times become columns: nothing secret, nothing that a database would refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tradeguard.redaction import redact
from tradeguard.serialization import to_jsonable

__all__ = ["decode_mapping", "decode_time", "encode_mapping", "encode_text", "encode_time"]


def encode_text(text: str, limit: int) -> str:
    """Return `text` with secrets masked, at most `limit` characters of valid Unicode without NUL.

    An error's text may hold whatever an exchange sent: a page of HTML, half a character, or a NUL, which
    PostgreSQL refuses.
    """
    # Cut before masking, so that a page of HTML costs little, and after it, since masking may lengthen.
    masked = redact(text[: 2 * limit]).replace("\x00", "")
    if len(masked) > limit:
        masked = f"{masked[: limit - 1]}…"
    return masked.encode("utf-8", "replace").decode("utf-8")


def encode_mapping(mapping: Mapping[str, Any], limit: int) -> str:
    """Return `mapping` as a JSON object with secrets masked; see `tradeguard.serialization.to_jsonable`.

    Longer than `limit` characters, it becomes an object with the one key `truncated`.
    """
    if not mapping:
        return "{}"
    text = json.dumps(to_jsonable(mapping))
    return text if len(text) <= limit else json.dumps({"truncated": text[:limit]})


def decode_mapping(text: str) -> dict[str, Any]:
    """Return the mapping that `encode_mapping` wrote.

    Raises:
        ValueError: the text is no JSON object.
    """
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object was stored as {type(value).__name__}")
    return value


def encode_time(moment: datetime) -> float:
    """Return epoch seconds of an aware `moment`.

    Raises:
        ValueError: it has no time zone, so nobody can say when it was.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.timestamp()


def decode_time(seconds: float) -> datetime:
    """Return the aware UTC moment of epoch `seconds`."""
    return datetime.fromtimestamp(seconds, UTC)
