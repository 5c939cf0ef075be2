"""One entry of a partition's change log: what every asynchronous reader (regions, and later streams,
global indexes, point-in-time restore) reads, and all that it reads."""

from __future__ import annotations

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder


class Change(Struct, frozen=True, array_like=True):
    """One committed mutation of one item.

    `key`: as model/keys encodes it, token first. `record`: the new record of model/record (a tombstone for
    a deletion); its stamp and region say when and where the write was made. `previous`: the record that it
    replaced, when a reader of the partition needs old images. `service`: made by Kvorum itself (TTL).
    """

    key: bytes
    record: bytes
    previous: bytes | None = None
    service: bool = False


_encoder = Encoder()
_decoder = Decoder(Change)


def encode(change: Change) -> bytes:
    return _encoder.encode(change)


def decode(data: bytes) -> Change:
    return _decoder.decode(data)


def position(partition: int, index: int, offset: int) -> bytes:
    """The change's key in the `changes` family: by partition, raft index, and place within that entry."""
    return partition.to_bytes(8, "big") + index.to_bytes(8, "big") + offset.to_bytes(2, "big")


def index_of(position: bytes) -> int:
    return int.from_bytes(position[8:16], "big")


def offset_of(position: bytes) -> int:
    return int.from_bytes(position[16:], "big")
