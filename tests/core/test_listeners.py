"""Listeners are told in order, in the thread of what happened, and harm nobody."""

from __future__ import annotations

import logging
import threading

import pytest

from tradeguard.listeners import Listeners


def test_every_listener_is_told_in_the_order_of_adding() -> None:
    listeners, told = Listeners(), list[str]()
    listeners.add(lambda record: told.append(f"first {record}"))
    listeners.add(lambda record: told.append(f"second {record}"))
    listeners.tell("x")
    assert told == ["first x", "second x"]


def test_an_equal_listener_is_added_once_and_can_be_removed() -> None:
    listeners, told = Listeners(), list[object]()
    assert not listeners.functions
    listeners.add(told.append)
    listeners.add(told.append)
    assert listeners.functions
    listeners.tell(1)
    listeners.remove(told.append)
    listeners.remove(told.append)
    listeners.tell(2)
    assert told == [1]


def test_one_that_raises_is_counted_and_logged_without_secrets_and_the_others_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listeners, told = Listeners(), list[object]()

    def bad(record: object) -> None:
        raise RuntimeError("apiKey=abc")

    listeners.add(bad)
    listeners.add(told.append)
    with caplog.at_level(logging.WARNING):
        listeners.tell(1)
    assert (told, listeners.failed) == ([1], 1)
    assert "RuntimeError: apiKey=***" in caplog.text


def test_what_ends_the_program_is_not_held_up() -> None:
    listeners = Listeners()

    def stop(record: object) -> None:
        raise KeyboardInterrupt

    listeners.add(stop)
    with pytest.raises(KeyboardInterrupt):
        listeners.tell(1)


def test_a_listener_that_causes_a_record_is_not_told_of_that_one_but_the_others_are() -> None:
    listeners, told = Listeners(), list[object]()

    def echo(record: object) -> None:
        told.append(("echo", record))
        listeners.tell(("from echo", record))

    listeners.add(echo)
    listeners.add(lambda record: told.append(("other", record)))
    listeners.tell(1)
    assert told == [("echo", 1), ("other", ("from echo", 1)), ("other", 1)]


def test_a_listener_busy_in_one_thread_is_told_by_another() -> None:
    listeners, told = Listeners(), list[object]()

    def busy(record: object) -> None:
        told.append(record)
        if record == "outer":
            thread = threading.Thread(target=listeners.tell, args=("from another thread",))
            thread.start()
            thread.join()

    listeners.add(busy)
    listeners.tell("outer")
    assert told == ["outer", "from another thread"]
