"""One page of a partition's items, or of a local index's entries: what lies in the store between two keys."""

from __future__ import annotations

from kvorum.control.messages import PageAnswer, ReadRange
from kvorum.model import record as records
from kvorum.model.index_keys import item_key_of
from kvorum.model.table import Index
from kvorum.node.partition_machine import index_prefix
from kvorum.node.store import Family, Store

SCANNED_KEYS_MAX = 20_000
"""A page ends after so many keys, tombstones included: nothing may hold the loop for long."""

FETCHED_ITEMS_MAX = 4_000
"""So many items a page fetches by their local index's entries, for the same reason: each is a read of its own."""


def read_page(message: ReadRange, store: Store, prefix_of_items: bytes, index: Index | None) -> PageAnswer:
    """`index`: the local one whose entries are read; None: the items."""
    prefix = prefix_of_items if index is None else index_prefix(index.id)
    page: list[bytes] = []
    room = message.bytes_max
    items_max = message.items_max or SCANNED_KEYS_MAX
    fetched: list[bytes] | None = None
    if index is not None and message.fetch:
        fetched = []
        items_max = min(items_max, FETCHED_ITEMS_MAX)
    pairs = store.scan(Family.DATA, prefix + message.lower, prefix + message.upper, reverse=message.reverse)
    for scanned, (key, record) in enumerate(pairs, 1):
        if not record[0] & records.TOMBSTONE:
            page.append(record)
            room -= records.size_of(record)
            if index is not None and fetched is not None:
                fetched.append(_fetched(index, key[len(prefix) :], store, prefix_of_items))
                room -= records.size_of(fetched[-1])
            if room < 0 or len(page) == items_max:
                return PageAnswer(page, key[len(prefix) :], fetched)
        if scanned == SCANNED_KEYS_MAX:
            return PageAnswer(page, key[len(prefix) :], fetched)
    return PageAnswer(page, None, fetched)


def _fetched(index: Index, entry_key: bytes, store: Store, prefix_of_items: bytes) -> bytes:
    record = store.get(Family.DATA, prefix_of_items + item_key_of(index.keys, entry_key))
    assert record is not None, "an entry without its item"
    return record
