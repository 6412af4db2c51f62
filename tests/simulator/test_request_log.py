"""Counting what the exchange was asked."""

from __future__ import annotations

import pytest

from tradeguard.simulator.request_log import RequestLog, RequestRecord


def record(method: str, path: str) -> RequestRecord:
    return RequestRecord(
        number=0,
        time=1.0,
        method=method,
        path=path,
        group="",
        symbol=None,
        client_order_id=None,
        weight=1,
        status=200,
        fault=None,
    )


@pytest.fixture
def log() -> RequestLog:
    log = RequestLog(size=3)
    for method, path in (
        ("GET", "/api/v3/order"),
        ("POST", "/api/v3/order"),
        ("GET", "/api/v3/allOrders"),
        ("POST", "/api/v3/order"),
    ):
        log.add(record(method, path))
    return log


@pytest.mark.parametrize(
    ("method", "path", "count"),
    [
        (None, None, 4),
        ("POST", None, 2),
        (None, "/api/v3/order", 3),
        ("GET", "order", 1),
        ("GET", "/order", 1),
        ("GET", "Orders", 0),
        ("DELETE", None, 0),
    ],
)
def test_requests_are_counted_by_method_and_by_the_end_of_the_path(
    log: RequestLog, method: str | None, path: str | None, count: int
) -> None:
    assert log.count(method, path) == count


def test_only_the_newest_are_kept_and_all_are_counted(log: RequestLog) -> None:
    assert [one.number for one in log] == [2, 3, 4]
    assert len(log) == 4
    assert (log[0].number, log[-1].number) == (2, 4)
    assert [one.number for one in log.select("POST")] == [2, 4]


def test_cleared_log_counts_from_the_beginning(log: RequestLog) -> None:
    log.clear()
    assert log.count() == 0
    assert log.add(record("GET", "/")).number == 1
