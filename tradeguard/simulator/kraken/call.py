"""A call: one request to one endpoint, and the exchange as it sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tradeguard.simulator.dialect import View
from tradeguard.simulator.kraken.errors import KrakenError
from tradeguard.simulator.kraken.names import Pair
from tradeguard.simulator.kraken.params import Params
from tradeguard.simulator.orders import Order
from tradeguard.simulator.symbol_book import SymbolBook
from tradeguard.simulator.venue import Venue

__all__ = ["Call", "Endpoint", "Handler"]


@dataclass(slots=True)
class Call:
    """One request, parsed.

    Attributes:
        venue: the exchange.
        params: what was sent.
        view: how it sees the exchange.
        account: whose request it is; empty for a public one.
    """

    venue: Venue
    params: Params
    view: View
    account: str = ""

    def book(self, name: str | None = None) -> SymbolBook:
        """Return the book of a pair, or of the mandatory parameter `pair`.

        Raises:
            KrakenError: there is no such pair.
        """
        wanted = self.params.required("pair") if name is None else name
        for symbol, book in self.venue.engine.books.items():
            if Pair(symbol).is_called(wanted):
                return book
        raise KrakenError("EQuery:Unknown asset pair")

    def shows(self, order: Order | None) -> bool:
        """Return whether look-ups find the order."""
        return order is not None and self.view.shows(order, self.venue.engine.register)


Handler = Callable[[Call], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint.

    Attributes:
        path: from the root.
        group: which faults it is for, an `EndpointGroup`.
        handler: what it does.
        weight: request weight.
        is_private: whether it needs an account, and POST.
    """

    path: str
    group: str
    handler: Handler
    weight: int = 1
    is_private: bool = False
