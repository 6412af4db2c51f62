"""Whole orders on exchanges that are not Binance: sent into the void, found or proved absent, and sent again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ccxt
import pytest
from fact_exchanges import NOW, Request, answer_to, guarded_with

from tradeguard.orders import IntentStatus
from tradeguard.testing import ManualClock
from tradeguard_ccxt import OrderAbsentError, OrderUnknownError
from tradeguard_ccxt.facts import MarketKind

ORDER = ("BTC/USDT", "limit", "buy", 2, 100)


class Void:
    """An exchange that loses the answer to an order; what it has on its book is scripted.

    Args:
        exchange_id: whose answers it gives.
        accepts: whether it accepts the n-th order that is sent, from 0 on.
        ahead: seconds that our clock is ahead of its own.
    """

    def __init__(self, exchange_id: str, *accepts: bool, ahead: float = 0.0) -> None:
        self.exchange_id, self.accepts, self.ahead = exchange_id, accepts, ahead
        self.clock = ManualClock(epoch=NOW)
        self.sent: list[Request] = []
        self.book: list[str] = []
        self.blind = False
        self.recorder: Any = None

    def __call__(self, request: Request) -> Any:
        path, fields = request["path"], request["fields"]
        if path.endswith(("AddOrder", "place-order", "batch-orders")):
            client_id = next(fields[key] for key in ("cl_ord_id", "clientOid", "clOrdId") if key in fields)
            if self.accepts[len(self.sent)]:
                self.book.append(client_id)
            self.sent.append(request)
            raise ccxt.RequestTimeout("no answer")
        now = self.clock.time() - self.ahead
        if path.endswith("/Time"):
            return {"error": [], "result": {"unixtime": int(now)}}
        if path.endswith("/public/time") and self.exchange_id == "bitget":
            return {"code": "00000", "data": {"serverTime": str(int(now * 1000))}}
        if path.endswith("/time"):
            return {"code": "0", "data": [{"ts": str(int(now * 1000))}]}
        if self.blind:
            raise ccxt.BadRequest("not now")
        return answer_to(self.exchange_id, MarketKind.SPOT, request, [(each, 2.0) for each in self.book])


def bot(void: Void, tmp_path: Path, **guard: Any) -> Any:
    exchange, recorder = guarded_with(void.exchange_id, tmp_path, void, guard={"clock": void.clock, **guard})
    void.recorder = recorder
    return exchange


@pytest.mark.parametrize("exchange_id", ["bitget", "kraken", "okx"])
def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(exchange_id: str, tmp_path: Path) -> None:
    void = Void(exchange_id, True)
    order = bot(void, tmp_path).create_order(*ORDER)
    assert order["clientOrderId"] == void.book[0]
    assert len(void.sent) == 1


def test_an_order_that_never_arrived_is_proved_absent_by_its_deadline_and_sent_again(tmp_path: Path) -> None:
    void = Void("kraken", False, True)
    order = bot(void, tmp_path, order_deadline=60.0).create_order(*ORDER)
    first, second = void.sent
    assert first["fields"]["cl_ord_id"] == second["fields"]["cl_ord_id"] == order["clientOrderId"]
    # 2 s to sign, 15 s of validity and 5 s of slack, 5 s of invisibility
    assert void.clock.time() >= NOW + 27
    assert second["fields"]["deadline"] > first["fields"]["deadline"]


@pytest.mark.parametrize("exchange_id", ["bitget", "okx"])
def test_one_that_is_proved_absent_too_late_is_told_to_be_safe_to_send_again(
    exchange_id: str, tmp_path: Path
) -> None:
    void = Void(exchange_id, False)
    with pytest.raises(OrderAbsentError):
        bot(void, tmp_path).create_order(*ORDER)
    assert len(void.sent) == 1
    assert void.clock.time() >= NOW + 2 + 30 + 30 + 5


def test_absence_waits_for_the_exchanges_own_clock(tmp_path: Path) -> None:
    void = Void("okx", False, ahead=8.0)
    with pytest.raises(OrderAbsentError):
        bot(void, tmp_path).create_order(*ORDER)
    assert void.clock.time() >= NOW + 8 + 67
    late = Void("okx", False, ahead=60.0)
    with pytest.raises(OrderUnknownError):
        bot(late, tmp_path / "late").create_order(*ORDER)


def test_what_cannot_be_looked_up_stays_unknown_until_it_can(tmp_path: Path) -> None:
    void = Void("kraken", True)
    exchange = bot(void, tmp_path)
    void.blind = True
    with pytest.raises(OrderUnknownError):
        exchange.create_order(*ORDER)
    void.blind = False
    [resolved] = exchange.recover_orders()
    assert resolved.status is IntentStatus.PLACED
    assert len(void.sent) == 1


def test_an_account_that_turns_out_to_be_another_one_proves_nothing(tmp_path: Path) -> None:
    void = Void("bitget", False)
    exchange = bot(void, tmp_path)
    exchange.load_markets()

    def found_out(request: Request) -> Any:
        exchange.options["uta"] = True
        if "/v3/trade" not in request["path"]:
            return void(request)
        if request["path"].endswith("/order-info"):
            raise ccxt.OrderNotFound("x")
        return {"code": "00000", "data": {"list": []}}

    void.recorder.answer = found_out
    with pytest.raises(OrderUnknownError):
        exchange.create_order(*ORDER)


def test_a_bare_id_of_an_exchange_that_bounds_nothing_is_looked_for_and_never_sent_twice(
    tmp_path: Path,
) -> None:
    clock = ManualClock(epoch=NOW)
    sent: list[Request] = []

    def lose(request: Request) -> Any:
        if request["path"].endswith("order/submit"):
            sent.append(request)
            raise ccxt.RequestTimeout("no answer")
        return []

    exchange, _ = guarded_with("bitfinex", tmp_path, lose, guard={"clock": clock})
    with pytest.raises(OrderUnknownError):
        exchange.create_order(*ORDER)
    assert len(sent) == 1
