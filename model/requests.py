"""What a partition is asked to do: the typed, frozen meaning of a validated request.

Built by router/operations, evaluated by model/item at the partition's leader. They are msgspec structs so
that the same value crosses the wire between processes, or is handed over as it is inside one process.
Keys are encoded by model/keys; items and attribute values are DynamoDB JSON, already canonical.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from msgspec import Struct

AttributeValue = dict[str, Any]
"""One DynamoDB-JSON value: exactly one of the ten type tags, for example {"S": "x"}."""

Item = dict[str, AttributeValue]


class ReturnValues(IntEnum):
    NONE = 0
    ALL_OLD = 1
    ALL_NEW = 2
    UPDATED_OLD = 3
    UPDATED_NEW = 4


class LegacyCondition(Struct, frozen=True, array_like=True):
    """What Expected or a filter asks of one attribute. `operator`: a ComparisonOperator; `operands`: as many and
    of such types as it takes."""

    attribute: str
    operator: str
    operands: tuple[AttributeValue, ...]


class LegacyConditions(Struct, frozen=True, array_like=True):
    """All of them must hold, or (ConditionalOperator OR) any of them."""

    conditions: tuple[LegacyCondition, ...]
    any_suffices: bool = False


class LegacyUpdate(Struct, frozen=True, array_like=True):
    """What AttributeUpdates does to one attribute. `action`: "PUT", "ADD" or "DELETE"; only the last may be
    without a value."""

    attribute: str
    action: str
    value: AttributeValue | None = None


class Legacy(Struct, frozen=True, array_like=True):
    """A write's older parameters, checked by model/legacy. They never stand beside expression texts."""

    expected: LegacyConditions | None = None
    updates: tuple[LegacyUpdate, ...] | None = None


class Expressions(Struct, frozen=True, array_like=True):
    """Expression texts with the placeholders that they share. Texts were parsed once at the router (for
    their errors) and are parsed again at the leader through the same cache. `legacy`: what stands for them."""

    condition: str | None = None
    update: str | None = None
    names: dict[str, str] = {}
    values: dict[str, AttributeValue] = {}
    legacy: Legacy | None = None


class Put(Struct, frozen=True, array_like=True, tag=1):
    """`item`: the whole item as compact canonical DynamoDB JSON; `size`: as AWS counts it, bytes. `measure` (of every
    write): the answer shall tell what it took at each index, and the size of the item's collection."""

    key: bytes
    item: bytes
    size: int
    expressions: Expressions | None = None
    returns: ReturnValues = ReturnValues.NONE
    return_old_on_failure: bool = False
    measure: bool = False


class Update(Struct, frozen=True, array_like=True, tag=2):
    """`key_attributes`: the primary key as an Item, for the item that an update creates."""

    key: bytes
    key_attributes: Item
    expressions: Expressions
    returns: ReturnValues = ReturnValues.NONE
    return_old_on_failure: bool = False
    measure: bool = False


class Delete(Struct, frozen=True, array_like=True, tag=3):
    key: bytes
    expressions: Expressions | None = None
    returns: ReturnValues = ReturnValues.NONE
    return_old_on_failure: bool = False
    measure: bool = False


Write = Put | Update | Delete
