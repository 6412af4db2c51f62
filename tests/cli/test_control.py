"""`tradeguard halt`, `resume` and `recover`: the operator's hand on bots that run elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tradeguard.orders import IntentStatus, InterlockState
from tradeguard.simulator import SimulatedExchange
from tradeguard.storage import Control, StateStore
from tradeguard_ccxt import GuardConfig, GuardedExchange

Invoke = Callable[..., Any]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "bot.db"
    StateStore(path).close()
    return path


def standing(state: Path) -> list[Control]:
    with StateStore(state) as store:
        return store.controls().standing()


def test_a_halt_stands_until_it_is_resumed(invoke: Invoke, state: Path) -> None:
    halted = invoke("halt", state, "--reason", "full moon [bold]")
    assert halted.exit_code == 0
    assert "HALTED at every exchange since" in halted.stdout
    assert "full moon [bold]" in halted.stdout
    assert f"`tradeguard resume {state}` lifts it" in halted.stdout
    [control] = standing(state)
    assert (control.exchange, control.account, control.state) == ("", "", InterlockState.HALTED)
    resumed = invoke("resume", state)
    assert "lifted: HALTED at every exchange" in resumed.stdout
    assert standing(state) == []
    assert invoke("resume", state).stdout == "Nothing was restricted by the operator.\n"


def test_one_exchange_is_restricted_and_resumed_alone(invoke: Invoke, state: Path) -> None:
    invoke("halt", state, "--exchange", "kraken")
    invoke("halt", state, "--reduce-only", "--exchange", "binance")
    invoke("halt", state)
    resumed = invoke("resume", state, "--exchange", "binance")
    assert "lifted: REDUCE_ONLY at binance" in resumed.stdout
    assert "still stands: HALTED at every exchange" in resumed.stdout
    assert [control.exchange for control in standing(state)] == ["kraken", ""]


@pytest.mark.parametrize("command", [("halt",), ("resume",), ("recover", "--exchange", "binance")])
def test_a_state_is_never_made_by_a_slip_of_the_pen(
    invoke: Invoke, tmp_path: Path, command: tuple[str, ...]
) -> None:
    result = invoke(command[0], tmp_path / "bto.db", *command[1:])
    assert result.exit_code == 2
    assert "there is no such file" in result.stderr
    assert not (tmp_path / "bto.db").exists()


def left_behind(server: SimulatedExchange, state: Path) -> str:
    """Let a bot lose sight of an order that is on the book; returns its client order id."""
    guard = GuardConfig(journal=state, order_expiry=0.2, visibility_lag=0.1, order_deadline=0.2)
    bot: Any = GuardedExchange("binance", server.ccxt_config(), guard=guard)
    with StateStore(
        state
    ) as store:  # as if it had been killed: the order is written down, and no more is known
        bot.load_markets()
        ticket = bot._guard_parts.desk.tickets.write(
            "ETH/BTC", "limit", "buy", 1, 0.03, {}, account=bot._guard_parts.desk.state.account()
        )
        sent = ticket.intent.replace(status=IntentStatus.SENT, attempts=1, accept_until=0.0)
        store.journal("binance", ticket.intent.account).add(sent)
    plain = ccxt.binance(server.ccxt_config())
    plain.create_order("ETH/BTC", "limit", "buy", 1, 0.03, {"newClientOrderId": sent.client_order_id})
    bot.close()
    return sent.client_order_id


def test_a_recovery_finds_what_became_of_an_order(invoke: Invoke, state: Path, tmp_path: Path) -> None:
    with SimulatedExchange(seed=1) as server:
        name = left_behind(server, state)
        config = tmp_path / "binance.json"
        config.write_text(json.dumps(server.ccxt_config()))
        result = invoke("recover", state, "--exchange", "binance", "--config", config)
        assert result.exit_code == 0, result.stderr
        assert "buy 1 at 0.03" in result.stdout
        assert "sent" in result.stdout
        assert "placed" in result.stdout
        assert server.orders()[0].order_id in result.stdout
        assert name in result.stdout.replace("\n", "")
        assert len(server.orders()) == 1
        again = invoke("recover", state, "--exchange", "binance", "--config", config)
    assert (again.exit_code, again.stdout) == (0, "No order of this account is open at binance.\n")


def test_an_order_that_stays_in_doubt_is_exit_code_1(invoke: Invoke, state: Path, tmp_path: Path) -> None:
    with SimulatedExchange(seed=1) as server:
        left_behind(server, state)
        with StateStore(state) as store:
            [(_, account)] = store.open_orders()
            journal = store.journal("binance", account)
            [intent] = journal.open_intents()
            journal.update(intent.replace(params={"marginMode": "cross"}))  # cannot be looked up
        config = tmp_path / "binance.json"
        config.write_text(json.dumps(server.ccxt_config()))
        result = invoke("recover", state, "--exchange", "binance", "--config", config)
    assert result.exit_code == 1, result.stderr
    assert "unknown" in result.stdout


def test_orders_of_other_accounts_are_named(
    invoke: Invoke, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys come from the environment, under the names that ccxt's own command line uses."""
    with SimulatedExchange(seed=1) as server:
        left_behind(server, state)
    monkeypatch.setenv("KRAKEN_APIKEY", "key")
    monkeypatch.setenv("KRAKEN_SECRET", "c2VjcmV0")
    result = invoke("recover", state, "--exchange", "kraken")
    assert result.exit_code == 0, result.stderr
    assert "No order of this account is open at kraken." in result.stdout
    assert "Still open: 1 at binance, account " in result.stdout


@pytest.mark.parametrize(
    ("exchange", "config", "reason"),
    [
        ("binanse", None, "ccxt knows no exchange 'binanse'"),
        ("okx", None, "set OKX_APIKEY, OKX_SECRET, OKX_PASSWORD in the environment"),
        ("okx", '{"apiKey": "hush-hush"', "it is not JSON"),
        ("okx", '["hush-hush"]', "it is not a JSON object"),
    ],
)
def test_bad_keys_are_told_without_showing_them(
    invoke: Invoke, state: Path, tmp_path: Path, exchange: str, config: str | None, reason: str
) -> None:
    arguments: list[object] = ["recover", state, "--exchange", exchange]
    if config is not None:
        (tmp_path / "config.json").write_text(config)
        arguments += ["--config", tmp_path / "config.json"]
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert "hush-hush" not in result.stderr


def test_a_key_on_the_command_line_is_no_option(invoke: Invoke, state: Path) -> None:
    assert invoke("recover", state, "--exchange", "binance", "--secret", "x").exit_code == 2
