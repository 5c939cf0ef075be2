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

from kvorum.model.errors import invalid
from kvorum.model.expressions import condition as conditions
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
from kvorum.model.expressions.checking import check
from kvorum.model.expressions.key_condition import KeyRange, key_range
from kvorum.model.expressions.kind import ExpressionKind
from kvorum.model.expressions.parsing import parse_condition, parse_projection, parse_update
from kvorum.model.expressions.paths import Branch, attribute_of
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
            raise invalid(f"Cannot update attribute {attribute}. This attribute is part of the key")


def _key_names(schema: KeySchema) -> tuple[str, ...]:
    return (schema.hash.name,) if schema.range is None else (schema.hash.name, schema.range.name)
