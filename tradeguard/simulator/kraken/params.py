"""Parameters of a request: read from query, form or JSON, with Kraken's complaints. Unknown ones are ignored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from tradeguard.simulator.kraken.errors import KrakenError, invalid

__all__ = ["Params"]

_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_CLIENT_ID = re.compile(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[\x21-\x7e]{1,18}"
)


class Params:
    """The parameters of one request, or of one order in a batch."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    @classmethod
    def parse(cls, query: str, body: str, *, is_json: bool) -> Params:
        """Read the parameters of a request.

        Raises:
            KrakenError: the body is no JSON object although it says that it is one.
        """
        values: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
        if not is_json:
            return cls({**values, **dict(parse_qsl(body, keep_blank_values=True))})
        try:
            sent = json.loads(body)
        except ValueError:
            sent = None
        if not isinstance(sent, dict):
            raise KrakenError("EGeneral:Invalid arguments")
        return cls({**values, **sent})

    def __contains__(self, name: str) -> bool:
        return self.text(name) is not None

    def text(self, name: str) -> str | None:
        """Return the value, or None where it was not sent or is empty."""
        value = self._values.get(name)
        return None if value is None or value == "" else str(value)

    def required(self, name: str) -> str:
        """Return the value.

        Raises:
            KrakenError: it was not sent.
        """
        value = self.text(name)
        if value is None:
            raise invalid(name)
        return value

    def integer(self, name: str) -> int | None:
        """Return the value as a whole number, or None.

        Raises:
            KrakenError: it is none.
        """
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?[0-9]{1,19}", value):
            raise invalid(name)
        return int(value)

    def decimal(self, name: str) -> Decimal | None:
        """Return the value as an amount, or None.

        Raises:
            KrakenError: it is none.
        """
        value = self.text(name)
        if value is None:
            return None
        if not _DECIMAL.fullmatch(value):
            raise invalid(name)
        return Decimal(value)

    def flag(self, name: str) -> bool:
        """Return whether the value says yes."""
        return (self.text(name) or "").lower() in ("true", "1")

    def names(self, name: str) -> list[str]:
        """Return a list of texts, sent as JSON or with commas between them; empty where it was not sent."""
        value = self._values.get(name)
        if isinstance(value, list):
            return [str(one) for one in value]
        return [one for one in str("" if value is None else value).split(",") if one]

    def parts(self, name: str) -> list[Params]:
        """Return a list of objects.

        Raises:
            KrakenError: it was not sent, or is none.
        """
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise invalid(name)
        return [Params(one) for one in value]

    def client_order_id(self) -> str | None:
        """Return `cl_ord_id`, or None.

        Raises:
            KrakenError: it is neither a UUID, nor 32 hexadecimal digits, nor a text of at most 18 characters.
        """
        value = self.text("cl_ord_id")
        if value is not None and not _CLIENT_ID.fullmatch(value):
            raise invalid("cl_ord_id")
        return value

    def moment_ms(self, name: str) -> int | None:
        """Return an RFC 3339 time in epoch milliseconds, or None.

        Raises:
            KrakenError: it is none.
        """
        value = self.text(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise invalid(name) from None
        if moment.tzinfo is None:
            raise invalid(name)
        return round(moment.timestamp() * 1000)

    def seconds_ms(self, name: str) -> int | None:
        """Return an epoch time in seconds, fractions allowed, as milliseconds, or None.

        Raises:
            KrakenError: it is none.
        """
        seconds = self.decimal(name)
        return None if seconds is None else int(seconds * 1000)
