"""The monitor counts every error and rescue exactly, in bounded memory, and tells its listeners."""

from __future__ import annotations

import gc
import json
import logging
import sys
import threading
import tracemalloc
from collections import Counter
from dataclasses import FrozenInstanceError
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.circuit_breaker import CircuitBreaker, CircuitBreakerConfig
from tradeguard.error_monitor import ErrorMonitor, ErrorSeverity
from tradeguard.exceptions import (
    BrokerException,
    ConfigurationException,
    NetworkException,
    ValidationException,
)
from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord
from tradeguard.testing import ManualClock, ScriptedCall

NOON = 1704110400.0


def record(
    monitor: ErrorMonitor, count: int = 1, *, error: BaseException | None = None, component: str = "api"
) -> None:
    for _ in range(count):
        monitor.record_error(
            NetworkException("x") if error is None else error, ErrorSeverity.ERROR, component
        )


def test_a_new_monitor_has_counted_nothing() -> None:
    assert ErrorMonitor().get_error_statistics() == {
        "total_errors": 0,
        "error_rate": 0.0,
        "common_errors": [],
        "by_component": {},
        "by_severity": {},
        "by_minute": {},
        "trend": {"direction": "stable", "recent": 0, "previous": 0},
        "latest": [],
        "health": {},
        "fingerprints": [],
        "rescues": {},
        "circuits": {},
        "dropped_alerts": 0,
        "failed_alerts": 0,
        "listener_errors": 0,
    }


def test_errors_are_counted_by_type_component_and_severity() -> None:
    monitor = ErrorMonitor(clock=ManualClock())
    monitor.record_error(NetworkException("a"), ErrorSeverity.ERROR, "api")
    monitor.record_error(ValueError("b"), "warning", "feed")
    monitor.record_error(NetworkException("c"), ErrorSeverity.CRITICAL, "api", {"user_id": "u"})
    statistics = monitor.get_error_statistics()
    assert statistics["total_errors"] == 3
    assert statistics["error_rate"] == 3.0
    assert statistics["common_errors"] == [("NetworkException", 2), ("ValueError", 1)]
    assert statistics["by_component"] == {"api": 2, "feed": 1}
    assert statistics["by_severity"] == {"WARNING": 1, "ERROR": 1, "CRITICAL": 1}


def test_the_error_rate_is_that_of_the_trailing_minute() -> None:
    clock = ManualClock()
    monitor = ErrorMonitor(clock=clock)
    record(monitor, 2)
    clock.advance(59.0)
    record(monitor)
    assert monitor.get_error_statistics()["error_rate"] == 3.0
    clock.advance(1.0)
    statistics = monitor.get_error_statistics()
    assert (statistics["error_rate"], statistics["total_errors"]) == (1.0, 3)
    assert statistics["trend"] == {"direction": "stable", "recent": 1, "previous": 2}


def test_the_rate_does_not_care_for_the_wall_clock() -> None:
    clock = ManualClock()
    monitor = ErrorMonitor(clock=clock)
    record(monitor)
    clock.set_time(0.0)
    assert monitor.get_error_statistics()["error_rate"] == 1.0


def test_minutes_are_those_of_the_trailing_hour_oldest_first() -> None:
    clock = ManualClock(epoch=NOON)
    monitor = ErrorMonitor(clock=clock)
    record(monitor)
    clock.advance(120.0)
    record(monitor, 2)
    expected = {"2024-01-01T12:00:00Z": 1, "2024-01-01T12:02:00Z": 2}
    assert list(monitor.get_error_statistics()["by_minute"].items()) == list(expected.items())
    clock.advance(3600.0 - 120.0)
    assert monitor.get_error_statistics()["by_minute"] == {"2024-01-01T12:02:00Z": 2}


def test_a_whole_hour_of_minutes_is_told() -> None:
    clock = ManualClock(epoch=NOON)
    monitor = ErrorMonitor(clock=clock)
    for _ in range(61):
        record(monitor)
        clock.advance(60.0)
    clock.set_time(NOON + 60 * 60)  # within the last of these minutes
    minutes = monitor.get_error_statistics()["by_minute"]
    assert len(minutes) == 60
    assert next(iter(minutes)) == "2024-01-01T12:01:00Z"


def test_equally_common_errors_come_by_their_names() -> None:
    monitor = ErrorMonitor(clock=ManualClock())
    for kind in (ValueError, KeyError, OSError):
        monitor.record_error(kind("x"), ErrorSeverity.ERROR, "api")
    assert monitor.get_error_statistics()["common_errors"] == [
        ("KeyError", 1),
        ("OSError", 1),
        ("ValueError", 1),
    ]


def test_a_wall_clock_that_jumps_about_keeps_an_hour_of_minutes_at_most() -> None:
    clock = ManualClock(epoch=NOON)
    monitor = ErrorMonitor(clock=clock)
    for minute in range(200):
        clock.set_time(NOON - 60.0 * minute)
        record(monitor)
    clock.set_time(NOON)
    minutes = monitor.get_error_statistics()["by_minute"]
    assert len(minutes) <= 60
    assert minutes["2024-01-01T12:00:00Z"] == 1


def test_unless_told_otherwise_fifty_errors_and_two_hundred_types_are_kept() -> None:
    monitor = ErrorMonitor(clock=ManualClock())
    for number in range(205):
        monitor.record_error(type(f"E{number}", (Exception,), {})("x"), ErrorSeverity.ERROR, "api")
    statistics = monitor.get_error_statistics()
    assert len(statistics["latest"]) == 50
    assert len(statistics["common_errors"]) == 201  # the rest counts as one
    assert statistics["common_errors"][0][1] == 5


def test_the_latest_errors_come_newest_first_and_only_so_many() -> None:
    clock = ManualClock(epoch=NOON)
    monitor = ErrorMonitor(clock=clock, keep_latest=2)
    for text in ("one", "two", "three"):
        monitor.record_error(
            BrokerException(text, symbol="ETH/BTC"),
            ErrorSeverity.ERROR,
            "broker",
            {"operation": "create_order"},
        )
    latest = monitor.get_error_statistics()["latest"]
    assert [entry["message"] for entry in latest] == ["three", "two"]
    assert latest[0] == {
        "timestamp": "2024-01-01T12:00:00Z",
        "component": "broker",
        "error_type": "BrokerException",
        "error_code": "BROKER_ERROR",
        "message": "three",
        "severity": "ERROR",
        "operation": "create_order",
        "rescued": False,
        "context": {"symbol": "ETH/BTC", "broker_type": None, "order_type": None, "component": "broker"},
    }


def test_each_component_has_its_health() -> None:
    clock = ManualClock(epoch=NOON)
    monitor = ErrorMonitor(clock=clock)
    record(monitor, 5, error=ValueError("bad, apiKey=abc"), component="feed")
    assert monitor.get_error_statistics()["health"]["feed"] == {
        "status": "degraded",
        "total_errors": 5,
        "error_rate": 5.0,
        "trend": "rising",
        "last_error": "ValueError: bad, apiKey=***",
        "last_error_at": "2024-01-01T12:00:00Z",
    }
    clock.advance(60.0)
    record(monitor, component="api")
    health = monitor.get_error_statistics()["health"]
    assert (health["feed"]["status"], health["feed"]["trend"], health["api"]["status"]) == (
        "healthy",
        "falling",
        "degraded",
    )


def test_equal_errors_share_a_fingerprint() -> None:
    monitor = ErrorMonitor()
    for number in range(5):
        record(monitor, error=ValueError(f"order {number} lost"))
    record(monitor, error=ValueError("no balance"))
    fingerprints = monitor.get_error_statistics()["fingerprints"]
    assert [(f["fingerprint"], f["count"]) for f in fingerprints] == [
        ("ValueError: order # lost", 5),
        ("ValueError: no balance", 1),
    ]


def test_statistics_are_json_and_hold_no_secrets() -> None:
    monitor = ErrorMonitor()
    monitor.record_error(
        ValueError("signature=abc123"), ErrorSeverity.ERROR, "api", {"apiKey": "abc123", "n": float("nan")}
    )
    text = json.dumps(monitor.get_error_statistics(), allow_nan=False)
    assert "abc123" not in text
    assert "signature=***" in text


def test_distinct_names_beyond_the_capacity_are_counted_as_other() -> None:
    monitor = ErrorMonitor(max_distinct=2)
    for number in range(5):
        kind = type(f"Error{number}", (Exception,), {})
        monitor.record_error(kind("x"), ErrorSeverity.ERROR, f"component{number}")
        monitor.record_rescue(f"kind{number}", "api")
    statistics = monitor.get_error_statistics()
    assert statistics["common_errors"] == [("(other)", 3), ("Error0", 1), ("Error1", 1)]
    assert statistics["by_component"] == {"component0": 1, "component1": 1, "(other)": 3}
    assert statistics["rescues"] == {"kind0": 1, "kind1": 1, "(other)": 3}
    assert {f["fingerprint"]: f["count"] for f in statistics["fingerprints"]} == {
        "Error0: x": 1,
        "Error1: x": 1,
        "(other)": 3,
    }


def test_memory_is_flat_over_many_distinct_errors() -> None:
    monitor = ErrorMonitor(keep_latest=10, max_distinct=20)

    def flood(offset: int) -> None:
        for number in range(offset, offset + 2000):
            monitor.record_error(
                ValueError(f"{'ab'[number % 2]}{number:x} {'x' * 2000}"), ErrorSeverity.ERROR, f"c{number}"
            )

    flood(0)
    gc.collect()
    tracemalloc.start()
    try:
        flood(10_000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert grown < 200_000
    assert monitor.get_error_statistics()["total_errors"] == 4000


def test_the_monitor_keeps_no_error_alive() -> None:
    class Big(Exception):  # noqa: N818 - a name for the test
        pass

    monitor = ErrorMonitor()
    error = Big("x")
    references = sys.getrefcount(error)
    monitor.record_error(error, ErrorSeverity.ERROR, "api")
    assert sys.getrefcount(error) == references


def test_long_messages_are_cut() -> None:
    monitor = ErrorMonitor()
    record(monitor, error=ValueError("x" * 10_000))
    assert len(monitor.get_error_statistics()["latest"][0]["message"]) == 500


def test_an_error_without_a_text_is_recorded_all_the_same() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    monitor = ErrorMonitor()
    record(monitor, error=MuteError())
    assert monitor.get_error_statistics()["latest"][0]["message"] == "<unprintable MuteError: RuntimeError>"


def test_what_ends_a_program_can_be_recorded_too() -> None:
    monitor = ErrorMonitor()
    record(monitor, error=KeyboardInterrupt())
    assert monitor.get_error_statistics()["common_errors"] == [("KeyboardInterrupt", 1)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no error", ErrorSeverity.ERROR, "api"), "error must be an exception, got no error"),
        ((ValueError("x"), "loud", "api"), "severity must be an ErrorSeverity or its name, got loud"),
        ((ValueError("x"), None, "api"), "severity must be an ErrorSeverity or its name, got None"),
        ((ValueError("x"), ErrorSeverity.ERROR, ""), "component must be a name, got "),
        ((ValueError("x"), ErrorSeverity.ERROR, 5), "component must be a name, got 5"),
        ((ValueError("x"), ErrorSeverity.ERROR, "api", [1]), r"context must be a mapping or None, got \[1\]"),
    ],
)
def test_wrong_arguments_get_a_clear_error_and_nothing_is_counted(arguments: Any, words: str) -> None:
    monitor = ErrorMonitor()
    with pytest.raises(ValidationException, match=words) as caught:
        monitor.record_error(*arguments)
    assert caught.value.context["argument"] == words.partition(" ")[0]
    assert monitor.get_error_statistics()["total_errors"] == 0


@pytest.mark.parametrize("field", ["keep_latest", "max_distinct", "alert_queue_size"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, None])
def test_a_bad_size_fails_at_construction(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationException, match=f"{field} must be an int >= 1"):
        ErrorMonitor(**{field: value})


def test_the_callers_context_is_copied() -> None:
    monitor, context = ErrorMonitor(), {"symbol": "ETH/BTC"}
    monitor.record_error(ValueError("x"), ErrorSeverity.ERROR, "api", context)
    context["symbol"] = "changed"
    assert monitor.get_error_statistics()["latest"][0]["context"] == {"symbol": "ETH/BTC"}


def test_rescues_are_counted_by_kind() -> None:
    monitor = ErrorMonitor()
    monitor.record_rescue("retry", "api")
    monitor.record_rescue("retry", "feed", operation="fetch_ticker", detail={"attempts": 2})
    monitor.record_rescue("fallback", "api")
    assert monitor.get_error_statistics()["rescues"] == {"retry": 2, "fallback": 1}


def test_listeners_get_frozen_records_of_errors_rescues_and_transitions() -> None:
    clock = ManualClock(epoch=NOON)
    monitor, told = ErrorMonitor(clock=clock), list[Any]()
    monitor.add_listener(told.append)
    monitor.add_listener(told.append)
    monitor.record_error(
        NetworkException("apiKey=abc", url="u"),
        "WARNING",
        "api",
        {"operation": "fetch_ticker", "rescued": True, "n": 1},
    )
    monitor.record_error(ValueError("y"), ErrorSeverity.ERROR, "api", {"operation": print})
    monitor.record_rescue("retry", "api", operation="fetch_ticker", detail={"secret": "abc"})
    monitor.record_rescue("fallback", "api")
    assert told[0] == ErrorRecord(
        timestamp=NOON,
        component="api",
        error_type="NetworkException",
        error_code="NETWORK_ERROR",
        message="apiKey=***",
        severity=ErrorSeverity.WARNING,
        operation="fetch_ticker",
        rescued=True,
        context={"url": "u", "status_code": None, "timeout": None, "component": "network", "n": 1},
    )
    assert (told[1].error_code, told[1].operation, told[1].rescued) == ("UNKNOWN_ERROR", str(print), False)
    assert told[2] == RescueRecord(
        timestamp=NOON, component="api", kind="retry", operation="fetch_ticker", detail={"secret": "***"}
    )
    assert told[3] == RescueRecord(timestamp=NOON, component="api", kind="fallback")
    with pytest.raises(FrozenInstanceError):
        told[0].message = "changed"
    record(monitor)
    assert told[4].operation is None
    monitor.remove_listener(told.append)
    record(monitor)
    assert len(told) == 5


def test_a_listener_that_raises_is_counted_and_harms_nobody() -> None:
    monitor, told = ErrorMonitor(), list[Any]()
    monitor.add_listener(ScriptedCall(RuntimeError("bad listener")))
    monitor.add_listener(told.append)
    record(monitor, 2)
    assert len(told) == 2
    assert monitor.get_error_statistics()["listener_errors"] == 2


def test_a_circuits_changes_are_recorded_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="tradeguard.error_monitor")
    clock = ManualClock(epoch=NOON)
    monitor, told = ErrorMonitor(clock=clock, max_distinct=1), list[Any]()
    breaker = CircuitBreaker(
        "api", CircuitBreakerConfig(failure_threshold=1, recovery_timeout=30), clock=clock
    )
    breaker.add_listener(monitor.record_transition)
    with pytest.raises(OSError, match="down"):
        breaker.call(ScriptedCall(OSError("down")))
    monitor.add_listener(told.append)
    clock.advance(30.0)
    breaker.call(ScriptedCall("fine"))
    assert told[0] == TransitionRecord(
        timestamp=NOON + 30.0,
        circuit="api",
        old_state="open",
        new_state="half_open",
        reason="the recovery time is over",
    )
    assert "circuit api: open -> half_open" in caplog.messages
    another = CircuitBreaker("another", CircuitBreakerConfig(), clock=clock)
    another.add_listener(monitor.record_transition)
    another.force_open()
    assert monitor.get_error_statistics()["circuits"] == {"api": breaker.get_state().value}


def test_the_states_of_a_foreign_circuit_may_be_texts_or_enums_of_any_kind() -> None:
    class Colour(Enum):
        GREEN = "closed"
        RED = "open"

    monitor, told = ErrorMonitor(), list[Any]()
    monitor.add_listener(told.append)
    monitor.record_transition(
        SimpleNamespace(name="api", old_state=Colour.GREEN, new_state=Colour.RED, timestamp=1.0, reason="r")
    )
    monitor.record_transition(
        SimpleNamespace(name="feed", old_state="open", new_state="half_open", timestamp=2.0, reason="r")
    )
    assert [(record.old_state, record.new_state) for record in told] == [
        ("closed", "open"),
        ("open", "half_open"),
    ]
    assert monitor.get_error_statistics()["circuits"] == {"api": "open", "feed": "half_open"}


def test_debug_logging_tells_every_error_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    monitor = ErrorMonitor()
    with caplog.at_level(logging.DEBUG, logger="tradeguard"):
        record(monitor, error=ValueError("signature=abc"))
        monitor.record_rescue("retry", "api", operation="fetch_ticker")
    assert "ERROR in api: ValueError: signature=***" in caplog.text
    assert "rescued by retry in api: fetch_ticker" in caplog.text


times = st.floats(0, 200) | st.sampled_from([0.0, 0.999, 1.0, 59.0, 60.0, 119.999, 120.0, 3600.0])
components = st.sampled_from(["api", "feed", "broker"])
severities = st.sampled_from(list(ErrorSeverity))
kinds = st.sampled_from([ValueError, KeyError, NetworkException])


@given(st.lists(st.tuples(times, components, severities, kinds), max_size=60))
def test_every_count_equals_a_recount(
    errors: list[tuple[float, str, ErrorSeverity, type[Exception]]],
) -> None:
    clock = ManualClock(epoch=NOON)
    monitor = ErrorMonitor(clock=clock)
    seen = list[tuple[int, int, str, ErrorSeverity, str]]()
    for gap, component, severity, kind in errors:
        clock.advance(gap)
        monitor.record_error(kind("x"), severity, component)
        seen.append((int(clock.monotonic()), int(clock.time() // 60), component, severity, kind.__name__))
    now, this_minute = int(clock.monotonic()), int(clock.time() // 60)
    statistics = monitor.get_error_statistics()
    assert statistics["total_errors"] == len(seen)
    assert statistics["error_rate"] == sum(second > now - 60 for second, *_ in seen)
    assert statistics["trend"]["previous"] == sum(now - 120 < second <= now - 60 for second, *_ in seen)
    assert statistics["by_component"] == Counter(component for _, _, component, _, _ in seen)
    assert statistics["by_severity"] == Counter(severity for _, _, _, severity, _ in seen)
    assert dict(statistics["common_errors"]) == Counter(kind for *_, kind in seen)
    counts = [count for _, count in statistics["common_errors"]]
    assert counts == sorted(counts, reverse=True)
    assert list(statistics["by_minute"].values()) == [
        count
        for minute, count in sorted(Counter(m for _, m, *_ in seen).items())
        if minute > this_minute - 60
    ]
    for component, health in statistics["health"].items():
        assert health["error_rate"] == sum(
            second > now - 60 and name == component for second, _, name, *_ in seen
        )


def test_a_signal_handler_that_records_an_error_stops_nothing() -> None:
    """A handler or a finaliser runs in the midst of whatever its thread is doing, recording included."""

    class Interrupting(ManualClock):
        depth = 0

        def monotonic(self) -> float:
            if self.depth == 0:
                self.depth += 1
                record(monitor)
                self.depth -= 1
            return super().monotonic()

    clock = Interrupting()
    monitor = ErrorMonitor(clock=clock)
    thread = threading.Thread(target=record, args=(monitor, 5), daemon=True)
    thread.start()
    thread.join(30.0)
    assert not thread.is_alive()
    clock.depth = 1
    assert monitor.get_error_statistics()["by_component"] == {"api": 10}


def test_threads_lose_no_count() -> None:
    monitor, barrier = ErrorMonitor(max_distinct=5), threading.Barrier(8)
    told = list[Any]()
    monitor.add_listener(told.append)

    def work(name: str) -> None:
        barrier.wait()
        for number in range(200):
            monitor.record_error(ValueError(f"{name} {number}"), ErrorSeverity.WARNING, name)
            monitor.record_rescue("retry", name)
            if number % 50 == 0:
                statistics = monitor.get_error_statistics()
                assert sum(statistics["by_component"].values()) == statistics["total_errors"]

    threads = [threading.Thread(target=work, args=(f"worker{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statistics = monitor.get_error_statistics()
    assert statistics["total_errors"] == statistics["rescues"]["retry"] == 1600
    assert statistics["common_errors"] == [("ValueError", 1600)]
    assert (
        sum(statistics["by_component"].values())
        == sum(f["count"] for f in statistics["fingerprints"])
        == 1600
    )
    assert len(told) == 3200
