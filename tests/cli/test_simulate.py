"""`tradeguard simulate` serves real ccxt, says how to reach it, and stops when it is told to."""

from __future__ import annotations

import io
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tradeguard.cli import simulate
from tradeguard.cli.simulate import Offer, paste_text
from tradeguard.testing import ManualClock

READY = "Ctrl-C stops it."


def pasted(lines: list[str]) -> Any:
    """The client that the printed Python makes."""
    text = "".join(lines)
    names: dict[str, Any] = {}
    exec(text[text.index("import ccxt") : text.index(READY)], names)
    return names["exchange"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_printed_configuration_trades_and_a_signal_stops_it_cleanly(
    start: Callable[..., Any], lines_until: Callable[..., Any], number: signal.Signals
) -> None:
    process: subprocess.Popen[str] = start("simulate", "--port", 0, "--seed", 4)
    client = pasted(lines_until(process, READY))
    try:
        assert client.fetch_ticker("ETH/BTC")["last"] > 0
        order = client.create_order("ETH/BTC", "market", "buy", 1)
        assert order["status"] == "closed"
    finally:
        client.close()
    process.send_signal(number)
    out, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert errors == ""
    assert "orders: 1 filled" in out.splitlines()[-1]
    assert out.splitlines()[-1].startswith("Stopped. ")


def test_a_recording_is_served_at_the_timeframe_asked_for(
    start: Callable[..., Any], lines_until: Callable[..., Any], candles: Callable[[int], Path]
) -> None:
    process = start(
        "simulate", "--port", 0, "--data", candles(40), "--timeframe", "1m", "--symbol", "XRP/ETH"
    )
    lines = lines_until(process, READY)
    client = pasted(lines)
    try:
        closes = [row[4] for row in client.fetch_ohlcv("XRP/ETH", "1m")]
    finally:
        client.close()
    assert "XRP/ETH from candles.csv, 1m each candle, calm faults" in lines[0]
    assert closes[:3] == [0.0499, 0.0498, 0.0497]
    assert len(closes) in (21, 22)


def offer(**changes: Any) -> Offer:
    given: dict[str, Any] = {
        "data": None,
        "symbol": "ETH/BTC",
        "port": 0,
        "faults": "calm",
        "seed": 1,
        "timeframe": "1s",
    }
    return Offer(**given | changes)


def test_the_keys_follow_from_the_seed() -> None:
    texts = []
    for seed in (1, 1, 2):
        with offer(seed=seed).exchange() as exchange:
            texts.append(paste_text(exchange).replace(exchange.url, "").splitlines()[3])
    assert texts[0] == texts[1] != texts[2]
    assert "apiKey" in texts[0]


class Turns(threading.Event):
    """An event that is set after so many waits, and never waits."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.left = turns

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        return self.left < 0


def test_counters_are_written_when_they_have_changed(page: Any) -> None:
    console, written = page
    with offer().exchange() as exchange:
        simulate._show_lines(exchange, console, Turns(3))
    assert written.getvalue() == "0 requests; faults: none; orders: none.\n"


def test_a_terminal_shows_counters_live() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80)
    with offer().exchange() as exchange:
        simulate._show_live(exchange, console, Turns(2))
    for words in ("ETH/BTC", "requests", "faults", "orders"):
        assert words in written.getvalue()


def test_the_end_of_a_recording_is_said(candles: Callable[[int], Path]) -> None:
    exchange = offer(data=candles(2)).exchange()
    assert "closed" not in simulate._summary(exchange)
    exchange._clock = ManualClock(epoch=exchange.time_ms() / 1000 + 10)
    assert simulate._summary(exchange).endswith("The recording has ended, and the market is closed.")
