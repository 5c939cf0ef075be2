"""How a table's items show in its secondary indexes: entries, and what a change of an item does to them.

An entry is a record as an item's is (model/record), under a key that names one item (model/index_keys): the item's
projected attributes, with the stamp and the region of the write that made it what it is. Every change of an item says
what becomes of its old and of its new entry, at the change's own stamp, and nothing of an entry that stays as it was;
of several operations on one entry the one with the greatest (stamp, region) stays (replication/lww). So a global index
may hear of changes in any order, and more than once: the last change of an item to touch an entry decides it, and an
item's changes are ordered by stamp.

Source: AWS developer guide, "Using Global Secondary Indexes in DynamoDB", "Local secondary indexes".
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import NamedTuple

from kvorum.model import record as records
from kvorum.model.index_keys import entry_key, local_entry_key
from kvorum.model.requests import Item
from kvorum.model.table import Index, KeyPart, KeySchema, ProjectionKind
from kvorum.model.values import dumps, item_size, loads

WRITE_UNIT_BYTES = 1_024


class Entry(NamedTuple):
    """`attributes`: the projected ones; `size`: their bytes as AWS counts them."""

    key: bytes
    attributes: Item
    size: int


class View:
    """What one index shows of its table's items."""

    __slots__ = ("_key_names", "_key_of", "_names", "index")

    def __init__(self, keys: KeySchema, index: Index) -> None:
        self.index = index
        self._key_of = local_entry_key if index.local else partial(entry_key, keys)
        self._key_names = [part.name for part in (*index.keys.hash, *index.keys.range)]
        self._names: frozenset[str] | None = None
        if index.projection is not ProjectionKind.ALL:
            own = [part.name for part in _parts(keys)]
            self._names = frozenset((*own, *self._key_names, *index.included))

    def shows(self, attribute: str) -> bool:
        """Whether entries hold this attribute when their items do."""
        return self._names is None or attribute in self._names

    def entry(self, item: Item | None, item_key: bytes, size: int | None = None) -> Entry | None:
        """The entry of `item`, None when it has none (a sparse index's, or there is no item). `size`: of the item,
        bytes, where it is known."""
        key = self._key_of(self.index.keys, item, item_key) if item is not None else None
        if item is None or key is None:
            return None
        if self._names is None:
            return Entry(key, item, item_size(item) if size is None else size)
        shown = {name: item[name] for name in item if name in self._names}
        return Entry(key, shown, item_size(shown))

    def entry_size(self, item: Item, size: int) -> int:
        """What the entry of `item`, which fits the index, takes: bytes as AWS counts them, 0 when it has none.
        `size`: of the item."""
        if not all(name in item for name in self._key_names):
            return 0
        names = self._names
        return size if names is None else item_size({name: item[name] for name in item if name in names})

    def operations(self, item_key: bytes, previous: bytes | None, record: bytes) -> list[tuple[bytes, bytes]]:
        """What the change from `previous` to `record` (model/record; either may be a tombstone) does to a global
        index: (entry key, record of the entry or tombstone), at the stamp of `record`. Nothing where the entry is
        what it was: the change that made it so has been told, or will be."""
        before, after = _item_of(previous), _item_of(record)
        entry = self.entry(after, item_key, records.size_of(record))
        if before is None:
            old_key = None
        elif entry is not None and after is not None and self._has_key_of(before, after):
            old_key = entry.key
        else:
            old_key = self._key_of(self.index.keys, before, item_key)
        if entry is not None and entry.key == old_key and entry.attributes == self._shown(before):
            return []
        stamp, region = records.stamp_of(record), records.region_of(record)
        operations: list[tuple[bytes, bytes]] = []
        if old_key is not None and (entry is None or old_key != entry.key):
            operations.append((old_key, records.encode_tombstone(stamp, region)))
        if entry is not None:
            made = record if self._names is None else encode_entry(entry, stamp, region)
            operations.append((entry.key, made))
        return operations

    def _has_key_of(self, one: Item, other: Item) -> bool:
        return all(one.get(name) == other.get(name) for name in self._key_names)

    def _shown(self, item: Item | None) -> Item | None:
        names = self._names
        if item is None or names is None:
            return item
        return {name: item[name] for name in item if name in names}


@lru_cache(4_096)
def view(keys: KeySchema, index: Index) -> View:
    """`keys`: the table's."""
    return View(keys, index)


def encode_entry(entry: Entry, stamp: int, region: bytes) -> bytes:
    return records.encode(dumps(entry.attributes), entry.size, stamp, region)


def write_units(old: Entry | None, new: Entry | None) -> int:
    """What a write of an item costs one index: nothing when the entry stays as it is, one write of the larger when
    only other attributes change, one to remove and one to insert when the entry's key changes.
    Source: developer guide, "Write throughput capacity" of global and of local secondary indexes."""
    if old is None or new is None:
        only = old or new
        return 0 if only is None else _units(only.size)
    if old.key != new.key:
        return _units(old.size) + _units(new.size)
    return 0 if old.attributes == new.attributes else _units(max(old.size, new.size))


REMEMBERED_BYTES_MAX = 4_096


def _item_of(record: bytes | None) -> Item | None:
    if record is None or records.is_tombstone(record):
        return None
    return _remembered(record) if len(record) <= REMEMBERED_BYTES_MAX else loads(records.json_of(record))


@lru_cache(1_024)
def _remembered(record: bytes) -> Item:
    """Every index of a table reads the same changes, at about the same time; what one wrote, the next one replaces.
    Shared: nobody may change it."""
    return loads(records.json_of(record))


def _parts(keys: KeySchema) -> tuple[KeyPart, ...]:
    return (keys.hash,) if keys.range is None else (keys.hash, keys.range)


def _units(size: int) -> int:
    return (size + WRITE_UNIT_BYTES - 1) // WRITE_UNIT_BYTES or 1
