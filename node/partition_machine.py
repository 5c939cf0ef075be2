"""The replicated part of a partition: physical mutations into the store, in log order. Knows no requests, and no other
replica: every one of them makes the same of the same log."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct as Layout

from kvorum.model import change as change_log
from kvorum.model import record as records
from kvorum.node.commands import (
    AdvanceCursor,
    AdvanceIndex,
    CloseIndex,
    LocalChange,
    Mutate,
    Mutation,
    OpenIndex,
    PartitionCommand,
    PurgeTombstones,
    decode,
)
from kvorum.node.index_cursors import IndexCursors
from kvorum.node.item_collections import erase_sizes, store_size
from kvorum.node.store import Batch, Family, Store
from kvorum.node.tombstones import erase_tombstones, tombstone_key
from kvorum.replication.clock import HybridClock
from kvorum.replication.raft.messages import Entry

# Counts are signed: were one ever wrong, the group must not stop for it.
_CHECKPOINT = Layout(">Qqq")  # applied index, live items, their bytes
_INDEX_CHECKPOINT = Layout(">Iqq")  # behind it for each local index: its id, entries, their bytes


class PartitionMachine:
    """The replicated part: physical mutations into the store, in log order. Knows no requests."""

    def __init__(self, partition: int, table_id: int, store: Store, clock: HybridClock) -> None:
        self.partition = partition
        self.prefix = table_id.to_bytes(4, "big")
        self.cursors: dict[str, int] = {}
        self.indexes: dict[int, tuple[int, int]] = {}
        """Entries and their bytes, of the local indexes that ever had any."""
        self.on_shown: Callable[[], None] = lambda: None
        self.on_leadership: Callable[[], None] = lambda: None
        self._store = store
        self._clock = clock
        self._checkpoint_key = b"partition/" + partition.to_bytes(8, "big")
        saved = store.get(Family.META, self._checkpoint_key)
        self.applied, self.items, self.bytes = _CHECKPOINT.unpack_from(saved) if saved else (0, 0, 0)
        if saved:
            for index, entries, size in _INDEX_CHECKPOINT.iter_unpack(saved[_CHECKPOINT.size :]):
                self.indexes[index] = entries, size
        self.shown: int = self.applied
        self._cursor_prefix = b"cursor/" + partition.to_bytes(8, "big") + b"/"
        for key, value in store.scan(Family.META, self._cursor_prefix, self._cursor_prefix + b"\xff"):
            self.cursors[key[len(self._cursor_prefix) :].decode()] = int.from_bytes(value, "big")
        self.index_cursors = IndexCursors(partition, store)
        self._trimmed = 0
        self.logged = self._newest_change()
        self._forgotten_key = b"forgotten/" + partition.to_bytes(8, "big")
        self._forgotten = int.from_bytes(store.get(Family.META, self._forgotten_key) or b"", "big")
        clock.witness(self._forgotten)

    def apply(self, entry: Entry, command: PartitionCommand | None, batch: Batch) -> int:
        """Returns the entry's index."""
        if command is None:
            command = decode(entry.data)
        match command:
            case Mutate():
                for offset, mutation in enumerate(command.mutations):
                    self._mutate(mutation, entry.index, offset, batch)
            case AdvanceCursor():
                self._advance(command, batch)
            case PurgeTombstones():
                for key, stamp, erase in command.tombstones:
                    batch.delete(Family.META, tombstone_key(self.partition, stamp, key))
                    if erase:
                        batch.delete(Family.DATA, self.prefix + key)
            case OpenIndex():
                self.index_cursors.open(command, entry.index, batch)
            case AdvanceIndex():
                self.index_cursors.advance(command, batch)
            case CloseIndex():
                self.index_cursors.close(command, batch)
        self.applied = entry.index
        return entry.index

    def checkpoint(self, index: int, batch: Batch) -> None:
        self.applied = index
        saved = _CHECKPOINT.pack(index, self.items, self.bytes)
        for local, (entries, size) in self.indexes.items():
            saved += _INDEX_CHECKPOINT.pack(local, entries, size)
        batch.put(Family.META, self._checkpoint_key, saved)

    def show(self, index: int) -> None:
        self.shown = index
        self.on_shown()

    def leadership_changed(self) -> None:
        self.on_leadership()

    def erase(self, token_bounds: tuple[bytes, bytes], batch: Batch) -> None:
        """The partition leaves this node for good."""
        lower, upper = token_bounds
        number = self.partition.to_bytes(8, "big")
        for prefix in (self.prefix, *map(index_prefix, self.indexes)):
            batch.delete_range(Family.DATA, prefix + lower, prefix + upper)
        erase_sizes(self.prefix, token_bounds, batch)
        batch.delete_range(Family.CHANGES, number, number + b"\xff" * 16)
        erase_tombstones(self.partition, batch)
        for region in self.cursors:
            batch.delete(Family.META, self._cursor_prefix + region.encode())
        self.index_cursors.erase(batch)
        batch.delete(Family.META, self._forgotten_key)
        batch.delete(Family.META, self._checkpoint_key)

    def _mutate(self, mutation: Mutation, index: int, offset: int, batch: Batch) -> None:
        record = mutation.record
        if record is None:
            batch.delete(Family.DATA, self.prefix + mutation.key)
        else:
            stamp = int.from_bytes(record[1:9], "big")
            self._clock.witness(stamp)
            if mutation.forget:
                self._forget(mutation.key, stamp, batch)
            else:
                batch.put(Family.DATA, self.prefix + mutation.key, record)
                if record[0] & records.TOMBSTONE:
                    place = tombstone_key(self.partition, stamp, mutation.key)
                    batch.put(Family.META, place, index.to_bytes(8, "big"))
            if mutation.log:
                entry = change_log.Change(mutation.key, record, mutation.previous, mutation.service)
                position = change_log.position(self.partition, index, offset)
                batch.put(Family.CHANGES, position, change_log.encode(entry))
                self.logged = index
        self.items += mutation.items_delta
        self.bytes += mutation.bytes_delta
        if mutation.local is not None:
            self._change_local(mutation.local, batch)

    def _forget(self, key: bytes, stamp: int, batch: Batch) -> None:
        """The item goes without a trace but this: whoever makes it anew must give it a newer stamp, or its entry would
        lose to the tombstone that the indexes got. A clock forgets what it followed when its node restarts."""
        batch.delete(Family.DATA, self.prefix + key)
        if stamp > self._forgotten:
            self._forgotten = stamp
            batch.put(Family.META, self._forgotten_key, stamp.to_bytes(8, "big"))

    def _change_local(self, change: LocalChange, batch: Batch) -> None:
        for entry in change.entries:
            key = index_prefix(entry.index) + entry.key
            if entry.record is None:
                batch.delete(Family.DATA, key)
            else:
                batch.put(Family.DATA, key, entry.record)
            entries, size = self.indexes.get(entry.index, (0, 0))
            self.indexes[entry.index] = entries + entry.entries_delta, size + entry.bytes_delta
        store_size(self.prefix, change, batch)

    def _advance(self, command: AdvanceCursor, batch: Batch) -> None:
        if command.index <= self.cursors.get(command.region, 0):
            return
        self.cursors[command.region] = command.index
        batch.put(
            Family.META, self._cursor_prefix + command.region.encode(), command.index.to_bytes(8, "big")
        )

    def trim(self, regions: list[str], batch: Batch) -> None:
        """Drop the changes that every reader has passed; all, when nobody reads them. Local to this replica: the
        cursors are replicated."""
        if self.logged <= self._trimmed:
            return
        readers = [self.cursors.get(region, 0) for region in regions]
        readers += [cursor.index for cursor in self.index_cursors.by_id.values()]
        index = min(readers, default=self.logged)
        if index > self._trimmed:
            lower = change_log.position(self.partition, self._trimmed, 0)
            batch.delete_range(Family.CHANGES, lower, change_log.position(self.partition, index + 1, 0))
            self._trimmed = index

    def _newest_change(self) -> int:
        lower = change_log.position(self.partition, 0, 0)
        upper = change_log.position(self.partition + 1, 0, 0)
        newest = next(iter(self._store.scan(Family.CHANGES, lower, upper, reverse=True)), None)
        return 0 if newest is None else change_log.index_of(newest[0])


def index_prefix(index: int) -> bytes:
    return index.to_bytes(4, "big")
