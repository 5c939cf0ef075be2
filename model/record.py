"""How one item lies in the `data` family: a small fixed header, then its DynamoDB JSON as the caller gets it.

    byte 0        flags (bit 0: tombstone)
    bytes 1..8    stamp, big endian: HLC reading, 48 bits of milliseconds and 16 bits of counter
    bytes 9..12   item size in bytes as AWS counts it, big endian
    byte 13       n, the length of the region's name
    14..14+n      name of the region whose write this is
    14+n..        the item as compact DynamoDB JSON; empty for a tombstone

A GetItem answer is the slice behind the header: nothing is re-encoded. (stamp, region) is the total order
of last-writer-wins; `order_of` gives it as bytes that compare the same way.
"""

from __future__ import annotations

from struct import Struct as _Layout

_HEADER = _Layout(">BQIB")
_HEADER_LENGTH = _HEADER.size  # 14
TOMBSTONE = 1


def encode(json: bytes, size: int, stamp: int, region: bytes) -> bytes:
    """The record of a live item. `region`: its name in ASCII, at most 255 bytes."""
    return _HEADER.pack(0, stamp, size, len(region)) + region + json


def encode_tombstone(stamp: int, region: bytes) -> bytes:
    """The record of a deletion, which must win against older writes that arrive late."""
    return _HEADER.pack(TOMBSTONE, stamp, 0, len(region)) + region


def is_tombstone(record: bytes) -> bool:
    return bool(record[0] & TOMBSTONE)


def json_of(record: bytes) -> bytes:
    """The item's DynamoDB JSON. Only for live records."""
    return record[_HEADER_LENGTH + record[13] :]


def size_of(record: bytes) -> int:
    """Item size in bytes as AWS counts it; 0 for a tombstone."""
    return int.from_bytes(record[9:13], "big")


def stamp_of(record: bytes) -> int:
    return int.from_bytes(record[1:9], "big")


def region_of(record: bytes) -> bytes:
    return record[_HEADER_LENGTH : _HEADER_LENGTH + record[13]]


def order_of(record: bytes) -> bytes:
    """`stamp` and region as bytes: a < b as bytes exactly when a's write is older than b's."""
    return record[1:9] + record[_HEADER_LENGTH : _HEADER_LENGTH + record[13]]
