"""What a read goes through: a table, or one of its indexes. Both are entries in the order of their keys; an index's
entries hold the key attributes of the table too, and perhaps not all of the others."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from kvorum.model import errors, index_keys, indexes, keys
from kvorum.model.expressions import KeyRange
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.table import Index, IndexKeys, KeyPart, KeySchema, ProjectionKind, Table


class AccessPath(Struct, frozen=True):
    """`index` None: the table itself. `keys`: the attributes by which entries are found and ordered. `key_names`:
    the attributes that name one entry, the table's first: what a page's LastEvaluatedKey holds."""

    table: Table
    index: Index | None
    keys: IndexKeys
    key_names: tuple[str, ...]

    @property
    def partitioned_by(self) -> int:
        """The id under which the directory has the partitions that hold the entries."""
        return self.table.id if self.index is None or self.index.local else self.index.id

    @property
    def local_index(self) -> int:
        """The id of a local index, whose entries lie in the table's partitions; else 0."""
        return self.index.id if self.index is not None and self.index.local else 0

    @property
    def holds_all(self) -> bool:
        """Whether entries are whole items."""
        return self.index is None or self.index.projection is ProjectionKind.ALL

    def unprojected(self, attributes: Iterable[str]) -> list[str]:
        """Which of them no entry holds."""
        if self.index is None or self.holds_all:
            return []
        view = indexes.view(self.table.keys, self.index)
        return [attribute for attribute in attributes if not view.shows(attribute)]

    def hash_prefix(self, hash_values: tuple[AttributeValue, ...]) -> bytes:
        """What the key of every entry with these values starts with, and no other. Raises ValidationException for
        values that no entry can have."""
        if self.index is None:
            return keys.hash_prefix(self.table.keys, hash_values[0])
        for part, value in zip(self.keys.hash, hash_values, strict=True):
            _check_operand(part, value)
        return index_keys.hash_prefix(self.keys, hash_values)

    def bounds(self, wanted: KeyRange) -> tuple[bytes, bytes]:
        """lower <= key < upper; lower == upper when no entry can be wanted. Raises ValidationException for values that
        no entry can have."""
        if self.index is None:
            return keys.range_bounds(
                self.table.keys, wanted.hash_values[0], wanted.operator, list(wanted.operands)
            )
        for part, value in zip(self.keys.hash, wanted.hash_values, strict=True):
            _check_operand(part, value)
        if wanted.operator:
            part = self.keys.range[len(wanted.equal)]
            for operand in wanted.operands:
                if wanted.operator == "begins_with" and "N" in operand:
                    raise keys.no_prefix_of_a_number()
                _check_operand(part, operand)
        return index_keys.bounds(
            self.keys, wanted.hash_values, wanted.equal, wanted.operator, wanted.operands
        )

    def key_of(self, entry: Item) -> bytes:
        """Where this entry lies. Raises ValidationException when a key attribute is missing or cannot be one."""
        key = keys.encode_item_key(self.table.keys, entry)
        if self.index is None:
            return key
        if self.index.local:
            indexed = index_keys.local_entry_key(self.keys, entry, key)
        else:
            indexed = index_keys.entry_key(self.table.keys, self.keys, entry, key)
        if indexed is None:
            raise errors.validation("The provided key element does not match the schema")
        return indexed

    def last_key(self, entry: Item) -> Item:
        return {name: entry[name] for name in self.key_names}


def through_table(table: Table) -> AccessPath:
    return AccessPath(table, None, key_attributes(table.keys), _own_names(table.keys))


def through_index(table: Table, index: Index) -> AccessPath:
    found = key_attributes(table.keys)
    own = (*found.hash, *found.range, *index.keys.hash, *index.keys.range)
    return AccessPath(table, index, index.keys, _names(own))


@lru_cache(4_096)
def key_attributes(schema: KeySchema) -> IndexKeys:
    """Of a table, as an index's are said."""
    return IndexKeys((schema.hash,), () if schema.range is None else (schema.range,))


@lru_cache(4_096)
def _own_names(schema: KeySchema) -> tuple[str, ...]:
    found = key_attributes(schema)
    return _names((*found.hash, *found.range))


def _names(parts: Iterable[KeyPart]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.name for part in parts))


def _check_operand(part: KeyPart, value: AttributeValue) -> None:
    content = value.get(part.kind)
    if content is None:
        raise errors.key_attribute_kind()
    if not content:
        raise errors.empty_key_attribute(part.name, part.kind)
