"""AttributeUpdates: PUT, ADD and DELETE on top-level attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kvorum.model.errors import invalid, validation
from kvorum.model.expressions import update as engine
from kvorum.model.expressions.nodes import (
    Action,
    AddAction,
    Call,
    DeleteAction,
    Path,
    RemoveAction,
    Section,
    SetAction,
    Update,
    Value,
)
from kvorum.model.expressions.types import SET_TYPES
from kvorum.model.expressions.update import UpdateOutcome
from kvorum.model.requests import AttributeValue, Item, LegacyUpdate
from kvorum.model.table import KeySchema
from kvorum.model.values import read_item, type_of

_ADDABLE = SET_TYPES | {"N", "L"}
_NO_NAMES: dict[str, str] = {}
_EMPTY_LIST = ":[]"


def read_updates(raw: Mapping[str, dict[str, Any]]) -> tuple[LegacyUpdate, ...]:
    """{attribute: {"Action": "PUT" | "ADD" | "DELETE", "Value": …}…}, of the right shape; values become canonical
    where they lie. Raises ValidationException in AWS's words."""
    return tuple(_read_update(name, given) for name, given in raw.items())


def _read_update(attribute: str, given: dict[str, Any]) -> LegacyUpdate:
    action: str = given.get("Action", "PUT")
    if "Value" not in given:
        if action != "DELETE":
            raise invalid("Only DELETE action is allowed when no attribute value is specified")
        return LegacyUpdate(attribute, action)
    value = read_item({attribute: given["Value"]})[0][attribute]
    kind = type_of(value)
    if action == "DELETE" and kind not in SET_TYPES:
        raise invalid(f"DELETE action with value is not supported for the type {kind}")
    if action == "ADD" and kind not in _ADDABLE:
        raise invalid(f"ADD action is not supported for the type {kind}")
    return LegacyUpdate(attribute, action, value)


def check_key_untouched(updates: Iterable[LegacyUpdate], schema: KeySchema) -> None:
    """Raises ValidationException when an update would change the table's key."""
    named = {update.attribute for update in updates}
    for part in (schema.hash, schema.range):
        if part is not None and part.name in named:
            raise invalid(f"Cannot update attribute {part.name}. This attribute is part of the key")


def creates_item(updates: Iterable[LegacyUpdate]) -> bool:
    """Whether they make an item where there is none. Not when all they do is to take away; no updates at all
    make an item of its key."""
    actions = {update.action for update in updates}
    return actions != {"DELETE"}


def apply_updates(updates: Iterable[LegacyUpdate], item: Item) -> UpdateOutcome:
    """Raises ValidationException for what only shows on an item."""
    values: dict[str, AttributeValue] = {_EMPTY_LIST: {"L": []}}
    sections: list[Section] = []
    for update in updates:
        if update.value is not None and update.action != "PUT":
            _check_type(item.get(update.attribute), update.value)
        sections.append(_section_of(update, values))
    return engine.apply(Update(tuple(sections)), item, _NO_NAMES, values)


def _check_type(old: AttributeValue | None, value: AttributeValue) -> None:
    """ADD and DELETE want the old value's type; AWS says so in other words than of an UpdateExpression."""
    if old is not None and type_of(old) != type_of(value):
        raise validation("Type mismatch for attribute to update")


def _section_of(update: LegacyUpdate, values: dict[str, AttributeValue]) -> Section:
    """Puts the value into `values`, under a placeholder of its own."""
    path = Path((update.attribute,), symbolic=False)
    if update.value is None:
        return Section("REMOVE", (RemoveAction(path),))
    placeholder = f":{len(values)}"
    values[placeholder] = update.value
    value = Value(placeholder)
    action: Action
    match update.action:
        case "PUT":
            action = SetAction(path, value)
        case "DELETE":
            return Section("DELETE", (DeleteAction(path, value),))
        case _ if "L" not in update.value:
            return Section("ADD", (AddAction(path, value),))
        case _:
            old = Call("if_not_exists", (path, Value(_EMPTY_LIST)))
            action = SetAction(path, Call("list_append", (old, value)))
    return Section("SET", (action,))
