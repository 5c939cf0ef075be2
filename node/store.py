"""The storage port: ordered bytes in four families, atomic batches, and durability as a separate step.

`write` is atomic and ordered but not durable; `sync` makes everything written before it durable. After a
crash the store holds a prefix of the writes, at least up to the last completed `sync`. That prefix property
is what lets a replica apply entries that are not synced yet.
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


class StoreFullError(StoreError):
    """No space left. Reads go on."""


class StoreBrokenError(StoreError):
    """The engine failed or found corruption: stop this node, keep its data."""


class Batch(Protocol):
    def put(self, family: Family, key: bytes, value: bytes) -> None: ...

    def delete(self, family: Family, key: bytes) -> None: ...

    def delete_range(self, family: Family, lower: bytes, upper: bytes) -> None:
        """lower <= key < upper. Not for DATA's hot path: range tombstones slow every get."""
        ...

    def __len__(self) -> int: ...


class Store(Protocol):
    def get(self, family: Family, key: bytes) -> bytes | None: ...

    def scan(
        self, family: Family, lower: bytes, upper: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """lower <= key < upper as of this call, whatever is written while it is read."""
        ...

    def batch(self) -> Batch: ...

    def write(self, batch: Batch) -> None: ...

    def sync(self) -> None:
        """Blocks until durable. Called from one executor thread at a time, beside `write` on the loop."""
        ...

    def free_bytes(self) -> int:
        """Space left on the store's disk, as the operating system says now."""
        ...

    def close(self) -> None: ...
