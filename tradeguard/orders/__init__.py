"""Order safety: no order is placed twice and none is forgotten. Knows no exchange library."""

from tradeguard.orders.declaring import declare
from tradeguard.orders.driver import AsyncGateway, Gateway, JournalWriter, drive, drive_async, steady_time
from tradeguard.orders.errors import (
    DuplicateIntentError,
    JournalConflictError,
    JournalError,
    OrderAbsentError,
    OrderUnknownError,
    OutcomeUnknownError,
    TradingRestrictedError,
)
from tradeguard.orders.intent import IntentStatus, OrderIntent
from tradeguard.orders.interlock import (
    Interlock,
    InterlockCause,
    InterlockState,
    InterlockStatus,
    OperatorMemory,
)
from tradeguard.orders.journal import OrderJournal
from tradeguard.orders.submission import (
    Effect,
    LookUp,
    Record,
    Resolution,
    Send,
    Steps,
    SubmissionPolicy,
    Wait,
    resolve,
    settle,
    submit,
)
from tradeguard.orders.verdict import LookUpOutcome, SendOutcome, Verdict

__all__ = [
    "AsyncGateway",
    "DuplicateIntentError",
    "Effect",
    "Gateway",
    "IntentStatus",
    "Interlock",
    "InterlockCause",
    "InterlockState",
    "InterlockStatus",
    "JournalConflictError",
    "JournalError",
    "JournalWriter",
    "LookUp",
    "LookUpOutcome",
    "OperatorMemory",
    "OrderAbsentError",
    "OrderIntent",
    "OrderJournal",
    "OrderUnknownError",
    "OutcomeUnknownError",
    "Record",
    "Resolution",
    "Send",
    "SendOutcome",
    "Steps",
    "SubmissionPolicy",
    "TradingRestrictedError",
    "Verdict",
    "Wait",
    "declare",
    "drive",
    "drive_async",
    "resolve",
    "settle",
    "steady_time",
    "submit",
]
