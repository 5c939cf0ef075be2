"""What a WHERE clause says about the key of a table or an index: the one item that a statement writes, or the intervals
of keys that a SELECT has to read.

A SELECT is split as AWS splits it: an equality of the partition key makes a query, IN and OR make several, a
condition that leaves any branch without a partition key makes a scan. What is read is always a superset of what
matches; the whole condition is then asked of every item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cmp_to_key

from kvorum.model.access_path import AccessPath, key_attributes
from kvorum.model.errors import ApiError, validation
from kvorum.model.expressions import KeyRange
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
from kvorum.model.expressions.types import order as order_of
from kvorum.model.limits import DECOMPOSED_READS_MAX
from kvorum.model.partiql.faults import NO_KEY
from kvorum.model.partiql.nodes import Order
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.table import IndexKeys, KeyPart, KeySchema

Values = Mapping[str, AttributeValue]

_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


_EXCLUDED = "NOT"


@dataclass(frozen=True, slots=True)
class _Clause:
    """A condition on one key attribute, in a KeyRange's words, or that it excludes some sort keys."""

    part: KeyPart
    operator: str
    operands: tuple[AttributeValue, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """Keys lower <= key < upper under one partition key's value. `item`: the item's key when it can be only one.
    `porous`: the condition excludes some of these keys, which are not its own then and may be another's."""

    hash_value: AttributeValue
    lower: bytes
    upper: bytes
    item: bytes | None
    porous: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """`intervals`: disjoint, in the order of reading; None for everything. `reverse`: each of them from its end.
    `complete`: what they hold is all that matches, the condition need not be asked again. `names_keys`: it says nothing
    but which keys there are. `keyed`: it fixes the partition key without an OR."""

    intervals: tuple[Interval, ...] | None
    reverse: bool = False
    complete: bool = False
    names_keys: bool = False
    keyed: bool = False

    @property
    def item(self) -> bytes | None:
        """The key when it can be only one item."""
        if self.intervals is None or len(self.intervals) != 1:
            return None
        return self.intervals[0].item


# ---- writes -----------------------------------------------------------------------------------------------


def written_key(
    condition: Condition | None, schema: KeySchema, values: Values
) -> tuple[Item, Condition | None]:
    """The key that an UPDATE or a DELETE names, and what else must hold. Raises ValidationException unless it is
    exactly one."""
    keys = key_attributes(schema)
    key: Item = {}
    others: list[Condition] = []
    for conjunct in _conjuncts(condition):
        clause = _clause(conjunct, keys, values) if isinstance(conjunct, Comparison) else None
        if clause is None or clause.operator != "=":
            others.append(conjunct)
            continue
        name, value = clause.part.name, clause.operands[0]
        if key.setdefault(name, value) != value:
            raise validation(
                f"Multiple conditions on same key {name}. Only single item Update/Insert/Delete are supported"
            )
    if any(part.name not in key for part in _parts(keys)):
        raise validation(NO_KEY)
    ordered = {part.name: key[part.name] for part in _parts(keys)}
    if not others:
        return ordered, None
    return ordered, others[0] if len(others) == 1 else And(tuple(others))


# ---- reads ------------------------------------------------------------------------------------------------


def reading(
    condition: Condition | None, order: tuple[Order, ...], path: AccessPath, values: Values
) -> Reading:
    """`path` has a key of one partition-key attribute and of one sort-key attribute at most. Raises ValidationException
    for conditions on keys that AWS does not split, and for an order that the keys do not have."""
    keys = path.keys
    fixed = condition is not None and _fixes_hash(condition, keys, values)
    _check_order(condition, order, keys, fixed=fixed)
    if condition is None or not fixed:
        return Reading(None, complete=condition is None)
    intervals = [_interval(branch, path) for branch in _branches(condition, keys, values)]
    descending = {term.attribute: term.descending for term in order}
    range_name = keys.range[0].name if keys.range else ""
    # Without the sort key in ORDER BY, AWS reads each partition key's items backwards.
    reverse = bool(order) and descending.get(range_name, True)
    return Reading(
        tuple(_ordered(intervals, descending, path, reverse=reverse)),
        reverse,
        _is_all_about_keys(condition, keys, values),
        _names_keys(condition, keys, values),
        _is_keyed(condition, keys, values),
    )


def _check_order(
    condition: Condition | None, order: tuple[Order, ...], keys: IndexKeys, *, fixed: bool
) -> None:
    if not order:
        return
    if condition is None:
        raise validation("Must have WHERE clause in the statement when using ORDER BY clause.")
    names = [part.name for part in _parts(keys)]
    for term in order:
        if term.attribute not in names:
            raise validation(f"Attribute {term.attribute} in ORDER BY clause must be part of the primary key")
    if not fixed:
        raise validation(
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
        )


def _ordered(
    intervals: list[Interval], descending: Mapping[str, bool], path: AccessPath, *, reverse: bool
) -> list[Interval]:
    """By partition key (as ORDER BY asks, else as written), then by sort key. Raises ValidationException when two
    overlap."""
    by_hash: dict[bytes, list[Interval]] = {}
    for interval in intervals:
        by_hash.setdefault(path.hash_prefix((interval.hash_value,)), []).append(interval)
    groups = [_disjoint(group) for group in by_hash.values()]
    if reverse:
        for group in groups:
            group.reverse()
    backwards = descending.get(path.keys.hash[0].name)
    if backwards is not None:
        by_value = cmp_to_key(_compare)
        groups.sort(key=lambda group: by_value(group[0].hash_value), reverse=backwards)
    elif descending and len(groups) > 1:
        raise validation(
            "Must have hash key in ORDER BY clause when more than one hash key condition "
            "specified in WHERE clause."
        )
    return [interval for group in groups for interval in group]


def _disjoint(intervals: list[Interval]) -> list[Interval]:
    found: list[Interval] = []
    for interval in sorted(intervals, key=lambda interval: interval.lower):
        if not found or interval.lower >= found[-1].upper:
            found.append(interval)
            continue
        last = found[-1]
        if not (last.porous or interval.porous):
            raise validation("Overlapping conditions with range keys are not supported in where clause")
        found[-1] = replace(last, upper=max(last.upper, interval.upper), item=None, porous=True)
    return found


def _compare(one: AttributeValue, two: AttributeValue) -> int:
    sign = order_of(one, two)
    assert sign is not None, "partition keys of one table"
    return sign


def _fixes_hash(condition: Condition, keys: IndexKeys, values: Values) -> bool:
    """Whether every way to satisfy the condition needs one of a few partition keys."""
    match condition:
        case And():
            return any(_fixes_hash(each, keys, values) for each in condition.conditions)
        case Or():
            return all(_fixes_hash(each, keys, values) for each in condition.conditions)
        case _:
            return any(
                clause.part in keys.hash and clause.operator == "="
                for clause in _alternatives(condition, keys, values)
            )


def _is_keyed(condition: Condition, keys: IndexKeys, values: Values) -> bool:
    plain = [conjunct for conjunct in _conjuncts(condition) if not isinstance(conjunct, Or)]
    return any(_fixes_hash(each, keys, values) for each in plain)


Branch = tuple[_Clause, ...]
"""Clauses that hold together."""


def _branches(condition: Condition, keys: IndexKeys, values: Values) -> list[Branch]:
    """The condition's ways to be satisfied, as far as they differ in keys."""
    branches: list[Branch]
    match condition:
        case Or():
            branches = [branch for each in condition.conditions for branch in _branches(each, keys, values)]
            if not any(branches):
                branches = [()]  # about other attributes alone
        case And():
            branches = [()]
            for each in condition.conditions:
                added = _branches(each, keys, values)
                if len(branches) * len(added) > DECOMPOSED_READS_MAX:
                    raise _too_many_reads()
                branches = [one + two for one in branches for two in added]
        case _:
            clauses = _alternatives(condition, keys, values) or _exclusions(condition, keys, values)
            branches = [(clause,) for clause in clauses] or [()]
    if len(branches) > DECOMPOSED_READS_MAX:
        raise _too_many_reads()
    return branches


def _too_many_reads() -> ApiError:
    return validation("Too many decomposed read operations for a given query.")


def _interval(branch: Branch, path: AccessPath) -> Interval:
    """What of the keys satisfies the clauses, as far as keys can tell. Lower is upper when nothing can."""
    for clause in branch:
        if any(clause.part.kind not in operand for operand in clause.operands):
            raise validation(
                "Key attribute's data type should match its data type in table's schema: "
                f"Key {clause.part.name}"
            )
    porous = any(clause.operator == _EXCLUDED for clause in branch)
    # Of a partition key only equalities are clauses.
    hash_values = [clause.operands[0] for clause in branch if clause.part in path.keys.hash]
    hash_value = hash_values[0]
    lower, upper = path.bounds(KeyRange((hash_value,), (), "", ()))
    exact = not path.keys.range
    for clause in branch:
        if clause.part in path.keys.range and clause.operator != _EXCLUDED:
            begin, end = path.bounds(KeyRange((hash_value,), (), clause.operator, clause.operands))
            lower, upper = max(lower, begin), min(upper, end)
            exact |= clause.operator == "="
    if any(value != hash_value for value in hash_values) or lower > upper:
        upper = lower
    if exact and path.index is None and lower < upper:
        # A hash prefix alone is the key of a table without a sort key.
        return Interval(hash_value, lower, upper, lower, porous)
    return Interval(hash_value, lower, upper, None, porous)


def _is_all_about_keys(condition: Condition, keys: IndexKeys, values: Values) -> bool:
    if isinstance(condition, And | Or):
        return all(_is_all_about_keys(each, keys, values) for each in condition.conditions)
    return bool(_alternatives(condition, keys, values))


def _names_keys(condition: Condition, keys: IndexKeys, values: Values) -> bool:
    for conjunct in _conjuncts(condition):
        found = [] if isinstance(conjunct, Or) else _alternatives(conjunct, keys, values)
        if len(found) != 1 or found[0].operator != "=":
            return False
    return True


# ---- conditions on one key attribute ------------------------------------------------------------------------


def _conjuncts(condition: Condition | None) -> Iterable[Condition]:
    if condition is None:
        return ()
    if isinstance(condition, And):
        return [conjunct for each in condition.conditions for conjunct in _conjuncts(each)]
    return (condition,)


def _alternatives(condition: Condition, keys: IndexKeys, values: Values) -> list[_Clause]:
    """The clauses of which one must hold; none for a condition that says nothing about where a key lies."""
    if isinstance(condition, In):
        part = _part(condition.operand, keys)
        if part is None or not all(isinstance(choice, Value) for choice in condition.choices):
            return []
        return [_Clause(part, "=", _values_of((choice,), values)) for choice in condition.choices]
    clause = _clause(condition, keys, values)
    return [] if clause is None else [clause]


def _exclusions(condition: Condition, keys: IndexKeys, values: Values) -> list[_Clause]:
    """One, when the condition excludes sort keys and says nothing else."""
    excluded: Condition | None = None
    match condition:
        case Not(inner):
            excluded = inner
        case Comparison("<>", left, right):
            excluded = Comparison("=", left, right)
        case _:
            return []
    clauses = _alternatives(excluded, keys, values)
    if not clauses or any(clause.part not in keys.range for clause in clauses):
        return []
    return [_Clause(clauses[0].part, _EXCLUDED, ())]


def _clause(condition: Condition, keys: IndexKeys, values: Values) -> _Clause | None:
    operands: tuple[Operand, ...]
    match condition:
        case Comparison(operator, left, right) if operator in _MIRRORED:
            if isinstance(left, Value):
                operator, left, right = _MIRRORED[operator], right, left
            subject, operands = left, (right,)
        case Between(subject, lower, upper):
            operator, operands = "BETWEEN", (lower, upper)
        case Call("begins_with", arguments):
            if len(arguments) != 2:
                return None
            subject, *rest = arguments
            operator, operands = "begins_with", tuple(rest)
        case _:
            return None
    part = _part(subject, keys)
    if part is None or not all(isinstance(operand, Value) for operand in operands):
        return None
    if part in keys.hash and operator != "=":
        return None
    return _Clause(part, operator, _values_of(operands, values))


def _part(operand: Operand, keys: IndexKeys) -> KeyPart | None:
    if not isinstance(operand, Path) or len(operand.steps) != 1:
        return None
    return next((part for part in _parts(keys) if part.name == operand.steps[0]), None)


def _values_of(operands: Iterable[Operand], values: Values) -> tuple[AttributeValue, ...]:
    return tuple(values[operand.name] for operand in operands if isinstance(operand, Value))


def _parts(keys: IndexKeys) -> tuple[KeyPart, ...]:
    return (*keys.hash, *keys.range)
