"""What a group replicates, and what a state machine sees of the group: the two faces of node/replica."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from kvorum.node.store import Batch
from kvorum.replication.raft.messages import Entry


class Machine(Protocol):
    """A deterministic state machine that keeps its state in the store."""

    @property
    def applied(self) -> int:
        """Index of the last entry whose effect is in the store, as loaded at start; 0 for a new group."""
        ...

    def apply(self, entry: Entry, command: Any | None, batch: Batch) -> Any:
        """Put the entry's effect into `batch` and return what its proposer is told. `command`: the decoded
        entry when it was proposed here, so that it need not be decoded again."""
        ...

    def checkpoint(self, index: int, batch: Batch) -> None:
        """Put the applied position into `batch`: once for all the entries of one pass."""
        ...

    def show(self, index: int) -> None:
        """What was applied up to `index` may be shown to readers."""
        ...

    def leadership_changed(self) -> None:
        """This replica began or ceased to lead, or learnt of another leader."""
        ...


class ReplicatedLog(Protocol):
    """A group as its machine's service sees it."""

    @property
    def serving(self) -> bool:
        """Leads, and has applied everything that earlier leaders committed."""
        ...

    @property
    def leader(self) -> str | None: ...

    def propose(self, data: bytes, command: Any, done: Callable[[Any], None]) -> int | None:
        """Append a command. `done` runs once: with what `Machine.apply` returned, or with Elsewhere when the
        entry certainly did not and will not happen. Returns the entry's index, or None when nothing was
        appended (then `done` has been told)."""
        ...
