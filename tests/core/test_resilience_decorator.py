"""The decorators: every kind of callable is protected or refused, never passed through."""

from __future__ import annotations

import asyncio
import errno
import functools
import socket
import urllib.error
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from retry_cases import Flaky, always_failing, as_coroutine

from tradeguard.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    CircuitBreakerState,
)
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import (
    BrokerException,
    CallTimeoutError,
    ConfigurationException,
    NetworkException,
)
from tradeguard.exceptions import (
    CircuitBreakerOpenError as OpenError,
)
from tradeguard.resilience_decorator import (
    circuit_breaker,
    is_network_error,
    resilient,
    retry_on_network_error,
)
from tradeguard.retry_manager import RetryConfig
from tradeguard.testing import ManualClock

Decorate = Callable[[Any], Any]


def chained(outer: Exception, inner: BaseException, *, by: str) -> Exception:
    setattr(outer, by, inner)
    return outer


class LibraryError(OSError):
    """As requests has them: an OSError without a number, with the reason in its context."""


@pytest.mark.parametrize(
    "error",
    [
        NetworkException("down"),
        CallTimeoutError("late"),
        ConnectionError(),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        BrokenPipeError(),
        TimeoutError(),
        socket.gaierror(-2, "name not known"),
        socket.herror(1, "unknown host"),
        OSError(errno.ENETUNREACH, "no route"),
        OSError(errno.EHOSTUNREACH, "no route"),
        urllib.error.URLError(ConnectionRefusedError(111, "refused")),
        urllib.error.URLError(OSError(errno.ENETDOWN, "down")),
        chained(LibraryError(), TimeoutError(), by="__context__"),
        chained(LibraryError(), chained(ValueError(), ConnectionError(), by="__context__"), by="__cause__"),
    ],
    ids=repr,
)
def test_what_means_that_the_other_side_was_not_reached(error: Exception) -> None:
    assert is_network_error(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        BrokerException("refused"),
        OpenError("api"),
        FileNotFoundError(errno.ENOENT, "no file"),
        PermissionError(errno.EACCES, "denied"),
        OSError(errno.ENOSPC, "disk full"),
        OSError("no number and no reason"),
        LibraryError(),
        urllib.error.URLError("unknown url type"),
        urllib.error.URLError(FileNotFoundError(errno.ENOENT, "no file")),
        chained(LibraryError(), ValueError(), by="__context__"),
        chained(ValueError(), ConnectionError(), by="__cause__"),
    ],
    ids=repr,
)
def test_what_does_not(error: Exception) -> None:
    assert not is_network_error(error)


def test_a_chain_of_errors_that_never_ends_is_not_followed_for_ever() -> None:
    first, second = LibraryError(), LibraryError()
    first.__cause__, second.__cause__ = second, first
    assert not is_network_error(first)


def test_network_errors_are_retried_and_others_are_not(manual: ManualClock) -> None:
    decorate = retry_on_network_error(max_attempts=3, base_delay=0.5, clock=manual)
    func = Flaky(NetworkException("down"), ConnectionError())
    assert decorate(func)("a", b=1) == (("a",), {"b": 1})
    assert manual.sleeps == [0.5, 1.0]

    func = Flaky(BrokerException("refused"))
    with pytest.raises(BrokerException):
        decorate(func)()
    assert func.calls == 1


def test_there_are_three_attempts_with_a_second_after_the_first_unless_said_otherwise(
    manual: ManualClock,
) -> None:
    func = always_failing()
    with pytest.raises(ConnectionError):
        retry_on_network_error(clock=manual)(func)()
    assert (func.calls, manual.sleeps) == (3, [1.0, 2.0])


def test_further_settings_of_the_retry_are_taken(manual: ManualClock) -> None:
    func = Flaky(KeyError())
    retry_on_network_error(retry_on_exceptions=KeyError, max_delay=0.25, clock=manual)(func)()
    assert manual.sleeps == [0.25]
    with pytest.raises(ConfigurationException, match="max_attempts must be"):
        retry_on_network_error(max_attempts=0)
    with pytest.raises(TypeError, match="tries"):
        retry_on_network_error(tries=3)


def test_each_function_has_a_circuit_of_its_own_unless_it_names_one(manual: ManualClock) -> None:
    decorate = circuit_breaker(failure_threshold=1, clock=manual)
    broken, healthy = decorate(always_failing()), decorate(Flaky())
    with pytest.raises(ConnectionError):
        broken()
    with pytest.raises(CircuitBreakerOpenError):
        broken()
    assert healthy() == ((), {})


@pytest.mark.parametrize("kind", ["circuit_breaker", "resilient"])
def test_functions_that_name_a_circuit_share_it(manual: ManualClock, kind: str) -> None:
    name = f"decorator.{kind}"

    def decorator() -> Decorate:
        if kind == "circuit_breaker":
            return circuit_breaker(name, failure_threshold=2, clock=manual)
        return resilient(None, CircuitBreakerConfig(failure_threshold=2), name=name, clock=manual)

    broken, healthy = decorator()(always_failing()), decorator()(Flaky())
    for _ in range(2):
        with pytest.raises(ConnectionError):
            broken()
    with pytest.raises(CircuitBreakerOpenError, match=name):
        healthy()
    assert CircuitBreaker.registry()[name].get_state() is CircuitBreakerState.OPEN


def test_the_same_name_with_another_config_is_an_error() -> None:
    circuit_breaker("decorator.conflict", failure_threshold=2)
    with pytest.raises(ConfigurationException, match=r"'decorator.conflict' exists with another config"):
        circuit_breaker("decorator.conflict", failure_threshold=3)
    with pytest.raises(ConfigurationException, match=r"'decorator.conflict' exists with another config"):
        resilient(None, CircuitBreakerConfig(), name="decorator.conflict")


def test_the_circuit_of_a_function_is_listed_under_its_full_name() -> None:
    @circuit_breaker()
    def fetch_everything() -> None: ...

    fetch_everything()
    names = [name for name in CircuitBreaker.registry() if name.endswith("fetch_everything")]
    assert names == [f"{__name__}.{fetch_everything.__qualname__}"]


@pytest.mark.parametrize("decorator", [retry_on_network_error, circuit_breaker, resilient])
def test_a_guard_is_named_after_its_function_with_the_module(decorator: Any) -> None:
    decorate = decorator()

    def fetch() -> None: ...

    def homeless() -> None: ...

    homeless.__module__ = None  # type: ignore[assignment]
    full_name = f"{__name__}.{fetch.__qualname__}"
    assert decorate(fetch).guard.name == full_name
    assert decorate(staticmethod(fetch)).__func__.guard.name == full_name
    assert decorate(homeless).guard.name == homeless.__qualname__


def test_a_guard_of_a_given_name_has_that_name() -> None:
    assert resilient(name="decorator.given")(Flaky()).guard.name == "decorator.given"


def test_every_circuit_is_on_the_clock_that_is_given(manual: ManualClock) -> None:
    for decorate in (
        circuit_breaker(clock=manual),
        circuit_breaker("decorator.clock.1", clock=manual),
        resilient(circuit_breaker_config=CircuitBreakerConfig(), clock=manual),
        resilient(circuit_breaker_config=CircuitBreakerConfig(), name="decorator.clock.2", clock=manual),
    ):
        assert decorate(Flaky()).guard.breaker.clock is manual


def test_resilient_has_the_layers_that_it_is_given_and_no_others(manual: ManualClock) -> None:
    bare = resilient(clock=manual)(always_failing())
    for _ in range(9):
        with pytest.raises(ConnectionError):
            bare()
    assert manual.sleeps == []

    monitor = ErrorMonitor(clock=manual)
    func = always_failing()
    full = resilient(
        RetryConfig(max_attempts=3),
        CircuitBreakerConfig(failure_threshold=5),
        lambda: {"status": "degraded"},
        30.0,
        monitor=monitor,
        clock=manual,
    )(func)
    assert [full(), full(), full()] == [{"status": "degraded"}] * 3
    assert func.calls == 5
    assert monitor.get_error_statistics()["rescues"] == {"fallback": 3}


def test_asked_to_resilient_waits_for_the_circuit(manual: ManualClock) -> None:
    func = resilient(
        RetryConfig(), CircuitBreakerConfig(failure_threshold=1), clock=manual, wait_for_circuit=True
    )(Flaky(ConnectionError()))
    assert func() == ((), {})
    assert manual.sleeps == [30.0]


def test_a_bad_argument_is_refused_at_decoration() -> None:
    with pytest.raises(ConfigurationException, match="timeout must be"):
        resilient(timeout=0)(Flaky())
    with pytest.raises(ConfigurationException, match="failure_threshold must be"):
        circuit_breaker(failure_threshold=0)
    with pytest.raises(TypeError, match="threshold"):
        circuit_breaker(threshold=5)


@pytest.mark.parametrize("decorator", [resilient, circuit_breaker])
def test_forgotten_parentheses_are_named(decorator: Any) -> None:
    with pytest.raises(ConfigurationException, match=rf"write @{decorator.__name__}\(\) with") as caught:
        decorator(Flaky())
    assert str(caught.value).startswith("the first argument must be a setting")
    assert "Flaky" in str(caught.value)


@pytest.fixture(
    params=[
        lambda clock: retry_on_network_error(clock=clock),
        lambda clock: resilient(RetryConfig(), CircuitBreakerConfig(), clock=clock),
        lambda clock: resilient(RetryConfig(), timeout=10.0, clock=clock),
        lambda clock: resilient(RetryConfig(deadline=99.0), clock=clock),
    ],
    ids=["retry_on_network_error", "resilient", "with timeout", "with deadline"],
)
def decorate(request: pytest.FixtureRequest, manual: ManualClock) -> Decorate:
    """A decorator that retries."""
    return request.param(manual)


class Feed:
    """A class whose methods fail the first time that each is called."""

    def __init__(self) -> None:
        self.failures: set[str] = set()

    def fail_first(self, name: str) -> None:
        if name not in self.failures:
            self.failures.add(name)
            raise ConnectionError(name)


def decorated(decorate: Decorate) -> type[Any]:
    class Guarded(Feed):
        shared = Feed()

        @decorate
        def method(self, number: int) -> tuple[object, int]:
            self.fail_first("method")
            return self, number

        @decorate
        async def coroutine(self, number: int) -> tuple[object, int]:
            self.fail_first("coroutine")
            return self, number

        @classmethod
        @decorate
        def inner_class_method(cls, number: int) -> tuple[object, int]:
            cls.shared.fail_first("inner_class_method")
            return cls, number

        @decorate
        @classmethod
        def outer_class_method(cls, number: int) -> tuple[object, int]:
            cls.shared.fail_first("outer_class_method")
            return cls, number

        @decorate
        @classmethod
        async def async_class_method(cls, number: int) -> tuple[object, int]:
            cls.shared.fail_first("async_class_method")
            return cls, number

        @decorate
        @staticmethod
        def static_method(number: int) -> tuple[object, int]:
            Guarded.shared.fail_first("static_method")
            return None, number

        @property
        @decorate
        def value(self) -> object:
            self.fail_first("value")
            return self

    return Guarded


def test_methods_of_every_kind_are_protected(decorate: Decorate, manual: ManualClock) -> None:
    kind = decorated(decorate)
    subject = kind()

    assert subject.method(1) == (subject, 1)
    assert asyncio.run(subject.coroutine(2)) == (subject, 2)
    assert subject.inner_class_method(3) == (kind, 3)
    assert kind.outer_class_method(4) == (kind, 4)
    assert asyncio.run(kind.async_class_method(5)) == (kind, 5)
    assert subject.static_method(6) == (None, 6)
    assert subject.value is subject
    assert manual.sleeps == [1.0] * 7


class AsyncCall:
    def __init__(self) -> None:
        self.flaky = Flaky(ConnectionError())

    async def __call__(self, *args: Any) -> Any:
        return self.flaky(*args)


def test_partials_and_callable_objects_are_protected(decorate: Decorate, manual: ManualClock) -> None:
    async def run() -> list[Any]:
        coroutine = as_coroutine(Flaky(ConnectionError()))
        return [
            decorate(functools.partial(Flaky(ConnectionError()), 1))(2),
            await decorate(functools.partial(coroutine, 1))(2),
            await decorate(AsyncCall())(1, 2),
            await decorate(AsyncCall().__call__)(1, 2),
        ]

    assert asyncio.run(run()) == [((1, 2), {})] * 4
    assert manual.sleeps == [1.0] * 4


def test_generators_are_refused_when_decorated(decorate: Decorate) -> None:
    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    class Walker:
        @classmethod
        def generator(cls) -> Iterator[int]:
            yield 1

    for func in (generator, async_generator, functools.partial(generator), Walker.__dict__["generator"]):
        with pytest.raises(TypeError, match="is a generator function, which cannot be guarded"):
            decorate(func)
    for thing in (Walker, None, property(generator)):
        with pytest.raises(TypeError, match="can be guarded"):
            decorate(thing)


def test_a_methods_fallback_gets_self(manual: ManualClock) -> None:
    class Bot:
        def __init__(self) -> None:
            self.cached = {"ETH/BTC": 0.05}

        def from_cache(self, symbol: str) -> float:
            return self.cached[symbol]

        @resilient(fallback_func=from_cache, clock=manual)
        def price(self, symbol: str) -> float:
            raise ConnectionError("down")

        @resilient(fallback_func=from_cache, clock=manual)
        async def price_async(self, symbol: str) -> float:
            raise ConnectionError("down")

    assert Bot().price("ETH/BTC") == 0.05
    assert asyncio.run(Bot().price_async(symbol="ETH/BTC")) == 0.05


def test_a_coroutine_fallback_of_a_plain_function_is_refused_when_decorated() -> None:
    with pytest.raises(TypeError, match="the fallback of the plain function Flaky is a coroutine function"):
        resilient(fallback_func=as_coroutine(Flaky()))(Flaky())


def test_decorators_stack_as_in_the_document(manual: ManualClock) -> None:
    """A retry inside a circuit: the circuit sees one failure per call."""
    func = always_failing()

    @circuit_breaker(failure_threshold=3, clock=manual)
    @retry_on_network_error(max_attempts=2, clock=manual)
    def get_market_data() -> None:
        func()

    for _ in range(3):
        with pytest.raises(ConnectionError):
            get_market_data()
    with pytest.raises(CircuitBreakerOpenError):
        get_market_data()
    assert func.calls == 6
