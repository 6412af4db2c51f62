"""Where the story of a demo is told: a live screen on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tradeguard.cli.demo.narration import Line
from tradeguard.cli.demo.progress import Picture

__all__ = ["LiveScreen", "PlainScreen", "Screen", "counts_text", "screen_for"]

_REFRESHES_PER_SECOND = 5
_PLAIN_STATUS_BARS = 10
_CIRCUIT_STYLES = MappingProxyType({"closed": "green", "open": "bold red", "half_open": "yellow"})


class Screen(Protocol):
    """What shows a run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def tell(self, seconds: float, line: Line) -> None:
        """Show one line of the story; called from any thread."""

    def show(self, picture: Callable[[], Picture]) -> None:
        """Show the present moment from now on."""

    def turn(self) -> None:
        """Note that a bar has come."""


def screen_for(console: Console, bars: int, symbol: str) -> Screen:
    """Return the screen that suits the console."""
    return (LiveScreen if console.is_terminal else PlainScreen)(console, bars, symbol)


class PlainScreen:
    """Lines without colours and control codes, for files, pipes and logs.

    Args:
        console: where they go.
        bars: how many live bars the run has.
        symbol: what is traded.
    """

    def __init__(self, console: Console, bars: int, symbol: str) -> None:
        self._console = console
        self._bars = bars
        self._symbol = symbol
        self._picture: Callable[[], Picture] | None = None
        self._told = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._picture = None

    def tell(self, seconds: float, line: Line) -> None:
        """Write one line of the story."""
        self._write(_entry(seconds, line))

    def show(self, picture: Callable[[], Picture]) -> None:
        """Write the present moment every tenth bar from now on."""
        self._picture = picture

    def turn(self) -> None:
        """Write the present moment, if it is time."""
        if self._picture is None:
            return
        now = self._picture()
        if now.bars < self._told + _PLAIN_STATUS_BARS and now.bars < self._bars:
            return
        self._told = now.bars
        text = (
            f"bar {now.bars} of {self._bars}, price {now.price}, position {now.position.normalize():f}, "
            f"cash {now.cash}; orders: {counts_text(now.orders)}; faults: {counts_text(now.faults)}; "
            f"rescues: {counts_text(now.rescues)}"
        )
        self.tell(now.seconds, Line("status", text, ""))

    def _write(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


class LiveScreen:
    """The story scrolls by, above a block that shows the present moment.

    Args:
        console: a terminal.
        bars: how many live bars the run has.
        symbol: what is traded.
    """

    def __init__(self, console: Console, bars: int, symbol: str) -> None:
        self._console = console
        self._bars = bars
        self._symbol = symbol
        self._picture: Callable[[], Picture] | None = None
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def tell(self, seconds: float, line: Line) -> None:
        """Let one line of the story scroll by."""
        self._console.print(_entry(seconds, line), no_wrap=True, overflow="ellipsis", crop=True)

    def show(self, picture: Callable[[], Picture]) -> None:
        """Show the present moment from now on."""
        self._picture = picture

    def turn(self) -> None:
        """Do nothing: the block refreshes by itself."""

    def _render(self) -> RenderableType:
        if self._picture is None:
            return Text("starting the exchange …", style="dim")
        return _block(self._picture(), self._bars, self._symbol)


def _entry(seconds: float, line: Line) -> Text:
    minutes, rest = divmod(int(seconds), 60)
    return Text.assemble(
        (f"{minutes:>2}:{rest:02}  ", "dim"), (f"{line.label:<8}", line.style), (line.text, "default")
    )


def _block(now: Picture, bars: int, symbol: str) -> RenderableType:
    base, quote = symbol.split("/")
    progress = Table.grid(padding=(0, 1))
    progress.add_row(
        ProgressBar(
            total=bars,
            completed=min(now.bars, bars),
            width=40,
            complete_style="cyan",
            finished_style="green",
        ),
        Text(f"bar {now.bars} of {bars}"),
        Text(f"{now.seconds:.0f} s", style="dim"),
    )
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="ellipsis", no_wrap=True)
    rows.add_row("market", f"{symbol} {now.price}")
    rows.add_row("account", f"{now.position.normalize():f} {base}   {now.cash:.6f} {quote}")
    rows.add_row("circuits", _circuits(now.circuits))
    rows.add_row("orders", counts_text(now.orders))
    rows.add_row(
        "faults", f"{sum(now.faults.values())} of {now.requests} requests: {counts_text(now.faults)}"
    )
    rows.add_row("rescues", Text(counts_text(now.rescues), style="green" if now.rescues else ""))
    if now.plain:
        rows.add_row("plain bot", _plain(now.plain))
    return Group(Rule(style="dim"), progress, Padding(rows, (1, 0, 0, 0)))


def _circuits(states: Mapping[str, str]) -> Text:
    parts: list[tuple[str, str]] = []
    for name, state in states.items():
        style = _CIRCUIT_STYLES.get(state, "yellow")
        parts += [("● ", style), (f"{name.replace('_', ' ')} {state.replace('_', '-')}   ", style)]
    return Text.assemble(*parts)


def _plain(counts: Mapping[str, int]) -> Text:
    parts = [(f"{counts.get('orders', 0)} orders on its book", "default")]
    for name in ("duplicated", "lost", "phantom"):
        if counts.get(name):
            parts.append((f", {counts[name]} {name}", "red"))
    return Text.assemble(*parts)


def counts_text(counts: Mapping[str, int]) -> str:
    """Return counts as words, such as `3 dropped, 1 late`; `none` where there are none."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()) or "none"
