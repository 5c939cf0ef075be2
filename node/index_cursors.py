"""How far the global indexes of a partition's table have followed it: the replicated part of node/index_feed.

A cursor exists from the log entry that opens it to the one that closes it, whatever the leaders' directories say in
between. So a leader whose directory is old knows that changes must be kept, and keeps them.
"""

from __future__ import annotations

import sys

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import replace

from kvorum.node.commands import AdvanceIndex, CloseIndex, OpenIndex
from kvorum.node.store import Batch, Family, Store


class IndexCursor(Struct, frozen=True, array_like=True):
    """`index`: raft index up to which every change has been entered. `since`: version of the directory in which the
    index was seen. `position`: every item with a key up to this one has been entered as it was when the cursor was
    opened, or later; None: every item."""

    index: int
    since: int
    position: bytes | None


_encoder = Encoder()
_decoder = Decoder(IndexCursor)


class IndexCursors:
    """By the index's id. Commands may come late and twice: what they say of an index's progress stays true. `turns`
    counts what a reader of the log must hear of: a cursor opened, completed or closed. `slowest`: raft index up to
    which every index has entered every change, of those in which every item has been entered; beyond all when there
    is none. `slowest_id`: an index that has entered no more than that."""

    def __init__(self, partition: int, store: Store) -> None:
        self._prefix = b"index/" + partition.to_bytes(8, "big") + b"/"
        self.turns = 0
        self.by_id: dict[int, IndexCursor] = {}
        for key, value in store.scan(Family.META, self._prefix, self._prefix + b"\xff" * 5):
            self.by_id[int.from_bytes(key[len(self._prefix) :], "big")] = _decoder.decode(value)
        self.slowest, self.slowest_id = self._find_slowest()

    def open(self, command: OpenIndex, index: int, batch: Batch) -> None:
        """`index`: the command's own. What was written before it, the items themselves will tell."""
        if command.index_id not in self.by_id:
            self._put(command.index_id, IndexCursor(index, command.since, b""), batch)
            self.turns += 1

    def advance(self, command: AdvanceIndex, batch: Batch) -> None:
        cursor = self.by_id.get(command.index_id)
        if cursor is None:
            return
        position = cursor.position
        if position is not None:
            position = None if command.position is None else max(position, command.position)
        moved = replace(cursor, index=max(cursor.index, command.index), position=position)
        if moved != cursor:
            self._put(command.index_id, moved, batch)
            self.turns += moved.position is None and cursor.position is not None

    def close(self, command: CloseIndex, batch: Batch) -> None:
        if self.by_id.pop(command.index_id, None) is not None:
            batch.delete(Family.META, self._key(command.index_id))
            self.slowest, self.slowest_id = self._find_slowest()
            self.turns += 1

    def erase(self, batch: Batch) -> None:
        for index_id in self.by_id:
            batch.delete(Family.META, self._key(index_id))

    def _put(self, index_id: int, cursor: IndexCursor, batch: Batch) -> None:
        self.by_id[index_id] = cursor
        self.slowest, self.slowest_id = self._find_slowest()
        batch.put(Family.META, self._key(index_id), _encoder.encode(cursor))

    def _find_slowest(self) -> tuple[int, int]:
        complete = (
            (cursor.index, number) for number, cursor in self.by_id.items() if cursor.position is None
        )
        return min(complete, default=(sys.maxsize, 0))

    def _key(self, index_id: int) -> bytes:
        return self._prefix + index_id.to_bytes(4, "big")
