"""What the core asks of the disk: to read the log back, and two numbers that outlive a crash."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from kvorum.replication.raft.messages import Entry


class HardState(Struct, frozen=True, array_like=True):
    """Durable before any message that rests on it leaves (Raft, figure 2: currentTerm, votedFor)."""

    term: int
    vote: str | None


class LogStorage(Protocol):
    """The written part of the log; what it holds when a core is built on it is durable.

    A fresh log has `first_index() == 1`, `last_index() == 0`, `term(0) == 0`.
    """

    def first_index(self) -> int:
        """One past what was truncated."""
        ...

    def last_index(self) -> int:
        """`first_index() - 1` when no entry is left."""
        ...

    def term(self, index: int) -> int | None:
        """Known from `first_index() - 1` (so the truncated entry's term is kept) to `last_index()`."""
        ...

    def entries(self, lower: int, upper: int, bytes_max: int) -> list[Entry]:
        """lower <= index < upper, at least one where it exists, then as many as fit into `bytes_max`."""
        ...
