"""What the indexes of its table do not let a write make of an item, in AWS's words: one set for whole items, another for
updates.

An update is looked at twice: at the router for what the request alone shows, and at the leader for what it makes of an
item. The leader looks at the whole new item: one that a table held before its index, and that does not fit it, cannot be
updated until it does. What is missing is never wrong, it only keeps the item out of the index; an index on its way out
asks for nothing. Of several indexes that an item does not fit AWS names the first by name.

With its entries in all local indexes together an item may not be larger than an item may be without them.
Source: AWS developer guide, "Constraints", "Item size for tables with local secondary indexes".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kvorum.model import expressions
from kvorum.model.errors import (
    ApiError,
    invalid,
    item_to_update_too_large,
    item_too_large,
    partition_key_too_long,
    sort_keys_too_long,
    validation,
)
from kvorum.model.indexes import view
from kvorum.model.limits import HASH_KEY_BYTES_MAX, ITEM_BYTES_MAX, RANGE_KEY_BYTES_MAX
from kvorum.model.requests import AttributeValue, Expressions, Item
from kvorum.model.table import Index, IndexStatus, KeyPart, Table
from kvorum.model.values import type_of


def check_item(table: Table, item: Item, size: int) -> None:
    """`item`: one that is put; `size`: its bytes as AWS counts them. Raises ValidationException when an attribute cannot
    be what an index of `table` has it for (a value of another type, an empty one, one that is too long), or the item is
    too large with its entries."""
    if _fits(table.indexes, item):
        if _too_large(table, item, size):
            raise item_too_large()
        return
    for index in _by_name(table):
        for part in (*index.keys.hash, *index.keys.range):
            value = item.get(part.name)
            if value is not None and not value.get(part.kind):
                raise _unfit(index, part, value)
        if _length(index.keys.hash, item) > HASH_KEY_BYTES_MAX:
            raise partition_key_too_long()
        if _length(index.keys.range, item) > RANGE_KEY_BYTES_MAX:
            raise sort_keys_too_long()


def check_updated_item(table: Table, item: Item, size: int) -> None:
    """`item`: as an update leaves it. Raises ValidationException for what `check_item` would refuse."""
    if _fits(table.indexes, item):
        if _too_large(table, item, size):
            raise item_to_update_too_large()
        return
    for index in _by_name(table):
        for part in (*index.keys.hash, *index.keys.range):
            value = item.get(part.name)
            if value is not None and not value.get(part.kind):
                raise _unfit_update(part, value)
    raise invalid(
        "The update expression attempted to update the secondary index key beyond allowed size limits"
    )


def check_written_types(table: Table, given: Expressions) -> None:
    """Raises ValidationException when an update writes a value of another type than an index has its attribute for."""
    written = list(_written(given))
    for index in _by_name(table):
        for part in (*index.keys.hash, *index.keys.range):
            for attribute, kind in written:
                if attribute == part.name and kind is not None and kind != part.kind:
                    raise _type_mismatch(index, part, kind)


def _written(given: Expressions) -> Iterator[tuple[str, str | None]]:
    """As expressions.written_types."""
    if given.update is not None:
        yield from expressions.written_types(given.update, given.names, given.values)
    elif given.legacy is not None and given.legacy.updates is not None:
        for update in given.legacy.updates:
            yield update.attribute, None if update.value is None else type_of(update.value)


def _fits(indexes: Sequence[Index], item: Item) -> bool:
    for index in indexes:
        if index.status is IndexStatus.DELETING:
            continue
        keys = index.keys
        for part in (*keys.hash, *keys.range):
            value = item.get(part.name)
            if value is not None and not value.get(part.kind):
                return False
        if _length(keys.hash, item) > HASH_KEY_BYTES_MAX or _length(keys.range, item) > RANGE_KEY_BYTES_MAX:
            return False
    return True


def _too_large(table: Table, item: Item, size: int) -> bool:
    # No entry is larger than its item: nearly every item is small enough to be let go here.
    if size * (1 + len(table.indexes)) <= ITEM_BYTES_MAX:
        return False
    entries = sum(view(table.keys, index).entry_size(item, size) for index in table.indexes if index.local)
    return size + entries > ITEM_BYTES_MAX


def _length(parts: tuple[KeyPart, ...], item: Item) -> int:
    total = 0
    for part in parts:
        value = item.get(part.name)
        if value is not None and part.kind != "N":
            content: str = value[part.kind]
            total += len(content.encode()) if part.kind == "S" else len(content) * 3 // 4 - content.count("=")
    return total


def _by_name(table: Table) -> list[Index]:
    there = [index for index in table.indexes if index.status is not IndexStatus.DELETING]
    return sorted(there, key=lambda index: index.name)


def _unfit(index: Index, part: KeyPart, value: AttributeValue) -> ApiError:
    kind = type_of(value)
    if kind != part.kind:
        return _type_mismatch(index, part, kind)
    return validation(
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
        f"The AttributeValue for a key attribute cannot contain an empty {_what(part)} value. "
        f"IndexName: {index.name}, IndexKey: {part.name}"
    )


def _unfit_update(part: KeyPart, value: AttributeValue) -> ApiError:
    if part.kind not in value:
        return validation(
            "The update expression attempted to update the secondary index key to unsupported type"
        )
    return validation(
        "One or more parameter values are not valid. The update expression attempted to update a secondary index "
        "key to a value that is not supported. "
        f"The AttributeValue for a key attribute cannot contain an empty {_what(part)} value."
    )


def _type_mismatch(index: Index, part: KeyPart, kind: str) -> ApiError:
    return invalid(
        "Type mismatch for Index Key "
        f"{part.name} Expected: {part.kind} Actual: {kind} IndexName: {index.name}"
    )


def _what(part: KeyPart) -> str:
    return "string" if part.kind == "S" else "binary"
