"""One replica's log: the newest entries in memory, the older ones in storage, and how far each of writing,
syncing, committing and applying has come.

Indexes only ever refer to the log as it is now: replacing a suffix pulls back every mark beyond it, also the
marks of writes that are still on their way to the disk, so that a sync that ends late claims nothing for
entries that took another's place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from kvorum.replication.raft.messages import Entry
from kvorum.replication.raft.storage import LogStorage

# What an entry weighs beside its data, in every byte limit: about what it costs in a frame and in memory.
ENTRY_OVERHEAD_BYTES = 64


class LogLostError(Exception):
    """The log on this disk ends before what the state machine has applied: the disk lost acknowledged data,
    and the replica must be seeded again before it may vote."""


class Log:
    """`first_index - 1 <= applied_index <= applying_index <= commit_index <= last_index`, and
    `stable_index <= last_index`: entries up to there are durable here."""

    __slots__ = (
        "_base_bytes",
        "_cache_bytes_max",
        "_end_bytes",
        "_floor_term",
        "_storage",
        "_syncing",
        "_taken_index",
        "_window",
        "_window_before_term",
        "_window_first",
        "applied_index",
        "applying_index",
        "commit_index",
        "first_index",
        "last_index",
        "last_term",
        "stable_index",
    )

    def __init__(self, storage: LogStorage, applied: int, cache_bytes_max: int) -> None:
        self._storage = storage
        self._cache_bytes_max = cache_bytes_max
        self.first_index = storage.first_index()
        self.last_index = storage.last_index()
        last_term = storage.term(self.last_index)
        if last_term is None or not self.first_index - 1 <= applied <= self.last_index:
            raise LogLostError(
                f"applied {applied}, but the log holds {self.first_index}..{self.last_index} (term {last_term})"
            )
        self.last_term = last_term
        self._floor_term = storage.term(self.first_index - 1)
        self.commit_index = self.applying_index = self.applied_index = applied
        self.stable_index = self._taken_index = self.last_index
        # The window: entries [_window_first, last_index] with, beside each, the bytes up to its end, so that
        # the weight of a range is a subtraction and the cut of a batch a binary search.
        self._window: list[Entry] = []
        self._end_bytes: list[int] = []
        self._base_bytes = 0
        self._window_first = self.last_index + 1
        self._window_before_term: int | None = last_term
        self._syncing: deque[tuple[int, int]] = deque()  # (number of the Ready, last index it covers)

    def term(self, index: int) -> int | None:
        """None beyond either end."""
        offset = index - self._window_first
        if offset >= 0:
            return self._window[offset].term if index <= self.last_index else None
        if offset == -1 and self._window_before_term is not None:
            return self._window_before_term
        if index < self.first_index:
            return self._floor_term if index == self.first_index - 1 else None
        return self._storage.term(index)

    def is_up_to_date(self, last_index: int, last_term: int) -> bool:
        """Whether a log that ends so holds all that this one may have helped to commit (Raft §5.4.1)."""
        return last_term > self.last_term or (last_term == self.last_term and last_index >= self.last_index)

    def last_index_within(self, index: int, term: int, floor: int) -> int:
        """The last index, at most `index`, whose entry is of `term` or an older one: where a log that has
        `term` at `index` could still agree with this one. Not below `floor`, up to which they do agree."""
        index = min(index, self.last_index)
        while index > floor and (self.term(index) or 0) > term:
            index -= 1
        return index

    # Growing and replacing

    def append(self, entry: Entry) -> None:
        end = (self._end_bytes or (self._base_bytes,))[-1]
        self._window.append(entry)
        self._end_bytes.append(end + len(entry.data) + ENTRY_OVERHEAD_BYTES)
        self.last_index = entry.index
        self.last_term = entry.term

    def extend(self, entries: list[Entry]) -> None:
        """`entries` follow each other; the first comes right after some entry that is here. What conflicts
        with them goes; what agrees with them stays, and so does what comes after it."""
        fresh = 0
        if entries and entries[0].index <= self.last_index:
            while fresh < len(entries) and self.term(entries[fresh].index) == entries[fresh].term:
                fresh += 1
            if fresh < len(entries) and entries[fresh].index <= self.last_index:
                self._truncate_from(entries[fresh].index)
        if fresh == len(entries):
            return
        if fresh:
            entries = entries[fresh:]
        end = (self._end_bytes or (self._base_bytes,))[-1]
        for entry in entries:
            end += len(entry.data) + ENTRY_OVERHEAD_BYTES
            self._end_bytes.append(end)
        self._window += entries
        self.last_index = entries[-1].index
        self.last_term = entries[-1].term

    def _truncate_from(self, index: int) -> None:
        assert index > self.commit_index
        before_term = self.term(index - 1)
        kept = index - self._window_first
        if kept > 0:
            del self._window[kept:]
            del self._end_bytes[kept:]
        else:
            self._window.clear()
            self._end_bytes.clear()
            self._window_first = index
            self._window_before_term = before_term
        self.last_index = index - 1
        self.last_term = before_term or 0
        self.stable_index = min(self.stable_index, index - 1)
        self._taken_index = min(self._taken_index, index - 1)
        self._syncing = deque((number, min(last, index - 1)) for number, last in self._syncing)

    # Writing and syncing

    @property
    def has_unwritten(self) -> bool:
        return self._taken_index < self.last_index

    @property
    def is_syncing(self) -> bool:
        return bool(self._syncing)

    def take_unwritten(self) -> list[Entry]:
        entries = self._window[self._taken_index + 1 - self._window_first :]
        self._taken_index = self.last_index
        return entries

    def sync_began(self, number: int) -> None:
        self._syncing.append((number, self._taken_index))

    def sync_ended(self, number: int) -> None:
        """Everything taken in Readies up to `number` is durable."""
        syncing = self._syncing
        while syncing and syncing[0][0] <= number:
            last = syncing.popleft()[1]
            self.stable_index = max(self.stable_index, last)
        self._evict()

    # Reading

    def cut(self, lower: int, upper: int, bytes_max: int) -> tuple[list[Entry], int]:
        """Entries lower <= index < upper, at least one, as many as fit into `bytes_max`; and their weight.
        From storage it may be fewer: what memory has follows in the next cut."""
        start = lower - self._window_first
        if start < 0:
            entries = self._storage.entries(lower, min(upper, self._window_first), bytes_max)
            return entries, sum(len(entry.data) for entry in entries) + ENTRY_OVERHEAD_BYTES * len(entries)
        end_bytes = self._end_bytes
        stop = upper - self._window_first
        before = end_bytes[start - 1] if start else self._base_bytes
        if end_bytes[stop - 1] - before > bytes_max:
            stop = max(start + 1, bisect_right(end_bytes, before + bytes_max, start, stop))
        return self._window[start:stop], end_bytes[stop - 1] - before

    def take_committed(self, bytes_max: int) -> tuple[list[Entry], int]:
        """The next entries to apply, and their weight."""
        entries, weight = self.cut(self.applying_index + 1, self.commit_index + 1, bytes_max)
        self.applying_index += len(entries)
        return entries, weight

    # Letting go

    def compacted_to(self, index: int) -> None:
        """Storage dropped entries up to and including `index`, all of them applied."""
        if index < self.first_index:
            return
        assert index <= self.applying_index
        self._floor_term = self.term(index)
        self.first_index = index + 1
        self._drop(index + 1 - self._window_first)

    def _evict(self) -> None:
        """Down to half the cap once it is passed, so that the cost of moving the rest is spread. What is not
        durable or not handed out to be applied stays, for storage may not have it."""
        end_bytes = self._end_bytes
        if not end_bytes or end_bytes[-1] - self._base_bytes <= self._cache_bytes_max:
            return
        surplus = bisect_right(end_bytes, end_bytes[-1] - self._cache_bytes_max // 2)
        self._drop(min(surplus, min(self.stable_index, self.applying_index) + 1 - self._window_first))

    def _drop(self, count: int) -> None:
        if count <= 0:
            return
        self._window_before_term = self._window[count - 1].term
        self._base_bytes = self._end_bytes[count - 1]
        self._window_first += count
        del self._window[:count]
        del self._end_bytes[:count]
