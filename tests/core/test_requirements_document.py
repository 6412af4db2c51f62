"""Every example of the document that the library was asked for runs as it is written there.

The examples are verbatim; only `src.error_handling` is read as `tradeguard`, and what they leave undefined
(a broker, a data feed, an URL) is given to them. Its decorators, integrations and reference have a file of their own.
"""

from __future__ import annotations

import logging
import types
from collections.abc import Iterator
from typing import Any

import pytest
from requirements_runner import noted_sleeps, run

import tradeguard
from tradeguard import BrokerException, CircuitBreakerState, DataFeedException, NetworkException, RetryConfig
from tradeguard.testing import ScriptedCall


@pytest.fixture(autouse=True)
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The sleeps so far, in seconds; none of them is real."""
    yield from noted_sleeps(monkeypatch)


# --- Custom exceptions

USAGE = """
from src.error_handling.exceptions import (
    NetworkException, BrokerException, DataFeedException
)

# Network errors with context
try:
    response = requests.get(url, timeout=30)
except requests.RequestException as e:
    raise NetworkException(
        f"Failed to fetch data from {url}",
        url=url,
        status_code=getattr(e.response, 'status_code', None),
        timeout=30
    )

# Broker errors with trading context
try:
    order = broker.place_order(symbol, quantity, price)
except InsufficientFundsError:
    raise BrokerException(
        f"Insufficient funds for {symbol}",
        broker_type="binance",
        symbol=symbol,
        order_type="market"
    )

# Data feed errors
try:
    data = data_feed.get_historical_data(symbol, interval)
except DataUnavailableError:
    raise DataFeedException(
        f"Data unavailable for {symbol}",
        data_source="binance",
        symbol=symbol,
        interval=interval
    )
"""


class RequestError(Exception):
    response = types.SimpleNamespace(status_code=503)


class InsufficientFundsError(Exception):
    pass


class DataUnavailableError(Exception):
    pass


def usage(get: Any = None, place_order: Any = None, get_historical_data: Any = None) -> dict[str, Any]:
    return run(
        USAGE,
        requests=types.SimpleNamespace(get=ScriptedCall(get), RequestException=RequestError),
        broker=types.SimpleNamespace(place_order=ScriptedCall(place_order)),
        data_feed=types.SimpleNamespace(get_historical_data=ScriptedCall(get_historical_data)),
        InsufficientFundsError=InsufficientFundsError,
        DataUnavailableError=DataUnavailableError,
        url="https://api.example.com",
        symbol="ETH/BTC",
        quantity=1,
        price=0.05,
        interval="1m",
    )


def test_the_exceptions_form_the_documented_tree() -> None:
    children = ["DataFeed", "Broker", "Strategy", "Configuration", "Network", "Validation", "Recovery"]
    for child in children:
        assert tradeguard.TradingException in getattr(tradeguard, f"{child}Exception").__bases__


def test_usage_of_exceptions() -> None:
    with pytest.raises(
        NetworkException, match=r"Failed to fetch data from https://api\.example\.com"
    ) as network:
        usage(get=RequestError())
    assert (network.value.context["status_code"], network.value.context["timeout"]) == (503, 30)
    with pytest.raises(BrokerException, match="Insufficient funds for ETH/BTC") as broker:
        usage(place_order=InsufficientFundsError())
    assert (broker.value.context["broker_type"], broker.value.context["order_type"]) == ("binance", "market")
    with pytest.raises(DataFeedException, match="Data unavailable for ETH/BTC") as feed:
        usage(get_historical_data=DataUnavailableError())
    assert (feed.value.context["data_source"], feed.value.context["interval"]) == ("binance", "1m")
    assert usage(get_historical_data=[1, 2])["data"] == [1, 2]


def test_exception_context(capsys: pytest.CaptureFixture[str]) -> None:
    exception = run("""
exception = NetworkException("API call failed", url="https://api.example.com")
print(exception.context)
# Output: {'url': 'https://api.example.com', 'status_code': None, 'timeout': None, 'component': 'network'}

print(exception.to_dict())
# Output: {
#   'message': 'API call failed',
#   'error_code': 'NETWORK_ERROR',
#   'severity': 'ERROR',
#   'context': {...},
#   'timestamp': '2024-01-01T12:00:00Z'
# }
""")["exception"]
    context, whole = capsys.readouterr().out.splitlines()
    assert (
        context
        == "{'url': 'https://api.example.com', 'status_code': None, 'timeout': None, 'component': 'network'}"
    )
    assert whole == repr(
        {
            "message": "API call failed",
            "error_code": "NETWORK_ERROR",
            "severity": "ERROR",
            "context": exception.context,
            "timestamp": exception.timestamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


# --- Retry management


def test_basic_usage_of_the_retry_manager() -> None:
    namespace = run("""
from src.error_handling.retry_manager import RetryManager, RetryConfig, RetryStrategy

# Create retry manager with exponential backoff
config = RetryConfig(
    max_attempts=3,
    base_delay=1.0,
    strategy=RetryStrategy.EXPONENTIAL,
    retry_on_exceptions=(NetworkException, ConnectionError)
)

retry_manager = RetryManager(config)

# Execute function with retry
def api_call():
    # Function that may fail
    pass

result = retry_manager.execute(api_call)
""")
    assert namespace["result"] is None
    statistics = namespace["retry_manager"].get_statistics()
    assert (statistics["total_calls"], statistics["total_attempts"]) == (1, 1)


STRATEGIES = """
# Fixed delay
config = RetryConfig(strategy=RetryStrategy.FIXED, base_delay=2.0)

# Exponential backoff (default)
config = RetryConfig(strategy=RetryStrategy.EXPONENTIAL, base_delay=1.0, backoff_factor=2.0)

# Linear backoff
config = RetryConfig(strategy=RetryStrategy.LINEAR, base_delay=1.0)

# Fibonacci backoff
config = RetryConfig(strategy=RetryStrategy.FIBONACCI, base_delay=1.0)
"""


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("FIXED", [2.0, 2.0, 2.0, 2.0, 2.0]),
        ("EXPONENTIAL", [1.0, 2.0, 4.0, 8.0, 16.0]),
        ("LINEAR", [1.0, 2.0, 3.0, 4.0, 5.0]),
        ("FIBONACCI", [1.0, 1.0, 2.0, 3.0, 5.0]),
    ],
)
def test_retry_strategies(strategy: str, expected: list[float], sleeps: list[float]) -> None:
    made = dict[str, RetryConfig]()

    def make(**settings: Any) -> RetryConfig:
        made[settings["strategy"].name] = RetryConfig(max_attempts=6, **settings)
        return made[settings["strategy"].name]

    run(STRATEGIES, RetryConfig=make)
    manager = tradeguard.RetryManager(made[strategy])
    with pytest.raises(ConnectionError):
        manager.execute(ScriptedCall(ConnectionError()))
    assert sleeps == expected


def test_advanced_configuration_of_retries(caplog: pytest.LogCaptureFixture, sleeps: list[float]) -> None:
    namespace = run(
        """
config = RetryConfig(
    max_attempts=5,
    base_delay=1.0,
    max_delay=60.0,
    strategy=RetryStrategy.EXPONENTIAL,
    backoff_factor=2.0,
    retry_on_exceptions=(NetworkException, ConnectionError),
    retry_on_result=lambda result: result is None,
    on_retry=lambda attempt, delay: logger.info("Retry %s after %ds", attempt, delay)
)
""",
        logger=logging.getLogger("example"),
    )
    call = ScriptedCall(NetworkException("x"), ConnectionError(), None, "fine")
    with caplog.at_level(logging.INFO, logger="example"):
        assert tradeguard.RetryManager(namespace["config"]).execute(call) == "fine"
    assert sleeps == [1.0, 2.0, 4.0]
    assert caplog.messages == ["Retry 1 after 1s", "Retry 2 after 2s", "Retry 3 after 4s"]


# --- Circuit breaker

BREAKER = """
from src.error_handling.circuit_breaker import CircuitBreaker, CircuitBreakerConfig

# Create circuit breaker
config = CircuitBreakerConfig(
    failure_threshold=5,
    recovery_timeout=30,
    success_threshold=2
)

circuit_breaker = CircuitBreaker("api_circuit", config)
"""
BREAKER_USE = """
# Use circuit breaker
try:
    result = circuit_breaker.call(api_function)
except CircuitBreakerOpenError:
    # Circuit breaker is open, use fallback
    result = fallback_function()
"""


def test_basic_usage_of_the_circuit_breaker() -> None:
    api_function = ScriptedCall("live", *[ConnectionError()] * 5)
    namespace = run(BREAKER + BREAKER_USE, api_function=api_function, fallback_function=lambda: "fallback")
    assert namespace["result"] == "live"
    for _ in range(5):
        with pytest.raises(ConnectionError):
            run(BREAKER_USE, **namespace)
    assert run(BREAKER_USE, **namespace)["result"] == "fallback"
    assert len(api_function.calls) == 6
    assert namespace["circuit_breaker"].get_state() is CircuitBreakerState.OPEN


def test_the_circuit_has_three_states() -> None:
    assert [state.name for state in CircuitBreakerState][:3] == ["CLOSED", "OPEN", "HALF_OPEN"]


def test_configuration_options_of_the_circuit_breaker(caplog: pytest.LogCaptureFixture) -> None:
    namespace = run(
        """
config = CircuitBreakerConfig(
    failure_threshold=5,      # Failures before opening circuit
    recovery_timeout=30,      # Seconds before trying half-open
    success_threshold=2,      # Successes before closing circuit
    timeout=10.0,            # Call timeout
    on_state_change=lambda old_state, new_state: logger.info("Circuit %s -> %s", old_state, new_state)
)
""",
        logger=logging.getLogger("example"),
    )
    breaker = tradeguard.CircuitBreaker("documented options", namespace["config"])
    with caplog.at_level(logging.INFO, logger="example"):
        for _ in range(5):
            with pytest.raises(ConnectionError):
                breaker.call(ScriptedCall(ConnectionError()))
    assert [record.getMessage() for record in caplog.records if record.name == "example"] == [
        "Circuit closed -> open"
    ]


# --- Recovery

RECOVERY = """
from src.error_handling.recovery_manager import ErrorRecoveryManager, RecoveryConfig, RecoveryStrategy

recovery_manager = ErrorRecoveryManager()

# Register recovery strategies
recovery_manager.register_recovery('api', RecoveryConfig(
    strategy=RecoveryStrategy.FALLBACK,
    fallback_function=backup_api_call
))

recovery_manager.register_recovery('data_feed', RecoveryConfig(
    strategy=RecoveryStrategy.RETRY,
    retry_config=RetryConfig(max_attempts=3)
))

# Execute recovery
result = recovery_manager.execute_recovery(error, {'component': 'api'})
"""


def test_the_recovery_manager() -> None:
    namespace = run(RECOVERY, error=NetworkException("down"), backup_api_call=lambda: {"source": "backup"})
    assert namespace["result"] == {"source": "backup"}
    manager = namespace["recovery_manager"]
    assert set(manager.get_recovery_strategies()) == {"api", "data_feed"}
    operation = ScriptedCall(DataFeedException("gap"), "candles")
    assert manager.execute_recovery(DataFeedException("gap"), {"operation": operation}) == "candles"


def test_there_are_six_recovery_strategies() -> None:
    names = ["RETRY", "FALLBACK", "DEGRADE", "RESTART", "IGNORE", "ALERT"]
    assert [strategy.name for strategy in tradeguard.RecoveryStrategy] == names


# --- Monitoring

MONITOR = """
from src.error_handling.error_monitor import ErrorMonitor, ErrorSeverity

monitor = ErrorMonitor()

# Add alert function
def send_alert(alert_data):
    print(f"Alert: {alert_data['message']}")

monitor.add_alert_function(send_alert)

# Record errors
monitor.record_error(
    error=NetworkException("API timeout"),
    severity=ErrorSeverity.ERROR,
    component="api",
    context={'user_id': 'user123'}
)
"""
STATISTICS = """
# Get error statistics
stats = monitor.get_error_statistics()
print(f"Total errors: {stats['total_errors']}")
print(f"Error rate: {stats['error_rate']} errors/min")
print(f"Most common errors: {stats['common_errors']}")
"""
ALERTS = """
monitor.configure_alerts(
    error_rate_threshold=10,  # Alerts if > 10 errors/min
    severity_threshold=ErrorSeverity.ERROR,
    alert_cooldown=300  # 5 minutes between alerts
)
"""


def test_the_error_monitor_its_statistics_and_its_alerts(capsys: pytest.CaptureFixture[str]) -> None:
    namespace = run(MONITOR)
    assert namespace["monitor"].flush()
    assert capsys.readouterr().out == "Alert: ERROR in api: NetworkException: API timeout\n"
    run(STATISTICS, **namespace)
    assert capsys.readouterr().out.splitlines() == [
        "Total errors: 1",
        "Error rate: 1.0 errors/min",
        "Most common errors: [('NetworkException', 1)]",
    ]
    run(ALERTS, **namespace)
    run(MONITOR.split("# Record errors")[1], **namespace)
    assert namespace["monitor"].flush()
    assert capsys.readouterr().out == ""
