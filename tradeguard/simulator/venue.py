"""The venue: engine, accounts and pending work behind every protocol. Not thread-safe; see `exchange`."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import count

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator.customs import SPOT, Customs
from tradeguard.simulator.engine import Engine
from tradeguard.simulator.feed import SymbolFeed
from tradeguard.simulator.ledger import MARKET
from tradeguard.simulator.listen_keys import ListenKeys
from tradeguard.simulator.market import Market
from tradeguard.simulator.symbols import kind_of

__all__ = ["Credentials", "Payout", "PayoutKind", "Venue"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account's key pair.

    Attributes:
        account: name of the account.
        api_key: 64 letters and digits.
        secret: what requests are signed with.
    """

    account: str
    api_key: str
    secret: str = field(repr=False)


class PayoutKind(StrEnum):
    """How money left an account."""

    WITHDRAWAL = "withdrawal"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """Money that has left an account.

    Attributes:
        number: counts from 1.
        account: whose it was.
        kind: how it left.
        asset: what.
        amount: how much.
        target: address, or wallet.
        time_ms: epoch milliseconds.
    """

    number: int
    account: str
    kind: PayoutKind
    asset: str
    amount: Decimal
    target: str
    time_ms: int


class Venue:
    """One exchange, without protocol and server.

    Args:
        markets: what is traded.
        seed: fixes markets, keys and ids.
        maker_fee: share of what a resting order receives.
        taker_fee: share of what an incoming order receives.
        visibility_lag_ms: how long a new order stays invisible to look-ups.
        now_ms: epoch milliseconds of the start.
        customs: how orders are named and fees taken, and what is traded.

    Raises:
        ConfigurationException: a symbol is listed twice, or is none that is traded here.
    """

    def __init__(
        self,
        markets: Iterable[Market],
        seed: int,
        maker_fee: Decimal,
        taker_fee: Decimal,
        visibility_lag_ms: int,
        now_ms: int,
        customs: Customs = SPOT,
    ) -> None:
        feeds: dict[str, SymbolFeed] = {}
        for market in markets:
            for listing in market.listings(seed):
                _check_symbol(listing.rules.symbol, feeds, customs)
                feeds[listing.rules.symbol] = SymbolFeed(listing, now_ms)
        self.seed = seed
        self.engine = Engine(feeds, seed, maker_fee, taker_fee, now_ms, customs)
        self.visibility_lag_ms = visibility_lag_ms
        self.listen_keys = ListenKeys(seed)
        self.payouts: list[Payout] = []
        self._credentials: dict[str, Credentials] = {}
        self._pending: list[tuple[int, int, Callable[[], object]]] = []
        self._numbers = count()

    def open_account(self, name: str, balances: Mapping[str, Decimal]) -> Credentials:
        """Open an account and return its keys, which follow from the seed.

        Raises:
            ConfigurationException: there is one of this name.
        """
        if name == MARKET or any(known.account == name for known in self._credentials.values()):
            raise ConfigurationException(f"account: {name!r} is taken", component="simulator")
        self.engine.ledger.open(name, balances)
        credentials = Credentials(name, self._text(f"{name}/key"), self._text(f"{name}/secret"))
        self._credentials[credentials.api_key] = credentials
        return credentials

    def credentials(self, api_key: str) -> Credentials | None:
        """Return the keys that `api_key` belongs to, or None."""
        return self._credentials.get(api_key)

    def credentials_of(self, account: str) -> Credentials:
        """Return the keys of an account.

        Raises:
            ConfigurationException: there is no such account.
        """
        for credentials in self._credentials.values():
            if credentials.account == account:
                return credentials
        raise ConfigurationException(f"account: there is none named {account!r}", component="simulator")

    def pay_out(
        self, account: str, kind: PayoutKind, asset: str, amount: Decimal, target: str, now_ms: int
    ) -> Payout:
        """Take `amount` out of the account, for good; nothing asks whether it was meant twice.

        Raises:
            EngineRejection: there is not as much free.
        """
        self.engine.ledger.take_out(account, asset, amount)
        payout = Payout(
            number=len(self.payouts) + 1,
            account=account,
            kind=kind,
            asset=asset,
            amount=amount,
            target=target,
            time_ms=now_ms,
        )
        self.payouts.append(payout)
        return payout

    def advance(self, now_ms: int) -> None:
        """Bring the exchange to `now_ms`, carrying out what was put off, in the order of time."""
        while self._pending and self._pending[0][0] <= now_ms:
            at_ms, _, action = heapq.heappop(self._pending)
            self.engine.advance(at_ms)
            action()
        self.engine.advance(now_ms)

    def put_off(self, at_ms: int, action: Callable[[], object]) -> None:
        """Have `action` carried out when the exchange reaches `at_ms`."""
        heapq.heappush(self._pending, (at_ms, next(self._numbers), action))

    def _text(self, purpose: str) -> str:
        return hashlib.sha256(f"{self.seed}/{purpose}".encode()).hexdigest()


def _check_symbol(symbol: str, listed: Collection[str], customs: Customs) -> None:
    problem = None
    if symbol in listed:
        problem = "is listed twice"
    elif kind_of(symbol) is not customs.kind:
        problem = f"is no {customs.kind}, such as {customs.usual_symbol}, which alone are traded here"
    if problem is not None:
        raise ConfigurationException(f"market: {symbol} {problem}", component="simulator")
