"""What a partition's raft log carries: physical mutations, already evaluated by the leader, so that every
replica does the same bytes whatever its version of the expression language."""

from __future__ import annotations

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder


class EntryOperation(Struct, frozen=True, array_like=True):
    """A local index's entry, put under `key`, or removed when `record` is None. The deltas keep the index's count
    of entries and their size."""

    index: int
    key: bytes
    record: bytes | None
    entries_delta: int
    bytes_delta: int


class LocalChange(Struct, frozen=True, array_like=True):
    """What a change of one item does to its table's local indexes, and to the item's collection: `collection` is
    what the keys of its items begin with, `collection_bytes` its size afterwards."""

    entries: list[EntryOperation]
    collection: bytes
    collection_bytes: int


class Mutation(Struct, frozen=True, array_like=True):
    """`record` None removes the key for good (a local table's delete); a tombstone is a record. The deltas
    keep the partition's live item count and size. `log` says whether readers of the change log exist. `forget`:
    the record, a tombstone, goes to the change log only, and the key is removed for good. `local`: of
    tables with local indexes."""

    key: bytes
    record: bytes | None
    items_delta: int
    bytes_delta: int
    log: bool = False
    previous: bytes | None = None
    service: bool = False
    forget: bool = False
    local: LocalChange | None = None


class Mutate(Struct, frozen=True, array_like=True, tag=1):
    """Applied whole, in one batch."""

    mutations: list[Mutation]


class AdvanceCursor(Struct, frozen=True, array_like=True, tag=2):
    """`region` holds every change up to and including raft index `index`."""

    region: str
    index: int


class PurgeTombstones(Struct, frozen=True, array_like=True, tag=3):
    """Entries of the tombstone index to drop: (key, stamp, erase). `erase`: the leader saw that the item is
    still that tombstone, so the item's key goes too."""

    tombstones: list[tuple[bytes, int, bool]]


class OpenIndex(Struct, frozen=True, array_like=True, tag=4):
    """From here on the partition's changes are kept, with what they replaced, until this global index has them.
    `since`: version of the directory in which the leader saw the index."""

    index_id: int
    since: int


class AdvanceIndex(Struct, frozen=True, array_like=True, tag=5):
    """The index holds every change up to and including raft index `index`, and what items with keys up to `position`
    were when it was opened, or later; None: what all of them were."""

    index_id: int
    index: int
    position: bytes | None


class CloseIndex(Struct, frozen=True, array_like=True, tag=6):
    """The index is no more."""

    index_id: int


PartitionCommand = Mutate | AdvanceCursor | PurgeTombstones | OpenIndex | AdvanceIndex | CloseIndex

_encoder = Encoder()
_decoder: Decoder[PartitionCommand] = Decoder(PartitionCommand)


def encode(command: PartitionCommand) -> bytes:
    return _encoder.encode(command)


def decode(data: bytes) -> PartitionCommand:
    return _decoder.decode(data)
