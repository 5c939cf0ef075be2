"""DynamoDB's expressions: text → tokens → frozen nodes → evaluation, one grammar and one engine for all five.

A request's expressions are first checked together with its placeholders (`check`); the other functions rely
on that and may then be called any number of times, on any process, with the same texts, names and values.
Parsing is cached by text. Everything raises ValidationException (an ApiError) in AWS's words, nothing else.

`names` are ExpressionAttributeNames, {"#placeholder": name}; `values` ExpressionAttributeValues,
{":placeholder": attribute value}, canonical. Items are never mutated; results share parts with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from kvorum.model.errors import validation
from kvorum.model.expressions import condition as conditions
from kvorum.model.expressions import key_condition as key_conditions
from kvorum.model.expressions import operands
from kvorum.model.expressions import projection as projections
from kvorum.model.expressions import update as updates
from kvorum.model.expressions.attributes import (
    entered_by_filter,
    entered_by_projection,
    entered_by_update,
    filtered_attributes,
    projected_attributes,
    written_types,
)
from kvorum.model.expressions.charge import is_too_large
from kvorum.model.expressions.key_condition import KeyRange, key_range
from kvorum.model.expressions.kind import ExpressionKind
from kvorum.model.expressions.parsing import parse_condition, parse_projection, parse_update
from kvorum.model.expressions.paths import Branch, attribute_of
from kvorum.model.expressions.placeholders import check_all_used
from kvorum.model.expressions.update import UpdateOutcome
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.table import KeySchema

__all__ = [
    "KeyRange",
    "Paths",
    "UpdateOutcome",
    "apply_update",
    "check",
    "check_key_untouched",
    "creates_item",
    "entered_by_filter",
    "entered_by_projection",
    "entered_by_update",
    "evaluate",
    "filtered_attributes",
    "key_range",
    "predicate",
    "project",
    "projected_attributes",
    "projection_paths",
    "writes_too_much",
    "written_types",
]

Paths = Branch
"""Document paths for `project`; opaque to callers."""

_NO_NAMES: dict[str, str] = {}
_NO_VALUES: dict[str, AttributeValue] = {}


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
    """All that can be said about a request's expressions without its table or an item. AWS's order: update,
    condition, key condition, filter and projection, each by itself; then placeholders that none of them
    uses; then the form of the key condition."""
    names = names or _NO_NAMES
    values = values or _NO_VALUES
    used_names: set[str] = set()
    used_values: set[str] = set()
    if update is not None:
        parsed_update = parse_update(update)
        operands.check_update_paths(parsed_update.root, names)
        if names.keys() >= parsed_update.names and values.keys() >= parsed_update.values:
            operands.check_all(ExpressionKind.UPDATE, parsed_update.checks, names, values)
        else:
            operands.check_update(parsed_update.root, names, values)
        used_names |= parsed_update.names
        used_values |= parsed_update.values
    for kind, text in (
        (ExpressionKind.CONDITION, condition),
        (ExpressionKind.KEY_CONDITION, key_condition),
        (ExpressionKind.FILTER, filter),
    ):
        if text is not None:
            _check_condition(kind, text, names, values, used_names, used_values)
    if projection is not None:
        parsed_projection = parse_projection(projection)
        operands.check_projection(parsed_projection.root, names)
        used_names |= parsed_projection.names
    if len(used_names) != len(names):
        check_all_used("ExpressionAttributeNames", names, used_names)
    if len(used_values) != len(values):
        check_all_used("ExpressionAttributeValues", values, used_values)
    if key_condition is not None:
        key_conditions.clauses_of(key_condition, names)


def _check_condition(
    kind: ExpressionKind,
    text: str,
    names: Mapping[str, str],
    values: Mapping[str, AttributeValue],
    used_names: set[str],
    used_values: set[str],
) -> None:
    parsed = parse_condition(kind, text)
    if names.keys() >= parsed.names and values.keys() >= parsed.values:
        operands.check_all(kind, parsed.checks, names, values)
    else:
        operands.check_condition(kind, parsed.root, names, values)
    used_names |= parsed.names
    used_values |= parsed.values


def evaluate(
    condition_text: str,
    item: Item,
    names: Mapping[str, str],
    values: Mapping[str, AttributeValue],
) -> bool:
    """Whether a ConditionExpression or FilterExpression holds. An absent item is an empty one."""
    parsed = parse_condition(ExpressionKind.CONDITION, condition_text)
    return conditions.holds(parsed.root, item, names, values)


def predicate(
    filter_text: str, names: Mapping[str, str], values: Mapping[str, AttributeValue]
) -> Callable[[Item], bool]:
    """`evaluate` for many items."""
    root = parse_condition(ExpressionKind.FILTER, filter_text).root
    return partial(conditions.holds, root, names=names, values=values)


def projection_paths(text: str, names: Mapping[str, str] | None) -> Paths:
    return projections.tree_of(parse_projection(text).root, names or _NO_NAMES)


def project(item: Item, paths: Paths) -> Item:
    return projections.project(item, paths)


def apply_update(
    text: str,
    item: Item,
    names: Mapping[str, str],
    values: Mapping[str, AttributeValue],
) -> UpdateOutcome:
    """Raises ValidationException for what only shows on an item."""
    return updates.apply(parse_update(text).root, item, names, values)


def writes_too_much(text: str, names: Mapping[str, str], values: Mapping[str, AttributeValue]) -> bool:
    """Whether UpdateItem refuses an update for its size, whatever the item (model/expressions/charge)."""
    return is_too_large(parse_update(text).root, names, values)


def creates_item(update_text: str) -> bool:
    """Whether an update makes an item where there is none."""
    return updates.creates_item(parse_update(update_text).root)


def check_key_untouched(update_text: str, names: Mapping[str, str] | None, schema: KeySchema) -> None:
    """Raises ValidationException when an update would change the table's key."""
    keys = _key_names(schema)
    for action in parse_update(update_text).root.actions():
        attribute = attribute_of(action.path, names or _NO_NAMES)
        if attribute in keys:
            raise validation(
                f"One or more parameter values were invalid: Cannot update attribute {attribute}. "
                "This attribute is part of the key"
            )


def _key_names(schema: KeySchema) -> tuple[str, ...]:
    return (schema.hash.name,) if schema.range is None else (schema.hash.name, schema.range.name)
