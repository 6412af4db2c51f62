"""Request security: API keys, HMAC-SHA256 signatures and the age of a request.

Source: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security
"""

from __future__ import annotations

import hashlib
import hmac
import re
from decimal import Decimal, InvalidOperation
from urllib.parse import unquote

from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.params import Params
from tradeguard.simulator.venue import Credentials, Venue
from tradeguard.simulator.wire import OVER_SOCKET, HttpRequest

__all__ = ["authenticate", "check_age", "check_signature"]

_DEFAULT_WINDOW_MS = Decimal(5000)
_WIDEST_WINDOW_MS = Decimal(60_000)
_AHEAD_MS = 1000


def authenticate(request: HttpRequest, venue: Venue) -> Credentials:
    """Return whose request this is.

    Raises:
        BinanceError: the key is malformed or unknown, or the signature is not the account's.
    """
    api_key = request.headers.get("x-mbx-apikey", "")
    if not re.fullmatch(r"[A-Za-z0-9]{64}", api_key):
        raise BinanceError(-2014, "API-key format invalid.", 401)
    credentials = venue.credentials(api_key)
    if credentials is None:
        raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return credentials


def check_signature(request: HttpRequest, params: Params, credentials: Credentials) -> None:
    """Refuse a request that its account has not signed.

    Raises:
        BinanceError: the signature is missing or another one.
    """
    sent = params.required("signature")
    payload = _unsigned(request.query) + _unsigned(request.body)
    if request.method == OVER_SOCKET:
        payload = unquote(payload)
    wanted = hmac.new(credentials.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, sent.lower()):
        raise BinanceError(-1022, "Signature for this request is not valid.")


def check_age(params: Params, server_ms: int) -> None:
    """Refuse a request that is too old, or from the future.

    Raises:
        BinanceError: its timestamp lies outside of its recvWindow.
    """
    stamp = params.integer("timestamp") or int(params.required("timestamp"))
    if stamp > 10**14:
        stamp //= 1000
    window = _window(params)
    if stamp >= server_ms + _AHEAD_MS:
        raise BinanceError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if server_ms - stamp > window:
        raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _window(params: Params) -> Decimal:
    text = params.text("recvWindow")
    if text is None:
        return _DEFAULT_WINDOW_MS
    try:
        window = Decimal(text)
    except InvalidOperation:
        window = Decimal(-1)
    if window < 0:
        message = "Illegal characters found in parameter 'recvWindow'; legal range is '^[0-9]{1,20}(\\.[0-9]{1,3})?$'."
        raise BinanceError(-1100, message)
    if window > _WIDEST_WINDOW_MS:
        raise BinanceError(-1131, "recvWindow must be less than 60000.")
    return window


def _unsigned(encoded: str) -> str:
    return "&".join(part for part in encoded.split("&") if not part.startswith("signature="))
