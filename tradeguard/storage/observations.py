"""What is observed: how each kind of record becomes a row of its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from sqlalchemy import Delete, Insert, Table, bindparam, delete, func, insert, select

from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord
from tradeguard.storage import schema
from tradeguard.storage.encoding import encode_mapping, encode_text

__all__ = ["OBSERVATIONS", "Observation", "Record"]

Record: TypeAlias = ErrorRecord | TransitionRecord | RescueRecord

# In characters; they bound the state's size, not what an exchange may send.
_NAME_LIMIT = 200
_TEXT_LIMIT = 2_000
_MAPPING_LIMIT = 8_000


@dataclass(frozen=True, slots=True)
class Observation:
    """One kind of record.

    Attributes:
        encode: makes a row of a record.
        insertion: writes rows.
        pruning: deletes all but the newest `keep` rows.
    """

    encode: Callable[[Any], dict[str, object]]
    insertion: Insert
    pruning: Delete


def _error_row(record: ErrorRecord) -> dict[str, object]:
    return {
        "timestamp": float(record.timestamp),
        "component": _name(record.component),
        "error_type": _name(record.error_type),
        "error_code": _name(record.error_code),
        "message": encode_text(record.message, _TEXT_LIMIT),
        "severity": _name(record.severity),
        "operation": None if record.operation is None else _name(record.operation),
        "rescued": bool(record.rescued),
        "context": encode_mapping(record.context, _MAPPING_LIMIT),
    }


def _transition_row(record: TransitionRecord) -> dict[str, object]:
    return {
        "timestamp": float(record.timestamp),
        "circuit": _name(record.circuit),
        "old_state": _name(record.old_state),
        "new_state": _name(record.new_state),
        "reason": encode_text(record.reason, _TEXT_LIMIT),
    }


def _rescue_row(record: RescueRecord) -> dict[str, object]:
    return {
        "timestamp": float(record.timestamp),
        "component": _name(record.component),
        "kind": _name(record.kind),
        "operation": None if record.operation is None else _name(record.operation),
        "detail": encode_mapping(record.detail, _MAPPING_LIMIT),
    }


def _name(text: str) -> str:
    return encode_text(str(text), _NAME_LIMIT)


def _observation(table: Table, encode: Callable[[Any], dict[str, object]]) -> Observation:
    # Keys only grow, so the newest rows have the highest; gaps only make the table smaller.
    newest = select(func.max(table.c.id)).scalar_subquery()
    pruning = delete(table).where(table.c.id <= newest - bindparam("keep"))
    return Observation(encode, insert(table).inline(), pruning)


OBSERVATIONS: Mapping[type, Observation] = MappingProxyType(
    {
        ErrorRecord: _observation(schema.errors, _error_row),
        TransitionRecord: _observation(schema.transitions, _transition_row),
        RescueRecord: _observation(schema.rescues, _rescue_row),
    }
)
