"""GuardedExchange: the ccxt exchange itself, with a guard at its one choke point.

Every REST request of ccxt passes `fetch2` (throttle, sign, send, map errors), implicit methods and `load_markets`
included: circuit, retry and pauses sit there, and each attempt is signed anew. The unified methods above it only say
what the request means, keep good results, and serve them when a read finally fails.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import ccxt

from tradeguard.exceptions import CallTimeoutError, CircuitBreakerOpenError, ConfigurationException
from tradeguard_ccxt.calls import run
from tradeguard_ccxt.cancels import cancel_order
from tradeguard_ccxt.classes import Runner, exchange_class, guarded_methods
from tradeguard_ccxt.config import GuardConfig
from tradeguard_ccxt.errors import from_core
from tradeguard_ccxt.operations import entered_on
from tradeguard_ccxt.order_desk import OrderDesk
from tradeguard_ccxt.parts import Parts, parts_of
from tradeguard_ccxt.placing import OrderPlacer, create_order
from tradeguard_ccxt.runtime import REQUEST, ExchangeGuard, Request

if TYPE_CHECKING:
    from tradeguard.circuit_breaker import CircuitBreaker
    from tradeguard.error_monitor import ErrorMonitor
    from tradeguard.orders import Interlock, OrderIntent, OrderJournal
    from tradeguard.storage import StateStore

__all__ = ["GuardedExchange"]

_REPETITION = ("maxRetriesOnFailure", "maxRetriesOnFailureDelay")
_REPETITION_PARAMS = frozenset(
    {*_REPETITION, "defaultMaxRetriesOnFailure", "defaultMaxRetriesOnFailureDelay", "callerMethodName"}
)
_SECRETS = ("apiKey", "secret", "password", "privateKey", "token", "login", "twofa", "walletAddress", "uid")


class GuardedExchange:
    """A ccxt exchange that survives its exchange: `GuardedExchange("binance", {...})` is a `ccxt.binance`.

    Args:
        exchange: a ccxt id such as `"binance"`, or a class of `ccxt`.
        config: as ccxt takes it; its key `"guard"` may hold the GuardConfig.
        guard: how to guard it; wins over `config["guard"]`.

    Raises:
        ConfigurationException: an unknown exchange, or a bad or unusable setting.
    """

    if TYPE_CHECKING:  # what the ccxt class behind it gives

        def __getattr__(self, name: str) -> Any: ...

    def __new__(
        cls,
        exchange: Any = None,
        config: Mapping[str, Any] | None = None,
        *args: Any,
        guard: GuardConfig | None = None,
        **kwargs: Any,
    ) -> GuardedExchange:
        """Make an instance of the guarded class of `exchange`; what else a subclass takes is its own affair."""
        target = GuardedExchange.of(exchange) if cls is GuardedExchange else cls
        return object.__new__(target)

    @staticmethod
    def of(exchange: str | type) -> type[GuardedExchange]:
        """Return the guarded class of a ccxt id or class; one and the same at each call."""
        return _guarded_class(exchange_class(exchange))

    @property
    def guard_config(self) -> GuardConfig:
        """How it is guarded."""
        return parts_of(self).guard.config

    @property
    def guard_monitor(self) -> ErrorMonitor:
        """The error monitor."""
        return parts_of(self).guard.monitor

    @property
    def guard_circuits(self) -> Mapping[str, CircuitBreaker]:
        """The circuit breakers by name: `market_data`, `account` and `trading`."""
        return {str(name): breaker for name, breaker in parts_of(self).guard.circuits.items()}

    @property
    def interlock(self) -> Interlock:
        """What may be traded right now, and why not."""
        return parts_of(self).guard.interlock

    @property
    def order_journal(self) -> OrderJournal:
        """The intents of this account."""
        return parts_of(self).desk.state.journal()

    @property
    def state_store(self) -> StateStore | None:
        """The state file, or None while it is not open."""
        return parts_of(self).desk.state.store

    def __dir__(self) -> list[str]:
        """Return the names without those of the properties.

        ccxt's constructor gives every name with an underscore a camelCase twin, and would freeze what a property is
        then. (A `__getattr__` would hide them too, but with one, Python cannot specialise any look-up on the instance,
        and ccxt makes hundreds in a call.)
        """
        own = vars(GuardedExchange)
        return [name for name in super().__dir__() if not isinstance(own.get(name), property)]

    def guard_statistics(self) -> dict[str, Any]:
        """Return calls, attempts, retries, fallbacks, failures, limits, circuits and orders."""
        guard, desk = parts_of(self)
        return {"exchange": guard.exchange_id, **guard.statistics(), "orders": desk.statistics()}

    def orders_in_doubt(self) -> list[OrderIntent]:
        """Return the intents whose outcome is not known and that nobody is submitting here, oldest first."""
        return parts_of(self).desk.unresolved()

    def guard_secrets(self) -> tuple[str, ...]:
        """Return the credentials of this instance, for masking them."""
        values = (getattr(self, name, None) for name in _SECRETS)
        return tuple(value for value in values if isinstance(value, str) and len(value) > 3)


class _Refusal(NamedTuple):
    """An error that shows the exchange to be well, on its way through a circuit that is on trial."""

    error: ccxt.BaseError


class SyncGuard(GuardedExchange):
    """The guard in front of a synchronous ccxt class."""

    # What the ccxt class behind it gives.
    if TYPE_CHECKING:
        lastRestRequestTimestamp: int  # noqa: N815 - ccxt's name
        milliseconds: Callable[[], int]
        load_time_difference: Callable[[], int]

    def __init__(
        self,
        exchange: Any = None,
        config: Mapping[str, Any] | None = None,
        *,
        guard: GuardConfig | None = None,
    ) -> None:
        # `GuardedExchange("binance", {...})` and `binance({...})` both end here.
        given = config if isinstance(exchange, str | type) else exchange
        settings = dict(given or {})
        configured = settings.pop("guard", None)
        chosen = configured if guard is None else guard
        chosen = GuardConfig() if chosen is None else chosen
        if not isinstance(chosen, GuardConfig):
            raise ConfigurationException(
                f"guard must be a GuardConfig, not {chosen!r}", field="guard", value=chosen
            )
        exchange_guard = ExchangeGuard(type(self).__name__, chosen)
        self._guard_throttle = threading.Lock()
        self._guard_parts = Parts(exchange_guard, OrderDesk(self, exchange_guard))
        if chosen.clock is not None:
            clock = chosen.clock
            self.milliseconds = lambda: int(clock.time() * 1000)
        super().__init__(settings)  # type: ignore[call-arg]
        exchange_guard.exchange_id = str(getattr(self, "id", exchange_guard.exchange_id))

    # -- the choke point --------------------------------------------------------------------------------------

    def fetch2(
        self,
        path: str,
        api: Any = "public",
        method: str = "GET",
        params: Any = None,
        config: Any = None,
    ) -> Any:
        """Make one REST request: guarded, and retried where it is a read."""
        guard = parts_of(self).guard
        request = guard.request(path, api, method, entered_on(self))
        arguments = (path, api, method, {} if params is None else params, {} if config is None else config)
        send = functools.partial(super().fetch2, *arguments)  # type: ignore[misc]

        def attempt() -> Any:
            try:
                return self._guard_attempt(request, send)
            except ccxt.BaseError as error:
                if guard.is_answer_of_a_healthy(request, error):
                    return _Refusal(error)
                raise

        attempt.__qualname__ = request.name  # by which the monitor knows it
        try:
            result = guard.guard_of(request).call(attempt)
        except (CircuitBreakerOpenError, CallTimeoutError) as error:
            final = from_core(error, guard.context(request))
            if final is error:
                raise
            raise final from final.__cause__
        if isinstance(result, _Refusal):
            guard.record_refusal(request, result.error)
            raise result.error
        return result

    def _guard_rest(self, request: Request) -> None:
        guard = parts_of(self).guard
        while (pause := guard.rest(request)) > 0:  # it may have been prolonged meanwhile
            guard.clock.sleep(pause)

    def _guard_attempt(self, request: Request, send: Callable[[], Any]) -> Any:
        guard = parts_of(self).guard
        self._guard_rest(request)
        guard.begin_attempt(request)
        token = REQUEST.set(request)
        try:
            result = send()
            guard.attempt_succeeded(request, result)
        except ccxt.BaseError as error:
            if guard.wants_resync(request, error):
                self.load_time_difference()
                return self._guard_attempt(request, send)
            guarded = guard.attempt_failed(request, error, self.guard_secrets())
            if guarded is error:
                raise
            raise guarded from guarded.__cause__
        finally:
            REQUEST.reset(token)
        return result

    def sign(self, *args: Any, **kwargs: Any) -> Any:
        """Sign a request, and refuse it where the order it carries has waited too long."""
        signed = super().sign(*args, **kwargs)  # type: ignore[misc]
        request = REQUEST.get()
        if request is not None:
            request.wire.check_signing()
        return signed

    def fetch(self, *args: Any, **kwargs: Any) -> Any:
        """Hand a signed request to the transport."""
        request = REQUEST.get()
        if request is not None:
            request.wire.sent = True
        return super().fetch(*args, **kwargs)  # type: ignore[misc]

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, headers: Any, *rest: Any
    ) -> Any:
        """Note status and headers of the answer; ccxt's errors carry neither."""
        request = REQUEST.get()
        if request is not None:
            request.wire.answered(code, headers)
        return super().on_rest_response(code, reason, url, method, headers, *rest)  # type: ignore[misc]

    def throttle(self, cost: Any = None) -> None:
        """Wait for the rate limit; ccxt's own reckoning is not safe for threads."""
        with self._guard_throttle:
            # Where the clock was set back, the last request would lie in the future and be waited for.
            self.lastRestRequestTimestamp = min(self.lastRestRequestTimestamp, self.milliseconds())
            super().throttle(cost)  # type: ignore[misc]
            self.lastRestRequestTimestamp = self.milliseconds()
        request = REQUEST.get()
        if request is not None:  # a ban may have come while it was waiting
            self._guard_rest(request)

    def handle_option_integer_and_params(
        self,
        params: Any,
        methodName: Any,  # noqa: N803 - ccxt's names
        optionName: str,  # noqa: N803
        defaultValue: Any = None,  # noqa: N803
    ) -> Any:
        """Read an option; ccxt's own blind repetition of failed requests, orders included, is off."""
        # Asked twice at each request, for microseconds; there is nothing to look for where the params name none of it.
        if optionName in _REPETITION and type(params) is dict and _REPETITION_PARAMS.isdisjoint(params):
            return [0, params]
        value, rest = super().handle_option_integer_and_params(params, methodName, optionName, defaultValue)  # type: ignore[misc]
        return [0 if optionName == "maxRetriesOnFailure" else value, rest]

    # -- orders -----------------------------------------------------------------------------------------------

    def recover_orders(self) -> list[OrderIntent]:
        """Resolve every open intent of this account by looking it up; never sends anything.

        It also runs by itself before the first order of an instance.

        Returns:
            The intents as they stand now; one that is still UNKNOWN could neither be found nor proved absent.
        """
        return OrderPlacer(self, *parts_of(self)).recover()

    def close(self, *args: Any, **kwargs: Any) -> Any:
        """Close the connections, and the state file where this instance opened it."""
        parts = self.__dict__.get("_guard_parts")
        if parts is not None:
            parts.desk.state.close()
        return super().close(*args, **kwargs)  # type: ignore[misc]

    # -- copies -----------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self.__dict__.items()
            if name not in ("_guard_parts", "_guard_throttle", "milliseconds")
        } | {"_guard_config": parts_of(self).guard.config}

    def __setstate__(self, state: dict[str, Any]) -> None:
        chosen = state.pop("_guard_config")
        guard = ExchangeGuard(str(state["id"]), chosen)
        self.__dict__.update(state, _guard_throttle=threading.Lock())
        self._guard_parts = Parts(guard, OrderDesk(self, guard))
        if chosen.clock is not None:
            self.milliseconds = lambda: int(chosen.clock.time() * 1000)

    def __reduce__(self) -> tuple[Any, ...]:
        base: Any = next(c for c in type(self).__mro__ if not issubclass(c, GuardedExchange))
        generated = type(self) is _guarded_class(base)
        target = base if generated else type(self)
        return _bare, (target, generated), self.__getstate__()


def _bare(target: type, generated: bool) -> Any:
    cls = _guarded_class(target) if generated else target
    return object.__new__(cls)


_RUNNERS: dict[str, Runner] = {"cancel_order": cancel_order, "create_order": create_order}


@functools.cache
def _guarded_class(base: Any) -> type[GuardedExchange]:
    if issubclass(base, GuardedExchange):
        return cast("type[GuardedExchange]", base)
    namespace: dict[str, Any] = guarded_methods(base, _RUNNERS, run)
    namespace |= {"__module__": "tradeguard_ccxt", "__qualname__": base.__name__, "__doc__": base.__doc__}
    return type(base.__name__, (SyncGuard, base), namespace)
