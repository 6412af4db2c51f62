"""Masking: no key, signature or password reaches a log, an error or a file.

Two nets are cast. Values under a telling name (a query parameter, a JSON or form field, a header, a mapping's
key) are masked by that name; values that the caller knows to be secret are masked wherever they stand, in
plain, percent-encoded and escaped form. The names are those that exchanges sign with, as collected in ccxt's
`sign()` methods (`signature`, `X-MBX-APIKEY`, `OK-ACCESS-SIGN`, `KC-API-PASSPHRASE`, `API-Sign`, …).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from typing import Any, TypeGuard, cast

__all__ = ["MASK", "is_secret_name", "redact", "redact_mapping", "redact_value"]

MASK = "***"

_NAME = (
    r"(?:api[-_ ]?(?:key(?:[-_]?id)?|sign)|access[-_]?(?:key(?:[-_]?id)?|sign)"
    r"|secret(?:[-_]?(?:key|access[-_]?key))?|private[-_]?key|listen[-_]?key|signature"
    r"|passw(?:or)?d|pwd|pass[-_]?phrase|token"
    r"|(?<![a-z])(?:sign|sig|auth|jwt|otp)|(?-i:(?<![\w-])KEY)|two[-_]?fa|mnemonic|seed[-_]?phrase|credentials?)"
)
_HEADER = r"(?:authorization|cookie)"
_SEPARATOR = r"""\\*["']?\s*(?:=>|[:=]|%3[ad])\s*(?:b(?=["']))?"""
# A cut body leaves a quote or a bracket open: what follows is masked to the end.
_QUOTED = r""""(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\\+["'].*?(?:\\+["']|\Z)"""
_FIELD = rf"""({_NAME}{_SEPARATOR})({_QUOTED}|\{{[^}}]*\}}?|\[[^\]]*\]?|\([^)]*\)?|[^\s&,;"'<>}}\])]+)"""
# A header's value has blanks and quotes of its own (`Digest username="…"`): its whole line goes.
_HEADER_FIELD = rf"({_HEADER}{_SEPARATOR})({_QUOTED}|[^\r\n]+)"
_BEARER = r"(\bbearer\s+)([^\s\"',;}]+)"
_USERINFO = r"(://[^/\s:@]*:)([^/\s@]+)(?=@)"
_PEM = r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)"
_SECRET_NAME = rf"{_NAME}\Z|{_HEADER}\Z"
_OPENING_QUOTE = r"\\*[\"']"

# A search with the patterns costs microseconds; most texts hold none of these and pass for a tenth of that.
_HINTS = (
    *("key", "sig", "secret", "pass", "pwd", "token", "auth", "cookie"),
    *("jwt", "otp", "two", "mnemonic", "seed", "cred"),
)
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEEPEST = 64
_HARMLESS = frozenset({bool, int, float})
_PLAIN: tuple[type, ...] = (list, tuple, set, frozenset)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` with the values of secret-like fields and every given secret replaced by `***`.

    Args:
        text: anything about to be shown, logged or stored.
        secrets: literal values to mask wherever they stand; empty ones are passed over.
    """
    if secrets:
        text = _mask_literals(text, (secrets,) if isinstance(secrets, str) else secrets)
    if ":" in text or "=" in text or "%3" in text:
        lowered = text.lower()
        for hint in _HINTS:
            if hint in lowered:
                text = _pattern(_HEADER_FIELD).sub(_mask, text)
                text = _pattern(_FIELD).sub(_mask, text)
                break
        if "@" in text:
            text = _pattern(_USERINFO).sub(rf"\1{MASK}", text)
    if "-----BEGIN" in text:
        text = _pattern(_PEM).sub(rf"\1{MASK}", text)
    if "earer " in text or "EARER " in text:
        text = _pattern(_BEARER).sub(rf"\1{MASK}", text)
    return text


def redact_mapping(mapping: Mapping[Any, Any], secrets: Iterable[str] = ()) -> dict[Any, Any]:
    """Return a copy of `mapping` with secrets masked at every depth; the mapping itself is never changed.

    A value under a secret-like key becomes `***` whatever its type, but for None and empty text. Containers
    in which nothing had to be masked, and objects of other types, are the caller's own.
    """
    literals = (secrets,) if isinstance(secrets, str) else tuple(secrets)
    masked = _mask_mapping(mapping, literals, ())
    return dict(mapping) if masked is mapping else cast("dict[Any, Any]", masked)


def redact_value(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return `value` with secrets masked at every depth, or `value` itself where there are none."""
    if value is None or value.__class__ in _HARMLESS:
        return value
    return _mask_any(value, (secrets,) if isinstance(secrets, str) else tuple(secrets), ())


@lru_cache(maxsize=2048)
def is_secret_name(name: str) -> bool:
    """Tell whether a field, header or key of this name holds a secret."""
    return _pattern(_SECRET_NAME).search(name) is not None


@cache
def _pattern(source: str) -> re.Pattern[str]:
    """Compile a pattern when it is first needed: all of them at once would cost every import two milliseconds."""
    return re.compile(source, re.IGNORECASE | re.DOTALL)


def _mask(match: re.Match[str]) -> str:
    value = match[2]
    opening = _pattern(_OPENING_QUOTE).match(value)
    quote = opening[0] if opening else ""
    return f"{match[1]}{quote}{MASK}{quote}"


def _mask_literals(text: str, secrets: Iterable[str]) -> str:
    forms = {form for secret in secrets if secret for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def _forms(secret: str) -> tuple[str, ...]:
    """Return the spellings under which a secret may stand in an URL, a JSON body or a repr."""
    data = secret.encode("utf-8", "surrogatepass")
    percent = "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)
    escaped = secret.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return secret, percent, percent.lower(), escaped, escaped.replace('"', '\\"')


def _mask_any(value: Any, secrets: tuple[str, ...], path: tuple[int, ...]) -> Any:
    if isinstance(value, str):
        masked = redact(value, secrets)
        return value if masked == value else masked
    if isinstance(value, (bytes, bytearray)):
        text = value.decode("utf-8", "replace")
        masked = redact(text, secrets)
        return value if masked == text else masked.encode()
    if _is_mapping(value):
        return _mask_mapping(value, secrets, path)
    if isinstance(value, _PLAIN):
        return _mask_items(value, secrets, path)
    return value


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _mask_mapping(
    mapping: Mapping[Any, Any], secrets: tuple[str, ...], path: tuple[int, ...]
) -> Mapping[Any, Any]:
    if id(mapping) in path or len(path) > _DEEPEST:
        return {MASK: "not searched: circular or nested too deeply"}
    path = (*path, id(mapping))
    changed: dict[Any, Any] = {}
    for key, value in mapping.items():
        if isinstance(key, str) and is_secret_name(key) and value is not None and value != "":
            changed[key] = MASK
        else:
            masked = _mask_any(value, secrets, path)
            if masked is not value:
                changed[key] = masked
    return {**mapping, **changed} if changed else mapping


def _mask_items(items: Any, secrets: tuple[str, ...], path: tuple[int, ...]) -> Any:
    if id(items) in path or len(path) > _DEEPEST:
        return (MASK,)
    path = (*path, id(items))
    masked = [_mask_any(item, secrets, path) for item in items]
    if all(new is old for new, old in zip(masked, items, strict=True)):
        return items
    plain: Callable[[list[Any]], Any] = next(kind for kind in _PLAIN if isinstance(items, kind))
    return plain(masked)
