"""Each component's errors are recovered from as registered, and a recovery that fails says why."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tradeguard.error_monitor import ErrorMonitor, ErrorSeverity
from tradeguard.exceptions import (
    BrokerException,
    CallTimeoutError,
    ConfigurationException,
    NetworkException,
    RecoveryException,
    ValidationException,
)
from tradeguard.recovery_manager import ErrorRecoveryManager, RecoveryConfig, RecoveryStrategy
from tradeguard.retry_manager import RetryConfig
from tradeguard.testing import ManualClock, ScriptedCall

Recover = Callable[..., Any]
ERROR = NetworkException("down", url="https://api", component="api")

RETRY, FALLBACK, DEGRADE = RecoveryStrategy.RETRY, RecoveryStrategy.FALLBACK, RecoveryStrategy.DEGRADE
RESTART, IGNORE, ALERT = RecoveryStrategy.RESTART, RecoveryStrategy.IGNORE, RecoveryStrategy.ALERT


@pytest.fixture
def manager(manual_clock: ManualClock) -> ErrorRecoveryManager:
    return ErrorRecoveryManager(clock=manual_clock)


@pytest.fixture(params=["plain", "async"])
def recover(request: pytest.FixtureRequest, manager: ErrorRecoveryManager) -> Recover:
    """Recovery by either method: both make the same decisions."""
    if request.param == "plain":
        return manager.execute_recovery
    return lambda *args: asyncio.run(manager.execute_recovery_async(*args))


def rescues(manager: ErrorRecoveryManager) -> Any:
    return manager.monitor.get_error_statistics()["rescues"]


def test_retry_runs_the_operation_again_with_its_arguments_under_its_config(
    manager: ErrorRecoveryManager, recover: Recover, manual_clock: ManualClock
) -> None:
    manager.register_recovery(
        "api", RecoveryConfig(RETRY, retry_config=RetryConfig(max_attempts=3, base_delay=5.0))
    )
    operation = ScriptedCall(OSError(), OSError(), {"last": 1.0})
    assert recover(ERROR, {"operation": operation, "args": ("ETH/BTC",), "kwargs": {"limit": 5}}) == {
        "last": 1.0
    }
    assert operation.calls == [(("ETH/BTC",), {"limit": 5})] * 3
    assert manual_clock.sleeps == [5.0, 10.0]
    assert rescues(manager) == {"retry": 1}


def test_retry_without_a_config_has_the_defaults_of_one(
    manager: ErrorRecoveryManager, recover: Recover
) -> None:
    manager.register_recovery("api", RecoveryConfig(RETRY))
    operation = ScriptedCall(OSError("still down"))
    with pytest.raises(RecoveryException, match="RETRY: OSError: still down"):
        recover(ERROR, {"operation": operation})
    assert len(operation.calls) == RetryConfig().max_attempts


@pytest.mark.parametrize("operation", [None, "fetch"])
def test_retry_without_an_operation_fails_and_says_so(
    manager: ErrorRecoveryManager, recover: Recover, operation: Any
) -> None:
    manager.register_recovery("api", RecoveryConfig(RETRY))
    with pytest.raises(RecoveryException, match=r"context\['operation'\] must be callable"):
        recover(ERROR, {"operation": operation})


def test_an_operation_that_cannot_be_called_is_named(manager: ErrorRecoveryManager, recover: Recover) -> None:
    manager.register_recovery("api", RecoveryConfig(RETRY))
    with pytest.raises(RecoveryException, match=r"context\['operation'\] must be callable, got 5"):
        recover(ERROR, {"operation": 5})
    latest = manager.monitor.get_error_statistics()["latest"][0]
    assert latest["context"]["argument"] == "operation"


def test_a_result_that_was_never_good_enough_is_kept(manager: ErrorRecoveryManager, recover: Recover) -> None:
    config = RetryConfig(max_attempts=2, retry_on_result=lambda result: result == "partial")
    manager.register_recovery("api", RecoveryConfig(RETRY, retry_config=config))
    with pytest.raises(RecoveryException) as caught:
        recover(ERROR, {"operation": ScriptedCall("partial")})
    assert caught.value.last_result == "partial"


def test_fallback_returns_the_result_of_its_function(manager: ErrorRecoveryManager, recover: Recover) -> None:
    manager.register_recovery("api", RecoveryConfig(FALLBACK, fallback_function=lambda: "backup"))
    assert recover(ERROR, {"component": "api"}) == "backup"
    assert rescues(manager) == {"fallback": 1}


def test_degrade_returns_the_reduced_result(manager: ErrorRecoveryManager, recover: Recover) -> None:
    manager.register_recovery("api", RecoveryConfig(DEGRADE, degrade_function=lambda: {"status": "degraded"}))
    assert recover(ERROR, {}) == {"status": "degraded"}
    assert rescues(manager) == {"degrade": 1}


def test_functions_get_the_arguments_that_their_signature_takes(
    manager: ErrorRecoveryManager, recover: Recover
) -> None:
    context = {"args": ["ETH/BTC", "1m"], "kwargs": {"limit": 5, "since": None}}
    for function, expected in (
        (lambda: (), ()),
        (lambda symbol: (symbol,), ("ETH/BTC",)),
        (lambda symbol, *, limit: (symbol, limit), ("ETH/BTC", 5)),
        (lambda *args, **kwargs: (args, kwargs), (("ETH/BTC", "1m"), {"limit": 5, "since": None})),
    ):
        manager.register_recovery("api", RecoveryConfig(FALLBACK, fallback_function=function))
        assert recover(ERROR, context) == expected
        manager.register_recovery("api", RecoveryConfig(DEGRADE, degrade_function=function))
        assert recover(ERROR, context) == expected
        manager.register_recovery("api", RecoveryConfig(RESTART, restart_function=function))
        assert recover(ERROR, context) == expected


def test_restart_restarts_and_then_runs_the_operation_once(
    manager: ErrorRecoveryManager, recover: Recover
) -> None:
    order = list[str]()
    manager.register_recovery(
        "api", RecoveryConfig(RESTART, restart_function=lambda: order.append("restart"))
    )
    operation = ScriptedCall("fine")
    assert recover(ERROR, {"operation": lambda: (order.append("operation"), operation())[1]}) == "fine"
    assert order == ["restart", "operation"]
    assert rescues(manager) == {"restart": 1}
    failing = ScriptedCall(OSError("still down"))
    with pytest.raises(RecoveryException, match="RESTART: OSError: still down"):
        recover(ERROR, {"operation": failing})
    assert len(failing.calls) == 1


def test_ignore_returns_the_default(manager: ErrorRecoveryManager, recover: Recover) -> None:
    manager.register_recovery("api", RecoveryConfig(IGNORE))
    assert recover(ERROR, {}) is None
    manager.register_recovery("api", RecoveryConfig(IGNORE, default=[]))
    assert recover(ERROR, {}) == []
    assert rescues(manager) == {}


def test_alert_tells_the_monitors_alert_functions_and_returns_the_default(
    manager: ErrorRecoveryManager, recover: Recover
) -> None:
    alerts = list[dict[str, Any]]()
    manager.monitor.add_alert_function(alerts.append)
    manager.register_recovery("api", RecoveryConfig(ALERT, default="nothing"))
    manager.register_recovery("unknown", RecoveryConfig(ALERT))
    assert recover(ERROR, {"operation": print}) == "nothing"
    assert recover(ValueError("apiKey=abc")) is None
    assert manager.monitor.flush()
    assert [(a["alert_type"], a["component"], a["error_type"], a["severity"]) for a in alerts] == [
        ("recovery", "api", "NetworkException", ErrorSeverity.ERROR),
        ("recovery", "unknown", "ValueError", ErrorSeverity.ERROR),
    ]
    assert alerts[0]["message"] == "api goes on without recovery from NetworkException: down"
    assert (alerts[0]["context"]["url"], alerts[0]["context"]["operation"]) == ("https://api", "print")
    assert alerts[1]["context"] == {"component": "unknown", "operation": None}
    assert "abc" not in str(alerts[1])


def test_an_alert_that_nobody_hears_is_logged(
    manager: ErrorRecoveryManager, recover: Recover, caplog: pytest.LogCaptureFixture
) -> None:
    manager.register_recovery("api", RecoveryConfig(ALERT))
    recover(ERROR, {})
    assert caplog.messages[0] == "api goes on without recovery from NetworkException: down"


def test_a_recovery_that_helped_is_logged(
    manager: ErrorRecoveryManager, recover: Recover, caplog: pytest.LogCaptureFixture
) -> None:
    manager.register_recovery("api", RecoveryConfig(FALLBACK, fallback_function=lambda: 1))
    with caplog.at_level(logging.INFO, logger="tradeguard.recovery_run"):
        recover(ERROR, {})
    assert caplog.messages == ["api recovered by FALLBACK from NetworkException"]


def test_of_a_chain_each_is_tried_until_one_succeeds(manager: ErrorRecoveryManager, recover: Recover) -> None:
    never = ScriptedCall("never")
    chain = [
        RecoveryConfig(RETRY, retry_config=RetryConfig(max_attempts=1)),
        RecoveryConfig(FALLBACK, fallback_function=ScriptedCall(OSError("backup down"))),
        RecoveryConfig(DEGRADE, degrade_function=lambda: "reduced"),
        RecoveryConfig(FALLBACK, fallback_function=never),
    ]
    manager.register_recovery("api", chain)
    assert recover(ERROR, {"operation": ScriptedCall(OSError("down"))}) == "reduced"
    assert never.calls == []
    statistics = manager.monitor.get_error_statistics()
    assert statistics["by_severity"] == {"WARNING": 2}
    assert statistics["rescues"] == {"degrade": 1}


def test_a_recovery_that_fails_raises_from_the_error_and_says_what_was_tried(
    manager: ErrorRecoveryManager, recover: Recover
) -> None:
    manager.register_recovery(
        "api",
        [
            RecoveryConfig(FALLBACK, fallback_function=ScriptedCall(OSError("backup down, token=abc"))),
            RecoveryConfig(
                DEGRADE, degrade_function=ScriptedCall(RecoveryException("no more", last_result=7))
            ),
        ],
    )
    with pytest.raises(RecoveryException) as caught:
        recover(ERROR, {"operation": print})
    error = caught.value
    assert error.__cause__ is ERROR
    assert str(error) == (
        "No recovery of api from NetworkException: down "
        "(FALLBACK: OSError: backup down, token=***; DEGRADE: RecoveryException: no more)"
    )
    assert (error.component, error.context["error_type"], error.last_result) == ("api", "NetworkException", 7)
    assert error.context["failures"] == [
        "FALLBACK: OSError: backup down, token=***",
        "DEGRADE: RecoveryException: no more",
    ]
    statistics = manager.monitor.get_error_statistics()
    assert statistics["by_severity"] == {"WARNING": 1, "ERROR": 1}
    latest = statistics["latest"][0]
    assert (latest["context"]["recovery"], latest["operation"]) == ("DEGRADE", "print")


def test_nothing_registered_raises_from_the_error(recover: Recover) -> None:
    with pytest.raises(
        RecoveryException, match=r"^No recovery of api .*\(no recovery is registered for it\)$"
    ) as caught:
        recover(ERROR, None)
    assert caught.value.__cause__ is ERROR
    assert caught.value.last_result is None


def named(manager: ErrorRecoveryManager, *components: str) -> None:
    for component in components:
        manager.register_recovery(component, RecoveryConfig(IGNORE, default=component))


@pytest.mark.parametrize(
    ("error", "context", "component"),
    [
        (NetworkException("x", component="api"), {"component": "feed"}, "feed"),
        (NetworkException("x", component="api"), {}, "api"),
        (NetworkException("x", component="elsewhere"), {}, "network"),
        (NetworkException("x"), {"component": None}, "network"),
        (CallTimeoutError("x"), {}, "network"),
        (BrokerException("x"), {}, "trading"),
        (ConnectionResetError("x"), {}, "network"),
        (TimeoutError("x"), {}, "network"),
        (KeyError("x"), {}, "unknown"),
    ],
)
def test_the_component_is_the_contexts_else_the_errors_else_its_classs(
    manager: ErrorRecoveryManager, recover: Recover, error: Exception, context: dict[str, Any], component: str
) -> None:
    named(manager, "feed", "api", "network", "trading", "unknown")
    assert recover(error, context) == component


def test_a_component_that_is_named_gets_no_other_ones_recovery(
    manager: ErrorRecoveryManager, recover: Recover
) -> None:
    named(manager, "network", "api")
    with pytest.raises(RecoveryException, match="No recovery of feed"):
        recover(ERROR, {"component": "feed"})


def test_what_ends_a_program_is_no_failed_recovery(manager: ErrorRecoveryManager, recover: Recover) -> None:
    manager.register_recovery(
        "api", RecoveryConfig(FALLBACK, fallback_function=ScriptedCall(KeyboardInterrupt()))
    )
    with pytest.raises(KeyboardInterrupt):
        recover(ERROR, {})


async def test_coroutine_functions_are_awaited(
    manager: ErrorRecoveryManager, manual_clock: ManualClock
) -> None:
    attempts = ScriptedCall(OSError("down"), "fine")

    async def operation(symbol: str) -> Any:
        await asyncio.sleep(0)
        return attempts(symbol)

    async def backup(symbol: str) -> str:
        return f"backup of {symbol}"

    manager.register_recovery("api", RecoveryConfig(RETRY, retry_config=RetryConfig(base_delay=2.0)))
    context = {"operation": operation, "args": ("ETH/BTC",)}
    assert await manager.execute_recovery_async(ERROR, context) == "fine"
    assert manual_clock.sleeps == [2.0]
    manager.register_recovery("api", RecoveryConfig(FALLBACK, fallback_function=backup))
    assert await manager.execute_recovery_async(ERROR, context) == "backup of ETH/BTC"
    manager.register_recovery("api", RecoveryConfig(RESTART, restart_function=backup))
    assert await manager.execute_recovery_async(ERROR, context) == "fine"


async def test_cancelling_ends_a_recovery(manager: ErrorRecoveryManager) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    fallback = ScriptedCall("never")
    manager.register_recovery(
        "api",
        [
            RecoveryConfig(DEGRADE, degrade_function=forever),
            RecoveryConfig(FALLBACK, fallback_function=fallback),
        ],
    )
    task = asyncio.create_task(manager.execute_recovery_async(ERROR, {}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fallback.calls == []


def test_a_coroutine_function_in_plain_recovery_fails_and_says_so(manager: ErrorRecoveryManager) -> None:
    async def backup() -> None: ...

    manager.register_recovery("api", RecoveryConfig(FALLBACK, fallback_function=backup))
    with pytest.raises(RecoveryException, match="backup is a coroutine function"):
        manager.execute_recovery(ERROR, {})
    manager.register_recovery("api", RecoveryConfig(RETRY))
    with pytest.raises(RecoveryException, match="backup is a coroutine function"):
        manager.execute_recovery(ERROR, {"operation": backup})


def test_a_given_monitor_is_told(manual_clock: ManualClock) -> None:
    monitor = ErrorMonitor(clock=manual_clock)
    manager = ErrorRecoveryManager(monitor=monitor, clock=manual_clock)
    records = list[Any]()
    monitor.add_listener(records.append)
    manager.register_recovery("api", RecoveryConfig(FALLBACK, fallback_function=lambda: 1))
    manager.execute_recovery(ERROR, {"operation": ScriptedCall(1)})
    assert manager.monitor is monitor
    (record,) = records
    manager.execute_recovery(ERROR, {})
    assert records[1].operation is None
    assert (record.kind, record.component, record.operation) == ("fallback", "api", "ScriptedCall")
    assert record.detail == {"error_type": "NetworkException"}


def test_what_is_registered_can_be_listed_and_replaced(manager: ErrorRecoveryManager) -> None:
    ignore, alert = RecoveryConfig(IGNORE), RecoveryConfig(ALERT)
    manager.register_recovery("api", alert)
    manager.register_recovery("api", ignore)
    manager.register_recovery("feed", [ignore, alert])
    manager.register_recovery("broker", (alert,))
    strategies = manager.get_recovery_strategies()
    assert strategies == {"api": ignore, "feed": (ignore, alert), "broker": alert}
    strategies.clear()
    assert len(manager.get_recovery_strategies()) == 3


@pytest.mark.parametrize(
    ("strategy", "fields", "words"),
    [
        (FALLBACK, {}, "fallback_function must be given for FALLBACK"),
        (DEGRADE, {"fallback_function": print}, "degrade_function must be given for DEGRADE"),
        (RESTART, {}, "restart_function must be given for RESTART"),
        (FALLBACK, {"fallback_function": "print"}, "fallback_function must be callable or None, got 'print'"),
        (RETRY, {"retry_config": {"max_attempts": 3}}, "retry_config must be .* None, got {'max"),
        ("fallback", {}, "strategy must be a RecoveryStrategy, got 'fallback'"),
    ],
)
def test_a_bad_config_fails_at_construction(strategy: Any, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationException, match=words):
        RecoveryConfig(strategy, **fields)


@pytest.mark.parametrize(
    ("component", "config", "words"),
    [
        ("", RecoveryConfig(IGNORE), "component must be a text that is not empty, got ''"),
        (None, RecoveryConfig(IGNORE), "component must be a text that is not empty, got None"),
        ("api", [], r"config must be a RecoveryConfig or a sequence of them .*, got \[\]"),
        ("api", 5, "config must be a RecoveryConfig or a sequence of them .*, got 5"),
        ("api", [RecoveryStrategy.IGNORE], "config must be a RecoveryConfig, got <RecoveryStrategy"),
    ],
)
def test_a_bad_registration_is_refused(
    manager: ErrorRecoveryManager, component: Any, config: Any, words: str
) -> None:
    with pytest.raises(ConfigurationException, match=words):
        manager.register_recovery(component, config)
    assert manager.get_recovery_strategies() == {}


@pytest.mark.parametrize(
    ("error", "context", "words"),
    [
        ("no error", {}, "error must be an exception, got no error"),
        (ERROR, [1], r"context must be a mapping, got \[1\]"),
        (ERROR, {"args": "ETH/BTC"}, r"context\['args'\] must be a tuple, got ETH/BTC"),
        (ERROR, {"kwargs": [1]}, r"context\['kwargs'\] must be a mapping, got \[1\]"),
    ],
)
def test_wrong_arguments_get_a_clear_error(recover: Recover, error: Any, context: Any, words: str) -> None:
    with pytest.raises(ValidationException, match=words) as caught:
        recover(error, context)
    assert caught.value.context["argument"] in words.partition(" ")[0]


def test_without_a_monitor_the_manager_has_one_on_its_own_clock(
    manager: ErrorRecoveryManager, recover: Recover, manual_clock: ManualClock
) -> None:
    records = list[Any]()
    manager.monitor.add_listener(records.append)
    manager.register_recovery("api", RecoveryConfig(FALLBACK, fallback_function=lambda: 1))
    manual_clock.advance(77.0)
    recover(ERROR, {})
    assert records[0].timestamp == manual_clock.time()


def test_threads_register_and_recover_at_once(manager: ErrorRecoveryManager) -> None:
    barrier, results = threading.Barrier(4), list[Any]()

    def work(name: str) -> None:
        barrier.wait()
        for number in range(50):
            component = f"{name}{number}"
            manager.register_recovery(
                component, RecoveryConfig(FALLBACK, fallback_function=ScriptedCall(component))
            )
            results.append(manager.execute_recovery(ERROR, {"component": component}) == component)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 200
    assert len(manager.get_recovery_strategies()) == rescues(manager)["fallback"] == 200
