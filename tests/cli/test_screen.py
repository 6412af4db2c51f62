"""A run is shown live on a terminal, and in plain lines anywhere else."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

from rich.console import Console

from tradeguard.cli.demo.narration import Line
from tradeguard.cli.demo.plan import DemoPlan
from tradeguard.cli.demo.progress import Picture, Progress
from tradeguard.cli.demo.screen import LiveScreen, PlainScreen, screen_for
from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord


def picture(bars: int = 30, **changes: Any) -> Picture:
    given: dict[str, Any] = {
        "seconds": 31.0,
        "bars": bars,
        "price": Decimal("0.0912"),
        "position": Decimal("0.99900000"),
        "cash": Decimal("9.90573105"),
        "circuits": {"market_data": "open", "account": "half_open", "trading": "closed"},
        "orders": {"placed": 7, "sent": 1},
        "faults": {"server_error": 3, "dropped": 2},
        "requests": 90,
        "rescues": {"order_found": 2},
        "plain": {"orders": 9, "duplicated": 2, "lost": 0, "phantom": 0},
    }
    return Picture(**given | changes)


def terminal() -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, width=100, height=40, force_terminal=True, color_system="truecolor"), written


def test_a_terminal_gets_the_live_screen_and_a_file_the_plain_one(page: tuple[Console, io.StringIO]) -> None:
    assert isinstance(screen_for(terminal()[0], 75, "ETH/BTC"), LiveScreen)
    assert isinstance(screen_for(page[0], 75, "ETH/BTC"), PlainScreen)


def test_plain_lines_have_time_label_and_text_and_no_control_codes(page: tuple[Console, io.StringIO]) -> None:
    console, written = page
    with PlainScreen(console, 75, "ETH/BTC") as screen:
        screen.tell(75.9, Line("order", "buy 1: submitted " + "and so on " * 20, "cyan"))
    assert written.getvalue().startswith(" 1:15  order   buy 1: submitted and so on")
    assert written.getvalue().count("\n") == 1
    assert "\x1b" not in written.getvalue()


def test_plain_lines_tell_the_present_moment_every_tenth_bar_and_at_the_last(
    page: tuple[Console, io.StringIO],
) -> None:
    console, written = page
    with PlainScreen(console, 25, "ETH/BTC") as screen:
        screen.turn()
        for bars in range(1, 26):
            screen.show(lambda bars=bars: picture(bars))  # type: ignore[misc]
            screen.turn()
    lines = written.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f" 0:31  status  bar {bars} of 25" for bars in (10, 20, 25)
    ]
    assert "orders: 7 placed, 1 sent; faults: 3 server error, 2 dropped; rescues: 2 order found" in lines[0]


def test_the_live_screen_shows_bars_account_circuits_orders_faults_rescues_and_the_plain_bot() -> None:
    console, written = terminal()
    with LiveScreen(console, 75, "ETH/BTC") as screen:
        screen.tell(1.0, Line("rescue", "fetch_ohlcv succeeded at attempt 2", "green"))
        screen.show(picture)
        screen.turn()
    text = Console(file=io.StringIO(), width=100).render_str(written.getvalue()).plain
    for words in (
        "starting the exchange",
        "rescue",
        "bar 30 of 75",
        "ETH/BTC 0.0912",
        "0.999 ETH",
        "market data open",
        "account half-open",
        "7 placed, 1 sent",
        "5 of 90 requests: 3 server error, 2 dropped",
        "2 order found",
        "9 orders on its book",
        "2 duplicated",
    ):
        assert words in text
    assert "lost" not in text


def test_without_a_plain_run_the_block_does_not_mention_it() -> None:
    console, written = terminal()
    with LiveScreen(console, 75, "ETH/BTC") as screen:
        screen.show(lambda: picture(plain={}, rescues={}))
    assert "plain bot" not in written.getvalue()
    assert "none" in written.getvalue()


class Listener:
    """Keeps what a screen would be told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.turns = 0

    def tell(self, seconds: float, line: Line) -> None:
        assert seconds >= 0
        self.lines.append((line.label, line.text))

    def turn(self) -> None:
        self.turns += 1


def progress(listener: Listener) -> Progress:
    plan = DemoPlan(seed=1)
    exchange = plan.exchange()
    return Progress(
        exchange,
        plan.symbol,
        plan.account(exchange),
        listener,
        circuits=lambda: {"trading": "closed"},
        orders=lambda: {"placed": 2},
        plain=dict,
    )


def rescue(kind: str) -> RescueRecord:
    return RescueRecord(timestamp=0.0, component="binance.account", kind=kind, operation="fetch_balance")


def error(name: str) -> ErrorRecord:
    return ErrorRecord(
        timestamp=0.0,
        component="binance.account",
        error_type=name,
        error_code="X",
        message="",
        severity="ERROR",
        operation="fetch_balance",
    )


def test_bars_count_from_the_moment_the_feed_is_live() -> None:
    listener = Listener()
    seen = progress(listener)
    seen.on_event("bar", "history")
    seen.on_event("data", "LIVE")
    seen.on_event("bar", "now")
    seen.on_event("data", "DELAYED")
    seen.on_event("bar", "late")
    assert (seen.picture().bars, listener.turns) == (2, 2)


def test_a_rescue_is_told_once_though_the_store_tells_it_too() -> None:
    listener = Listener()
    seen = progress(listener)
    seen.on_record(rescue("retry"))
    seen.on_event("store", "retry: binance.account fetch_balance, attempts 2")
    seen.on_event("store", "fees in BNB count as 0 BTC")
    assert [label for label, _ in listener.lines] == ["rescue", "note"]
    assert seen.picture().rescues == {"retry": 1}


def test_the_same_error_is_not_told_every_second() -> None:
    listener = Listener()
    seen = progress(listener)
    for name in ("NetworkError", "NetworkError", "AuthenticationError", "NetworkError"):
        seen.on_record(error(name))
    assert listener.lines == [
        ("error", "fetch_balance: NetworkError"),
        ("error", "fetch_balance: AuthenticationError"),
    ]


def test_a_picture_has_the_exchanges_own_account_and_the_bots_counts() -> None:
    listener = Listener()
    seen = progress(listener)
    seen.on_record(
        TransitionRecord(timestamp=0.0, circuit="binance.trading", old_state="closed", new_state="open")
    )
    now = seen.picture()
    assert (now.position, now.cash, now.orders, now.circuits) == (0, 10, {"placed": 2}, {"trading": "closed"})
    assert (now.requests, now.faults, now.plain) == (0, {}, {})
    assert listener.lines == [("circuit", "trading open")]
