"""What the core wants done: the one output of a replica, taken whole."""

from __future__ import annotations

from dataclasses import dataclass

from kvorum.replication.raft.messages import Entry, RaftMessage
from kvorum.replication.raft.storage import HardState


@dataclass(slots=True)
class Ready:
    """`messages`, each with its destination, leave now; a leader's appends do not wait for its own disk.

    `entries` and `hard_state` are to be written, in the order of the Readies, before those of a later Ready;
    an entry at or below the log's last index replaces it and everything after it. When `needs_sync`, the
    driver calls `Core.persisted(number)` once this Ready and all before it are durable, and sends
    `after_sync` then; when not, `after_sync` is empty and `persisted` need not be called.

    `committed` is to be applied in order, at once: it need not be durable here, for it is on a majority, and
    the store keeps the order of writes. `reads` are (context, index): valid as of the state that has applied
    `index`. `reads_refused` will get no answer: leadership was lost. `leader_changed`: the term or its leader
    is another than at the last Ready; what was proposed before may be lost or may still be committed.
    """

    number: int
    messages: list[tuple[str, RaftMessage]]
    entries: list[Entry]
    hard_state: HardState | None
    after_sync: list[tuple[str, RaftMessage]]
    committed: list[Entry]
    reads: list[tuple[int, int]]
    reads_refused: list[int]
    leader_changed: bool
    needs_sync: bool
