"""The public surface: what `tradeguard` exports is settled, sorted, light to import and true to its modules."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import tradeguard

NAMES = [
    "SYSTEM_CLOCK",
    "BrokerException",
    "CachedValue",
    "CallTimeoutError",
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CircuitBreakerOpenError",
    "CircuitBreakerState",
    "CircuitBreakerStatistics",
    "Clock",
    "ConfigurationException",
    "DataFeedException",
    "Deadline",
    "ErrorMonitor",
    "ErrorRecord",
    "ErrorRecoveryManager",
    "ErrorSeverity",
    "FallbackCache",
    "Guard",
    "GuardStatistics",
    "NetworkException",
    "RecoveryConfig",
    "RecoveryException",
    "RecoveryStrategy",
    "RescueRecord",
    "RetryBudget",
    "RetryConfig",
    "RetryManager",
    "RetryStrategy",
    "StateTransition",
    "StrategyException",
    "SystemClock",
    "TradingException",
    "TransitionRecord",
    "ValidationException",
    "circuit_breaker",
    "current_deadline",
    "deadline",
    "is_network_error",
    "resilient",
    "retry_on_network_error",
]

DOCUMENTED = {
    "exceptions": "TradingException DataFeedException BrokerException StrategyException ConfigurationException "
    "NetworkException ValidationException RecoveryException",
    "retry_manager": "RetryManager RetryConfig RetryStrategy",
    "circuit_breaker": "CircuitBreaker CircuitBreakerConfig CircuitBreakerState CircuitBreakerOpenError",
    "recovery_manager": "ErrorRecoveryManager RecoveryConfig RecoveryStrategy",
    "error_monitor": "ErrorMonitor ErrorSeverity",
    "resilience_decorator": "retry_on_network_error circuit_breaker resilient",
    "testing": "ManualClock ScriptedCall instant_guard",
}


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return result.stdout.strip()


def test_the_exported_names_are_these_and_no_others() -> None:
    assert sorted(tradeguard.__all__) == sorted(NAMES)


@pytest.mark.parametrize("name", tradeguard.__all__)
def test_every_exported_name_is_there_and_documented(name: str) -> None:
    assert inspect.getdoc(getattr(tradeguard, name))


@pytest.mark.parametrize(("module", "names"), DOCUMENTED.items())
def test_every_name_of_the_document_is_in_its_module(module: str, names: str) -> None:
    loaded = __import__(f"tradeguard.{module}", fromlist=names.split())
    for name in names.split():
        assert name in loaded.__all__
        assert getattr(tradeguard, name, None) in (getattr(loaded, name), None)


def test_importing_needs_the_standard_library_alone() -> None:
    foreign = run(
        "import sys; before = set(sys.modules); import tradeguard\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'tradeguard'}))"
    )
    assert foreign == "[]"


def test_importing_leaves_the_heavy_modules_out() -> None:
    """What takes long to import is imported when it is first needed, so that a start costs 40 ms at most."""
    heavy = {
        "asyncio",
        "concurrent.futures",
        "email",
        "http",
        "json",
        "socket",
        "ssl",
        "subprocess",
        "urllib",
    }
    # Whatever is there already is not counted: a coverage tracer loads some of these itself.
    new = run(
        f"import sys; there = set(sys.modules); import tradeguard; print({heavy} & set(sys.modules) - there)"
    )
    assert new == "set()"
