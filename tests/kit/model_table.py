"""A table as a dictionary: what DynamoDB promises of puts, updates, deletes and queries, as simply as it can be said.

Keys are `pk` (S) and `sk` (N). Attributes have one type each, so that nothing here depends on how types are compared:
`n` number, `s` string, `l` list, `t` set of strings, and the indexes' keys `lsk` (S), `gpk` (S), `gsk` (N). Items are
plain Python: str, Decimal, list, set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Item = dict[str, Any]
Key = tuple[str, Decimal]


class Refused(Exception):
    """ConditionalCheckFailedException. `item`: what is there."""

    def __init__(self, item: Item | None) -> None:
        super().__init__()
        self.item = item


class Impossible(Exception):
    """ValidationException: an operand that is not there."""


@dataclass(frozen=True)
class Condition:
    """`text` with the values that its placeholders stand for, and what it means."""

    text: str
    values: Item
    holds: Callable[[Item], bool]


@dataclass(frozen=True)
class Action:
    """One of SET, REMOVE, ADD or DELETE on one attribute. `change`: the attribute's new value, None for none; it is
    given the whole item as it was. Raises Impossible."""

    clause: str
    attribute: str
    text: str
    values: Item
    change: Callable[[Item], Any]


class ModelTable:
    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}

    def put(self, item: Item, condition: Condition | None) -> Item | None:
        """What was there."""
        key = item["pk"], item["sk"]
        old = self._checked(key, condition)
        self.items[key] = item
        return old

    def delete(self, key: Key, condition: Condition | None) -> Item | None:
        old = self._checked(key, condition)
        self.items.pop(key, None)
        return old

    def update(
        self, key: Key, actions: list[Action], condition: Condition | None
    ) -> tuple[Item | None, Item]:
        """(the item before, the item after)."""
        old = self._checked(key, condition)
        before = {} if old is None else old
        after = {"pk": key[0], "sk": key[1], **before}
        for action in actions:
            value = action.change(before)
            if value is None:
                after.pop(action.attribute, None)
            else:
                after[action.attribute] = value
        self.items[key] = after
        return old, after

    def query(self, partition: str, least: Decimal, most: Decimal) -> list[Item]:
        return [
            item
            for (pk, sk), item in sorted(self.items.items(), key=lambda entry: entry[0])
            if pk == partition and least <= sk <= most
        ]

    def local_index(self, partition: str) -> list[Item]:
        """Of the items with `lsk`, by it and then by the table's own sort key."""
        found = [item for (pk, _), item in self.items.items() if pk == partition and "lsk" in item]
        return sorted(found, key=lambda item: (item["lsk"].encode(), item["sk"]))

    def global_index(self, partition: str) -> list[Item]:
        """Of the items with `gpk` and `gsk`. AWS says nothing of the order of equal `gsk`: by the table's keys."""
        found = [item for item in self.items.values() if item.get("gpk") == partition and "gsk" in item]
        return sorted(found, key=lambda item: (item["gsk"], item["pk"], item["sk"]))

    def _checked(self, key: Key, condition: Condition | None) -> Item | None:
        old = self.items.get(key)
        if condition is not None and not condition.holds({} if old is None else old):
            raise Refused(old)
        return old


# ---- conditions ----


def exists(attribute: str) -> Condition:
    return Condition(f"attribute_exists({attribute})", {}, lambda item: attribute in item)


def begins(prefix: str) -> Condition:
    return Condition(
        "begins_with(s, :p)", {":p": prefix}, lambda item: item.get("s", "\0").startswith(prefix)
    )


def between(least: Decimal, most: Decimal) -> Condition:
    return Condition(
        "n BETWEEN :x AND :y",
        {":x": least, ":y": most},
        lambda item: "n" in item and least <= item["n"] <= most,
    )


def has(element: str) -> Condition:
    return Condition("contains(t, :e)", {":e": element}, lambda item: element in item.get("t", ()))


def longer(count: int) -> Condition:
    return Condition(
        "size(l) > :c", {":c": Decimal(count)}, lambda item: "l" in item and len(item["l"]) > count
    )


def negated(one: Condition) -> Condition:
    return Condition(f"NOT {one.text}", one.values, lambda item: not one.holds(item))


def both(one: Condition, other: Condition) -> Condition:
    return Condition(
        f"({one.text}) AND ({other.text})",
        one.values | other.values,
        lambda item: one.holds(item) and other.holds(item),
    )


# ---- actions ----


def set_to(attribute: str, value: Any) -> Action:
    placeholder = f":to_{attribute}"
    return Action("SET", attribute, f"{attribute} = {placeholder}", {placeholder: value}, lambda _: value)


def add_to_number(value: Decimal, *, start: bool) -> Action:
    """SET n = n + value; with `start`, from 0 where there is no n."""

    def change(item: Item) -> Any:
        if "n" not in item and not start:
            raise Impossible
        return item.get("n", Decimal(0)) + value

    operand = "if_not_exists(n, :zero)" if start else "n"
    values = {":plus": value, ":zero": Decimal(0)} if start else {":plus": value}
    return Action("SET", "n", f"n = {operand} + :plus", values, change)


def append(values: list[Any]) -> Action:
    def change(item: Item) -> Any:
        if "l" not in item:
            raise Impossible
        return item["l"] + values

    return Action("SET", "l", "l = list_append(l, :more)", {":more": values}, change)


def remove(attribute: str) -> Action:
    return Action("REMOVE", attribute, attribute, {}, lambda _: None)


def add(attribute: str, value: Any) -> Action:
    """ADD of a number to `n`, or of elements to `t`."""

    def change(item: Item) -> Any:
        if attribute not in item:
            return value
        return item[attribute] | value if isinstance(value, set) else item[attribute] + value

    return Action("ADD", attribute, f"{attribute} :add_{attribute}", {f":add_{attribute}": value}, change)


def take_away(elements: set[str]) -> Action:
    """DELETE of elements from `t`, which is gone when nothing is left."""
    return Action(
        "DELETE", "t", "t :away", {":away": elements}, lambda item: (item.get("t", set()) - elements) or None
    )


def update_expression(actions: list[Action]) -> str:
    clauses: dict[str, list[str]] = {}
    for action in actions:
        clauses.setdefault(action.clause, []).append(action.text)
    return " ".join(f"{clause} {', '.join(texts)}" for clause, texts in clauses.items())
