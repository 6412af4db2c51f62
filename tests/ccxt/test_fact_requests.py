"""Each row of the table against the real ccxt class: what it says of requests is so, and an answer is matched."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ccxt
import pytest
from fact_exchanges import CREATE_PARAMS, NOW, NOW_MS, ROWS, SYMBOLS, Request, answer_to, guarded_with

from tradeguard.orders import LookUpOutcome
from tradeguard.testing import ManualClock
from tradeguard_ccxt.facts import CAUTIOUS, EXCHANGE_FACTS, By, Carrier, ExchangeFacts, LookUp, MarketKind
from tradeguard_ccxt.look_ups import Moment, look_up
from tradeguard_ccxt.tickets import OrderTicket

Row = tuple[str, MarketKind]
LOOK_UPS = [(row, n) for row in ROWS for n in range(len(EXCHANGE_FACTS[row].look_ups))]
OF_ROW = pytest.mark.parametrize("row", ROWS, ids=[f"{name}-{kind.name.lower()}" for name, kind in ROWS])
OF_LOOK_UP = pytest.mark.parametrize(
    ("row", "n"),
    LOOK_UPS,
    ids=[f"{row[0]}-{row[1].name.lower()}-{EXCHANGE_FACTS[row].look_ups[n].method}" for row, n in LOOK_UPS],
)
OTHERS_ID = "0123456789abcdef0123456789abcdef"


class Refused(ccxt.InvalidOrder):
    """The answer to every order: nothing is placed here."""


def refuse(_: Request) -> Any:
    raise Refused("not here")


def instance(row: Row, tmp_path: Path, answer: Any = refuse, **settings: Any) -> Any:
    guard = {"clock": ManualClock(epoch=NOW), **settings.pop("guard", {})}
    return guarded_with(row[0], tmp_path, answer, guard=guard, **settings)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Row], Any]:
    """Return the one instance of an exchange that is set up in no special way, and its recorder."""
    made: dict[str, Any] = {}

    def get(row: Row) -> Any:
        if row[0] not in made:
            made[row[0]] = instance(row, tmp_path_factory.mktemp(row[0]))
        exchange, recorder = made[row[0]]
        recorder.answer = refuse
        recorder.requests.clear()
        return exchange, recorder

    return get


def ticket(
    exchange: Any, row: Row, params: dict[str, Any] | None = None, *, order_type: str = "limit"
) -> OrderTicket:
    wanted = CREATE_PARAMS.get(row, {}) | (params or {})
    office = exchange._guard_parts.desk.tickets
    written: OrderTicket = office.write(SYMBOLS[row[1]], order_type, "buy", 2, 100, wanted, account="x")
    return written


def sent(recorder: Any, of: OrderTicket) -> Request:
    """Return the request by which ccxt's own `create_order` places the order of a ticket."""
    params = of.params_at(NOW)
    with pytest.raises(ccxt.BaseError, match="not here"):
        recorder.plain.create_order(of.intent.symbol, "limit", "buy", 2, 100, params)
    request: Request = recorder.requests[-1]
    return request


def field(request: Request, facts: ExchangeFacts) -> Any:
    """Return what the request has in the field that is documented to carry the client id."""
    assert facts.client_id is not None
    fields = request["fields"]
    if "action" in fields:  # hyperliquid
        [order] = fields["action"]["orders"]
        return order[facts.client_id.sent_as]
    return fields[facts.client_id.sent_as]


@OF_ROW
def test_an_order_carries_our_id_in_the_documented_field(row: Row, plain: Any) -> None:
    exchange, recorder = plain(row)
    order = ticket(exchange, row)
    assert order.facts is EXCHANGE_FACTS[row]
    value = field(sent(recorder, order), order.facts)
    assert str(value) == order.client_id
    assert isinstance(value, int) is order.facts.client_id.is_number  # type: ignore[union-attr]


@OF_ROW
def test_a_callers_id_goes_out_whichever_param_has_it_and_is_the_one_that_is_looked_for(
    row: Row, plain: Any
) -> None:
    facts = EXCHANGE_FACTS[row]
    assert facts.client_id is not None
    mine = facts.client_id.as_param(facts.client_id.form.render(OTHERS_ID))
    for name in {*facts.client_id.params, "clientOrderId"}:
        exchange, recorder = plain(row)
        order = ticket(exchange, row, {name: mine})
        assert order.is_callers_id
        assert order.facts is facts
        value = field(sent(recorder, order), facts)
        assert str(value) == order.client_id == str(mine), name


def test_a_callers_id_is_looked_for_as_ccxt_sends_it(tmp_path: Path) -> None:
    row = ("gate", MarketKind.SPOT)
    exchange, recorder = instance(row, tmp_path)
    order = ticket(exchange, row, {"clientOrderId": "mine"})
    assert order.client_id == "t-mine" == field(sent(recorder, order), order.facts)


@OF_ROW
def test_an_order_carries_its_expiry_where_the_row_says(row: Row, plain: Any) -> None:
    expiry = EXCHANGE_FACTS[row].expiry
    exchange, recorder = plain(row)
    order = ticket(exchange, row)
    request = sent(recorder, order)
    fields, headers = request["fields"], request["headers"]
    if expiry is None:
        assert order.policy.expiry is None
        return
    assert order.policy.expiry == expiry.seconds + expiry.slack
    if expiry.carrier is Carrier.DEADLINE:
        assert fields[expiry.name] == "2026-11-25T09:46:55.000Z"
        assert datetime.fromisoformat(fields[expiry.name]).timestamp() == NOW + expiry.seconds
    elif expiry.carrier is Carrier.STAMP:
        assert stamp_of(request, expiry.name) == pytest.approx(NOW, abs=1)
    else:
        told = fields.get("recvWindow", headers.get("X-BAPI-RECV-WINDOW"))
        assert int(told) == expiry.seconds * 1000


def stamp_of(request: Request, name: str) -> float:
    headers = {key.lower(): value for key, value in request["headers"].items()}
    if name.startswith("the token"):
        claims = headers["authorization"].split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(claims + "=="))
        assert told["exp"] - told["nbf"] == 120
        return float(told["nbf"])
    told = headers.get(name.lower(), request["fields"].get(name))
    if "-" in told:
        return datetime.fromisoformat(told).replace(tzinfo=UTC).timestamp()
    return float(told) / (1000 if len(told) == 13 else 1)


@pytest.mark.parametrize("row", [r for r in ROWS if EXCHANGE_FACTS[r].expiry is not None])
def test_a_bound_of_the_users_replaces_the_fact_and_what_we_ask_for_is_never_above_it(
    row: Row, tmp_path: Path
) -> None:
    exchange, recorder = instance(row, tmp_path, guard={"order_expiry": 3.0})
    order = ticket(exchange, row)
    assert order.policy.expiry == 3.0
    request = sent(recorder, order)
    fields, expiry = request["fields"], EXCHANGE_FACTS[row].expiry
    assert expiry is not None
    if expiry.carrier is Carrier.DEADLINE:
        assert fields[expiry.name] == "2026-11-25T09:46:43.000Z"
    elif expiry.carrier in (Carrier.PARAM, Carrier.OPTION):
        assert int(fields.get("recvWindow", request["headers"].get("X-BAPI-RECV-WINDOW"))) == 3000


def test_a_window_of_the_callers_is_kept_to_the_millisecond_and_reckoned_with(plain: Any) -> None:
    exchange, _ = plain(("binance", MarketKind.SPOT))
    for window in (4321, 1001, 8999, 60_000):
        order = ticket(exchange, ("binance", MarketKind.SPOT), {"recvWindow": window})
        assert order.params["recvWindow"] == window
        assert order.policy.expiry == window / 1000 + 11.0


def test_a_deadline_of_the_callers_is_kept_and_reckoned_with(tmp_path: Path) -> None:
    row = ("kraken", MarketKind.SPOT)
    exchange, recorder = instance(row, tmp_path)
    order = ticket(exchange, row, {"deadline": "2026-11-25T09:47:00Z"})
    assert order.policy.expiry == 20.0 + 5.0
    assert sent(recorder, order)["fields"]["deadline"] == "2026-11-25T09:47:00Z"
    assert ticket(exchange, row, {"deadline": "soon"}).policy.expiry is None


def test_a_deadline_counts_from_each_send_anew(tmp_path: Path) -> None:
    exchange, _ = instance(("kraken", MarketKind.SPOT), tmp_path)
    order = ticket(exchange, ("kraken", MarketKind.SPOT))
    assert order.params_at(NOW)["deadline"] == "2026-11-25T09:46:55.000Z"
    assert order.params_at(NOW + 60)["deadline"] == "2026-11-25T09:47:55.000Z"


# -- look-ups ---------------------------------------------------------------------------------------------------


def made(
    row: Row, n: int, plain: Any, orders: Any
) -> tuple[LookUpOutcome, OrderTicket, LookUp, list[Request]]:
    """Make one look-up of a row alone, answered with `orders` (client id and amount, given our id)."""
    each = EXCHANGE_FACTS[row].look_ups[n]
    names: dict[str, str] = {}

    def answer(request: Request) -> Any:
        told = orders(names["ours"], names["other"])
        return answer_to(*row, request, told[-1:] if each.by is By.CLIENT_ID else told)

    exchange, recorder = plain(row)
    recorder.answer = answer
    order = ticket(exchange, row)
    taken = order.facts.client_id
    assert taken is not None
    names |= {"ours": order.client_id or "", "other": taken.form.render(OTHERS_ID)}

    async def ask(method: str, *args: Any) -> Any:
        answer = getattr(exchange, method)(*args)
        return await answer if inspect.isawaitable(answer) else answer

    alone = with_one_look_up(order, each)
    outcome = asyncio.run(look_up(ask, alone, Moment(began=NOW), thorough=True))
    return outcome, order, each, list(recorder.requests)


def with_one_look_up(order: OrderTicket, each: LookUp) -> OrderTicket:
    """Return the ticket with one look-up alone, whose word counts."""
    facts = dataclasses.replace(order.facts, look_ups=(dataclasses.replace(each, authoritative=True),))
    return dataclasses.replace(order, facts=facts)


@OF_LOOK_UP
def test_a_look_up_finds_our_order_in_a_documented_answer(row: Row, n: int, plain: Any) -> None:
    outcome, order, _, _ = made(row, n, plain, lambda ours, other: [(other, 2.0), (ours, 2.0)])
    assert outcome.order is not None
    assert outcome.order["symbol"] == SYMBOLS[row[1]]
    assert order.client_id is not None


@OF_LOOK_UP
def test_another_order_is_never_taken_for_ours(row: Row, n: int, plain: Any) -> None:
    outcome, *_ = made(row, n, plain, lambda _, other: [(other, 2.0)])
    assert outcome.order is None
    assert outcome.other is None


@OF_LOOK_UP
def test_an_order_with_our_id_and_another_amount_is_another_one(row: Row, n: int, plain: Any) -> None:
    outcome, *_ = made(row, n, plain, lambda ours, _: [(ours, 3.0)])
    assert outcome.order is None
    assert outcome.other is not None
    assert not outcome.absent


@OF_LOOK_UP
def test_a_look_up_asks_for_what_the_row_says(row: Row, n: int, plain: Any) -> None:
    _, order, each, requests = made(row, n, plain, lambda ours, _: [(ours, 2.0)])
    asked = requests[-1]
    everything = f"{asked['path']} {asked['fields']}"
    assert ((order.client_id or "") in everything) is (each.by is not By.LIST)
    if each.since:
        told = asked["fields"][each.since]
        moment = stamp_of(asked, each.since) if "-" in str(told) else float(told)
        seconds = moment / 1000 if moment > NOW_MS / 10 else moment
        expiry = (
            order.facts.expiry
        )  # by so much our clock may be ahead of one that takes the order all the same
        ahead = expiry.seconds if expiry is not None and expiry.asks_clock else 0.0
        assert seconds == pytest.approx(NOW - 10 - ahead, abs=1)
    if each.limit is not None:
        assert str(each.limit) in {str(asked["fields"].get(name)) for name in ("limit", "size", "page_size")}


def test_finished_swap_orders_of_gate_come_from_the_list_that_knows_times(plain: Any) -> None:
    _, _, _, requests = made(("gate", MarketKind.LINEAR), 2, plain, lambda *_: [])
    assert requests[-1]["path"].endswith("/orders_timerange")


# -- what is out of reach ---------------------------------------------------------------------------------------

ELSEWHERE: list[tuple[Row, dict[str, Any]]] = [
    (("binance", MarketKind.SPOT), {"marginMode": "cross"}),
    (("binance", MarketKind.SPOT), {"sor": True}),
    (("binance", MarketKind.SPOT), {"portfolioMargin": True}),
    (("binance", MarketKind.LINEAR), {"stopLossPrice": 90}),
    (("binance", MarketKind.LINEAR), {"trailingPercent": 1}),
    (("binance", MarketKind.INVERSE), {"triggerPrice": 90}),
    (("bitget", MarketKind.SPOT), {"triggerPrice": 90}),
    (("bitget", MarketKind.LINEAR), {"takeProfitPrice": 110}),
    (("bybit", MarketKind.SPOT), {"triggerPrice": 90}),
    (("bybit", MarketKind.LINEAR), {"trailingAmount": 1}),
    (("coinbase", MarketKind.SPOT), {"triggerPrice": 90}),
    (("gate", MarketKind.LINEAR), {"stopLossPrice": 90}),
    (("htx", MarketKind.SPOT), {"marginMode": "isolated"}),
    (("kraken", MarketKind.SPOT), {"userref": 7}),
    (("kucoin", MarketKind.SPOT), {"hf": True}),
    (("kucoin", MarketKind.SPOT), {"stopPrice": 90}),
    (("kucoin", MarketKind.SPOT), {"tradeType": "MARGIN_TRADE"}),
    (("kucoin", MarketKind.LINEAR), {"stopLoss": {"triggerPrice": 90}}),
    (("mexc", MarketKind.LINEAR), {"triggerPrice": 90}),
    (("okx", MarketKind.LINEAR), {"stopLossPrice": 90}),
    (("okx", MarketKind.SPOT), {"something": "unheard of"}),
]


@pytest.mark.parametrize(("row", "params"), ELSEWHERE)
def test_an_order_that_goes_elsewhere_gets_the_cautious_facts(
    row: Row, params: dict[str, Any], plain: Any
) -> None:
    exchange, _ = plain(row)
    order = ticket(exchange, row, params)
    assert order.facts is CAUTIOUS
    assert order.params == CREATE_PARAMS.get(row, {}) | params
    assert order.policy.expiry is None
    unset = dict.fromkeys(params)
    assert ticket(exchange, row, unset).facts is EXCHANGE_FACTS[row]


def test_an_order_without_an_id_of_its_own_is_never_proved_absent_whatever_bound_the_user_sets(
    tmp_path: Path,
) -> None:
    row = ("binance", MarketKind.SPOT)
    exchange, _ = instance(row, tmp_path, guard={"order_expiry": 3.0})
    assert ticket(exchange, row).policy.expiry == 3.0
    assert ticket(exchange, row, {"marginMode": "cross"}).policy.expiry is None


@pytest.mark.parametrize(
    ("row", "settings"),
    [
        (("binance", MarketKind.LINEAR), {"options": {"portfolioMargin": True}}),
        (("bitget", MarketKind.SPOT), {"options": {"uta": True}}),
        (("coinbase", MarketKind.SPOT), {"token": "of the user's"}),
        (("coinbase", MarketKind.SPOT), {"headers": {"Authorization": "Bearer of-the-users"}}),
        (("gate", MarketKind.SPOT), {"options": {"defaultMarginMode": "isolated"}}),
        (("htx", MarketKind.SPOT), {"options": {"defaultMarginMode": "cross"}}),
        (("kucoin", MarketKind.SPOT), {"options": {"createOrder": {"sync": True}}}),
        (("kucoin", MarketKind.LINEAR), {"options": {"uta": True}}),
    ],
)
def test_an_instance_that_is_set_up_to_trade_elsewhere_gets_the_cautious_facts(
    row: Row, settings: dict[str, Any], tmp_path: Path
) -> None:
    exchange, _ = instance(row, tmp_path, **settings)
    assert ticket(exchange, row).facts is CAUTIOUS


@pytest.mark.parametrize("row", [r for r in ROWS if EXCHANGE_FACTS[r].reach.types is not None])
def test_an_order_type_of_the_exchanges_own_gets_the_cautious_facts(row: Row, plain: Any) -> None:
    exchange, _ = plain(row)
    assert ticket(exchange, row, order_type="stop_market").facts is CAUTIOUS
    assert ticket(exchange, row, order_type="market").facts is EXCHANGE_FACTS[row]


@OF_ROW
def test_a_batch_and_an_edit_are_other_requests_and_get_the_cautious_facts(row: Row, plain: Any) -> None:
    exchange, _ = plain(row)
    office = exchange._guard_parts.desk.tickets
    for operation in ("create_orders", "edit_order", "amend_order"):
        written = office.write(SYMBOLS[row[1]], "limit", "buy", 2, 100, {}, account="x", operation=operation)
        known = operation in EXCHANGE_FACTS[row].reach.operations
        assert written.facts is (EXCHANGE_FACTS[row] if known else CAUTIOUS)
        assert office.rewrite(written.intent).facts is written.facts


@pytest.mark.parametrize("row", [r for r in ROWS if "create_orders" in EXCHANGE_FACTS[r].reach.operations])
def test_a_batch_bears_the_id_of_each_order_and_the_expiry_of_the_request(row: Row, tmp_path: Path) -> None:
    exchange, recorder = instance(row, tmp_path)
    order = {"symbol": SYMBOLS[row[1]], "type": "limit", "side": "buy", "amount": 2, "price": 100}
    with pytest.raises(ccxt.BaseError):
        exchange.create_orders([order, {**order, "amount": 3}], {})
    batch = next(request for request in recorder.requests if request["method"] == "POST")
    ids = [intent.client_order_id for intent in exchange.order_journal.intents()]
    text = str(batch["fields"])
    assert len(set(ids)) == 2
    assert all(text.count(identifier) == 1 for identifier in ids)
    expiry = EXCHANGE_FACTS[row].expiry
    assert expiry is not None
    assert text.count(expiry.name) == 1


def test_a_market_buy_whose_amount_is_the_cost_has_no_amount_to_be_held_against(tmp_path: Path) -> None:
    row = ("gate", MarketKind.SPOT)
    plain, _ = instance(row, tmp_path)
    by_cost, _ = instance(row, tmp_path, options={"createMarketBuyOrderRequiresPrice": False})
    office = by_cost._guard_parts.desk.tickets
    write = {"account": "x"}
    assert office.write("BTC/USDT", "market", "buy", 50, None, {}, **write).intent.amount is None
    assert office.write("BTC/USDT", "market", "sell", 50, None, {}, **write).intent.amount == 50
    office = plain._guard_parts.desk.tickets
    assert office.write("BTC/USDT", "limit", "buy", 50, 1, {}, **write).intent.amount == 50
    assert office.write("BTC/USDT", "market", "buy", None, None, {"cost": 9}, **write).intent.amount is None
