"""Request security: API keys, HMAC-SHA512 signatures, and nonces that only ever grow.

Source: https://docs.kraken.com/exchange/guides/spot-rest/auth
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import threading
from collections.abc import Callable

from tradeguard.simulator.kraken.errors import KrakenError
from tradeguard.simulator.kraken.params import Params
from tradeguard.simulator.venue import Credentials, Venue
from tradeguard.simulator.wire import HttpRequest

__all__ = ["Gate", "Nonces"]


class Gate:
    """Lets requests in whose key, signature and nonce are right."""

    def __init__(self) -> None:
        self._nonces: dict[str, int] = {}

    def admit(self, request: HttpRequest, params: Params, venue: Venue) -> Credentials:
        """Return whose request this is; its nonce is used up.

        Raises:
            KrakenError: the key is unknown, the signature another one, or the nonce not above the last one.
        """
        credentials = venue.credentials(request.headers.get("api-key", ""))
        if credentials is None:
            raise KrakenError("EAPI:Invalid key")
        nonce = params.text("nonce") or ""
        if not _is_signed(request, nonce, credentials.secret):
            raise KrakenError("EAPI:Invalid signature")
        if not nonce.isdecimal() or int(nonce) <= self._nonces.get(credentials.api_key, 0):
            raise KrakenError("EAPI:Invalid nonce")
        self._nonces[credentials.api_key] = int(nonce)
        return credentials


class Nonces:
    """Nonces for clients on a clock that may stand still: the time, or one more than the last.

    Args:
        time_ms: the clock, in epoch milliseconds.
    """

    def __init__(self, time_ms: Callable[[], int]) -> None:
        self._time_ms = time_ms
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> int:
        """Return the next one."""
        with self._lock:
            self._last = max(self._time_ms(), self._last + 1)
            return self._last


def _is_signed(request: HttpRequest, nonce: str, secret: str) -> bool:
    message = request.path.encode() + hashlib.sha256((nonce + request.body).encode()).digest()
    wanted = hmac.new(base64.b64decode(secret), message, hashlib.sha512).digest()
    try:
        sent = base64.b64decode(request.headers.get("api-sign", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(wanted, sent)
