"""KeyConditionExpression: a condition of a narrow form, read as one range of sort keys under one partition key."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from kvorum.model.errors import ApiError, validation
from kvorum.model.expressions.kind import ExpressionKind, invalid
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
from kvorum.model.expressions.parsing import CACHED_TEXTS, parse_condition
from kvorum.model.expressions.paths import Names, attribute_of
from kvorum.model.expressions.placeholders import Values
from kvorum.model.requests import AttributeValue
from kvorum.model.table import KeyPart, KeySchema

_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class KeyRange:
    """`operator`: "" (all sort keys), "=", "<", "<=", ">", ">=", "BETWEEN" or "begins_with"."""

    hash_value: AttributeValue
    operator: str
    operands: tuple[AttributeValue, ...]


@dataclass(frozen=True, slots=True)
class KeyClause:
    """The condition on one key attribute, in a KeyRange's words."""

    operator: str
    operands: tuple[AttributeValue, ...]


@dataclass(frozen=True, slots=True)
class _Clause:
    """`operands`: value placeholders."""

    key: Path
    operator: str
    operands: tuple[str, ...]


def clauses_of(text: str, names: Names) -> dict[str, _Clause]:
    """By attribute. Raises ValidationException for what no key schema makes a key condition."""
    clauses: dict[str, _Clause] = {}
    for clause in _clauses(text):
        attribute = attribute_of(clause.key, names)
        if attribute in clauses:
            raise invalid(
                ExpressionKind.KEY_CONDITION,
                "KeyConditionExpressions must only contain one condition per key",
            )
        clauses[attribute] = clause
    return clauses


def key_range(text: str, schema: KeySchema, names: Names, values: Values) -> KeyRange:
    """`text` has been checked with these names and values, but not against `schema`, which is the
    table's or an index's."""
    clauses = clauses_of(text, names)
    found = {
        part.name: KeyClause(
            clauses[part.name].operator, tuple(values[name] for name in clauses[part.name].operands)
        )
        for part in constrained_parts(clauses, schema)
    }
    return range_of(found, schema)


def constrained_parts(attributes: Collection[str], schema: KeySchema) -> list[KeyPart]:
    """The parts of the key that conditions on these attributes are about. Raises ValidationException when there
    are others, or the partition key is not among them."""
    parts = [schema.hash] if schema.range is None else [schema.hash, schema.range]
    if len(attributes) > len(parts):
        raise validation(
            f"The number of query conditions ({len(attributes)}) exceeds "
            f"the number of key attributes defined in the schema ({len(parts)})"
        )
    parts = parts[: len(attributes)]
    for part in parts:
        if part.name not in attributes:
            raise validation(f"Query condition missed key schema element: {part.name}")
    return parts


def range_of(clauses: Mapping[str, KeyClause], schema: KeySchema) -> KeyRange:
    """`clauses`: of the `constrained_parts`, by attribute. Raises ValidationException."""
    operands = [_checked_operands(part, clauses[part.name]) for part in constrained_parts(clauses, schema)]
    if clauses[schema.hash.name].operator != "=":
        raise validation("Query key condition not supported")
    if len(operands) == 1:
        return KeyRange(operands[0][0], "", ())
    assert schema.range is not None
    return KeyRange(operands[0][0], clauses[schema.range.name].operator, operands[1])


def _checked_operands(part: KeyPart, clause: KeyClause) -> tuple[AttributeValue, ...]:
    operands = clause.operands
    for operand in operands:
        if part.kind not in operand:
            raise validation(
                "One or more parameter values were invalid: "
                "Condition parameter type does not match schema type"
            )
        if not operand[part.kind]:
            what = "string" if part.kind == "S" else "binary"
            raise validation(
                "One or more parameter values are not valid. The AttributeValue for a key attribute "
                f"cannot contain an empty {what} value. Key: {part.name}"
            )
    return operands


@lru_cache(CACHED_TEXTS)
def _clauses(text: str) -> tuple[_Clause, ...]:
    root = parse_condition(ExpressionKind.KEY_CONDITION, text).root
    return tuple(_clause(part) for part in _parts(root))


def _parts(condition: Condition) -> Iterator[Comparison | Between | Call]:
    match condition:
        case And():
            for below in condition.conditions:
                yield from _parts(below)
        case Or():
            raise _not_an_operator("OR")
        case Not():
            raise _not_an_operator("NOT")
        case In():
            raise _not_an_operator("IN")
        case Comparison(operator="<>"):
            raise _not_an_operator("<>")
        case Call() if condition.function != "begins_with":
            raise _not_an_operator(condition.function)
        case _:
            yield condition


def _clause(part: Comparison | Between | Call) -> _Clause:
    operands: tuple[Operand, ...]
    if isinstance(part, Comparison):
        operator, operands = part.operator, (part.left, part.right)
    elif isinstance(part, Between):
        operator, operands = "BETWEEN", (part.operand, part.lower, part.upper)
    else:
        operator, operands = part.function, part.arguments
    if not isinstance(part, Comparison) and isinstance(operands[0], Value):
        raise _not_a_condition(f"{operator} operator must have the key attribute as its first operand")
    key, placeholders = _key_and_placeholders(operands)
    return _Clause(key, _MIRRORED[operator] if isinstance(operands[0], Value) else operator, placeholders)


def _key_and_placeholders(operands: tuple[Operand, ...]) -> tuple[Path, tuple[str, ...]]:
    key: Path | None = None
    placeholders: list[str] = []
    for operand in operands:
        if isinstance(operand, Path):
            if key is not None:
                raise _not_a_condition("Multiple attribute names used in one condition")
            if len(operand.steps) > 1:
                raise validation("KeyConditionExpressions cannot have conditions on nested attributes")
            key = operand
        elif isinstance(operand, Value):
            placeholders.append(operand.name)
        else:
            raise validation("KeyConditionExpressions cannot contain nested operations")
    if key is None:
        raise _not_a_condition("No key attribute specified")
    return key, tuple(placeholders)


def _not_an_operator(operator: str) -> ApiError:
    return validation(f"Invalid operator used in KeyConditionExpression: {operator}")


def _not_a_condition(problem: str) -> ApiError:
    return validation(f"Invalid condition in KeyConditionExpression: {problem}")
