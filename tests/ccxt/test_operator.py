"""The operator's hand on a running bot: from the command line, through the state file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tradeguard.orders import InterlockState
from tradeguard.simulator import SimulatedExchange
from tradeguard_ccxt import TradingRestrictedError

CLI = (sys.executable, "-c", "from tradeguard.cli import main; main()")


def tradeguard(*arguments: object) -> str:
    done = subprocess.run(
        [*CLI, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_running_bot_is_halted_and_resumed_through_its_state(
    server: SimulatedExchange, guarded: Any, tmp_path: Path
) -> None:
    """A refusal says who halted and what lifts it; cancels pass; nothing is journaled or sent."""
    state = tmp_path / "state.db"
    bot = guarded(journal=state)
    order = bot.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    tradeguard("halt", state, "--reason", "the moon is full")
    with pytest.raises(TradingRestrictedError, match="the moon is full") as refused:
        bot.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    assert isinstance(refused.value, ccxt.OperationRejected)
    assert f"lifted by `tradeguard resume {state}`" in str(refused.value)
    [cause] = bot.interlock.status().causes
    assert (cause.kind, cause.state) == ("operator", InterlockState.HALTED)
    assert bot.cancel_order(order["id"], "ETH/BTC")["status"] == "canceled"
    assert len(bot.order_journal.intents()) == len(server.orders()) == 1

    tradeguard("halt", state, "--reduce-only")
    assert bot.interlock.status().state is InterlockState.REDUCE_ONLY
    with pytest.raises(TradingRestrictedError, match="halted by the operator"):
        bot.create_order("ETH/BTC", "limit", "buy", 1, 0.03)

    assert "halted by the operator" in tradeguard("resume", state)
    bot.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    assert bot.interlock.status().state is InterlockState.NORMAL


def test_a_halt_by_the_bot_survives_its_restart(server: SimulatedExchange, guarded: Any) -> None:
    first = guarded()
    first.interlock.halt("drawdown of 20 %")
    first.close()
    second = guarded()
    with pytest.raises(TradingRestrictedError, match="drawdown of 20 %"):
        second.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    assert server.orders() == []
    second.interlock.resume()
    second.create_order("ETH/BTC", "limit", "buy", 1, 0.03)


def test_a_bot_that_names_no_state_is_halted_over_its_restart(
    guarded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its state was not open yet; asking for the status opens none."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    first = guarded(journal=None)
    assert first.interlock.status().state is InterlockState.NORMAL
    assert not (tmp_path / "home").exists()
    first.interlock.halt("lunch")
    first.close()
    assert first.interlock.status().state is InterlockState.HALTED
    with pytest.raises(TradingRestrictedError, match="lunch"):
        guarded(journal=None).create_order("ETH/BTC", "limit", "buy", 1, 0.03)


def test_another_account_is_not_halted(server: SimulatedExchange, guarded: Any) -> None:
    server.add_account("second", {"BTC": 10})
    guarded().interlock.halt("lunch")
    other = guarded(config={name: server.ccxt_config("second")[name] for name in ("apiKey", "secret")})
    placed = other.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    assert [order.order_id for order in server.orders("second")] == [placed["id"]]
    assert other.interlock.status().state is InterlockState.NORMAL
