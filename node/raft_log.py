"""One group's raft log and hard state in the node's store.

    LOG   group (8 bytes) | index (8 bytes)  ->  term (8 bytes) | kind (1 byte) | data
    META  "raft/hard/" group  ->  HardState      "raft/base/" group  ->  index and term of the entry before
                                                                        the first one kept
                                                   "raft/suspect/" group  ->  nothing, while the replica must
                                                                        not vote

Writes go into the batch of the engine's pass; reads serve restarts and followers that lag.
"""

from __future__ import annotations

from struct import Struct as Layout

from msgspec.msgpack import Decoder, Encoder

from kvorum.node.store import Batch, Family, Store
from kvorum.replication.raft.core import HardState
from kvorum.replication.raft.messages import Entry, EntryKind

_ENTRY_HEADER = Layout(">QB")
_PAIR = Layout(">QQ")
_KINDS = tuple(EntryKind)
_encoder = Encoder()
_hard_state_decoder = Decoder(HardState)


class RaftLog:
    """Implements raft.core.LogStorage for one group."""

    def __init__(self, store: Store, group: int) -> None:
        self._store = store
        self._group = group.to_bytes(8, "big")
        base = store.get(Family.META, b"raft/base/" + self._group)
        self._base_index: int
        self._base_term: int
        self._base_index, self._base_term = _PAIR.unpack(base) if base else (0, 0)
        self._last_index: int = self._find_last_index()

    @classmethod
    def exists(cls, store: Store, group: int) -> bool:
        """Whether this store has ever held a replica of the group."""
        return store.get(Family.META, b"raft/hard/" + group.to_bytes(8, "big")) is not None

    @classmethod
    def may_vote(cls, store: Store, group: int) -> bool:
        """Whether this store holds a replica of the group that has not lost what it had acknowledged."""
        return (
            cls.exists(store, group)
            and store.get(Family.META, b"raft/suspect/" + group.to_bytes(8, "big")) is None
        )

    def load_hard_state(self) -> HardState:
        data = self._store.get(Family.META, b"raft/hard/" + self._group)
        return _hard_state_decoder.decode(data) if data else HardState(term=0, vote=None)

    # ---- LogStorage ----

    def first_index(self) -> int:
        return self._base_index + 1

    def last_index(self) -> int:
        return self._last_index

    def term(self, index: int) -> int | None:
        if index == self._base_index:
            return self._base_term
        if not self._base_index < index <= self._last_index:
            return None
        data = self._store.get(Family.LOG, self._key(index))
        return None if data is None else int.from_bytes(data[:8], "big")

    def entries(self, lower: int, upper: int, bytes_max: int) -> list[Entry]:
        """lower <= index < upper; at least one when there is one, until `bytes_max` of data is reached."""
        entries: list[Entry] = []
        size = 0
        for key, value in self._store.scan(Family.LOG, self._key(lower), self._key(upper)):
            size += len(value)
            if entries and size > bytes_max:
                break
            term, kind = _ENTRY_HEADER.unpack_from(value)
            index = int.from_bytes(key[8:], "big")
            entries.append(Entry(index, term, _KINDS[kind], value[_ENTRY_HEADER.size :]))
        return entries

    # ---- writes, into the pass's batch ----

    def append(self, entries: list[Entry], batch: Batch) -> None:
        """The first entry may overwrite: what lay behind the last new one is then no longer the log."""
        group = self._group
        for entry in entries:
            batch.put(
                Family.LOG,
                group + entry.index.to_bytes(8, "big"),
                _ENTRY_HEADER.pack(entry.term, entry.kind) + entry.data,
            )
        last = entries[-1].index
        for index in range(last + 1, self._last_index + 1):
            batch.delete(Family.LOG, self._key(index))
        self._last_index = last

    def save_hard_state(self, hard_state: HardState, batch: Batch) -> None:
        batch.put(Family.META, b"raft/hard/" + self._group, _encoder.encode(hard_state))

    def save_suspicion(self, suspect: bool, batch: Batch) -> None:
        """Outlives a restart; belongs into the batch of the first hard state."""
        if suspect:
            batch.put(Family.META, b"raft/suspect/" + self._group, b"")
        else:
            batch.delete(Family.META, b"raft/suspect/" + self._group)

    def truncate(self, index: int, batch: Batch) -> None:
        """Drop everything up to and including `index`, which must be in the log."""
        term = self.term(index)
        if term is None or index <= self._base_index:
            return
        batch.delete_range(Family.LOG, self._key(self._base_index + 1), self._key(index + 1))
        self._base_index, self._base_term = index, term
        batch.put(Family.META, b"raft/base/" + self._group, _PAIR.pack(index, term))

    def skip_to(self, index: int, term: int, batch: Batch) -> None:
        """The log is empty behind this entry, which was applied in the same batch: for a replica without peers
        nobody will ever ask for it."""
        self._base_index, self._base_term, self._last_index = index, term, index
        batch.put(Family.META, b"raft/base/" + self._group, _PAIR.pack(index, term))

    def erase(self, batch: Batch) -> None:
        """The group is gone from this node for good."""
        batch.delete_range(Family.LOG, self._group, self._group + b"\xff" * 9)
        batch.delete(Family.META, b"raft/base/" + self._group)
        batch.delete(Family.META, b"raft/hard/" + self._group)
        batch.delete(Family.META, b"raft/suspect/" + self._group)

    def _key(self, index: int) -> bytes:
        return self._group + index.to_bytes(8, "big")

    def _find_last_index(self) -> int:
        # From behind, and never from the group's start: a truncated prefix may still lie there as tombstones.
        lower, upper = self._key(self._base_index + 1), self._group + b"\xff" * 9
        for key, _ in self._store.scan(Family.LOG, lower, upper, reverse=True):
            return int.from_bytes(key[8:], "big")
        return self._base_index
