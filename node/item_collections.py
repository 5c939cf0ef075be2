"""How large a partition's item collections are: the items, and their entries in local indexes, that share one
partition key's value. Only tables with local indexes keep count.

The machine stores a size with every write to its collection. The leader adds what is proposed and not applied yet,
as it does for items (node/partition), so that writes to one collection pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping

from kvorum.node.commands import LocalChange
from kvorum.node.store import Batch, Family, Store

_NO_SIZES: Mapping[bytes, int] = {}


def _stored_key(table_prefix: bytes, collection: bytes) -> bytes:
    return b"collection/" + table_prefix + collection


def store_size(table_prefix: bytes, change: LocalChange, batch: Batch) -> None:
    """`table_prefix`: the table's id as it begins the keys of its items."""
    key = _stored_key(table_prefix, change.collection)
    if change.collection_bytes:
        batch.put(Family.META, key, change.collection_bytes.to_bytes(8, "big", signed=True))
    else:
        batch.delete(Family.META, key)


def erase_sizes(table_prefix: bytes, token_bounds: tuple[bytes, bytes], batch: Batch) -> None:
    """Of a partition that leaves this node."""
    lower, upper = token_bounds
    batch.delete_range(Family.META, _stored_key(table_prefix, lower), _stored_key(table_prefix, upper))


class ItemCollections:
    """The sizes as the partition's leader knows them. A collection is named by what its keys begin with."""

    def __init__(self, table_prefix: bytes, store: Store) -> None:
        self._table_prefix = table_prefix
        self._store = store
        self._proposed: dict[bytes, tuple[int, int]] = {}  # (index in the log, bytes)

    def size(self, collection: bytes, unproposed: Mapping[bytes, int] = _NO_SIZES) -> int:
        """Bytes. `unproposed`: sizes after changes that are about to be proposed together."""
        known = unproposed.get(collection)
        if known is not None:
            return known
        pending = self._proposed.get(collection)
        if pending is not None:
            return pending[1]
        stored = self._store.get(Family.META, _stored_key(self._table_prefix, collection))
        return 0 if stored is None else int.from_bytes(stored, "big", signed=True)

    def pending_index(self, collection: bytes) -> int | None:
        """Where in the log the size was proposed, when it was not shown yet."""
        pending = self._proposed.get(collection)
        return None if pending is None else pending[0]

    def propose(self, index: int, change: LocalChange) -> None:
        self._proposed[change.collection] = (index, change.collection_bytes)

    def show(self, index: int) -> None:
        """What was proposed up to `index` is in the store."""
        if self._proposed:
            for collection in [name for name, (at, _) in self._proposed.items() if at <= index]:
                del self._proposed[collection]

    def clear(self) -> None:
        """What was proposed is the next leader's to know."""
        self._proposed.clear()
