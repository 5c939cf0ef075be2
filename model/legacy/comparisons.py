"""The comparison operators of the older parameters: which values each of them takes, and AWS's words for others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kvorum.model.errors import invalid, validation
from kvorum.model.expressions.types import ORDERED_TYPES, order
from kvorum.model.requests import LegacyCondition
from kvorum.model.values import read_value, type_of


@dataclass(frozen=True, slots=True)
class _Operands:
    """`most` None: any number. `types` None: all types."""

    least: int
    most: int | None
    types: frozenset[str] | None


_NONE = _Operands(0, 0, None)
_ANY = _Operands(1, 1, None)
_SCALAR = _Operands(1, 1, ORDERED_TYPES)

_TAKES = {
    "NULL": _NONE,
    "NOT_NULL": _NONE,
    "EQ": _ANY,
    "NE": _ANY,
    "LE": _SCALAR,
    "LT": _SCALAR,
    "GE": _SCALAR,
    "GT": _SCALAR,
    "CONTAINS": _SCALAR,
    "NOT_CONTAINS": _SCALAR,
    "BEGINS_WITH": _Operands(1, 1, frozenset({"S", "B"})),
    "IN": _Operands(1, None, ORDERED_TYPES),
    "BETWEEN": _Operands(2, 2, ORDERED_TYPES),
}


def read_comparison(attribute: str, operator: str, raw: Iterable[object]) -> LegacyCondition:
    """`raw`: the operands as JSON, which become canonical where they lie. Raises ValidationException, in AWS's
    order: the values themselves, how many there are, that they are of one type and of one that fits."""
    operands = tuple(map(read_value, raw))
    takes = _TAKES[operator]
    if len(operands) < takes.least or (takes.most is not None and len(operands) > takes.most):
        raise invalid(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    kinds = list(map(type_of, operands))
    if len(set(kinds)) > 1:
        raise invalid("AttributeValues inside AttributeValueList must be of same type")
    if kinds and takes.types is not None and kinds[0] not in takes.types:
        raise invalid(f"ComparisonOperator {operator} is not valid for {kinds[0]} AttributeValue type")
    if operator == "BETWEEN" and order(*operands) == 1:
        raise validation(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )
    return LegacyCondition(attribute, operator, operands)
