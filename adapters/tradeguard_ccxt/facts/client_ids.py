"""Client order ids: how the 128 bits of an intent read on each exchange."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ClientId", "IdForm", "IdStyle", "Reuse"]

_BITS = 128


class IdStyle(StrEnum):
    """How bits are written."""

    HEX = "hex"  # lower case, four bits a digit
    UUID = "uuid"  # 8-4-4-4-12
    INTEGER = "integer"  # decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class IdForm:
    """A form of client order ids, rendered from an intent's bits; as many of the leading ones as fit.

    Attributes:
        style: how the bits are written.
        bits: how many of the 128 are used.
        prefix: what comes before them.
    """

    style: IdStyle = IdStyle.HEX
    bits: int = _BITS
    prefix: str = ""

    def render(self, entropy: str) -> str:
        """Return the id of `entropy` (32 hex digits): the same for the same, another one for other leading bits."""
        number = int(entropy, 16) >> (_BITS - self.bits)
        if self.style is IdStyle.INTEGER:
            return f"{self.prefix}{number}"
        if self.style is IdStyle.UUID:
            return f"{self.prefix}{uuid.UUID(int=number)}"
        return f"{self.prefix}{number:0{self.bits // 4}x}"


class Reuse(StrEnum):
    """What becomes of an order whose client id was used before."""

    OPEN_ONLY = "refused while the other order is open"
    REFUSED = "refused"
    RETURNS_ORIGINAL = "answered with the other order, and not placed"
    NOT_CHECKED = "placed"
    UNDOCUMENTED = "not documented"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientId:
    """How one exchange takes client order ids.

    Attributes:
        params: the params by which ccxt takes one, in the order in which it heeds them; the first is the one we set.
        sent_as: the field of the request that carries it.
        form: how ours read.
        allowed: what the exchange accepts.
        reuse: what becomes of an id that was used before.
        caller_prefix: what ccxt puts before a caller's id that does not begin with its first letter.
        is_number: the exchange takes a number and no text.
        translates: whether ccxt ignores the unified `clientOrderId`, so that we put it into the param that counts.
        echo: the field of an order's `info` that repeats it, where ccxt's order leaves it out.
    """

    params: tuple[str, ...]
    sent_as: str
    form: IdForm
    allowed: re.Pattern[str]
    reuse: Reuse = Reuse.UNDOCUMENTED
    caller_prefix: str = ""
    is_number: bool = False
    translates: bool = False
    echo: str = ""

    def as_sent(self, given: object) -> str:
        """Return a caller's id as it reaches the exchange."""
        text = str(given)
        if self.caller_prefix and not text.startswith(self.caller_prefix[0]):
            return self.caller_prefix + text
        return text

    def as_param(self, client_id: str) -> str | int:
        """Return an id as ccxt must be given it."""
        return int(client_id) if self.is_number else client_id
