"""Secrets are masked under telling names and wherever a known one stands; all else is left alone."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.redaction import MASK, is_secret_name, redact, redact_mapping, redact_value

KEY = "s3cr3tV4lue"


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://api.binance.com/api/v3/order?symbol=ETHBTC&signature={KEY}&recvWindow=5000",
        f"wss://stream.binance.com/ws?listenKey={KEY}",
        f'{{"apiKey": "{KEY}", "symbol": "ETH/BTC"}}',
        f'{{"api_secret":"a\\"{KEY}","b":1}}',
        f"{{'secret': '{KEY}', 'symbol': 'ETH/BTC'}}",
        f"{{'apiKey': b'{KEY}'}}",
        f'body was "{{\\"apiKey\\":\\"{KEY}\\",\\"b\\":1}}"',
        f"X-MBX-APIKEY: {KEY}\nAccept: */*",
        f"OK-ACCESS-SIGN={KEY}; OK-ACCESS-PASSPHRASE: {KEY}",
        f"KC-API-PASSPHRASE: {KEY}",
        f"API-Key: {KEY}, API-Sign: {KEY}",
        f"KEY: {KEY}, SIGN: {KEY}",
        f"AccessKeyId={KEY}&Signature={KEY}",
        f"Authorization: Bearer {KEY}",
        f'Authorization: Digest username="bob", response="{KEY}"',
        f"{{'Authorization': 'deri-hmac-sha256 id=1,sig={KEY}', 'a': 1}}",
        f"sent with bearer {KEY}",
        f"cookie: a={KEY}; b={KEY}",
        f"signature: {{'r': '{KEY}', 's': '{KEY}'}}",
        f"signature = [{KEY}, {KEY}]",
        f"signature%3D{KEY}%26symbol%3DETH",
        f"password : {KEY}",
        f"secret => {KEY}",
        f"passwd='{KEY}",
        f"redis://:{KEY}@cache:6379/0",
        f"https://bob:{KEY}@proxy:8080/",
        f"-----BEGIN EC PRIVATE KEY-----\n{KEY}\n-----END EC PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{KEY}",
    ],
)
def test_a_value_under_a_telling_name_is_masked_and_masking_twice_changes_nothing_more(text: str) -> None:
    masked = redact(text)
    assert KEY not in masked
    assert MASK in masked
    assert redact(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "API timeout",
        'binance {"code":-2014,"msg":"API-key format invalid."}',
        "https://api.binance.com:443/api/v3/klines?symbol=ETHBTC&interval=1m",
        "http://proxy:8080/path@version",
        "order 123 failed: insufficient funds",
        "design: good; assign=5; signal: buy; signed=True",
        "tokens: 5, max_tokens_left=3, author: Bob",
        "bearer",
    ],
)
def test_a_text_without_secrets_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_stands_around_a_secret_stays_readable() -> None:
    assert redact("GET /order?signature=abc&symbol=ETHBTC") == "GET /order?signature=***&symbol=ETHBTC"
    assert redact('{"apiKey": "abc", "code": -1}') == '{"apiKey": "***", "code": -1}'
    assert redact("password=bob") == "password=***"
    assert redact('{\\"secret\\":\\"abc\\",\\"code\\":1}') == '{\\"secret\\":\\"***\\",\\"code\\":1}'


@pytest.mark.parametrize(
    ("secret", "form"),
    [
        ("plain", "plain"),
        ("a/b+c=", quote("a/b+c=", safe="")),
        ("a/b", "a%2fb"),
        ("line\nbreak", json.dumps("line\nbreak")[1:-1]),
        ('quo"te', json.dumps('quo"te')[1:-1]),
        ("car\rriage", json.dumps("car\rriage")[1:-1]),
        ("back\\slash", json.dumps("back\\slash")[1:-1]),
        ("half a pair \ud800", "half a pair \ud800"),
    ],
)
def test_a_given_secret_is_masked_in_every_spelling(secret: str, form: str) -> None:
    assert redact(f"before {form} after", [secret]) == f"before {MASK} after"


def test_a_given_secret_may_be_one_text_and_empty_ones_are_passed_over() -> None:
    assert redact("one two", "two") == f"one {MASK}"
    assert redact("one two", ["", "two"]) == f"one {MASK}"
    assert redact("one", [""]) == "one"


def test_of_two_given_secrets_the_longer_is_masked_first() -> None:
    assert redact("abcdef", ["abc", "abcdef"]) == redact("abcdef", ["def", "abcdef"]) == MASK


starless = st.text(st.characters(blacklist_characters="*"))


@given(text=starless, secret=starless.filter(bool))
def test_a_given_secret_never_remains(text: str, secret: str) -> None:
    assert secret not in redact(f"{text}{secret}{text}", [secret])


@given(st.text())
def test_masking_is_idempotent(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "name", ["apiKey", "X-MBX-APIKEY", "OK-ACCESS-SIGN", "password", "Authorization", "client_secret"]
)
def test_a_telling_name_is_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["symbol", "key", "design", "tokens", "user_id", "session_id", "url", "timeout"]
)
def test_an_ordinary_name_is_none(name: str) -> None:
    assert not is_secret_name(name)


def test_a_mapping_is_masked_at_every_depth_and_never_changed() -> None:
    original = {
        "apiKey": KEY,
        "secret": 5,
        "password": None,
        "token": "",
        "url": f"https://x/?signature={KEY}",
        "nested": [{"passphrase": KEY, "n": 1}, ({"sign": KEY},), {f"token={KEY}"}],
        "body": f"secret={KEY}".encode(),
        "raw": b"\xff plain",
        "amount": 1.5,
        3: "three",
    }
    before = repr(original)
    masked = redact_mapping(original)
    assert KEY not in repr(masked)
    assert repr(original) == before
    assert masked["nested"][1] == ({"sign": MASK},)
    assert (masked["secret"], masked["password"], masked["token"]) == (MASK, None, "")
    assert (masked["raw"], masked["amount"], masked[3]) == (b"\xff plain", 1.5, "three")


def test_a_mapping_without_secrets_is_copied_and_its_contents_are_shared() -> None:
    inner = {"symbol": "ETH/BTC", "prices": [1.0, 2.0]}
    original = OrderedDict(inner=inner)
    masked = redact_mapping(original)
    assert masked == {"inner": inner}
    assert masked is not original
    assert masked["inner"] is inner


def test_given_secrets_are_masked_in_a_mapping_too() -> None:
    assert redact_mapping({"note": "it is hunter2", "n": 2}, ["hunter2"]) == {"note": f"it is {MASK}", "n": 2}
    assert redact_mapping({"note": ["hunter2"]}, "hunter2") == {"note": [MASK]}
    assert redact_mapping({"note": b"it is hunter2"}, "hunter2") == {"note": f"it is {MASK}".encode()}
    deep = {"inner": {"note": "hunter2", "items": [{"note": "hunter2"}]}}
    assert redact_mapping(deep, "hunter2") == {"inner": {"note": MASK, "items": [{"note": MASK}]}}


def test_a_circular_mapping_is_masked_without_end() -> None:
    circular: dict[str, object] = {"secret": KEY}
    circular["self"] = circular
    items: list[object] = [f"secret={KEY}"]
    items.append(items)
    circular["items"] = items
    masked = redact_mapping(circular)
    assert KEY not in repr(masked)
    assert masked["self"] == {MASK: "not searched: circular or nested too deeply"}
    assert masked["items"] == [f"secret={MASK}", (MASK,)]


@pytest.mark.parametrize("kind", ["mapping", "list"])
def test_a_value_is_searched_to_the_documented_depth(kind: str) -> None:
    def nest(depth: int) -> Any:
        value: Any = "no secret"
        for _ in range(depth):
            value = {"inner": value} if kind == "mapping" else [value]
        return value

    assert redact_value(nest(65)) == nest(65)
    assert MASK in repr(redact_value(nest(66)))


def test_a_value_nested_without_measure_is_cut_and_never_let_through() -> None:
    deep: Any = f"secret={KEY}"
    for _ in range(5000):
        deep = [{"inner": deep}]
    shown = repr(redact_mapping({"deep": deep}))
    assert MASK in shown
    assert KEY not in shown


def test_a_value_alone_is_masked_by_its_own_kind() -> None:
    lock = object()
    assert redact_value(None) is None
    assert redact_value(5) == 5
    assert redact_value(f"secret={KEY}") == f"secret={MASK}"
    assert redact_value([f"secret={KEY}"]) == [f"secret={MASK}"]
    assert redact_value(f"it is {KEY}", KEY) == f"it is {MASK}"
    assert redact_value(lock) is lock
