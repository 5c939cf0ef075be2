"""What a partition's leader does for its table's global indexes: opens and closes their cursors, and says which of
them have everything.

An index is fed by the partition's own log, so nothing has to be agreed upon between partitions:

* Its cursor is opened by a log entry. What was written before that entry lies in the items, which are entered at
  their own stamps; what is written behind it is logged with what it replaced. Entries take whichever write is newer,
  so the two may come in any order, and more than once.
* From the proposal of that entry on the leader logs changes, and so does every later leader, whatever its directory
  says: none serves before it has applied what earlier leaders committed, so it has the cursor.
* A cursor is closed by a leader whose directory is not older than the one that opened it, and lacks the index. An
  index's id is never used again, so nobody misses what is then dropped.
"""

from __future__ import annotations

from typing import Protocol

from kvorum.model.table import Index, IndexStatus, Table
from kvorum.node.commands import CloseIndex, OpenIndex, PartitionCommand
from kvorum.node.index_cursors import IndexCursors


class Leader(Protocol):
    """The partition, as its feed sees it."""

    @property
    def serving(self) -> bool: ...

    def propose(self, command: PartitionCommand) -> bool:
        """Whether the command stands in the log, where another leader may still overwrite it."""
        ...


class IndexFeed:
    """One partition's."""

    def __init__(self, cursors: IndexCursors, leader: Leader) -> None:
        self._cursors = cursors
        self._leader = leader
        self._opening: set[int] = set()
        self._closing: set[int] = set()
        self._seen = 0

    @property
    def active(self) -> bool:
        """Whether changes must be logged, with what they replaced."""
        return bool(self._cursors.by_id or self._opening)

    @property
    def indexed(self) -> tuple[int, ...]:
        """Indexes in which every item has been entered, and every change up to the end of that."""
        return tuple(index_id for index_id, cursor in self._cursors.by_id.items() if cursor.position is None)

    def tend(self, table: Table, version: int) -> None:
        """Propose what is missing. `table`: the partition's, in the directory of this version. What is refused or
        lost is proposed again at the next call."""
        if not (table.indexes or self._cursors.by_id) or not self._leader.serving:
            return
        known = self._cursors.by_id
        self._opening -= known.keys()
        self._closing &= known.keys()
        wanted = {index.id for index in table.indexes if is_fed(index)}
        for index_id in sorted(wanted - known.keys() - self._opening):
            if self._leader.propose(OpenIndex(index_id, version)):
                self._opening.add(index_id)
        for index_id in sorted(known.keys() - wanted - self._closing):
            if version >= known[index_id].since and self._leader.propose(CloseIndex(index_id)):
                self._closing.add(index_id)

    def leadership_changed(self) -> None:
        """What this leader proposed, the next one has applied, or it never happened."""
        self._opening.clear()
        self._closing.clear()

    def has_turned(self) -> bool:
        """Whether a cursor was opened, closed or completed since the last call."""
        seen, self._seen = self._seen, self._cursors.turns
        return seen != self._seen


def is_fed(index: Index) -> bool:
    """Whether an index's entries come from the change log."""
    return not index.local and index.status is not IndexStatus.DELETING
