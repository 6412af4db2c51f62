"""`tradeguard exchanges`: every exchange, its guarantee and why, and all that is known of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tradeguard.cli.exchanges_command import GuaranteeName
from tradeguard_ccxt.facts import EXCHANGE_FACTS, Guarantee, MarketKind

Invoke = Callable[..., Any]


def rows(result: Any) -> dict[str, list[str]]:
    """The lines of the table, by exchange; a reason may run over several."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in result.stdout.splitlines()[2:]:
        name = line.split()[0] if line and not line.startswith(" ") else name
        found.setdefault(name, []).append(line)
    return found


def test_every_exchange_of_ccxt_is_there_with_its_guarantee_and_why(invoke: Invoke) -> None:
    result = invoke("exchanges")
    assert result.exit_code == 0
    table = rows(result)
    assert set(table) == set(ccxt.exchanges)
    assert len(table) == len(ccxt.exchanges)
    for name, lines in table.items():
        kinds = [kind for exchange, kind in EXCHANGE_FACTS if exchange == name]
        promised = [line for line in lines if any(each.value in line for each in Guarantee)]
        assert len(promised) == max(1, len(kinds)), name
    assert "no verified facts: what is in doubt stays unknown" in " ".join(table["krakenfutures"])


def test_one_exchange_is_told_with_its_sources(invoke: Invoke) -> None:
    result = invoke("exchanges", "Kraken")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    facts = EXCHANGE_FACTS["kraken", MarketKind.SPOT]
    for source in facts.sources:
        assert source in text
    assert "cl_ord_id, such as 3f2a9c1e-5b7d-4e8f-a0c6-d1e2b3a49587" in text
    assert "one that was used before is refused while the other order is open" in text
    assert "fetch_closed_orders: orders that are done, up to 50 at once" in text
    assert "15 s after signing, by a param with a moment, RFC 3339 (deadline), and 5 s on its way" in text
    assert "binance" not in text


def test_of_an_exchange_without_facts_that_is_told(invoke: Invoke) -> None:
    text = " ".join(invoke("exchanges", "krakenfutures").stdout.split())
    assert "krakenfutures, all markets" in text
    assert "none that is known" in text
    assert "nobody knows" in text


@pytest.mark.parametrize("name", [*GuaranteeName])
def test_only_what_is_asked_for_is_listed(invoke: Invoke, name: GuaranteeName) -> None:
    text = invoke("exchanges", "--guarantee", name.value).stdout
    for each in Guarantee:
        assert (f" {each.value} " in text) is (each.value == name.value.replace("-", " "))


def test_a_hint_is_told_from_a_look_up_that_proves(invoke: Invoke) -> None:
    text = " ".join(invoke("exchanges", "mexc").stdout.split())
    assert "fetch_order_with_client_order_id: all orders; a hint alone" in text


def test_an_exchange_that_nobody_knows_is_bad_input(invoke: Invoke) -> None:
    result = invoke("exchanges", "mtgox")
    assert result.exit_code == 2
    assert "ccxt knows no exchange 'mtgox'" in result.stderr


def test_the_guarantees_have_the_names_of_the_facts() -> None:
    assert {name.value.replace("-", " ") for name in GuaranteeName} == {each.value for each in Guarantee}
