"""Whether a condition holds for an item. Total: every checked condition has an answer for every item."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable
from typing import Any

from kvorum.model.expressions.nodes import (
    And,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Not,
    Operand,
    Or,
    Path,
    Value,
)
from kvorum.model.expressions.paths import Names, read
from kvorum.model.expressions.placeholders import Values
from kvorum.model.expressions.types import order
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.values import type_of


def holds(condition: Condition, item: Item, names: Names, values: Values) -> bool:
    """`condition` has been checked with these names and values. An absent item is an empty one."""
    return _HOLDS[type(condition)](condition, item, names, values)


def _or(node: Or, item: Item, names: Names, values: Values) -> bool:
    return any(_HOLDS[type(condition)](condition, item, names, values) for condition in node.conditions)


def _and(node: And, item: Item, names: Names, values: Values) -> bool:
    return all(_HOLDS[type(condition)](condition, item, names, values) for condition in node.conditions)


def _not(node: Not, item: Item, names: Names, values: Values) -> bool:
    return not _HOLDS[type(node.condition)](node.condition, item, names, values)


def _comparison(node: Comparison, item: Item, names: Names, values: Values) -> bool:
    """What is absent differs from everything, itself included, and has no order."""
    left = _operand(node.left, item, names, values)
    right = _operand(node.right, item, names, values)
    if left is None or right is None:
        return node.operator == "<>"
    if node.operator == "=":
        return left == right
    if node.operator == "<>":
        return left != right
    sign = order(left, right)
    return sign is not None and _ORDERED[node.operator](sign)


_ORDERED: dict[str, Callable[[int], bool]] = {
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}


def _between(node: Between, item: Item, names: Names, values: Values) -> bool:
    operand = _operand(node.operand, item, names, values)
    lower = _operand(node.lower, item, names, values)
    upper = _operand(node.upper, item, names, values)
    if operand is None or lower is None or upper is None:
        return False
    above = order(operand, lower)
    below = order(operand, upper)
    return above is not None and above >= 0 and below is not None and below <= 0


def _in(node: In, item: Item, names: Names, values: Values) -> bool:
    operand = _operand(node.operand, item, names, values)
    if operand is None:
        return False
    return any(operand == _operand(choice, item, names, values) for choice in node.choices)


def _call(node: Call, item: Item, names: Names, values: Values) -> bool:
    first = _operand(node.arguments[0], item, names, values)
    if node.function == "attribute_exists":
        return first is not None
    if node.function == "attribute_not_exists":
        return first is None
    if first is None:
        return False
    second = _operand(node.arguments[1], item, names, values)
    return second is not None and _FUNCTIONS[node.function](first, second)


def _attribute_type(value: AttributeValue, name: AttributeValue) -> bool:
    return name["S"] in value


def _begins_with(value: AttributeValue, prefix: AttributeValue) -> bool:
    if "S" in value and "S" in prefix:
        return bool(value["S"].startswith(prefix["S"]))
    if "B" in value and "B" in prefix:
        return a2b_base64(value["B"]).startswith(a2b_base64(prefix["B"]))
    return False


_ELEMENTS = {"SS": "S", "NS": "N", "BS": "B"}


def _contains(value: AttributeValue, part: AttributeValue) -> bool:
    """A substring of S or B, a member of a set, an element of a list."""
    kind = type_of(value)
    if kind == "S":
        return "S" in part and part["S"] in value["S"]
    if kind == "L":
        return part in value["L"]
    if kind in _ELEMENTS:
        return _ELEMENTS[kind] in part and part[_ELEMENTS[kind]] in value[kind]
    if kind == "B":
        return "B" in part and a2b_base64(part["B"]) in a2b_base64(value["B"])
    return False


_FUNCTIONS: dict[str, Callable[[AttributeValue, AttributeValue], bool]] = {
    "attribute_type": _attribute_type,
    "begins_with": _begins_with,
    "contains": _contains,
}


def _operand(node: Operand, item: Item, names: Names, values: Values) -> AttributeValue | None:
    """None: an attribute that is absent, or the size of what has none."""
    kind = type(node)
    if kind is Path:
        return read(item, node, names)  # type: ignore[arg-type]
    if kind is Value:
        return values[node.name]  # type: ignore[union-attr]
    assert isinstance(node, Call)
    value = _operand(node.arguments[0], item, names, values)
    size = None if value is None else _size(value)
    return None if size is None else {"N": str(size)}


def _size(value: AttributeValue) -> int | None:
    """Characters of S as Java counts them (UTF-16 units), bytes of B, members of a set, list or map."""
    kind = type_of(value)
    if kind == "S":
        return len(value["S"]) if value["S"].isascii() else len(value["S"].encode("utf-16-le")) // 2
    if kind == "B":
        return len(a2b_base64(value["B"]))
    if kind in ("N", "BOOL", "NULL"):
        return None
    return len(value[kind])


_HOLDS: dict[type[Any], Callable[[Any, Item, Names, Values], bool]] = {
    And: _and,
    Between: _between,
    Call: _call,
    Comparison: _comparison,
    In: _in,
    Not: _not,
    Or: _or,
}
