"""How far a partition's global indexes may fall behind before its leader takes no more writes from clients.

What an index has not entered yet is kept in the change log, so without a bound a slow or unreachable index would fill
the disk, and answer from an ever older past. AWS holds back writes to the table as well when an index cannot keep up.

It follows from what is replicated alone, the log and the cursors in it: a new leader, or a restarted one, knows at
once, and nobody has to be told when it is over. Only clients' writes are refused. What peer regions have accepted is
merged, and cursors move, whatever an index does; so it always ends once the index takes entries or is deleted. An
index whose items are still being entered is not waited for: its backfill may take long, and nobody reads it yet.

Source: AWS developer guide, "Write throughput capacity" of global secondary indexes and "Understanding global
secondary index (GSI) write throttling and back pressure in DynamoDB".
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from kvorum.node.index_cursors import IndexCursors

LAG_ENTRIES_MAX = 100_000
"""Log entries: half a minute of all the writes that one partition can take, so that an election, a restart or an
index partition that is away for a few seconds stops nothing."""


class Log(Protocol):
    """The partition's machine, as far as it concerns this."""

    @property
    def logged(self) -> int:
        """Raft index of the newest change; 0: there was none."""
        ...

    @property
    def index_cursors(self) -> IndexCursors: ...


class News(NamedTuple):
    """`index_id`: the one furthest behind. `lag`: log entries. `refuses`: whether writes are refused from now on, or
    are taken again."""

    index_id: int
    lag: int
    refuses: bool


class IndexPressure:
    """One partition's. `entries_max`: so many log entries an index may lack. `refused`: writes, by the id of the index
    that was furthest behind."""

    def __init__(self, log: Log, entries_max: int) -> None:
        self.refused: dict[int, int] = {}
        self._log = log
        self._cursors = log.index_cursors
        self._entries_max = entries_max
        self._told: int | None = None

    def refuses(self) -> bool:
        """Whether a write must not be taken now; counted if so."""
        if self._log.logged - self._cursors.slowest <= self._entries_max:
            return False
        index_id = self._cursors.slowest_id
        self.refused[index_id] = self.refused.get(index_id, 0) + 1
        return True

    def news(self) -> News | None:
        """What an operator should hear, once each: that writes are refused, and that this is over. That is said when
        the index has made up half of it: one that is a little too slow for its table stays near the bound."""
        lag = self._log.logged - self._cursors.slowest
        index_id = self._cursors.slowest_id
        if self._told is None and lag > self._entries_max:
            self._told = index_id
            return News(index_id, lag, refuses=True)
        if self._told is not None and lag <= self._entries_max // 2:
            told, self._told = self._told, None
            return News(told, max(lag, 0), refuses=False)
        return None
