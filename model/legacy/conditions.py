"""Expected, QueryFilter and ScanFilter: conditions on top-level attributes, all of which must hold, or one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from kvorum.model.errors import invalid
from kvorum.model.expressions.condition import holds
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
from kvorum.model.legacy.comparisons import read_comparison
from kvorum.model.requests import AttributeValue, Item, LegacyCondition, LegacyConditions

_NO_NAMES: dict[str, str] = {}


def read_conditions(raw: Mapping[str, dict[str, Any]], conditional_operator: str | None) -> LegacyConditions:
    """A filter: {attribute: {"ComparisonOperator": …, "AttributeValueList": […]}…}, of the right shape.
    `conditional_operator`: "AND", "OR", or None for "AND"."""
    return LegacyConditions(
        tuple(
            read_comparison(name, given["ComparisonOperator"], given.get("AttributeValueList", ()))
            for name, given in raw.items()
        ),
        conditional_operator == "OR",
    )


def read_expected(raw: Mapping[str, dict[str, Any]], conditional_operator: str | None) -> LegacyConditions:
    """Expected, whose conditions may also be {"Exists": …, "Value": …}."""
    return LegacyConditions(
        tuple(_read_expectation(name, given) for name, given in raw.items()), conditional_operator == "OR"
    )


def _read_expectation(attribute: str, given: dict[str, Any]) -> LegacyCondition:
    for problem, refused in (
        ("Value and AttributeValueList cannot be used together", {"Value", "AttributeValueList"}),
        ("Exists and ComparisonOperator cannot be used together", {"Exists", "ComparisonOperator"}),
    ):
        if given.keys() >= refused:
            raise invalid(f"{problem} for Attribute: {attribute}")
    operator: str | None = given.get("ComparisonOperator")
    if operator is None:
        return _read_existence(attribute, given)
    if "Value" not in given and "AttributeValueList" not in given and operator not in ("NULL", "NOT_NULL"):
        raise invalid(
            f"Value or AttributeValueList must be used with ComparisonOperator: {operator} "
            f"for Attribute: {attribute}"
        )
    operands = [given["Value"]] if "Value" in given else given.get("AttributeValueList", ())
    return read_comparison(attribute, operator, operands)


def _read_existence(attribute: str, given: dict[str, Any]) -> LegacyCondition:
    """Exists: true (or nothing) means that the attribute has exactly this value, and not that it has any."""
    if "AttributeValueList" in given:
        raise invalid(
            f"AttributeValueList can only be used with a ComparisonOperator for Attribute: {attribute}"
        )
    exists: bool | None = given.get("Exists")
    if exists is False:
        if "Value" in given:
            raise invalid(f"Value cannot be used when Exists is false for Attribute: {attribute}")
        return read_comparison(attribute, "NULL", ())
    if "Value" not in given:
        word = "null" if exists is None else "true"
        raise invalid(f"Value must be provided when Exists is {word} for Attribute: {attribute}")
    return read_comparison(attribute, "EQ", (given["Value"],))


# ---- meaning ----------------------------------------------------------------------------------------------


def predicate(given: LegacyConditions) -> Callable[[Item], bool]:
    """Whether the conditions hold for an item; an absent item is an empty one. No conditions hold for all."""
    values: dict[str, AttributeValue] = {}
    conditions = tuple(_node_of(condition, values) for condition in given.conditions)
    root = Or(conditions) if given.any_suffices and conditions else And(conditions)
    return partial(holds, root, names=_NO_NAMES, values=values)


def _node_of(condition: LegacyCondition, values: dict[str, AttributeValue]) -> Condition:
    """Puts the operands into `values`, each under a placeholder of its own."""
    operands: list[Operand] = []
    for value in condition.operands:
        placeholder = f":{len(values)}"
        values[placeholder] = value
        operands.append(Value(placeholder))
    return _NODES[condition.operator](Path((condition.attribute,), symbolic=False), *operands)


def _call(function: str) -> Callable[..., Condition]:
    return lambda *arguments: Call(function, arguments)


def _lacks(attribute: Operand, part: Operand) -> Condition:
    """An attribute that is absent neither contains a value nor, unlike NOT contains(…), lacks it."""
    return And((Call("attribute_exists", (attribute,)), Not(Call("contains", (attribute, part)))))


_NODES: dict[str, Callable[..., Condition]] = {
    "NULL": _call("attribute_not_exists"),
    "NOT_NULL": _call("attribute_exists"),
    "EQ": partial(Comparison, "="),
    "NE": partial(Comparison, "<>"),
    "LE": partial(Comparison, "<="),
    "LT": partial(Comparison, "<"),
    "GE": partial(Comparison, ">="),
    "GT": partial(Comparison, ">"),
    "CONTAINS": _call("contains"),
    "NOT_CONTAINS": _lacks,
    "BEGINS_WITH": _call("begins_with"),
    "IN": lambda attribute, *choices: In(attribute, choices),
    "BETWEEN": Between,
}
