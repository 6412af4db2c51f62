"""What look-ups find, and what they may claim: the interpreter alone, on answers that are put into its mouth."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime
from typing import Any

import ccxt
import pytest

from tradeguard.orders import IntentStatus, LookUpOutcome, OrderIntent, SubmissionPolicy
from tradeguard_ccxt.facts import (
    CAUTIOUS,
    EXCHANGE_FACTS,
    By,
    Carrier,
    ExchangeFacts,
    Expiry,
    LookUp,
    MarketKind,
    Sees,
    SinceUnit,
)
from tradeguard_ccxt.look_ups import Moment, look_up, match_by_client_id, match_in_list
from tradeguard_ccxt.stale import as_stale
from tradeguard_ccxt.tickets import OrderTicket

NOW = 1_700_000_000.0
BINANCE = EXCHANGE_FACTS["binance", MarketKind.SPOT]
OPEN = LookUp(method="fetch_open_orders", by=By.LIST, sees=Sees.OPEN, page=3)
DONE = LookUp(method="fetch_closed_orders", by=By.PARAM, param="cid", sees=Sees.DONE, since="from")
HINT = LookUp(method="fetch_order_with_client_order_id", by=By.CLIENT_ID, sees=Sees.ALL, authoritative=False)
FACTS = dataclasses.replace(BINANCE, look_ups=(OPEN, DONE))
INTENT = OrderIntent(
    client_order_id="mine",
    symbol="ETH/BTC",
    type="limit",
    side="buy",
    amount=1.0,
    price=0.1,
    status=IntentStatus.SENT,
    created_at=datetime.fromtimestamp(NOW, UTC),
    updated_at=datetime.fromtimestamp(NOW, UTC),
    accept_until=NOW + 20,
)
ORDER = {"id": "7", "clientOrderId": "mine", "symbol": "ETH/BTC", "side": "buy", "amount": 1.0}
STRANGER = ORDER | {"clientOrderId": "another"}
OTHER = ORDER | {"amount": 2.0}
LATER = Moment(began=NOW + 100)


def ticket(facts: ExchangeFacts = FACTS, **changes: Any) -> OrderTicket:
    policy = SubmissionPolicy(expiry=20.0, visibility_lag=3.0)
    intent = dataclasses.replace(INTENT, **changes)
    return OrderTicket(intent=intent, params={}, facts=facts, policy=policy, amount=1.0)


class Exchange:
    """Answers by method; an exception is raised."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []

    async def ask(self, method: str, *args: Any) -> Any:
        self.asked.append((method, *args))
        answer = self.answers.get(method, [])
        if isinstance(answer, Exception):
            raise answer
        return answer


def looked_up(
    exchange: Exchange, of: OrderTicket | None = None, moment: Moment = LATER, *, thorough: bool = True
) -> LookUpOutcome:
    return asyncio.run(look_up(exchange.ask, ticket() if of is None else of, moment, thorough=thorough))


def test_an_order_that_open_and_done_ones_do_not_show_is_absent() -> None:
    assert looked_up(Exchange(fetch_open_orders=[STRANGER])).absent


def test_an_order_is_found_wherever_it_is() -> None:
    assert looked_up(Exchange(fetch_open_orders=[STRANGER, ORDER])).order == ORDER
    assert looked_up(Exchange(fetch_closed_orders=[ORDER])).order == ORDER


def test_each_look_up_asks_what_its_facts_say() -> None:
    exchange = Exchange()
    looked_up(exchange)
    since = int((NOW - 10) * 1000)
    assert exchange.asked == [
        ("fetch_open_orders", "ETH/BTC", None, None, {}),
        ("fetch_closed_orders", "ETH/BTC", None, None, {"cid": "mine", "from": since}),
    ]


@pytest.mark.parametrize(
    ("unit", "written"),
    [(SinceUnit.SECONDS, 1_699_999_990), (SinceUnit.ISO8601, "2023-11-14T22:13:10.000Z")],
)
def test_a_moment_is_written_as_the_exchange_reads_it(unit: SinceUnit, written: Any) -> None:
    exchange = Exchange()
    done = dataclasses.replace(DONE, since_unit=unit)
    looked_up(exchange, ticket(dataclasses.replace(FACTS, look_ups=(OPEN, done))))
    assert exchange.asked[1][-1]["from"] == written


def test_the_moment_is_that_of_the_exchanges_clock() -> None:
    exchange = Exchange()
    looked_up(exchange, moment=Moment(began=NOW + 100, offset_ms=lambda: 2_000.0, offset_sent_ms=2_000.0))
    assert exchange.asked[1][-1]["from"] == int((NOW - 12) * 1000)


@pytest.mark.parametrize("seen", [(OPEN,), (DONE,), (OPEN, dataclasses.replace(DONE, authoritative=False))])
def test_absence_is_not_claimed_unless_open_and_done_orders_are_seen(seen: tuple[LookUp, ...]) -> None:
    outcome = looked_up(Exchange(), ticket(dataclasses.replace(FACTS, look_ups=seen)))
    assert outcome == LookUpOutcome()


def test_a_full_page_proves_nothing() -> None:
    assert looked_up(Exchange(fetch_open_orders=[STRANGER] * 2)).absent
    assert looked_up(Exchange(fetch_open_orders=[STRANGER] * 3)) == LookUpOutcome()
    assert looked_up(Exchange(fetch_open_orders=[STRANGER, STRANGER, ORDER])).order == ORDER


def test_a_look_up_that_fails_proves_nothing() -> None:
    with pytest.raises(ccxt.RequestTimeout):
        looked_up(Exchange(fetch_closed_orders=ccxt.RequestTimeout("x")))


def test_one_without_authority_finds_and_may_fail() -> None:
    facts = dataclasses.replace(FACTS, look_ups=(HINT, OPEN, DONE))
    found = looked_up(Exchange(fetch_order_with_client_order_id=ORDER), ticket(facts))
    assert found.order == ORDER
    for failure in (ccxt.ExchangeError("-2013"), TypeError("a null"), ccxt.OrderNotFound("x")):
        assert looked_up(Exchange(fetch_order_with_client_order_id=failure), ticket(facts)).absent
    assert looked_up(Exchange(fetch_order_with_client_order_id={"id": None}), ticket(facts)).absent
    other = looked_up(Exchange(fetch_order_with_client_order_id=OTHER), ticket(facts))
    assert other.other == OTHER


def test_one_that_is_not_thorough_asks_the_first_alone_and_claims_nothing() -> None:
    exchange = Exchange()
    assert looked_up(exchange, thorough=False) == LookUpOutcome()
    assert len(exchange.asked) == 1
    assert looked_up(Exchange(fetch_open_orders=[ORDER]), thorough=False).order == ORDER


def test_our_order_is_believed_though_another_bears_its_id_and_else_the_other_is_told() -> None:
    both = Exchange(fetch_open_orders=[OTHER], fetch_closed_orders=[ORDER])
    assert looked_up(both).order == ORDER
    for exchange in (Exchange(fetch_open_orders=[OTHER]), Exchange(fetch_closed_orders=[OTHER])):
        assert looked_up(exchange).other == OTHER
    full = Exchange(fetch_open_orders=[STRANGER] * 3, fetch_closed_orders=[OTHER])
    assert looked_up(full).other == OTHER


def test_an_answer_from_the_cache_is_no_answer() -> None:
    with pytest.raises(ccxt.BadResponse, match="cache"):
        looked_up(Exchange(fetch_open_orders=as_stale([], 1.0, NOW)))


def test_without_facts_nothing_is_asked() -> None:
    exchange = Exchange()
    outcome = looked_up(exchange, ticket(CAUTIOUS))
    assert isinstance(outcome.error, ccxt.NotSupported)
    assert not exchange.asked
    assert not outcome.absent


# -- the end of acceptance --------------------------------------------------------------------------------------


STAMPED = dataclasses.replace(
    FACTS, expiry=Expiry(carrier=Carrier.STAMP, name="Timestamp", seconds=10.0, slack=10.0)
)


@pytest.mark.parametrize(
    ("exchange_time", "absent"), [(NOW + 22.9, False), (NOW + 23.0, True), (None, False)]
)
def test_where_far_stamps_are_taken_the_exchanges_own_clock_must_be_past_the_bound(
    exchange_time: float | None, absent: bool
) -> None:
    told = None if exchange_time is None else exchange_time * 1000
    assert looked_up(Exchange(fetch_time=told), ticket(STAMPED)).absent is absent


def test_a_clock_that_is_set_forward_for_stamps_moves_the_bound() -> None:
    moment = Moment(began=NOW + 100, offset_ms=lambda: -5_000.0, offset_sent_ms=-5_000.0)
    assert not looked_up(Exchange(fetch_time=(NOW + 27) * 1000), ticket(STAMPED), moment).absent
    assert looked_up(Exchange(fetch_time=(NOW + 28) * 1000), ticket(STAMPED), moment).absent


def test_an_exchange_whose_clock_cannot_be_asked_proves_nothing() -> None:
    with pytest.raises(ccxt.NetworkError):
        looked_up(Exchange(fetch_time=ccxt.NetworkError("x")), ticket(STAMPED))


def test_what_was_never_sent_or_was_refused_needs_no_clock() -> None:
    exchange = Exchange()
    assert looked_up(exchange, ticket(STAMPED, status=IntentStatus.PENDING)).absent
    assert looked_up(exchange, ticket(STAMPED), Moment(began=NOW + 1)).absent
    assert "fetch_time" not in [method for method, *_ in exchange.asked]


def test_an_order_signed_by_a_clock_found_to_be_ahead_may_still_arrive() -> None:
    found_out = Moment(began=NOW + 30, offset_ms=lambda: 60_000.0)
    assert not looked_up(Exchange(), moment=found_out).absent
    later = dataclasses.replace(found_out, began=NOW + 83)
    assert looked_up(Exchange(), moment=later).absent


# -- matching ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"symbol": "LTC/BTC"}, {"side": "sell"}, {"amount": 2.0}])
def test_an_order_with_our_id_that_wants_something_else_is_another_one(wrong: dict[str, Any]) -> None:
    seen = match_by_client_id(ORDER | wrong, ticket(), 0.0)
    assert seen.order is None
    assert seen.other == ORDER | wrong
    assert not seen.absent


@pytest.mark.parametrize("wrong", [{"clientOrderId": "another"}, {"clientOrderId": None}, {"id": None}])
def test_an_answer_that_does_not_bear_our_id_is_not_our_order_and_no_proof(wrong: dict[str, Any]) -> None:
    seen = match_by_client_id(ORDER | wrong, ticket(), 0.0)
    assert (seen.order, seen.other, seen.absent) == (None, None, False)


def test_an_order_from_before_the_intent_is_another_one_with_the_same_id() -> None:
    earlier = ORDER | {"timestamp": (NOW - 60) * 1000}
    assert match_by_client_id(earlier, ticket(), 0.0).other is not None
    within_clock_error = ORDER | {"timestamp": (NOW - 5) * 1000}
    assert match_by_client_id(within_clock_error, ticket(), 0.0).order is not None
    by_a_slow_exchange = match_by_client_id(earlier, ticket(), 60_000.0)
    assert by_a_slow_exchange.order is not None


def test_lists_find_the_order_or_another_one_or_its_absence() -> None:
    assert match_in_list([], ticket(), 0.0).absent
    assert match_in_list([STRANGER], ticket(), 0.0).absent
    assert match_in_list([OTHER, ORDER], ticket(), 0.0).order == ORDER
    seen = match_in_list([STRANGER, OTHER], ticket(), 0.0)
    assert seen.other == OTHER
    assert not seen.absent


def test_an_id_is_read_from_the_exchanges_own_field_where_ccxt_leaves_it_out() -> None:
    facts = EXCHANGE_FACTS["mexc", MarketKind.LINEAR]
    order = ORDER | {"clientOrderId": None, "info": {"externalOid": "mine"}}
    assert match_in_list([order], ticket(facts), 0.0).order == order


@pytest.mark.parametrize(("asks_clock", "ahead"), [(True, 300), (False, 0)])
def test_a_list_is_asked_from_before_what_a_clock_that_is_ahead_would_have_said(
    asks_clock: bool, ahead: int
) -> None:
    expiry = Expiry(carrier=Carrier.STAMP, name="Timestamp", seconds=300.0, slack=30.0, asks_clock=asks_clock)
    exchange = Exchange(fetch_time=NOW * 1000 + 1e9)
    looked_up(exchange, ticket(dataclasses.replace(FACTS, expiry=expiry)))
    assert exchange.asked[1][-1]["from"] == int(NOW * 1000) - 10_000 - ahead * 1000


def test_what_an_exchange_may_have_forgotten_is_not_absent() -> None:
    week = Moment(began=NOW + 7 * 86_400)
    seen = looked_up(Exchange(), moment=week)
    assert not seen.absent
    assert "forgotten" in str(seen.error)
    assert looked_up(Exchange(), ticket(status=IntentStatus.PENDING), week).absent
    assert looked_up(Exchange(), moment=Moment(began=NOW + 5 * 86_400)).absent
