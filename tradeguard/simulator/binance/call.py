"""A call: one request to one endpoint, and the exchange as it sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.params import Params
from tradeguard.simulator.binance.serialise import symbol_id
from tradeguard.simulator.dialect import View
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

    def book(self, symbol_name: str | None = None) -> SymbolBook:
        """Return the book of `symbol_name`, as Binance calls it, or of the mandatory parameter `symbol`.

        Raises:
            BinanceError: there is no such symbol.
        """
        name = self.params.required("symbol") if symbol_name is None else symbol_name
        for symbol, book in self.venue.engine.books.items():
            if symbol_id(symbol) == name:
                return book
        raise BinanceError(-1121, "Invalid symbol.")


Handler = Callable[[Call], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint.

    Attributes:
        method: upper case.
        path: from the root.
        group: which faults it is for, an `EndpointGroup`.
        handler: what it does.
        params: what it takes; None does not mind what is sent along.
        weight: request weight, or how it follows from the parameters.
        signed: whether it needs an account's signature.
        keyed: whether it needs an account's key, and no signature.
    """

    method: str
    path: str
    group: str
    handler: Handler
    params: frozenset[str] | None = frozenset()
    weight: int | Callable[[Params], int] = 1
    signed: bool = False
    keyed: bool = False

    @property
    def name(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    def cost(self, params: Params) -> int:
        """Return the request weight of a call."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)
