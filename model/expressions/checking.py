"""All that can be said about a request's expressions without its table or an item.

An application sends the same few expressions again and again, with other values. Whether they are right depends on the
types of these values alone, but for a few conditions, so what was right once is remembered by texts, names and types.
"""

from __future__ import annotations

from collections.abc import Mapping

from kvorum.model.expressions import key_condition as key_conditions
from kvorum.model.expressions import operands
from kvorum.model.expressions.kind import ExpressionKind
from kvorum.model.expressions.nodes import Condition, Projection, Update
from kvorum.model.expressions.parsing import Parsed, parse_condition, parse_projection, parse_update
from kvorum.model.expressions.placeholders import check_all_used
from kvorum.model.requests import AttributeValue

REMEMBERED_MAX = 1_024
"""Requests. One takes 16 KB at most: the texts of its expressions, in which every placeholder stands, and its names."""

_NAMES_CHARACTERS_MAX = 4_096
"""Of the names behind placeholders; a request with longer ones is not remembered."""

_NO_NAMES: dict[str, str] = {}
_NO_VALUES: dict[str, AttributeValue] = {}
_Parsed = Parsed[Update] | Parsed[Condition] | Parsed[Projection]
_right: set[tuple[object, ...]] = set()


def check(
    *,
    condition: str | None = None,
    update: str | None = None,
    filter: str | None = None,  # noqa: A002  (the parameters are AWS's expressions)
    projection: str | None = None,
    key_condition: str | None = None,
    names: Mapping[str, str] | None = None,
    values: Mapping[str, AttributeValue] | None = None,
) -> None:
    """AWS's order: update, condition, key condition, filter and projection, each by itself; then placeholders that none
    of them uses; then the form of the key condition. Raises ValidationException."""
    names = names or _NO_NAMES
    values = values or _NO_VALUES
    asked = (
        *(update, condition, key_condition, filter, projection),
        *(tuple(names), tuple(names.values())),
        *(tuple(values), tuple(map(tuple, values.values()))),  # a value is a dict of its type's tag
    )
    if asked in _right:
        return
    parsed: list[_Parsed] = []
    if update is not None:
        parsed.append(_check_update(update, names, values))
    for kind, text in (
        (ExpressionKind.CONDITION, condition),
        (ExpressionKind.KEY_CONDITION, key_condition),
        (ExpressionKind.FILTER, filter),
    ):
        if text is not None:
            parsed.append(_check_condition(kind, text, names, values))
    if projection is not None:
        parsed_projection = parse_projection(projection)
        operands.check_projection(parsed_projection.root, names)
        parsed.append(parsed_projection)
    check_all_used("ExpressionAttributeNames", names, set().union(*(each.names for each in parsed)))
    check_all_used("ExpressionAttributeValues", values, set().union(*(each.values for each in parsed)))
    if key_condition is not None:
        key_conditions.clauses_of(key_condition, names)
    if all(each.by_types for each in parsed) and sum(map(len, names.values())) <= _NAMES_CHARACTERS_MAX:
        if len(_right) >= REMEMBERED_MAX:
            forget()
        _right.add(asked)


def remembered() -> int:
    """How many requests."""
    return len(_right)


def forget() -> None:
    """Everything that is remembered."""
    _right.clear()


def _check_update(
    text: str, names: Mapping[str, str], values: Mapping[str, AttributeValue]
) -> Parsed[Update]:
    parsed = parse_update(text)
    operands.check_update_paths(parsed.root, names)
    if names.keys() >= parsed.names and values.keys() >= parsed.values:
        operands.check_all(ExpressionKind.UPDATE, parsed.checks, names, values)
    else:
        operands.check_update(parsed.root, names, values)
    return parsed


def _check_condition(
    kind: ExpressionKind, text: str, names: Mapping[str, str], values: Mapping[str, AttributeValue]
) -> Parsed[Condition]:
    parsed = parse_condition(kind, text)
    if names.keys() >= parsed.names and values.keys() >= parsed.values:
        operands.check_all(kind, parsed.checks, names, values)
    else:
        operands.check_condition(kind, parsed.root, names, values)
    return parsed
