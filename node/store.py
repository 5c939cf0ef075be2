"""The storage port: ordered bytes in four families, atomic batches, and durability as a separate step.

`write` is atomic and ordered but not durable; `sync` makes everything written before it durable. After a
crash the store holds a prefix of the writes, at least up to the last completed `sync`. That prefix property
is what lets a replica apply entries that are not synced yet.

**When the disk is full.** `disk_guard` keeps a node from getting there; another process can still take the last
byte. Then `write` or `sync` raises StoreFullError, and from that moment until `reopen` every `write` and `sync`
raises it again, while reads go on. What the node owes the store:

1. take no part in any group (no proposal, no append, no vote): what it holds in memory may be ahead of its disk;
2. answer reads, or a retryable error, and look at `free_bytes` a few times a second;
3. once there is room again: drop every replica and whatever else is volatile, `reopen`, start the replicas from
   what the store holds. All that a `sync` confirmed is there; of the rest, a prefix.

**When the disk went back.** A replica must still compare what its group knows it acknowledged with what its log
holds: a store can find out that it lost confirmed writes (StoreBrokenError at opening) only when part of it is
left. A leader that sees a follower reject an append at or below that follower's match index, and a voter that
finds no hard state in a group that knows it, are looking at a lost disk: demote and re-seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Protocol


class Family(IntEnum):
    LOG = 0  # raft entries and hard states
    DATA = 1  # items
    CHANGES = 2  # change logs
    META = 3  # applied positions, counters, control records


class StoreError(Exception):
    """Base of what a store raises. `definite`: the write did not happen and will not appear later."""

    definite = False


class StoreLockedError(StoreError):
    """Another process has this data directory open."""

    definite = True


class StoreDirectoryError(StoreError):
    """The data directory cannot be used as it is; the message says what to change."""

    definite = True


class StoreClosedError(StoreError):
    """Used after `close`, or a scan that was under way when the store was closed or reopened."""

    definite = True


class StoreFullError(StoreError):
    """No space left. Reads go on; writes and syncs are refused until `reopen`."""


class StoreBrokenError(StoreError):
    """The engine failed or found corruption: stop this node, keep its data."""


class Batch(Protocol):
    """Operations that happen together, in the order in which they were added. Written at most once."""

    def put(self, family: Family, key: bytes, value: bytes) -> None: ...

    def delete(self, family: Family, key: bytes) -> None: ...

    def delete_range(self, family: Family, lower: bytes, upper: bytes) -> None:
        """lower <= key < upper; nothing if upper <= lower. Not for DATA's hot path: range tombstones slow
        every get."""
        ...

    def __len__(self) -> int: ...


class Store(Protocol):
    def get(self, family: Family, key: bytes) -> bytes | None: ...

    def scan(
        self, family: Family, lower: bytes, upper: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """lower <= key < upper as of this call, whatever is written while it is read.

        Raises StoreClosedError, rather than ending early, when the store is closed or reopened meanwhile.
        """
        ...

    def batch(self) -> Batch: ...

    def write(self, batch: Batch) -> None:
        """Takes the batch: it cannot be written again, not even after an error."""
        ...

    def sync(self) -> None:
        """Blocks until durable. Called from one executor thread at a time, beside `write` on the loop."""
        ...

    def free_bytes(self) -> int:
        """Space left on the store's disk, as the operating system says now."""
        ...

    def total_bytes(self) -> int:
        """Size of the store's disk."""
        ...

    def is_congested(self) -> bool:
        """Background work is so far behind that writes are about to fail: take no new ones, pause bulk loads.

        An engine that is written to regardless raises StoreFullError in the end.
        """
        ...

    def reopen(self) -> None:
        """Close and open again, whatever state the store is in; see "When the disk is full".

        Only once `free_bytes` says that there is room: opening writes a little. Raises as opening does, and may
        then be called again.
        """
        ...

    def close(self) -> None:
        """Syncs what was written, if the store still can, and gives the directory back. Idempotent."""
        ...
