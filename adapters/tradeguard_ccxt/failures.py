"""What a failed request says of the exchange: is it sick, does it want peace, or was the request at fault?"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum

import ccxt

from tradeguard.exceptions import CircuitBreakerOpenError

__all__ = ["Answer", "Failure", "FailureKind", "classify", "in_connect_phase"]


class FailureKind(StrEnum):
    """Why a request failed."""

    SICK = "sick"  # the exchange or the way to it: counts for the circuit, reads are retried
    LIMIT = "limit"  # too many requests: its circuit pauses
    BAN = "ban"  # this address is banned: everything pauses
    MAINTENANCE = "maintenance"  # its circuit pauses
    NONCE = "nonce"  # our clock is off: resync, once
    AUTHENTICATION = "authentication"  # the key is refused: trading halts
    CIRCUIT = "circuit"  # nothing was sent
    BUSINESS = "business"  # the exchange is well and says no: never retried, never counted


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of the HTTP answer to a request.

    Attributes:
        status: HTTP status.
        headers: the answer's headers, by their names in lower case.
    """

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed request.

    Attributes:
        kind: why it failed.
        retry_after: seconds that the exchange asked to wait, or None.
    """

    kind: FailureKind
    retry_after: float | None = None


_BANNED_UNTIL = re.compile(r"banned until (\d{13})")
# The connect phase: no byte of the request can have arrived. By name, since urllib3, requests and aiohttp each have
# classes of their own.
_CONNECT_ERRORS = frozenset(
    {
        "NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ConnectTimeout", "ClientConnectorError",
        "ClientConnectorDNSError", "ConnectionTimeoutError", "gaierror",
    }
)  # fmt: skip
_PROXY_ERRORS = frozenset({"ProxyError", "ClientProxyConnectionError", "ClientHttpProxyError"})


def classify(error: BaseException, answer: Answer | None, now: float) -> Failure:
    """Return what `error` says of the exchange.

    Args:
        error: what the request raised.
        answer: its HTTP answer, or None where there was none.
        now: epoch seconds.
    """
    status = None if answer is None else answer.status
    if isinstance(error, CircuitBreakerOpenError):
        return Failure(FailureKind.CIRCUIT, error.retry_after)
    if isinstance(error, ccxt.InvalidNonce):
        return Failure(FailureKind.NONCE)
    if status == 418 or _BANNED_UNTIL.search(str(error)):
        # The text names a moment, the header a span: where our clock is ahead, the moment would come too early.
        ends = [s for s in (_ban_seconds(str(error), now), _retry_after(answer, now)) if s]
        return Failure(FailureKind.BAN, max(ends, default=None))
    if status == 429 or isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return Failure(FailureKind.LIMIT, _retry_after(answer, now))
    if isinstance(error, ccxt.OnMaintenance):
        return Failure(FailureKind.MAINTENANCE, _retry_after(answer, now))
    if isinstance(error, ccxt.AuthenticationError):
        return Failure(FailureKind.AUTHENTICATION)
    if isinstance(error, ccxt.OperationFailed):
        return Failure(FailureKind.SICK, _retry_after(answer, now))
    return Failure(FailureKind.BUSINESS)


def in_connect_phase(error: BaseException) -> bool:
    """Whether the connection was never made, so that nothing can have been sent.

    A proxy may have connected on our behalf before it failed: that proves nothing.
    """
    names = {type(cause).__name__ for cause in _causes(error)}
    return bool(names & _CONNECT_ERRORS) and not names & _PROXY_ERRORS


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and all that it was explicitly raised from; requests hides urllib3's errors in its arguments."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            pending += [current.__cause__, getattr(current, "reason", None), *current.args]


def _retry_after(answer: Answer | None, now: float) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or an HTTP date), or None."""
    text = None if answer is None else answer.headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except ValueError:
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _ban_seconds(text: str, now: float) -> float | None:
    """Return the seconds until a ban ends that is told in the text, as Binance does in milliseconds."""
    match = _BANNED_UNTIL.search(text)
    return None if match is None else max(int(match[1]) / 1000 - now, 0.0)
