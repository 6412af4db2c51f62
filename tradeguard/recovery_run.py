"""One recovery from one error: every decision, for plain and asynchronous recovery alike."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from tradeguard.alerting import RECOVERY
from tradeguard.callables import adapt, awaited, operation_name, refuse_coroutine
from tradeguard.clock import Clock
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import RecoveryException, TradingException, ValidationException
from tradeguard.recovery_config import FUNCTION_OF, RecoveryConfig, RecoveryStrategy
from tradeguard.redaction import redact
from tradeguard.retry_manager import RetryManager
from tradeguard.serialization import text_of
from tradeguard.severity import ErrorSeverity

__all__ = ["RecoveryRun", "RecoveryStep", "RegisteredRecovery"]

_logger = logging.getLogger(__name__)


class RegisteredRecovery:
    """A registered config, with the retry manager that it needs."""

    def __init__(self, config: RecoveryConfig, clock: Clock) -> None:
        self.config = config
        self.name = config.strategy.name
        self.retry: RetryManager | None = None
        if config.strategy is RecoveryStrategy.RETRY:
            self.retry = RetryManager(config.retry_config, clock=clock)


class RecoveryStep:
    """One call of a recovery."""

    def __init__(self, call: Callable[[], Any], retry: RetryManager | None = None) -> None:
        self._call = call
        self._retry = retry

    def run(self) -> Any:
        """Make the call and return its result; a coroutine function is refused."""
        if self._retry is None:
            return refuse_coroutine(self._call())
        return self._retry.execute(self._call)

    async def run_async(self) -> Any:
        """Make the call and return its result, awaited where it is awaitable."""
        if self._retry is None:
            return await awaited(self._call())
        return await self._retry.execute_async(self._call)


class RecoveryRun:
    """The recovery from one error: every decision, and none of the calling."""

    def __init__(
        self,
        monitor: ErrorMonitor,
        error: BaseException,
        context: Mapping[str, Any],
        component: str,
        chain: tuple[RegisteredRecovery, ...],
    ) -> None:
        self.chain = chain
        self._monitor = monitor
        self._error = error
        self._component = component
        self._operation = context.get("operation")
        self._args = _arguments(context)
        self._kwargs = _keywords(context)
        self._failures: list[str] = []
        self._last_result: Any = None

    def steps(self, strategy: RegisteredRecovery) -> list[RecoveryStep]:
        """Return the calls to make; the result of the last is the recovery's."""
        kind = strategy.config.strategy
        if kind is RecoveryStrategy.RETRY:
            return [RecoveryStep(self._operation_call(), strategy.retry)]
        if kind is RecoveryStrategy.ALERT:
            self._alert()
        if kind not in FUNCTION_OF:
            return []
        function = getattr(strategy.config, FUNCTION_OF[kind])
        steps = [RecoveryStep(adapt(function, self._args, self._kwargs))]
        if kind is RecoveryStrategy.RESTART and self._operation is not None:
            steps.append(RecoveryStep(self._operation_call()))
        return steps

    def succeeded(self, strategy: RegisteredRecovery) -> None:
        """Tell that the error was recovered from."""
        _logger.info("%s recovered by %s from %s", self._component, strategy.name, type(self._error).__name__)
        if strategy.config.strategy not in (RecoveryStrategy.IGNORE, RecoveryStrategy.ALERT):
            self._monitor.record_rescue(
                strategy.config.strategy.value,
                self._component,
                operation=self._operation_name(),
                detail={"error_type": type(self._error).__name__},
            )

    def failed(self, strategy: RegisteredRecovery, failure: Exception) -> None:
        """Note and tell that a strategy failed."""
        self._failures.append(f"{strategy.name}: {redact(text_of(failure))}")
        if isinstance(failure, RecoveryException):
            self._last_result = failure.last_result
        last = strategy is self.chain[-1]
        facts = {"operation": self._operation_name(), "recovery": strategy.name}
        self._monitor.record_error(
            failure, ErrorSeverity.ERROR if last else ErrorSeverity.WARNING, self._component, facts
        )

    def exhausted(self) -> RecoveryException:
        """Return the error to raise when there is nothing left to try."""
        tried = "; ".join(self._failures) or "no recovery is registered for it"
        return RecoveryException(
            f"No recovery of {self._component} from {text_of(self._error)} ({tried})",
            component=self._component,
            error_type=type(self._error).__name__,
            failures=list(self._failures),
            last_result=self._last_result,
        )

    def _operation_call(self) -> Callable[[], Any]:
        if not callable(self._operation):
            raise ValidationException(
                f"context['operation'] must be callable, got {text_of(self._operation)}", argument="operation"
            )
        return partial(self._operation, *self._args, **self._kwargs)

    def _operation_name(self) -> str | None:
        return None if self._operation is None else operation_name(self._operation)

    def _alert(self) -> None:
        summary = redact(text_of(self._error))
        _logger.warning("%s goes on without recovery from %s", self._component, summary)
        own = self._error.context if isinstance(self._error, TradingException) else {}
        self._monitor.send_alert(
            RECOVERY,
            f"{self._component} goes on without recovery from {summary}",
            severity=ErrorSeverity.ERROR,
            component=self._component,
            error_type=type(self._error).__name__,
            context={**own, "component": self._component, "operation": self._operation_name()},
        )


def _arguments(context: Mapping[str, Any]) -> tuple[Any, ...]:
    args = context.get("args", ())
    if not isinstance(args, (tuple, list)):
        raise ValidationException(f"context['args'] must be a tuple, got {text_of(args)}", argument="args")
    return tuple(cast("Sequence[Any]", args))


def _keywords(context: Mapping[str, Any]) -> dict[str, Any]:
    kwargs: Any = context.get("kwargs", {})
    if isinstance(kwargs, Mapping):
        return {**kwargs}
    raise ValidationException(
        f"context['kwargs'] must be a mapping, got {text_of(kwargs)}", argument="kwargs"
    )
