"""What UpdateItem counts of an update before it looks at the item: what the request writes, not what comes of it.

No document states it. It was measured byte by byte in eu-west-2, and 31 of 33 regions do the same, by
paritysuite/dynamodb-conformance (tests/tier3/limits/itemSizeBySurface, October 2026).
"""

from __future__ import annotations

from collections.abc import Mapping

from kvorum.model.expressions.nodes import (
    Arithmetic,
    DeleteAction,
    Operand,
    Path,
    RemoveAction,
    Update,
    Value,
)
from kvorum.model.expressions.paths import Names, Steps, resolve
from kvorum.model.limits import ITEM_BYTES_MAX
from kvorum.model.requests import AttributeValue
from kvorum.model.values import value_size

_UPDATE = 3
_WRITE = 19
_REMOVAL = 1
_TARGET_STEP = 4
_PATH = 1
_PATH_STEP = 14
_CALLS = {"+": 34, "-": 37, "list_append": 37, "if_not_exists": 39}

_SHORT = 64
"""Characters. The 4 KB of an expression hold 1,365 placeholders at most: with none longer than this they cannot come
to the size of an item."""


def is_too_large(update: Update, names: Names, values: Mapping[str, AttributeValue]) -> bool:
    """Whether UpdateItem refuses `update` for what it writes. Most are let go without counting."""
    return not _is_short(names, values) and charge(update, names, values) > ITEM_BYTES_MAX


def _is_short(names: Names, values: Mapping[str, AttributeValue]) -> bool:
    for value in values.values():
        for content in value.values():
            if type(content) is not str or len(content) > _SHORT:
                return False
    return all(len(name) <= _SHORT for name in names.values())


def charge(update: Update, names: Names, values: Mapping[str, AttributeValue]) -> int:
    """Bytes. A value counts each time it is used; what a path leads to does not count."""
    size = _UPDATE
    for section in update.sections:
        for action in section.actions:
            size += _of_steps(resolve(action.path, names), _TARGET_STEP) - _TARGET_STEP
            if isinstance(action, RemoveAction | DeleteAction):
                size += _REMOVAL
            else:
                size += _WRITE + _of_operand(action.value, names, values)
    return size


def _of_operand(node: Operand, names: Names, values: Mapping[str, AttributeValue]) -> int:
    if isinstance(node, Value):
        return value_size(values[node.name])
    if isinstance(node, Path):
        return _PATH + _of_steps(resolve(node, names), _PATH_STEP)
    if isinstance(node, Arithmetic):
        size = _CALLS[node.operator]
        operands: tuple[Operand, ...] = (node.left, node.right)
    else:
        size = _CALLS[node.function]
        operands = node.arguments
    for operand in operands:
        size += _of_operand(operand, names, values)
    return size


def _of_steps(steps: Steps, each: int) -> int:
    """`each`: what a step costs beside its name, or the digits of its index."""
    size = each * len(steps)
    for step in steps:
        size += len(step.encode()) if isinstance(step, str) else len(str(step))
    return size
