"""The outcome of one run: what the bot believes, held against the exchange's own book."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from decimal import Decimal

from tradeguard.simulator import Audit, SimulatedExchange

__all__ = ["Account", "Belief", "RunOutcome", "agrees"]

_SMALLEST = Decimal("0.00000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The bot's account at the exchange; coins that it holds from the start are no position.

    Attributes:
        base: the asset that is traded.
        quote: the asset that prices are in.
        held: base asset at the start.
    """

    base: str
    quote: str
    held: Decimal

    def now(self, exchange: SimulatedExchange) -> tuple[Decimal, Decimal]:
        """Return position and cash by the exchange's own book."""
        balances = exchange.balances()
        return balances[self.base].total - self.held, balances[self.quote].total


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What a bot believes at the end of its run.

    Attributes:
        position: in the base asset, beyond what the account held at the start.
        cash: in the quote asset.
        bars: live bars that it has acted on.
        bars_missed: live bars that passed without it.
    """

    position: Decimal
    cash: Decimal
    bars: int
    bars_missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """One run, audited.

    Attributes:
        intents: orders that the bot meant to place.
        believed: of them, those that it believes to be placed.
        on_book: orders that the exchange has of the bot.
        duplicated: orders on the book beyond the first of one intent.
        lost: orders on the book that the bot does not know of.
        phantom: orders that the bot believes in and the exchange never had.
        unknown: orders of which the bot does not know whether they exist.
        mismatched: orders that are not what the bot believes them to be.
        position: base asset bought and not sold, as the bot believes and as the exchange has it.
        cash: quote asset, likewise.
        bars: live bars that the bot has acted on.
        bars_missed: live bars that passed without it.
        requests: requests that the exchange saw.
        faults: of them, those that a fault struck.
    """

    intents: int
    believed: int
    on_book: int
    duplicated: int
    lost: int
    phantom: int
    unknown: int
    mismatched: int
    position: tuple[Decimal, Decimal]
    cash: tuple[Decimal, Decimal]
    bars: int
    bars_missed: int
    requests: int
    faults: int

    @property
    def is_clean(self) -> bool:
        """Whether belief and book agree in everything and no bar was missed."""
        wrong = self.duplicated + self.lost + self.phantom + self.unknown + self.mismatched + self.bars_missed
        return not wrong and agrees(self.position) and agrees(self.cash)

    @classmethod
    def of(cls, audit: Audit, belief: Belief, exchange: SimulatedExchange, account: Account) -> RunOutcome:
        """Return the outcome of a run that has ended.

        Args:
            audit: of its orders.
            belief: of its bot.
            exchange: on which it traded.
            account: what it traded with.
        """
        position, cash = account.now(exchange)
        requests = list(exchange.requests)
        return cls(
            intents=audit.intents,
            believed=audit.placed + len(audit.phantom),
            on_book=len(exchange.orders()),
            duplicated=len(audit.duplicated),
            lost=len(audit.lost),
            phantom=len(audit.phantom),
            unknown=len(audit.unknown),
            mismatched=len(audit.mismatched),
            position=(belief.position, position),
            cash=(belief.cash, cash),
            bars=belief.bars,
            bars_missed=belief.bars_missed,
            requests=len(requests),
            faults=sum(1 for request in requests if request.fault is not None),
        )

    def to_json(self) -> str:
        """Return the outcome as text for another process."""
        return json.dumps(dataclasses.asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> RunOutcome:
        """Return the outcome that `to_json` wrote."""
        fields = json.loads(text)
        for name in ("position", "cash"):
            believed, actual = fields[name]
            fields[name] = (Decimal(believed), Decimal(actual))
        return cls(**fields)


def agrees(pair: tuple[Decimal, Decimal]) -> bool:
    """Tell whether belief and book differ by less than the exchange's smallest unit."""
    return abs(pair[0] - pair[1]) <= _SMALLEST
