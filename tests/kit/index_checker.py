"""What a global index must hold: the entry of every live item that has one, and no other.

An entry may be older than its item, by the changes that left it as it was; it is never newer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kvorum.model import record as records
from kvorum.model.indexes import View
from kvorum.model.requests import Item
from kvorum.model.table import Index, KeySchema
from kvorum.model.values import loads


class Shown(NamedTuple):
    """What a record shows to who reads it, and when it was written."""

    attributes: Item
    size: int
    written: tuple[int, bytes]


def differences(
    schema: KeySchema, index: Index, items: Mapping[bytes, bytes], entries: Mapping[bytes, bytes]
) -> Iterator[str]:
    """In words; none when the index is what it should be. `items` and `entries`: records by key, tombstones and all,
    of the whole table and of the whole index."""
    expected = expected_entries(schema, index, items)
    live = {key: _shown(record) for key, record in entries.items() if not records.is_tombstone(record)}
    for key in sorted(expected.keys() | live.keys()):
        wanted, held = expected.get(key), live.get(key)
        if held is None:
            there = f" but {entries[key]!r}" if key in entries else ""
            yield f"index {index.name} lacks {wanted!r}{there}"
        elif wanted is None:
            yield f"index {index.name} still holds {held!r}"
        elif wanted[:2] != held[:2] or held.written > wanted.written:
            yield f"index {index.name} holds {held!r}, not {wanted!r}"


def expected_entries(schema: KeySchema, index: Index, items: Mapping[bytes, bytes]) -> dict[bytes, Shown]:
    view = View(schema, index)
    expected: dict[bytes, Shown] = {}
    for key, record in items.items():
        if records.is_tombstone(record):
            continue
        item = _shown(record)
        entry = view.entry(item.attributes, key, item.size)
        if entry is not None:
            assert entry.key not in expected, "two items have one entry"
            expected[entry.key] = Shown(entry.attributes, entry.size, item.written)
    return expected


def _shown(record: bytes) -> Shown:
    written = (records.stamp_of(record), records.region_of(record))
    return Shown(loads(records.json_of(record)), records.size_of(record), written)
