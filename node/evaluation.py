"""What a write does to its table's secondary indexes: the entries of local ones, the cost at each, the size of the
item's collection.

Pure: from an item before and after, as the leader knows it, to what the partition's log carries. Entries of global
indexes come later, from the change log; here they are only counted, for a write that asked to be measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kvorum.model import keys
from kvorum.model import record as records
from kvorum.model.indexes import Entry, encode_entry, view, write_units
from kvorum.model.item import Image
from kvorum.model.table import Index, IndexStatus, ProjectionKind, Table
from kvorum.node.commands import EntryOperation, LocalChange


class IndexEffect(NamedTuple):
    """`local`: of a table with local indexes. `growth`: of the item's collection, bytes. `units`: write units by the
    index's name, where there are any; of a measured write."""

    local: LocalChange | None
    growth: int
    units: dict[str, int] | None


NO_EFFECT = IndexEffect(None, 0, None)


def index_effect(
    table: Table,
    key: bytes,
    record: bytes | None,
    before: Image | None,
    after: Image | None,
    size_of_collection: Callable[[bytes], int],
    *,
    measured: bool = False,
) -> IndexEffect:
    """Of the write that turns `before` into `after`, which will lie in `record` (anything for a deletion) under `key`.
    `size_of_collection`: by what its keys begin with, before this write."""
    units: dict[str, int] = {}
    operations: list[EntryOperation] = []
    has_local = False
    for index in table.indexes:
        has_local |= index.local
        if not (index.local or measured) or index.status is IndexStatus.DELETING:
            continue
        shown = view(table.keys, index)
        old = shown.entry(before.attributes, key, before.size) if before is not None else None
        new = shown.entry(after.attributes, key, after.size) if after is not None else None
        if index.local:
            operations += _operations(index, old, new, record)
        if measured:
            cost = write_units(old, new)
            if cost:
                units[index.name] = cost
    if not has_local:
        return IndexEffect(None, 0, units or None)
    growth = sum(operation.bytes_delta for operation in operations)
    growth += (after.size if after is not None else 0) - (before.size if before is not None else 0)
    collection = keys.collection_of(table.keys, key)
    local = LocalChange(operations, collection, size_of_collection(collection) + growth)
    return IndexEffect(local, growth, units or None)


def _operations(
    index: Index, old: Entry | None, new: Entry | None, record: bytes | None
) -> list[EntryOperation]:
    """What makes `new` of `old`; nothing when they are equal, for an entry's stamp means nothing in a local index."""
    operations: list[EntryOperation] = []
    moved = old is None or new is None or old.key != new.key
    if old is not None and moved:
        operations.append(EntryOperation(index.id, old.key, None, -1, -old.size))
    if new is not None and (moved or old is None or old.attributes != new.attributes):
        assert record is not None, "an entry of no item"
        replaced = 0 if moved or old is None else old.size
        operations.append(
            EntryOperation(index.id, new.key, _encoded(index, new, record), int(moved), new.size - replaced)
        )
    return operations


def _encoded(index: Index, entry: Entry, record: bytes) -> bytes:
    if index.projection is ProjectionKind.ALL:
        return record
    return encode_entry(entry, records.stamp_of(record), records.region_of(record))
