"""Errors of order safety.

TradingException
├── BrokerException
│   ├── OutcomeUnknownError       a write was sent and nobody can tell whether it took effect: look before you act
│   │   └── OrderUnknownError     the same of an order: do not send it again, it may exist
│   ├── OrderAbsentError          the order is certain not to exist: trying again is safe
│   └── TradingRestrictedError    the interlock refused it before anything was sent; the text says what lifts it
└── RecoveryException
    └── JournalError              the journal cannot be written or read: no order goes out
        ├── DuplicateIntentError  this client order id was used before: choose another
        └── JournalConflictError  another process resolved the intent meanwhile: read it again
"""

from __future__ import annotations

from tradeguard.exceptions import BrokerException, RecoveryException

__all__ = [
    "DuplicateIntentError",
    "JournalConflictError",
    "JournalError",
    "OrderAbsentError",
    "OrderUnknownError",
    "OutcomeUnknownError",
    "TradingRestrictedError",
]


class OutcomeUnknownError(BrokerException):
    """A write was sent, and nobody can tell whether it took effect."""


class OrderUnknownError(OutcomeUnknownError):
    """An order was sent and could not be found or proved absent; it may exist."""


class OrderAbsentError(BrokerException):
    """The order is proved not to exist; placing it again is safe."""


class TradingRestrictedError(BrokerException):
    """The interlock refused the order before anything was journaled or sent."""


class JournalError(RecoveryException):
    """The journal could not be read or made durable; no order may go out."""


class DuplicateIntentError(JournalError):
    """The client order id is in the journal already."""


class JournalConflictError(JournalError):
    """The stored intent is not the one that was expected."""
