"""The ways to recover from an error, and what each needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Any, Final

from tradeguard.bounds import refuse, require_callable
from tradeguard.retry_config import RetryConfig

__all__ = ["FUNCTION_OF", "RecoveryConfig", "RecoveryStrategy"]


class RecoveryStrategy(StrEnum):
    """What to do about an error."""

    RETRY = "retry"  # run the operation again, with waits
    FALLBACK = "fallback"  # use another function or source
    DEGRADE = "degrade"  # go on with a reduced result
    RESTART = "restart"  # restart the component, then run the operation once
    IGNORE = "ignore"  # go on without it
    ALERT = "alert"  # tell somebody, and go on without it


FUNCTION_OF: Final = {
    RecoveryStrategy.FALLBACK: "fallback_function",
    RecoveryStrategy.DEGRADE: "degrade_function",
    RecoveryStrategy.RESTART: "restart_function",
}


@dataclass(frozen=True, slots=True)
class RecoveryConfig:
    """One way to recover.

    Attributes:
        strategy: what to do.
        fallback_function: for FALLBACK, required there; its result is the recovery's. It is called with the
            context's `args` and `kwargs` as far as its signature takes them, as are the other two.
        retry_config: for RETRY; the defaults of `RetryConfig` if None.
        degrade_function: for DEGRADE, required there; returns the reduced result.
        restart_function: for RESTART, required there; its result counts only where no operation is given.
        default: what IGNORE and ALERT return.

    Raises:
        ConfigurationException: the strategy's function is missing, or a field is of the wrong kind.
    """

    strategy: RecoveryStrategy
    _: KW_ONLY
    fallback_function: Callable[..., Any] | None = None
    retry_config: RetryConfig | None = None
    degrade_function: Callable[..., Any] | None = None
    restart_function: Callable[..., Any] | None = None
    default: Any = None

    def __post_init__(self) -> None:
        if type(self.strategy) is not RecoveryStrategy:
            refuse("strategy", self.strategy, "a RecoveryStrategy")
        if self.retry_config is not None and type(self.retry_config) is not RetryConfig:
            refuse("retry_config", self.retry_config, "a RetryConfig or None")
        for field in FUNCTION_OF.values():
            require_callable(field, getattr(self, field))
        needed = FUNCTION_OF.get(self.strategy)
        if needed is not None and getattr(self, needed) is None:
            refuse(needed, None, f"given for {self.strategy.name}")
