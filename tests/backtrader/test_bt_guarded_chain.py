"""Feeds inside of Chainer and RollOver, guarded there or with the whole."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import backtrader as bt
import pytest
from bt_faulty import ALL, Faulty, closes, down, run
from bt_runs import Log, Scribe

from tradeguard.exceptions import DataFeedException
from tradeguard.retry_manager import RetryManager
from tradeguard_backtrader import guard_feed
from tradeguard_backtrader.guards import asking_again

CHAINS = [bt.feeds.Chainer, bt.feeds.RollOver]


class Hesitant(Faulty):
    """Has nothing now, as often as its script says, before its fifth bar."""

    params = (("times", 1),)

    def start(self) -> None:
        super().start()
        self.left = self.p.times

    def _load(self) -> bool | None:
        if self.number == 4 and self.left:
            self.left -= 1
            return None
        return super()._load()


def chained(way: str, feed: Any, **cerebro: Any) -> list[float]:
    env, log = bt.Cerebro(stdstats=False, **cerebro), Log()
    getattr(env, way)(feed, name="chain")
    env.addstrategy(Scribe, log=log)
    env.run()
    return closes(log)


@pytest.mark.parametrize("way", ["chaindata", "rolloverdata", "adddata"])
def test_nothing_now_is_not_taken_for_the_end(way: str) -> None:
    assert chained(way, guard_feed(Hesitant)(times=99)) == ALL


@pytest.mark.parametrize("way", ["chaindata", "adddata"])
def test_a_feed_that_always_has_nothing_now_is_told(way: str) -> None:
    with pytest.raises(DataFeedException, match=r"GuardedHesitant.* said 100 times that it has nothing now"):
        chained(way, guard_feed(Hesitant)(times=-1))


def test_a_feed_that_is_not_preloaded_may_have_nothing_now() -> None:
    assert chained("adddata", guard_feed(Hesitant)(times=150), preload=False) == ALL


@pytest.mark.parametrize("way", ["chaindata", "rolloverdata", "adddata"])
def test_a_live_feed_inside_is_waited_for(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(asking_again, "SYSTEM_CLOCK", SimpleNamespace(sleep=pauses.append))
    assert chained(way, guard_feed(Hesitant)(times=150, live=True, qcheck=0.25)) == ALL
    assert pauses == ([] if way == "adddata" else [0.25] * 150)


def test_waiting_ends_when_the_run_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    env, log, pauses = bt.Cerebro(stdstats=False), Log(), []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 5:
            env.runstop()

    monkeypatch.setattr(asking_again, "SYSTEM_CLOCK", SimpleNamespace(sleep=sleep))
    env.chaindata(guard_feed(Hesitant)(times=-1, live=True), name="chain")
    env.addstrategy(Scribe, log=log)
    env.run()
    assert (closes(log), pauses) == (ALL[:4], [0.01] * 5)


@pytest.mark.parametrize("cls", CHAINS)
def test_a_plain_feed_inside_of_a_guarded_one_that_has_nothing_now_is_asked_again(cls: Any) -> None:
    assert closes(run(guard_feed(cls)(Hesitant(times=99), dataname="chain"))) == ALL


@pytest.mark.parametrize("cls", CHAINS)
def test_a_bad_bar_in_a_guarded_chain_of_files_is_raised(
    cls: Any, tmp_path: Path, retry: RetryManager
) -> None:
    """A chain calls itself live, whatever is inside."""
    path = tmp_path / "bars.csv"
    lines = [f"2024-01-{n:02},{'oops' if n == 4 else n},9,0,{n},1,0" for n in range(1, 9)]
    path.write_text("\n".join(["t", *lines]) + "\n")
    for layers in ({}, {"retry": RetryManager(type(retry.config)(max_attempts=3, base_delay=0.0))}):
        inside = bt.feeds.GenericCSVData(dataname=str(path), dtformat="%Y-%m-%d")
        with pytest.raises(DataFeedException, match=r"failed: could not convert string to float: 'oops'"):
            run(guard_feed(cls, **layers)(inside, dataname="chain"))


@pytest.mark.parametrize("cls", CHAINS)
def test_a_guarded_chain_goes_on_after_a_failure_inside_without_a_blank(
    cls: Any, retry: RetryManager
) -> None:
    inside = Faulty(faults={3: down(2)})
    assert closes(run(guard_feed(cls, retry=retry)(inside, dataname="chain"))) == ALL
    assert len(inside) == inside.buflen() == 10
    assert not {"load", "_load"} & set(vars(inside))


def test_a_bar_of_the_active_future_is_not_lost_when_another_one_fails(retry: RetryManager) -> None:
    active, other = Faulty(), Faulty(faults={3: down(2)})
    assert closes(run(guard_feed(bt.feeds.RollOver, retry=retry)(active, other, dataname="roll"))) == ALL


@pytest.mark.parametrize("cls", CHAINS)
def test_a_live_feed_makes_the_chain_live(cls: Any) -> None:
    log = run(guard_feed(cls)(Faulty(live=True, faults={3: down(2)}), dataname="chain"))
    assert closes(log) == ALL


@pytest.mark.parametrize("cls", CHAINS)
def test_a_fallback_of_the_chain_stands_in_for_the_bad_bar_inside(cls: Any, tmp_path: Path) -> None:
    def serve(feed: Any) -> bool:
        served.append(feed)
        feed.lines.datetime[0] = bt.date2num(dt.datetime(2024, 1, 4))
        feed.lines.close[0] = -4.0
        return True

    served: list[Any] = []
    path = tmp_path / "bars.csv"
    lines = [f"2024-01-{n:02},{'oops' if n == 4 else n},9,0,{n},1,0" for n in range(1, 9)]
    path.write_text("\n".join(["t", *lines]) + "\n")
    inside = bt.feeds.BacktraderCSVData(dataname=str(path))
    log = run(guard_feed(cls, fallback=serve)(inside, dataname="chain"))
    assert closes(log) == [1.0, 2.0, 3.0, -4.0, 5.0, 6.0, 7.0, 8.0]
    assert len(served) == 1


def test_a_chain_whose_start_is_retried_starts_all_of_it_anew(tmp_path: Path, retry: RetryManager) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("t\n" + "".join(f"2024-01-{n:02},{n},9,0,{n},1,0\n" for n in range(1, 11)))
    first, late = bt.feeds.BacktraderCSVData(dataname=str(path)), Faulty(start_faults=down(2))
    assert closes(run(guard_feed(bt.feeds.Chainer, retry=retry)(first, late, dataname="chain"))) == ALL
