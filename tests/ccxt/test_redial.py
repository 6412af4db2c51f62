"""When a lost address is dialled again."""

from __future__ import annotations

from tradeguard.backoff import Backoff
from tradeguard_ccxt.redial import Redials

URL = "wss://one"


def redials() -> Redials:
    """Delays at the upper end of the full jitter."""
    return Redials(Backoff(base_delay=0.5, max_delay=4.0, jitter="full"), lambda low, high: high)


def test_delays_grow_up_to_the_cap() -> None:
    dials = redials()
    assert [dials.failed(URL, 0.0) for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]


def test_they_are_jittered_from_zero_on() -> None:
    assert Redials(Backoff(base_delay=0.5, jitter="full"), lambda low, high: low).failed(URL, 0.0) == 0.0


def test_what_remains_passes_with_time() -> None:
    dials = redials()
    dials.failed(URL, 10.0)
    assert (dials.remaining(URL, 10.25), dials.remaining(URL, 11.0)) == (0.25, 0.0)


def test_an_address_that_told_something_begins_anew() -> None:
    dials = redials()
    dials.failed(URL, 0.0)
    dials.failed(URL, 0.0)
    dials.well(URL)
    assert dials.remaining(URL, 0.0) == 0.0
    assert dials.failed(URL, 0.0) == 0.5


def test_addresses_are_told_apart() -> None:
    dials = redials()
    dials.failed(URL, 0.0)
    assert dials.remaining("wss://other", 0.0) == dials.remaining(None, 0.0) == 0.0


def test_the_servers_own_wish_is_a_floor() -> None:
    dials = redials()
    assert dials.failed(URL, 0.0, retry_after=7.0) == 7.0
    assert dials.failed(URL, 0.0, retry_after=0.1) == 1.0
