"""Recovery: what to do about an error once retrying in place has not helped, by component."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tradeguard.bounds import refuse
from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import TradingException, ValidationException
from tradeguard.recovery_config import RecoveryConfig, RecoveryStrategy
from tradeguard.recovery_run import RecoveryRun, RegisteredRecovery
from tradeguard.serialization import text_of

__all__ = ["ErrorRecoveryManager", "RecoveryConfig", "RecoveryStrategy"]


class ErrorRecoveryManager:
    """Recovers from errors as was registered for their component; for any number of threads and tasks at once.

    Args:
        monitor: is told of recoveries and of strategies that fail, and its alert functions are those that ALERT
            tells. None: the manager's own.
        clock: for the waits of RETRY; the system's unless given.

    Attributes:
        monitor: as given, or the manager's own.
    """

    def __init__(self, *, monitor: ErrorMonitor | None = None, clock: Clock | None = None) -> None:
        self._clock = SYSTEM_CLOCK if clock is None else clock
        self.monitor = ErrorMonitor(clock=self._clock) if monitor is None else monitor
        self._lock = threading.Lock()
        self._chains: dict[str, tuple[RegisteredRecovery, ...]] = {}

    def register_recovery(self, component: str, config: RecoveryConfig | Sequence[RecoveryConfig]) -> None:
        """Set how to recover from errors of `component`, in place of what was set before.

        Args:
            component: as in an error's context.
            config: one way, or several to be tried in turn until one succeeds.

        Raises:
            ConfigurationException: the component has no name, or the config is none.
        """
        if not (isinstance(component, str) and component):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
            refuse("component", component, "a text that is not empty")
        configs: Sequence[Any] = (config,) if isinstance(config, RecoveryConfig) else config
        if not isinstance(configs, Sequence) or not configs:  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
            refuse("config", config, "a RecoveryConfig or a sequence of them that is not empty")
        for each in configs:
            if not isinstance(each, RecoveryConfig):
                refuse("config", each, "a RecoveryConfig")
        chain = tuple(RegisteredRecovery(each, self._clock) for each in configs)
        with self._lock:
            self._chains[component] = chain

    def get_recovery_strategies(self) -> dict[str, RecoveryConfig | tuple[RecoveryConfig, ...]]:
        """Return what is registered by component; a tuple where several ways are chained."""
        with self._lock:
            chains = dict(self._chains)
        return {
            component: chain[0].config if len(chain) == 1 else tuple(strategy.config for strategy in chain)
            for component, chain in chains.items()
        }

    def execute_recovery(self, error: BaseException, context: Mapping[str, Any] | None = None) -> Any:
        """Recover from `error` and return the recovery's result.

        Args:
            error: what went wrong.
            context: `component`, whose recovery is wanted, else the error's own component and then those of its
                classes are looked up; `operation`, what RETRY and RESTART run, a callable; `args` and `kwargs`,
                what to run it and the other functions with.

        Raises:
            RecoveryException: from `error`, if nothing is registered or every way failed.
            ValidationException: an argument is of the wrong kind.
        """
        recovery = self._begin(error, context)
        for strategy in recovery.chain:
            try:
                result = strategy.config.default
                for step in recovery.steps(strategy):
                    result = step.run()
            except Exception as failure:  # noqa: BLE001 - the functions are the user's; recorded, and raised below
                recovery.failed(strategy, failure)
            else:
                recovery.succeeded(strategy)
                return result
        raise recovery.exhausted() from error

    async def execute_recovery_async(
        self, error: BaseException, context: Mapping[str, Any] | None = None
    ) -> Any:
        """Recover as `execute_recovery` does; operation and functions may be plain or coroutine functions.

        Raises:
            RecoveryException: from `error`, if nothing is registered or every way failed.
            ValidationException: an argument is of the wrong kind.
        """
        recovery = self._begin(error, context)
        for strategy in recovery.chain:
            try:
                result = strategy.config.default
                for step in recovery.steps(strategy):
                    result = await step.run_async()
            except Exception as failure:  # noqa: BLE001 - the functions are the user's; recorded, and raised below
                recovery.failed(strategy, failure)
            else:
                recovery.succeeded(strategy)
                return result
        raise recovery.exhausted() from error

    def _begin(self, error: BaseException, context: Mapping[str, Any] | None) -> RecoveryRun:
        context = {} if context is None else context
        if not isinstance(error, BaseException):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
            raise ValidationException(f"error must be an exception, got {text_of(error)}", argument="error")
        if not isinstance(context, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
            raise ValidationException(
                f"context must be a mapping, got {text_of(context)}", argument="context"
            )
        candidates = list(_components(error, context))
        with self._lock:
            found = [(name, self._chains[name]) for name in candidates if name in self._chains]
        component, chain = found[0] if found else (candidates[0], ())
        return RecoveryRun(self.monitor, error, context, component, chain)


def _components(error: BaseException, context: Mapping[str, Any]) -> Iterator[str]:
    """Yield the components whose recovery may serve, the closest first."""
    explicit = context.get("component")
    if explicit is not None:
        # Whoever names a component means that one: another's recovery might do harm.
        yield str(explicit)
        return
    if isinstance(error, TradingException):
        yield error.component
        for kind in type(error).__mro__:
            default = vars(kind).get("default_component")
            if default is not None:
                yield str(default)
    else:
        yield "network" if isinstance(error, (ConnectionError, TimeoutError)) else "unknown"
