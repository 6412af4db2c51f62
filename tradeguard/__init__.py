"""TradeGuard makes a trading bot survive its exchange: retry, circuit breaker, fallback, monitoring, recovery."""

from tradeguard.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerState,
    CircuitBreakerStatistics,
    StateTransition,
)
from tradeguard.clock import SYSTEM_CLOCK, Clock, SystemClock
from tradeguard.deadlines import Deadline, current_deadline, deadline
from tradeguard.error_monitor import ErrorMonitor, ErrorSeverity
from tradeguard.exceptions import (
    BrokerException,
    CallTimeoutError,
    CircuitBreakerOpenError,
    ConfigurationException,
    DataFeedException,
    NetworkException,
    RecoveryException,
    StrategyException,
    TradingException,
    ValidationException,
)
from tradeguard.fallback_cache import CachedValue, FallbackCache
from tradeguard.guard import Guard, GuardStatistics
from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord
from tradeguard.recovery_manager import ErrorRecoveryManager, RecoveryConfig, RecoveryStrategy
from tradeguard.resilience_decorator import (
    circuit_breaker,
    is_network_error,
    resilient,
    retry_on_network_error,
)
from tradeguard.retry_manager import RetryBudget, RetryConfig, RetryManager, RetryStrategy

__all__ = [
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
