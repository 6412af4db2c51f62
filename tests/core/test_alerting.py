"""Alerts go out when due, once a cooldown and kind, delay nothing, and none mutes another."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import math
import subprocess
import sys
import threading
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.alert_rules import AlertRules
from tradeguard.error_monitor import ErrorMonitor, ErrorSeverity
from tradeguard.exceptions import BrokerException, ConfigurationException, NetworkException
from tradeguard.testing import ManualClock, ScriptedCall

NOON = 1704110400.0
PATIENCE = 30.0


class Desk:
    """A monitor on a manual clock with one alert function that keeps what it is told."""

    def __init__(self, **arguments: Any) -> None:
        self.clock = ManualClock(epoch=NOON)
        self.monitor = ErrorMonitor(clock=self.clock, **arguments)
        self._alerts = list[dict[str, Any]]()
        self.monitor.add_alert_function(self._alerts.append)

    def record(
        self,
        error: BaseException | None = None,
        severity: str = "ERROR",
        component: str = "api",
        count: int = 1,
    ) -> None:
        for _ in range(count):
            self.monitor.record_error(
                NetworkException("down") if error is None else error, severity, component
            )

    @property
    def alerts(self) -> list[dict[str, Any]]:
        assert self.monitor.flush(PATIENCE)
        return self._alerts

    @property
    def kinds(self) -> list[tuple[str, str, str]]:
        return [(alert["alert_type"], alert["component"], alert["error_type"]) for alert in self.alerts]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_alert_carries_everything_and_is_json(desk: Desk) -> None:
    error = BrokerException("no balance, apiKey=abc", symbol="ETH/BTC")
    desk.monitor.record_error(error, ErrorSeverity.CRITICAL, "broker", {"user_id": "u", "n": math.nan})
    (alert,) = desk.alerts
    statistics = alert.pop("statistics")
    assert alert == {
        "message": "CRITICAL in broker: BrokerException: no balance, apiKey=***",
        "alert_type": "severity",
        "severity": ErrorSeverity.CRITICAL,
        "component": "broker",
        "error_type": "BrokerException",
        "timestamp": "2024-01-01T12:00:00Z",
        "context": {
            "broker_type": None,
            "symbol": "ETH/BTC",
            "order_type": None,
            "component": "broker",
            "user_id": "u",
            "n": "NaN",
        },
    }
    assert (statistics["total_errors"], statistics["common_errors"]) == (1, [("BrokerException", 1)])
    assert "abc" not in json.dumps([alert, statistics], allow_nan=False)


@pytest.mark.parametrize(("severity", "alerts"), [("INFO", 0), ("WARNING", 0), ("ERROR", 1), ("CRITICAL", 1)])
def test_before_configuring_errors_and_graver_alert(desk: Desk, severity: str, alerts: int) -> None:
    desk.record(severity=severity)
    assert len(desk.alerts) == alerts


@pytest.mark.parametrize("threshold", list(ErrorSeverity))
@pytest.mark.parametrize("severity", list(ErrorSeverity))
def test_the_severity_threshold_is_reached_at_itself(
    desk: Desk, threshold: ErrorSeverity, severity: ErrorSeverity
) -> None:
    desk.monitor.configure_alerts(severity_threshold=threshold)
    desk.record(severity=severity)
    assert bool(desk.alerts) == (severity >= threshold)


def test_before_configuring_the_eleventh_error_of_a_minute_alerts(desk: Desk) -> None:
    desk.record(severity="INFO", count=10)
    assert desk.alerts == []
    desk.record(ValueError("bad"), severity="INFO")
    (alert,) = desk.alerts
    assert alert["message"] == "11 errors a minute exceed 10; latest in api: ValueError: bad"
    assert (alert["alert_type"], alert["severity"]) == ("error_rate", ErrorSeverity.WARNING)


def test_the_rate_alert_is_as_grave_as_the_error_that_set_it_off(desk: Desk) -> None:
    desk.monitor.configure_alerts(error_rate_threshold=0)
    desk.record(severity="CRITICAL")
    assert [alert["severity"] for alert in desk.alerts] == [ErrorSeverity.CRITICAL] * 2


def test_errors_older_than_a_minute_do_not_count_for_the_rate(desk: Desk) -> None:
    desk.record(severity="INFO", count=10)
    desk.clock.advance(60.0)
    desk.record(severity="INFO", count=10)
    assert desk.alerts == []


def test_an_infinite_rate_threshold_never_alerts(desk: Desk) -> None:
    desk.monitor.configure_alerts(error_rate_threshold=math.inf)
    desk.record(severity="INFO", count=1000)
    assert desk.alerts == []


def test_before_configuring_an_alert_is_repeated_after_five_minutes_and_not_before(desk: Desk) -> None:
    desk.record()
    desk.clock.advance(299.9)
    desk.record()
    assert len(desk.alerts) == 1
    desk.clock.advance(0.1)
    desk.record()
    assert len(desk.alerts) == 2


def test_without_a_cooldown_every_error_alerts(desk: Desk) -> None:
    desk.monitor.configure_alerts(alert_cooldown=0)
    desk.record(count=3)
    assert len(desk.alerts) == 3


def test_a_cooldown_mutes_only_its_own_kind(desk: Desk) -> None:
    desk.record(count=11)
    desk.record(ValueError("bad"))
    desk.record(component="feed")
    desk.record(component="feed")
    assert desk.kinds == [
        ("severity", "api", "NetworkException"),
        ("error_rate", "api", "NetworkException"),
        ("severity", "api", "ValueError"),
        ("error_rate", "api", "ValueError"),
        ("severity", "feed", "NetworkException"),
        ("error_rate", "feed", "NetworkException"),
    ]


def test_what_configuring_leaves_out_stays(desk: Desk) -> None:
    desk.monitor.configure_alerts(10, ErrorSeverity.WARNING, 60)
    desk.monitor.configure_alerts(error_rate_threshold=2)
    desk.record(severity="WARNING", count=2)
    desk.clock.advance(60.0)
    desk.record(severity="WARNING", count=3)
    assert [alert["alert_type"] for alert in desk.alerts] == ["severity", "severity", "error_rate"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"error_rate_threshold": -1}, "error_rate_threshold must be a finite number >= 0, got -1"),
        ({"error_rate_threshold": math.nan}, "error_rate_threshold must be a finite number >= 0, got nan"),
        ({"error_rate_threshold": True}, "error_rate_threshold must be a finite number >= 0, got True"),
        ({"alert_cooldown": -0.1}, "alert_cooldown must be a finite number >= 0, got -0.1"),
        ({"alert_cooldown": "long"}, "alert_cooldown must be a finite number >= 0, got 'long'"),
        ({"alert_cooldown": math.inf}, "alert_cooldown must be a finite number >= 0, got inf"),
        (
            {"severity_threshold": "loud"},
            "severity_threshold must be an ErrorSeverity or its name, got 'loud'",
        ),
        ({"severity_threshold": 3}, "severity_threshold must be an ErrorSeverity or its name, got 3"),
    ],
)
def test_a_bad_setting_names_field_value_and_bound_and_changes_nothing(
    desk: Desk, settings: Any, words: str
) -> None:
    with pytest.raises(ConfigurationException, match=words):
        desk.monitor.configure_alerts(**settings)
    desk.record(severity="WARNING")
    desk.record(severity="ERROR", count=2)
    assert desk.kinds == [("severity", "api", "NetworkException")]


def test_rules_check_their_severity_themselves() -> None:
    assert AlertRules().severity_threshold is ErrorSeverity.ERROR
    with pytest.raises(
        ConfigurationException, match="severity_threshold must be an ErrorSeverity, got 'ERROR'"
    ):
        AlertRules(severity_threshold="ERROR")  # type: ignore[arg-type]


def test_a_component_may_have_rules_of_its_own(desk: Desk) -> None:
    desk.monitor.configure_alerts(1, ErrorSeverity.WARNING, 10, component="broker")
    desk.record(severity="WARNING", component="api")
    desk.record(severity="WARNING", component="broker")
    assert desk.kinds == [("severity", "broker", "NetworkException")]
    desk.record(severity="INFO", component="broker")
    desk.record(severity="INFO", component="api")
    assert desk.alerts[1]["message"] == "2 errors a minute exceed 1; latest in broker: NetworkException: down"
    desk.clock.advance(10.0)
    desk.record(severity="WARNING", component="broker")
    assert len(desk.alerts) == 4


def test_rules_of_a_component_are_changed_one_by_one(desk: Desk) -> None:
    desk.monitor.configure_alerts(severity_threshold=ErrorSeverity.WARNING, component="broker")
    desk.monitor.configure_alerts(alert_cooldown=10, component="broker")
    desk.record(severity="WARNING", component="broker")
    desk.clock.advance(10.0)
    desk.record(severity="WARNING", component="broker")
    assert len(desk.alerts) == 2


def test_types_of_errors_with_the_same_code_are_kinds_of_their_own(desk: Desk) -> None:
    desk.record(ValueError("x"))
    desk.record(KeyError("x"))
    assert desk.kinds == [("severity", "api", "ValueError"), ("severity", "api", "KeyError")]


def test_rules_of_a_component_leave_the_general_rate_in_force(desk: Desk) -> None:
    desk.monitor.configure_alerts(error_rate_threshold=1000, component="broker")
    desk.record(severity="INFO", component="broker", count=11)
    assert desk.kinds == [("error_rate", "broker", "NetworkException")]


def test_no_kinds_are_remembered_beyond_a_bound_and_none_is_muted_for_it(desk: Desk) -> None:
    desk.monitor.configure_alerts(error_rate_threshold=math.inf)
    for number in range(5000):
        desk.record(component=f"c{number}")
    assert desk.monitor.flush(PATIENCE)
    before = len(desk.alerts)
    desk.record(component="c4999")
    assert len(desk.alerts) == before
    desk.record(component="c0")
    assert len(desk.alerts) == before + 1


cooldowns = st.integers(0, 100)


@given(cooldown=cooldowns, steps=st.lists(st.tuples(cooldowns, st.sampled_from("abc")), max_size=30))
def test_alerts_of_a_kind_are_a_cooldown_apart_and_none_is_missing(
    cooldown: int, steps: list[tuple[int, str]]
) -> None:
    desk = Desk()
    desk.monitor.configure_alerts(math.inf, ErrorSeverity.ERROR, cooldown)
    fired, expected = dict[str, float](), list[str]()
    for gap, component in steps:
        desk.clock.advance(gap)
        desk.record(component=component)
        now = desk.clock.monotonic()
        if component not in fired or now - fired[component] >= cooldown:
            fired[component] = now
            expected.append(component)
    assert [alert["component"] for alert in desk.alerts] == expected


def test_recording_does_not_wait_for_a_function_that_hangs_and_the_others_are_told(desk: Desk) -> None:
    release, entered = threading.Event(), threading.Event()

    def hang(alert: dict[str, Any]) -> None:
        entered.set()
        release.wait(PATIENCE)

    desk.monitor.add_alert_function(hang)
    told = threading.Event()
    desk.monitor.add_alert_function(lambda alert: told.set())
    desk.record()
    assert entered.wait(PATIENCE)
    assert told.wait(PATIENCE)
    assert not desk.monitor.flush(0.0)
    workers = [thread for thread in threading.enumerate() if thread.name == "tradeguard-alerts"]
    assert workers
    assert all(worker.daemon for worker in workers)  # none keeps the process from ending
    release.set()
    assert len(desk.alerts) == 1


def test_a_full_queue_drops_counts_and_logs_for_that_function_alone(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(alert_queue_size=2)
    desk.monitor.configure_alerts(math.inf, alert_cooldown=0)
    release, entered, slow = threading.Event(), threading.Event(), list[str]()

    def hang(alert: dict[str, Any]) -> None:
        slow.append(alert["component"])
        entered.set()
        release.wait(PATIENCE)

    desk.monitor.remove_alert_function(desk._alerts.append)
    desk.monitor.add_alert_function(hang)
    desk.record(component="1")
    assert entered.wait(PATIENCE)
    for component in "2345":
        desk.record(component=component)
    assert desk.monitor.get_error_statistics()["dropped_alerts"] == 2
    assert caplog.messages == [f"alert for {hang!r} dropped, 2 are waiting"] * 2
    release.set()
    assert desk.monitor.flush(PATIENCE)
    assert slow == ["1", "2", "3"]


def test_one_that_raises_is_counted_and_logged_without_secrets_and_the_others_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitor, told = ErrorMonitor(), list[Any]()
    monitor.configure_alerts(alert_cooldown=0)
    failing = ScriptedCall(RuntimeError("token=abc"), SystemExit(3), None)
    monitor.add_alert_function(failing)
    monitor.add_alert_function(told.append)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            monitor.record_error(ValueError("x"), ErrorSeverity.ERROR, "api")
        assert monitor.flush(PATIENCE)
    assert len(told) == 3
    assert monitor.get_error_statistics()["failed_alerts"] == 2
    assert caplog.messages == [
        f"alert function {failing!r} raised RuntimeError: token=***",
        f"alert function {failing!r} raised SystemExit: 3",
    ]


def test_a_function_gets_its_alerts_in_order_and_a_dictionary_of_its_own(desk: Desk) -> None:
    desk.monitor.configure_alerts(math.inf, alert_cooldown=0)
    spoiled = list[Any]()

    def spoil(alert: dict[str, Any]) -> None:
        alert["context"].clear()
        alert["statistics"].clear()
        spoiled.append(alert)

    desk.monitor.add_alert_function(spoil)
    for number in range(50):
        desk.record(component=str(number))
    assert [alert["component"] for alert in desk.alerts] == [str(number) for number in range(50)]
    assert all(alert["context"] and alert["statistics"] for alert in desk.alerts)
    assert len(spoiled) == 50


def test_a_coroutine_function_is_awaited() -> None:
    monitor, told = ErrorMonitor(), list[str]()

    async def tell(alert: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        told.append(alert["message"])

    monitor.add_alert_function(tell)
    monitor.record_error(ValueError("x"), ErrorSeverity.ERROR, "api")
    assert monitor.flush(PATIENCE)
    assert told == ["ERROR in api: ValueError: x"]


def test_a_function_is_added_once_and_can_be_removed(desk: Desk) -> None:
    desk.monitor.add_alert_function(desk._alerts.append)
    desk.record(component="1")
    assert len(desk.alerts) == 1
    desk.monitor.remove_alert_function(desk._alerts.append)
    desk.record(component="2")
    assert len(desk.alerts) == 1


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(ConfigurationException, match="alert_func must be callable, got 'mail'"):
        ErrorMonitor().add_alert_function("mail")  # type: ignore[arg-type]


def test_an_alert_function_may_record_errors_and_flush(desk: Desk) -> None:
    flushed = list[bool]()

    def reckless(alert: dict[str, Any]) -> None:
        if alert["component"] == "api":
            desk.record(component="alerts")
        flushed.append(desk.monitor.flush(PATIENCE))

    desk.monitor.add_alert_function(reckless)
    desk.record()
    assert [kind[1] for kind in desk.kinds] == ["api", "alerts"]
    assert flushed == [True, True]


def test_an_alert_can_be_sent_by_hand_under_the_same_cooldown(desk: Desk) -> None:
    def send() -> bool:
        return desk.monitor.send_alert(
            "recovery",
            "restarted, secret=abc",
            severity=ErrorSeverity.WARNING,
            component="feed",
            error_type="NetworkException",
            context={"token": "abc"},
        )

    assert send()
    assert not send()
    (alert,) = desk.alerts
    assert (alert["message"], alert["context"]) == ("restarted, secret=***", {"token": "***"})
    assert (alert["alert_type"], alert["severity"], alert["component"]) == ("recovery", "WARNING", "feed")
    assert not ErrorMonitor().send_alert("recovery", "x", severity=ErrorSeverity.ERROR, component="feed")


def test_alerts_sent_by_hand_mute_only_their_own_kind(desk: Desk) -> None:
    kinds = [("a", "api", "E"), ("b", "api", "E"), ("a", "feed", "E"), ("a", "api", "F"), ("a", "api", "")]
    for alert_type, component, error_type in kinds[:-1] * 2:
        desk.monitor.send_alert(
            alert_type, "x", severity=ErrorSeverity.INFO, component=component, error_type=error_type
        )
    desk.monitor.send_alert("a", "x", severity=ErrorSeverity.INFO, component="api")
    assert desk.kinds == kinds


def test_a_monitor_with_nothing_to_send_is_flushed_at_once() -> None:
    assert ErrorMonitor().flush(0.0)


def test_alerts_are_dropped_and_counted_where_no_thread_can_be_started(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        desk.record()
    assert desk.monitor.get_error_statistics()["dropped_alerts"] == 1
    assert caplog.messages == [f"alert for {desk._alerts.append!r} dropped: can't start new thread"]
    desk.record(component="feed")
    assert desk.kinds == [("severity", "feed", "NetworkException")]


def test_a_monitor_with_alert_functions_is_freed_when_nobody_needs_it() -> None:
    desk = Desk()
    desk.record()
    assert len(desk.alerts) == 1
    monitor = weakref.ref(desk.monitor)
    del desk
    gc.collect()
    assert monitor() is None


EXIT = """
import threading
from tradeguard import ErrorMonitor, ErrorSeverity

monitor = ErrorMonitor()
release = threading.Event()
monitor.add_alert_function(lambda alert: (release.wait({wait}), print("told", alert["message"], flush=True)))
monitor.record_error(ValueError("x"), ErrorSeverity.ERROR, "api")
"""


@pytest.mark.parametrize(("wait", "told"), [(0.2, True), (3600, False)])
def test_the_end_of_the_process_waits_for_alerts_on_their_way_but_only_briefly(
    wait: float, told: bool
) -> None:
    result = subprocess.run(
        [sys.executable, "-c", EXIT.format(wait=wait)], capture_output=True, text=True, timeout=60, check=True
    )
    assert ("told ERROR in api: ValueError: x" in result.stdout) == told
    assert result.stderr == ""


def test_the_end_of_the_process_forgets_a_monitor_that_is_gone() -> None:
    code = EXIT.format(wait=0) + "monitor.flush()\ndel monitor\n"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (result.stdout, result.stderr) == ("told ERROR in api: ValueError: x\n", "")


def test_threads_send_an_alert_of_a_kind_once() -> None:
    desk, barrier = Desk(), threading.Barrier(8)
    desk.monitor.configure_alerts(error_rate_threshold=math.inf)

    def work() -> None:
        barrier.wait()
        for _ in range(100):
            desk.record()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(desk.alerts) == 1
