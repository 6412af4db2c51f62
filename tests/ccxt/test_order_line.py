"""Changes of orders: each delivered once, none that goes back, those of an outage from REST."""

from __future__ import annotations

from typing import Any

from tradeguard_ccxt.order_line import OrderLine

BEGAN = 1_000


def order(
    number: int, status: str = "open", filled: float = 0.0, at: int = BEGAN, **more: Any
) -> dict[str, Any]:
    return {
        "id": str(number), "status": status, "filled": filled, "amount": 2.0, "price": 1.0, "timestamp": at, **more,
    }  # fmt: skip


def line_after(*orders: dict[str, Any]) -> OrderLine:
    line = OrderLine(BEGAN)
    line.deliver(orders)
    return line


def test_a_change_is_news_and_its_repetition_is_not() -> None:
    line = line_after(order(1))
    assert line.sift([order(1)]).fresh == []
    assert line.sift([order(1, filled=1.0)]).fresh == [order(1, filled=1.0)]


def test_an_edit_is_a_change() -> None:
    assert line_after(order(1)).sift([order(1, price=1.5)]).fresh == [order(1, price=1.5)]


def test_an_order_neither_reopens_nor_is_unfilled() -> None:
    line = line_after(order(1, "closed", 2.0), order(2, "open", 1.0))
    assert line.sift([order(1, "open", 2.0), order(2, "open", 0.5)]).fresh == []


def test_what_an_exchange_leaves_out_is_no_change() -> None:
    assert line_after(order(1)).sift([order(1, price=None, amount=None)]).fresh == []


def test_changes_of_an_outage_are_delivered_by_their_time() -> None:
    line = line_after(order(1), order(2))
    read = [
        order(2, "closed", 2.0, lastTradeTimestamp=BEGAN + 9),
        order(1, "canceled", lastUpdateTimestamp=BEGAN + 5),
        order(3, at=BEGAN + 7),
    ]
    mended = line.mend(read, [])
    assert [one["id"] for one in mended.fresh] == ["1", "3", "2"]
    assert line.mend(read, []).fresh == []


def test_orders_that_changed_before_the_beginning_are_no_news() -> None:
    assert OrderLine(BEGAN).mend([order(1, "closed", 2.0, at=BEGAN - 1)], []).fresh == []


def test_what_the_socket_tells_after_rest_is_delivered_only_if_it_is_news() -> None:
    line = line_after(order(1))
    mended = line.mend([order(1, "closed", 2.0)], [order(1, filled=1.0), order(4)])
    assert mended.fresh == [order(1, "closed", 2.0), order(4)]


def test_it_knows_which_orders_were_open_when_last_heard_of() -> None:
    assert line_after(order(1), order(2), order(1, "closed", 2.0)).open_ids == ["2"]


def test_a_whole_cache_is_returned_with_the_healed_ones_in_it() -> None:
    line = line_after(order(1))
    line.mend([order(1, "closed", 2.0), order(2, at=BEGAN + 1)], [])
    assert line.complete([order(1)]) == [order(1, "closed", 2.0), order(2, at=BEGAN + 1)]
