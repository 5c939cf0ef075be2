"""What a global index must hold: the entry of every live item that has one, at the item's own stamp, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kvorum.model import record as records
from kvorum.model.indexes import View, encode_entry
from kvorum.model.table import Index, KeySchema
from kvorum.model.values import loads


def differences(
    schema: KeySchema, index: Index, items: Mapping[bytes, bytes], entries: Mapping[bytes, bytes]
) -> Iterator[str]:
    """In words; none when the index is what it should be. `items` and `entries`: records by key, tombstones and all,
    of the whole table and of the whole index."""
    expected = expected_entries(schema, index, items)
    live = {key: record for key, record in entries.items() if not records.is_tombstone(record)}
    for key in sorted(expected.keys() | live.keys()):
        wanted, held = expected.get(key), live.get(key)
        if held is None:
            there = f" but {entries[key]!r}" if key in entries else ""
            yield f"index {index.name} lacks {wanted!r}{there}"
        elif wanted is None:
            yield f"index {index.name} still holds {held!r}"
        elif wanted != held:
            yield f"index {index.name} holds {held!r}, not {wanted!r}"


def expected_entries(schema: KeySchema, index: Index, items: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    shown = View(schema, index)
    expected: dict[bytes, bytes] = {}
    for key, record in items.items():
        if records.is_tombstone(record):
            continue
        entry = shown.entry(loads(records.json_of(record)), key, records.size_of(record))
        if entry is not None:
            made = encode_entry(entry, records.stamp_of(record), records.region_of(record))
            assert entry.key not in expected, "two items have one entry"
            expected[entry.key] = made
    return expected
