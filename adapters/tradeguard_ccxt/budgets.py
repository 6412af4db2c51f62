"""The request weight that an exchange says is used: reads wait for the next minute before it must refuse them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tradeguard_ccxt.failures import Answer

__all__ = ["USED_WEIGHT", "WeightRule", "seconds_to_ease"]

_NEARLY_ALL = 0.95
_MINUTE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightRule:
    """A budget of request weight by the minute, counted by address.

    Attributes:
        header: the answer's header that tells the weight used in the present minute, in lower case.
        limit: the whole budget.
        sections: the beginnings of the API sections that it is for; the first rule that fits counts.
    """

    header: str
    limit: int
    sections: tuple[str, ...]


_BINANCE = (
    WeightRule(header="x-sapi-used-ip-weight-1m", limit=12_000, sections=("sapi",)),
    WeightRule(header="x-mbx-used-weight-1m", limit=2_400, sections=("fapi", "dapi")),
    WeightRule(header="x-mbx-used-weight-1m", limit=6_000, sections=("public", "private", "v1", "papi")),
)

USED_WEIGHT: Mapping[str, Sequence[WeightRule]] = MappingProxyType(
    {
        # developers.binance.com: Spot REST API, Limits (6,000 a minute and address); USDⓈ-M and COIN-M Futures, General
        # Info (2,400); Wallet, General Info (/sapi: 12,000). A minute is one of the exchange's clock.
        "binance": _BINANCE,
        # docs.binance.us: Limits (1,200 a minute and address)
        "binanceus": (WeightRule(header="x-mbx-used-weight-1m", limit=1_200, sections=("",)),),
    }
)


def seconds_to_ease(family: Sequence[str], section: str, answer: Answer, now: float) -> float:
    """Return for how long reads should wait after an answer: till the minute ends if nearly all weight is used, or 0.0.

    Args:
        family: the names of the exchange's class and of those that it inherits from, most derived first.
        section: of the API that was asked.
        answer: what it answered.
        now: epoch seconds.
    """
    for name in family:
        for rule in USED_WEIGHT.get(name, ()):
            if section.startswith(rule.sections):
                used = answer.headers.get(rule.header, "")
                is_nearly_all = used.isdecimal() and int(used) >= _NEARLY_ALL * rule.limit
                return _MINUTE - now % _MINUTE if is_nearly_all else 0.0
    return 0.0
