"""The control state as a process sees it: tables by name, partitions by token. Kept current by Watch.

Written once by whoever receives ControlUpdates; read on every request, so lookups are dict and bisect.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable

from kvorum.control.state import NodeRecord, Partition, PeerOperation, Record, Update
from kvorum.model.table import Table


class Directory:
    """`version` is the control group's raft index of the newest change seen; -1 before the first."""

    def __init__(self) -> None:
        self.version = -1
        self.tables: dict[str, Table] = {}
        self.tables_by_id: dict[int, Table] = {}
        self.tables_by_global_id: dict[str, Table] = {}
        self.nodes: dict[str, NodeRecord] = {}
        self.partitions: dict[int, Partition] = {}
        self.peer_operations: dict[int, PeerOperation] = {}
        self._lowers: dict[int, list[int]] = {}
        self._by_table: dict[int, list[Partition]] = {}
        self._listeners: list[Callable[[Directory, list[Update]], None]] = []

    def listen(self, listener: Callable[[Directory, list[Update]], None]) -> None:
        """`listener(directory, updates)` runs after every change, in order of registration."""
        self._listeners.append(listener)

    def partitions_of(self, table_id: int) -> list[Partition]:
        """In token order; empty when the table is unknown."""
        return self._by_table.get(table_id, [])

    def partition_for(self, table_id: int, token: int) -> Partition | None:
        """The partition whose range holds `token` (0 <= token < 2**64)."""
        partitions = self._by_table.get(table_id)
        if not partitions:
            return None
        return partitions[bisect_right(self._lowers[table_id], token) - 1]

    def receive(self, version: int, complete: bool, updates: list[Update]) -> bool:
        """Apply a ControlUpdates message. False when it is older than what is known (ignored)."""
        if version <= self.version:
            return False
        if complete:
            updates = updates + self._removals(updates)
        self.version = version
        touched: set[int] = set()
        for update in updates:
            self._replace(update, touched)
        for table_id in touched:
            self._index(table_id)
        for listener in self._listeners:
            listener(self, updates)
        return True

    def _removals(self, complete: Iterable[Update]) -> list[Update]:
        """What a complete state no longer has, as removals."""
        kept = {(update.kind, update.id) for update in complete}
        held = (
            [("table", name) for name in self.tables]
            + [("node", name) for name in self.nodes]
            + [("partition", str(number)) for number in self.partitions]
            + [("peer_operation", str(number)) for number in self.peer_operations]
        )
        return [Update(kind, name, None) for kind, name in held if (kind, name) not in kept]

    def _replace(self, update: Update, touched: set[int]) -> None:
        record: Record | None = update.record
        match update.kind:
            case "table":
                old = self.tables.pop(update.id, None)
                if old is not None:
                    self.tables_by_id.pop(old.id, None)
                    self.tables_by_global_id.pop(old.global_id, None)
                if isinstance(record, Table):
                    self.tables[record.name] = record
                    self.tables_by_id[record.id] = record
                    if record.global_id:
                        self.tables_by_global_id[record.global_id] = record
            case "partition":
                previous = self.partitions.pop(int(update.id), None)
                if previous is not None:
                    touched.add(previous.table_id)
                if isinstance(record, Partition):
                    self.partitions[record.id] = record
                    touched.add(record.table_id)
            case "node":
                self.nodes.pop(update.id, None)
                if isinstance(record, NodeRecord):
                    self.nodes[record.name] = record
            case "peer_operation":
                self.peer_operations.pop(int(update.id), None)
                if isinstance(record, PeerOperation):
                    self.peer_operations[record.id] = record
            case _:  # a newer control group's record: what we do not know, we do not need
                return

    def _index(self, table_id: int) -> None:
        partitions = sorted(
            (p for p in self.partitions.values() if p.table_id == table_id), key=lambda p: p.lower
        )
        if partitions:
            self._by_table[table_id] = partitions
            self._lowers[table_id] = [p.lower for p in partitions]
        else:
            self._by_table.pop(table_id, None)
            self._lowers.pop(table_id, None)
