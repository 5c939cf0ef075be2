"""Refusing writes while there is still room, because an engine that met a full disk must be opened again.

Two lines are drawn across the free space of a store's disk:

    plenty ──────────────── reserve ───────────────────────── floor ──────────── 0
      every write             only what cannot be put off:       nothing
                              hard states, votes, effects of
                              what is committed, deletions

Between the lines, the engine's own flushes and compactions use the reserve, and deletions can still make room.
Below the floor even one byte of log could be the one that does not fit. The other processes of the machine do not
know of these lines: a store can still raise StoreFullError, see `store`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from kvorum.node.store import Store

# What the engine's largest compaction writes, see rocks_options: its failure would end in StoreFullError too.
RESERVE_BYTES: Final = 256 << 20
# Of disks too small for that; the engine's write buffer, and with it a compaction, is cut in proportion.
_RESERVE_OF_DISK: Final = 8
# Of the reserve: what a few passes of the engine may write before the next look.
_FLOOR_OF_RESERVE: Final = 64
# Above the reserve, in parts of it, before writes are accepted again: or a node at the line would flicker.
_COMEBACK_OF_RESERVE: Final = 8


class Writes(IntEnum):
    """What may be written now."""

    NONE = 0
    ESSENTIAL = 1
    ALL = 2


def default_reserve_bytes(total_bytes: int) -> int:
    return min(RESERVE_BYTES, total_bytes // _RESERVE_OF_DISK)


class DiskGuard:
    """Asked before a group commit, or every few milliseconds: 0.7 µs for the operating system's answer, 2 µs for
    the engine's."""

    def __init__(self, store: Store, reserve_bytes: int | None = None) -> None:
        self.reserve_bytes = (
            default_reserve_bytes(store.total_bytes()) if reserve_bytes is None else reserve_bytes
        )
        self._store = store
        self._floor_bytes = self.reserve_bytes // _FLOOR_OF_RESERVE
        self._comeback_bytes = self.reserve_bytes + self.reserve_bytes // _COMEBACK_OF_RESERVE
        self._short = False

    def allowed(self) -> Writes:
        free_bytes = self._store.free_bytes()
        if free_bytes < self._floor_bytes:
            self._short = True
            return Writes.NONE
        self._short = free_bytes < (self._comeback_bytes if self._short else self.reserve_bytes)
        if self._short or self._store.is_congested():
            return Writes.ESSENTIAL
        return Writes.ALL

    def may_reopen(self) -> bool:
        """There is room enough to open a store again that reported StoreFullError."""
        return self._store.free_bytes() >= self._comeback_bytes
