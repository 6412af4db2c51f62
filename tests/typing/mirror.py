"""What type checkers and IDEs see of the mirrors of ccxt; never run."""

from __future__ import annotations

from typing import Any, assert_type

import tradeguard_ccxt
import tradeguard_ccxt.async_support
import tradeguard_ccxt.pro
from tradeguard_ccxt import GuardConfig, GuardedExchange, kraken
from tradeguard_ccxt.exchange import AsyncGuardedExchange, ProGuardedExchange

exchange = kraken({"apiKey": "..."}, guard=GuardConfig(deadline=5.0))
assert_type(exchange, kraken)
assert_type(exchange.guard_statistics(), dict[str, Any])
assert_type(exchange.guard_config, GuardConfig)
assert_type(GuardedExchange("kraken"), GuardedExchange)
assert_type(tradeguard_ccxt.exchanges, list[str])
unknown = tradeguard_ccxt.no_such_exchange  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]

synchronous: GuardedExchange = tradeguard_ccxt.binance()
asynchronous: AsyncGuardedExchange = tradeguard_ccxt.async_support.binance()
with_streams: ProGuardedExchange = tradeguard_ccxt.pro.binance()


class Own(kraken):
    """A user's own."""


own: GuardedExchange = Own({})
