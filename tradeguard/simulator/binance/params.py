"""Parameters of a request: reading them as Binance does, with its complaints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl

from tradeguard.simulator.binance.errors import BinanceError

__all__ = ["CLIENT_ORDER_ID", "Params"]

CLIENT_ORDER_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
"""What a client order id may look like, as Binance prints it in its errors."""

_DECIMAL = re.compile(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
_Choice = TypeVar("_Choice", bound=StrEnum)


class Params:
    """The parameters of query and body; the query's win."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    @classmethod
    def parse(cls, query: str, body: str) -> Params:
        """Read the encoded parameters of a request.

        Raises:
            BinanceError: one occurs twice.
        """
        values: dict[str, str] = {}
        for part in (query, body):
            pairs = parse_qsl(part, keep_blank_values=True)
            if len({name for name, _ in pairs}) < len(pairs):
                raise BinanceError(-1101, "Duplicate values for a parameter detected.")
            values.update((name, value) for name, value in pairs if name not in values)
        return cls(values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def check_known(self, known: Iterable[str]) -> None:
        """Refuse parameters that the endpoint does not have.

        Raises:
            BinanceError: there are such.
        """
        read = sum(1 for name in self._values if name in known)
        if read < len(self._values):
            sent = len(self._values)
            raise BinanceError(
                -1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
            )

    def peek(self, name: str) -> str | None:
        """Return what was sent, unchecked."""
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        """Return the value, or None where it was not sent.

        Raises:
            BinanceError: it is empty.
        """
        value = self._values.get(name)
        if value == "":
            raise BinanceError(-1105, f"Parameter '{name}' was empty.")
        return value

    def required(self, name: str) -> str:
        """Return the value.

        Raises:
            BinanceError: it was not sent.
        """
        value = self._values.get(name)
        if not value:
            message = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
            raise BinanceError(-1102, message)
        return value

    def integer(self, name: str) -> int | None:
        """Return the value as a whole number, or None.

        Raises:
            BinanceError: it is none.
        """
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"[0-9]{1,20}", value):
            raise _illegal(name, "^[0-9]{1,20}$")
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """Return the `limit` parameter, cut to what the endpoint serves."""
        value = self.integer("limit")
        if value is None:
            return default
        if value < 1:
            raise BinanceError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(value, most)

    def decimal(self, name: str) -> Decimal | None:
        """Return the value as an amount, or None.

        Raises:
            BinanceError: it is malformed or finer than 8 decimals.
        """
        value = self.text(name)
        if value is None:
            return None
        if not _DECIMAL.fullmatch(value):
            raise _illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
        if len(value.partition(".")[2].rstrip("0")) > 8:
            raise BinanceError(-1111, f"Parameter '{name}' has too much precision.")
        return Decimal(value)

    def choice(self, name: str, choices: type[_Choice], error: BinanceError) -> _Choice | None:
        """Return the value as a member of `choices`, or None.

        Raises:
            BinanceError: `error`, where it is no member.
        """
        value = self.text(name)
        return None if value is None else _member(value, choices, error)

    def required_choice(self, name: str, choices: type[_Choice], error: BinanceError) -> _Choice:
        """Return the value as a member of `choices`.

        Raises:
            BinanceError: it was not sent, or `error`, where it is no member.
        """
        return _member(self.required(name), choices, error)

    def client_order_id(self, name: str) -> str | None:
        """Return the value as a client order id, or None.

        Raises:
            BinanceError: it has characters or a length that Binance refuses.
        """
        value = self.text(name)
        if value is not None and not re.fullmatch(r"[.A-Z:/a-z0-9_-]{1,36}", value):
            raise _illegal(name, CLIENT_ORDER_ID)
        return value

    def names(self, name: str) -> list[str] | None:
        """Return the value as a JSON list of texts, or None.

        Raises:
            BinanceError: it is none.
        """
        value = self.text(name)
        if value is None:
            return None
        try:
            names = json.loads(value)
        except ValueError:
            names = None
        if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
            raise _illegal(name, '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\\]$')
        if len(set(names)) < len(names):
            raise BinanceError(-1151, "Symbol is present multiple times in the list.")
        return names


def _member(value: str, choices: type[_Choice], error: BinanceError) -> _Choice:
    for member in choices:
        if member.upper() == value:
            return member
    raise error


def _illegal(name: str, legal: str) -> BinanceError:
    return BinanceError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
