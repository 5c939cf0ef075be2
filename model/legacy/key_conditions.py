"""KeyConditions: the range of sort keys under one partition key that a Query reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kvorum.model.errors import validation
from kvorum.model.expressions.key_condition import KeyClause, KeyRange, Visitor, range_of
from kvorum.model.legacy.conditions import read_conditions
from kvorum.model.requests import LegacyConditions
from kvorum.model.table import IndexKeys

_INDEXABLE = {
    "EQ": "=",
    "LE": "<=",
    "LT": "<",
    "GE": ">=",
    "GT": ">",
    "BEGINS_WITH": "begins_with",
    "BETWEEN": "BETWEEN",
}
"""ComparisonOperator to the operator of a KeyRange."""


def read_key_conditions(raw: Mapping[str, dict[str, Any]]) -> LegacyConditions:
    """Shaped like a filter. Raises ValidationException for what no key schema makes a key condition. An index of keys
    of several attributes takes as many conditions (AWS: getmoto's tests, scylladb/scylladb#31393)."""
    conditions = read_conditions(raw, None)
    if not raw:
        raise validation("Conditions can be of length 1 or 2 only")
    return conditions


def key_range(given: LegacyConditions, keys: IndexKeys, visit: Visitor | None) -> KeyRange:
    """`keys`: of the table or of the index that is queried. `visit`: as in expressions.key_range."""
    clauses = {
        condition.attribute: KeyClause(_INDEXABLE.get(condition.operator), condition.operands)
        for condition in given.conditions
    }
    return range_of(clauses, keys, visit)
