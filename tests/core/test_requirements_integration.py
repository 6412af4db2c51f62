"""The document's decorators, integrations and reference hold; see `test_requirements_document`."""

from __future__ import annotations

import inspect
import logging
import types
from collections.abc import Iterator

import pytest
from requirements_runner import noted_sleeps, run

import tradeguard
from tradeguard import BrokerException, DataFeedException, NetworkException
from tradeguard.testing import ScriptedCall


@pytest.fixture(autouse=True)
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The sleeps so far, in seconds; none of them is real."""
    yield from noted_sleeps(monkeypatch)


# --- Decorators

SIMPLE = """
from src.error_handling.resilience_decorator import (
    retry_on_network_error, circuit_breaker, resilient
)

@retry_on_network_error(max_attempts=3, base_delay=1.0)
def api_call():
    # Will automatically retry on network errors
    pass

@circuit_breaker("api_circuit", failure_threshold=5)
def api_call():
    # Protected by circuit breaker
    pass
"""
ADVANCED = """
@resilient(
    retry_config=RetryConfig(max_attempts=3, base_delay=1.0),
    circuit_breaker_config=CircuitBreakerConfig(failure_threshold=5),
    fallback_func=fallback_api,
    timeout=30.0
)
def critical_function():
    # Full resilience with retry, circuit breaker, and fallback
    pass
"""


def test_simple_decorators(sleeps: list[float]) -> None:
    assert run(SIMPLE)["api_call"]() is None
    retried, protected = SIMPLE.partition('\n\n@circuit_breaker("')[0], SIMPLE
    call = ScriptedCall(NetworkException("x"), ConnectionError(), "fine")
    failing = retried.replace("    pass", "    return call()")
    assert run(failing, call=call)["api_call"]() == "fine"
    assert sleeps == [1.0, 2.0]
    failing = protected.replace("    pass", "    return call()")
    api_call = run(failing, call=ScriptedCall(OSError("down")))["api_call"]
    for _ in range(5):
        with pytest.raises(OSError, match="down"):
            api_call()
    with pytest.raises(tradeguard.CircuitBreakerOpenError):
        api_call()


def test_advanced_decorators(sleeps: list[float]) -> None:
    assert run(ADVANCED, fallback_api=lambda: "fallback")["critical_function"]() is None
    call = ScriptedCall(NetworkException("x"))
    failing = ADVANCED.replace("    pass", "    return call()")
    assert run(failing, call=call, fallback_api=lambda: "fallback")["critical_function"]() == "fallback"
    assert len(call.calls) == 3
    assert sleeps == [1.0, 2.0]


# --- Integration

BOT = """
class LiveTradingBot:
    def __init__(self):
        self.retry_manager = RetryManager(RetryConfig(max_attempts=3))
        self.circuit_breaker = CircuitBreaker("broker_circuit", CircuitBreakerConfig())
        self.recovery_manager = ErrorRecoveryManager()
        self.error_monitor = ErrorMonitor()
    
    @retry_on_network_error(max_attempts=3)
    def execute_trade(self, trade):
        try:
            result = self.broker.place_order(trade)
            return result
        except BrokerException as e:
            self.error_monitor.record_error(e, ErrorSeverity.ERROR, "broker")
            raise
"""  # noqa: W293 - verbatim
DATA_FEED = """
@circuit_breaker("data_feed", failure_threshold=3)
@retry_on_network_error(max_attempts=2)
def get_market_data(symbol):
    try:
        return data_feed.get_data(symbol)
    except DataFeedException as e:
        # Fallback to cached data
        return get_cached_data(symbol)
"""
ENDPOINT = """
@resilient(
    retry_config=RetryConfig(max_attempts=3, base_delay=1.0),
    circuit_breaker_config=CircuitBreakerConfig(failure_threshold=5),
    fallback_func=lambda: {"status": "degraded"},
    timeout=30.0
)
def api_endpoint():
    # Full resilience for API endpoints
    pass
"""


def test_trading_bot_integration(sleeps: list[float]) -> None:
    bot = run(BOT)["LiveTradingBot"]()
    bot.broker = types.SimpleNamespace(
        place_order=ScriptedCall(ConnectionError(), "filled", BrokerException("refused"))
    )
    assert bot.execute_trade("trade") == "filled"
    assert len(sleeps) == 1
    with pytest.raises(BrokerException, match="refused"):
        bot.execute_trade("trade")
    assert len(bot.broker.place_order.calls) == 3
    assert bot.error_monitor.get_error_statistics()["by_component"] == {"broker": 1}


def test_data_feed_integration() -> None:
    get_data = ScriptedCall(DataFeedException("gap"), ConnectionError(), {"last": 2.0}, ConnectionError())
    get_market_data = run(
        DATA_FEED,
        data_feed=types.SimpleNamespace(get_data=get_data),
        get_cached_data=lambda symbol: f"cached {symbol}",
    )["get_market_data"]
    assert get_market_data("ETH/BTC") == "cached ETH/BTC"
    assert get_market_data("ETH/BTC") == {"last": 2.0}
    for _ in range(3):
        with pytest.raises(ConnectionError):
            get_market_data("ETH/BTC")
    with pytest.raises(tradeguard.CircuitBreakerOpenError):
        get_market_data("ETH/BTC")


def test_api_integration() -> None:
    assert run(ENDPOINT)["api_endpoint"]() is None
    failing = ENDPOINT.replace("    pass", "    raise ConnectionError")
    assert run(failing)["api_endpoint"]() == {"status": "degraded"}


# --- Troubleshooting and reference


def test_debug_mode(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tradeguard")
    before = logger.level
    try:
        run("""
import logging
logging.getLogger('src.error_handling').setLevel(logging.DEBUG)

# Enable detailed logging for all components
""")
        tradeguard.ErrorMonitor().record_error(NetworkException("x"), tradeguard.ErrorSeverity.ERROR, "api")
    finally:
        logger.setLevel(before)
    assert "ERROR in api: NetworkException: x" in caplog.text


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("RetryManager.__init__", "config"),
        ("RetryManager.execute", "func args kwargs"),
        ("RetryManager.get_statistics", ""),
        ("CircuitBreaker.__init__", "name config"),
        ("CircuitBreaker.call", "func args kwargs"),
        ("CircuitBreaker.get_state", ""),
        ("CircuitBreaker.reset", ""),
        ("ErrorRecoveryManager.register_recovery", "component config"),
        ("ErrorRecoveryManager.execute_recovery", "error context"),
        ("ErrorRecoveryManager.get_recovery_strategies", ""),
        ("ErrorMonitor.record_error", "error severity component context"),
        ("ErrorMonitor.get_error_statistics", ""),
        ("ErrorMonitor.add_alert_function", "alert_func"),
        ("ErrorMonitor.configure_alerts", "error_rate_threshold severity_threshold alert_cooldown"),
    ],
)
def test_the_reference_holds(method: str, parameters: str) -> None:
    owner, name = method.split(".")
    signature = inspect.signature(getattr(getattr(tradeguard, owner), name))
    asked = parameters.split()
    found = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
    assert [parameter.name for parameter in found][: len(asked)] == asked
    for further in found[len(asked) :]:
        assert further.kind is further.KEYWORD_ONLY
        assert further.default is not further.empty
