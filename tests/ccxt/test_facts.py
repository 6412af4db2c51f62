"""The table of facts by itself: what each row promises and rests on, and how its ids read."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import ccxt
import pytest
from fact_exchanges import ROWS
from hypothesis import given, settings
from hypothesis import strategies as st

from tradeguard_ccxt.facts import (
    CAUTIOUS,
    EXCHANGE_FACTS,
    By,
    Carrier,
    Finding,
    Guarantee,
    IdForm,
    IdStyle,
    MarketKind,
    Sees,
    covers_everything,
    facts_of,
    kind_of,
    survey,
)

OF_ROW = pytest.mark.parametrize("row", ROWS, ids=[f"{name}-{kind.name.lower()}" for name, kind in ROWS])
BITS = st.integers(0, 2**128 - 1)


@OF_ROW
@settings(deadline=None)  # a busy machine is no failure
@given(bits=BITS)
def test_an_id_of_ours_is_one_that_the_exchange_takes(row: tuple[str, MarketKind], bits: int) -> None:
    taken = EXCHANGE_FACTS[row].client_id
    assert taken is not None
    rendered = taken.form.render(f"{bits:032x}")
    assert taken.allowed.fullmatch(rendered)
    assert taken.as_sent(rendered) == rendered
    assert taken.form.render(f"{bits:032x}") == rendered
    assert str(taken.as_param(rendered)) == rendered


@settings(deadline=None)
@given(
    form=st.builds(
        IdForm,
        style=st.sampled_from([IdStyle.HEX, IdStyle.INTEGER]),
        bits=st.sampled_from([44, 64, 104, 128]),
        prefix=st.sampled_from(["", "t-", "0x"]),
    )
    | st.just(IdForm(style=IdStyle.UUID)),
    one=BITS,
    other=BITS,
)
def test_two_intents_share_an_id_only_if_they_share_the_bits_that_are_used(
    form: IdForm, one: int, other: int
) -> None:
    unused = 128 - form.bits
    same_bits = one >> unused == other >> unused
    assert (form.render(f"{one:032x}") == form.render(f"{other:032x}")) is same_bits


@OF_ROW
def test_a_row_says_where_it_is_from(row: tuple[str, MarketKind]) -> None:
    facts = EXCHANGE_FACTS[row]
    assert len(facts.sources) >= 2
    assert any(re.search(r"\.(com|org|io)|docs", source) for source in facts.sources)
    assert any("ccxt 4.5.90" in source for source in facts.sources) or row[0].startswith("binance")
    assert row[0] in ccxt.exchanges
    assert facts.guarantee is Guarantee.EXACTLY_ONCE or facts.doubt.startswith("sent once: ")


@OF_ROW
def test_a_row_promises_exactly_once_on_all_three_legs_alone(row: tuple[str, MarketKind]) -> None:
    facts = EXCHANGE_FACTS[row]
    three = facts.client_id is not None and covers_everything(facts.look_ups) and facts.expiry is not None
    assert (facts.guarantee is Guarantee.EXACTLY_ONCE) is three
    whole = EXCHANGE_FACTS["binance", MarketKind.SPOT]
    blind = tuple(each for each in whole.look_ups if each.sees is Sees.OPEN)
    hints = tuple(dataclasses.replace(each, authoritative=False) for each in whole.look_ups)
    for leg in (
        {"client_id": None},
        {"expiry": None},
        {"look_ups": ()},
        {"look_ups": blind},
        {"look_ups": hints},
    ):
        assert dataclasses.replace(whole, **leg).guarantee is Guarantee.AT_MOST_ONCE  # type: ignore[arg-type]


@OF_ROW
def test_every_look_up_is_a_call_that_the_exchange_has(row: tuple[str, MarketKind]) -> None:
    exchange = getattr(ccxt, row[0])()
    for look_up in EXCHANGE_FACTS[row].look_ups:
        first, *rest = look_up.method.replace("_with_client_order_id", "").split("_")
        assert exchange.has[first + "".join(word.capitalize() for word in rest)], look_up.method


@OF_ROW
def test_an_exchange_that_takes_far_stamps_can_be_asked_its_time(row: tuple[str, MarketKind]) -> None:
    expiry = EXCHANGE_FACTS[row].expiry
    if expiry is None:
        return
    assert getattr(ccxt, row[0])().has["fetchTime"] or not expiry.asks_clock
    assert expiry.asks_clock is (expiry.carrier in (Carrier.STAMP, Carrier.DEADLINE))


def test_facts_are_those_of_the_kind_of_market_alone() -> None:
    assert facts_of("binance", MarketKind.LINEAR) is not facts_of("binance", MarketKind.SPOT)
    assert facts_of("kraken", MarketKind.LINEAR) is CAUTIOUS
    assert facts_of("binance", None) is CAUTIOUS
    assert facts_of("krakenfutures", MarketKind.LINEAR) is CAUTIOUS
    spot, swap = {"spot": True}, {"swap": True, "spot": False}
    assert kind_of(spot) is MarketKind.SPOT
    assert kind_of(swap | {"linear": True}) is MarketKind.LINEAR
    assert kind_of(swap | {"inverse": True}) is MarketKind.INVERSE
    for none in (spot | {"stock": True}, {"future": True, "linear": True}, {"option": True}, swap):
        assert kind_of(none) is None


def test_the_survey_has_each_exchange_of_ccxt_and_says_why() -> None:
    findings = list(survey())
    assert {each.exchange for each in findings} == set(ccxt.exchanges)
    assert all(each.reason for each in findings)
    listed = {(each.exchange, each.kind) for each in findings if each.kind is not None}
    assert listed == set(EXCHANGE_FACTS)
    unlisted = {each.exchange: each for each in findings if each.kind is None}
    assert unlisted["krakenfutures"].guarantee is Guarantee.AT_MOST_ONCE
    assert unlisted["paymium"].guarantee is Guarantee.NOT_GUARDABLE


def test_a_reason_says_on_what_it_rests() -> None:
    found: dict[tuple[str, MarketKind | None], Finding] = {(f.exchange, f.kind): f for f in survey()}
    assert "after 40 s; on a classic account" in found["kucoin", MarketKind.SPOT].reason
    assert "expiresAfter" in found["hyperliquid", MarketKind.SPOT].reason
    assert "unified account" in found["gate", MarketKind.SPOT].reason
    assert "userref" in found["kraken", MarketKind.SPOT].reason


@pytest.mark.parametrize(
    ("row", "refusal"),
    [
        (("binance", MarketKind.SPOT), '{"code":-2010,"msg":"Duplicate order sent."}'),
        (("binance", MarketKind.LINEAR), '{"code":-4116,"msg":"ClientOrderId is duplicated."}'),
        (("okx", MarketKind.SPOT), '{"sCode":"51016","sMsg":"Client order ID already exists."}'),
        (("bybit", MarketKind.LINEAR), '{"retCode":110072,"retMsg":"OrderLinkedID is duplicate"}'),
        (("bybit", MarketKind.SPOT), '{"retCode":170141,"retMsg":"Duplicate clientOrderId"}'),
        (("kucoin", MarketKind.LINEAR), '{"code":"126044","msg":"clientOid duplicate"}'),
        (("bitget", MarketKind.SPOT), '{"code":"40786","msg":"Duplicate clientOid"}'),
    ],
)
def test_a_refusal_of_a_used_id_is_known_by_its_text(row: tuple[str, MarketKind], refusal: str) -> None:
    duplicate = EXCHANGE_FACTS[row].duplicate
    assert duplicate is not None
    assert duplicate.search(f"{row[0]} {refusal}")
    assert not duplicate.search(f'{row[0]} {{"code":"510160","msg":"insufficient balance 1700000000000"}}')


def test_an_order_that_is_filled_between_two_look_ups_is_in_the_second() -> None:
    for facts in EXCHANGE_FACTS.values():
        lists = [each.sees for each in facts.look_ups if each.by is not By.CLIENT_ID]
        if Sees.OPEN in lists and len(lists) > 1:
            assert lists[0] is Sees.OPEN


def test_the_page_has_the_guarantee_of_each_row() -> None:
    page = (Path(__file__).parents[2] / "docs" / "orders.md").read_text()
    lines = {
        f"| `{name}` | {kind.value} | {facts.guarantee.value} | {facts.reason} |"
        for (name, kind), facts in EXCHANGE_FACTS.items()
    }
    told = {line for line in page.splitlines() if re.match(r"\| `\w+` \| (spot|linear|inverse)", line)}
    assert told == lines
