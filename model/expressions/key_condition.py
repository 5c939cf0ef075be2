"""KeyConditionExpression: a condition of a narrow form, read as one range of sort keys under one partition key.

Every attribute of the partition key must equal a value. Of a sort key of several attributes (global indexes have
them) any number from the left may be named, and only the last of these with another operator than "="."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from kvorum.model.errors import ApiError, empty_key_attribute, key_attribute_kind, validation
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
from kvorum.model.table import IndexKeys, KeyPart

_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class KeyRange(NamedTuple):
    """`hash_values`: of every partition-key attribute. `equal`: of the first sort-key attributes. `operator`, about the
    next one: "" (nothing is said), "=", "<", "<=", ">", ">=", "BETWEEN" or "begins_with"."""

    hash_values: tuple[AttributeValue, ...]
    equal: tuple[AttributeValue, ...]
    operator: str
    operands: tuple[AttributeValue, ...]


class KeyClause(NamedTuple):
    """The condition on one key attribute, in a KeyRange's words. `operator` None: one that no key condition has."""

    operator: str | None
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
            raise _wrong("must only contain one condition per key")
        clauses[attribute] = clause
    return clauses


Visitor = Callable[[KeyPart], None]
"""Sees every part of the key before its condition is looked at; raises what is wrong with it elsewhere."""


def key_range(
    text: str, keys: IndexKeys, names: Names, values: Values, visit: Visitor | None = None
) -> KeyRange:
    """`text` has been checked with these names and values, but not against `keys`, which are those of a table or of
    an index."""
    clauses = {
        attribute: KeyClause(clause.operator, tuple([values[name] for name in clause.operands]))
        for attribute, clause in clauses_of(text, names).items()
    }
    return range_of(clauses, keys, visit)


def range_of(clauses: Mapping[str, KeyClause], keys: IndexKeys, visit: Visitor | None = None) -> KeyRange:
    """`clauses`: by attribute. Raises ValidationException in AWS's order: part after part of the key, and of each of
    them what `visit` says, that it has no condition, then what is wrong with its condition."""
    parts = len(keys.hash) + len(keys.range)
    if len(clauses) > parts:
        raise validation(
            f"The number of query conditions ({len(clauses)}) exceeds "
            f"the number of key attributes defined in the schema ({parts})"
        )
    hash_values: list[AttributeValue] = []
    unequal: list[str] = []
    for part in keys.hash:
        if visit is not None:
            visit(part)
        clause = clauses.get(part.name)
        if clause is not None or len(keys.hash) == 1:
            clause = _checked(part, clause)
        if clause is None or clause.operator != "=":
            unequal.append(part.name)
        else:
            hash_values += clause.operands
    if unequal:
        raise _unsupported() if len(keys.hash) == 1 else _unequal("HASH", unequal)
    named: list[KeyPart] = []
    for part in keys.range:
        if visit is not None:
            visit(part)
        if part.name in clauses:
            _checked(part, clauses[part.name])
            named.append(part)
    if len(hash_values) + len(named) < len(clauses):  # some attribute is not of this key
        _checked(next(part for part in keys.range if part not in named), None)
    if not named:
        return KeyRange(tuple(hash_values), (), "", ())
    last = clauses[named[-1].name]
    before = keys.range[: keys.range.index(named[-1])]
    unequal = [part.name for part in before if part not in named or clauses[part.name].operator != "="]
    if unequal:
        raise _unequal("RANGE", unequal, f" because a condition is present on key attribute {named[-1].name}")
    assert last.operator is not None
    equal = tuple([clauses[part.name].operands[0] for part in before])
    return KeyRange(tuple(hash_values), equal, last.operator, last.operands)


def _unequal(role: str, names: list[str], why: str = "") -> ApiError:
    """Source of HASH's: ScyllaDB's tests/alternator test_gsi_composite_keys, run on AWS."""
    return validation(
        f"{role} key attributes {', '.join(names)} must have equality conditions specified in the query{why}"
    )


def _checked(part: KeyPart, clause: KeyClause | None) -> KeyClause:
    if clause is None:
        raise validation(f"Query condition missed key schema element: {part.name}")
    if clause.operator is None:
        raise validation("Attempted conditional constraint is not an indexable operation")
    for operand in clause.operands:
        if part.kind not in operand:
            raise key_attribute_kind()
        if not operand[part.kind]:
            raise empty_key_attribute(part.name, part.kind)
    return clause


def _unsupported() -> ApiError:
    return validation("Query key condition not supported")


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
                raise _wrong("cannot have conditions on nested attributes")
            key = operand
        elif isinstance(operand, Value):
            placeholders.append(operand.name)
        else:
            raise _wrong("cannot contain nested operations")
    if key is None:
        raise _not_a_condition("No key attribute specified")
    return key, tuple(placeholders)


def _wrong(problem: str) -> ApiError:
    return invalid(ExpressionKind.KEY_CONDITION, f"KeyConditionExpressions {problem}")


def _not_an_operator(operator: str) -> ApiError:
    return validation(f"Invalid operator used in KeyConditionExpression: {operator}")


def _not_a_condition(problem: str) -> ApiError:
    return validation(f"Invalid condition in KeyConditionExpression: {problem}")
