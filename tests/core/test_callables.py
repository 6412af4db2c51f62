"""What kind of callable it is, for every kind that people guard."""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from pytest_mock import MockerFixture

from tradeguard.callables import (
    PlainCallError,
    adapt,
    awaited,
    is_cancellation,
    is_coroutine_callable,
    operation_name,
    refuse_coroutine,
    refuse_unguardable,
)


def plain() -> int:
    return 1


async def coroutine() -> int:
    return 1


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


class Exchange:
    def plain(self) -> int:
        return 1

    async def coroutine(self) -> int:
        return 1

    def generator(self) -> Iterator[int]:
        yield 1

    @classmethod
    async def from_class(cls) -> int:
        return 1

    @staticmethod
    async def without_self() -> int:
        return 1


class PlainCall:
    def __call__(self) -> int:
        return 1


class AsyncCall:
    async def __call__(self) -> int:
        return 1


class GeneratorCall:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize(
    "func",
    [
        coroutine,
        functools.partial(coroutine),
        functools.partial(functools.partial(coroutine)),
        Exchange().coroutine,
        Exchange.from_class,
        Exchange.without_self,
        AsyncCall(),
        functools.partial(AsyncCall()),
        AsyncMock(),
    ],
)
def test_what_makes_a_coroutine_is_known_in_every_disguise(func: Callable[..., Any]) -> None:
    assert is_coroutine_callable(func)
    refuse_unguardable(func)


@pytest.mark.parametrize(
    "func", [plain, functools.partial(plain), Exchange().plain, PlainCall(), len, Mock(), int, generator]
)
def test_what_makes_none_is_plain(func: Callable[..., Any]) -> None:
    assert not is_coroutine_callable(func)


@pytest.mark.parametrize(
    "func",
    [
        generator,
        async_generator,
        functools.partial(generator),
        functools.partial(async_generator),
        Exchange().generator,
        GeneratorCall(),
    ],
)
def test_generators_of_both_kinds_are_refused(func: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="is a generator function") as caught:
        refuse_unguardable(func)
    assert str(caught.value) == (
        f"{operation_name(func)} is a generator function, which cannot be guarded: "
        "its body runs after the call; guard the calls that it makes instead"
    )


@pytest.mark.parametrize("thing", [None, 3, "fetch", Exchange, property(plain)])
def test_what_is_no_function_is_refused(thing: object) -> None:
    with pytest.raises(TypeError, match="only functions and other callables can be guarded"):
        refuse_unguardable(thing)


def test_a_coroutine_is_closed_unstarted_and_refused_by_name() -> None:
    unstarted = coroutine()
    with pytest.raises(PlainCallError, match="coroutine is a coroutine function"):
        refuse_coroutine(unstarted)
    with pytest.raises(RuntimeError, match="cannot reuse"):
        unstarted.send(None)
    assert refuse_coroutine(3) == 3


def test_a_cancelled_future_is_a_cancellation_to_the_thread_that_waits_for_it(mocker: MockerFixture) -> None:
    future: Future[None] = Future()
    future.cancel()
    with pytest.raises(CancelledError) as caught:
        future.result()
    assert is_cancellation(caught.value)
    assert not is_cancellation(ValueError())

    mocker.patch.dict(sys.modules)
    del sys.modules["concurrent.futures._base"]
    assert not is_cancellation(ValueError())


async def test_only_awaitables_are_awaited() -> None:
    assert [await awaited(coroutine()), await awaited(5)] == [1, 5]


@pytest.mark.parametrize(
    ("func", "name"),
    [
        (plain, "plain"),
        (functools.partial(functools.partial(plain)), "plain"),
        (Exchange().plain, "Exchange.plain"),
        (PlainCall(), "PlainCall"),
        (len, "len"),
    ],
)
def test_an_operation_is_called_what_its_code_calls_it(func: Callable[..., Any], name: str) -> None:
    assert operation_name(func) == name


def collect(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


@pytest.mark.parametrize(
    ("func", "expected"),
    [
        (collect, ((1, 2), {"key": 3, "other": 4})),
        (lambda: "none", "none"),
        (lambda a: a, 1),
        (lambda a, b, key: (a, b, key), (1, 2, 3)),
        (lambda a, *, key=0: (a, key), (1, 3)),
        (lambda a, *rest: (a, rest), (1, (2,))),
        (lambda a, **rest: (a, rest), (1, {"key": 3, "other": 4})),
        (functools.partial(lambda a, b: (a, b), "first"), ("first", 1)),
    ],
)
def test_a_function_is_called_with_as_much_as_its_signature_takes(func: Any, expected: object) -> None:
    assert adapt(func, (1, 2), {"key": 3, "other": 4})() == expected


def test_a_function_without_a_signature_gets_everything() -> None:
    assert adapt(dict, ([("a", 1)],), {"b": 2})() == {"a": 1, "b": 2}


def test_a_compiled_function_is_known_by_the_flags_of_its_code() -> None:
    class Compiled:
        """What Cython makes of a function: none to `inspect`, but with code."""

        def __init__(self, code: object) -> None:
            self.__code__ = code

        def __call__(self) -> None: ...

    assert is_coroutine_callable(Compiled(coroutine.__code__))
    for code in (plain.__code__, object(), None):
        assert not is_coroutine_callable(Compiled(code))
