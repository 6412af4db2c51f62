"""What order safety knows of each exchange: one declarative table with its sources."""

from tradeguard_ccxt.facts.client_ids import ClientId, IdForm, IdStyle, Reuse
from tradeguard_ccxt.facts.expiries import Carrier, Expiry
from tradeguard_ccxt.facts.look_ups import By, LookUp, Sees, SinceUnit, covers_everything
from tradeguard_ccxt.facts.records import CAUTIOUS, ExchangeFacts, Guarantee, MarketKind, Reach, kind_of
from tradeguard_ccxt.facts.survey import Finding, survey
from tradeguard_ccxt.facts.table import EXCHANGE_FACTS, facts_of

__all__ = [
    "CAUTIOUS",
    "EXCHANGE_FACTS",
    "By",
    "Carrier",
    "ClientId",
    "ExchangeFacts",
    "Expiry",
    "Finding",
    "Guarantee",
    "IdForm",
    "IdStyle",
    "LookUp",
    "MarketKind",
    "Reach",
    "Reuse",
    "Sees",
    "SinceUnit",
    "covers_everything",
    "facts_of",
    "kind_of",
    "survey",
]
