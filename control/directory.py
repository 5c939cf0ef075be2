"""The control state as a process sees it: tables by name, partitions by token. Kept current by Watch.

Written once by whoever receives ControlUpdates; read on every request, so lookups are dict and bisect.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from kvorum.control.state import (
    Claim,
    Ended,
    NodeRecord,
    Partition,
    PeerOperation,
    Record,
    Update,
    global_ids,
    waiting_claims,
)
from kvorum.model.table import Index, Table


class Directory:
    """`version` is the control group's raft index of the newest change seen; -1 before the first. `missed`: a
    change in between was lost on the way; whoever feeds this directory must Watch again from `version`.
    `tables_by_global_id` knows a table's aliases too. `indexes_by_id`: every secondary index, local ones too, by the
    number that a global one's partitions bear as their `table_id`. `ended`: global tables that are no more.
    `region` and `account`: whose tables these are; a router says so, who must know them by their ARNs."""

    def __init__(self) -> None:
        self.version = -1
        self.missed = False
        self.region = ""
        self.account = ""
        self.tables: dict[str, Table] = {}
        self.tables_by_id: dict[int, Table] = {}
        self.tables_by_global_id: dict[str, Table] = {}
        self.indexes_by_id: dict[int, tuple[Table, Index]] = {}
        self.nodes: dict[str, NodeRecord] = {}
        self.partitions: dict[int, Partition] = {}
        self.peer_operations: dict[int, PeerOperation] = {}
        self.claims: dict[str, Claim] = {}
        self.ended: dict[str, Ended] = {}
        self._by_name: dict[str, dict[str, Any]] = {
            "node": self.nodes,
            "claim": self.claims,
            "ended": self.ended,
        }
        self._lowers: dict[int, list[int]] = {}
        self._by_table: dict[int, list[Partition]] = {}
        self._listeners: list[Callable[[Directory, list[Update]], None]] = []

    def listen(self, listener: Callable[[Directory, list[Update]], None]) -> None:
        """`listener(directory, updates)` runs after every change, in order of registration."""
        self._listeners.append(listener)

    def partitions_of(self, table_id: int) -> list[Partition]:
        """Of a table, or of a global index by its own id, in token order; empty when it is unknown or gone."""
        return self._by_table.get(table_id, [])

    def partition_for(self, table_id: int, token: int) -> Partition | None:
        """The partition of a table or a global index whose range holds `token` (0 <= token < 2**64)."""
        partitions = self._by_table.get(table_id)
        if not partitions:
            return None
        return partitions[bisect_right(self._lowers[table_id], token) - 1]

    def waiting_claims(self) -> list[Claim]:
        """Global tables that cannot exist here before an operator deletes the local table of their name."""
        return waiting_claims(self.claims.values(), self.tables)

    def receive(self, version: int, complete: bool, updates: list[Update], after: int = -1) -> bool:
        """Apply a ControlUpdates message: `updates` are everything that changed behind version `after`. False
        when it was ignored: older than what is known, or not joined to it (then `missed` is set)."""
        if not complete and after > self.version:
            self.missed = True
            return False
        if version <= self.version:
            return False
        self.missed = False
        if complete:
            updates = self._removals(updates) + updates
        self.version = version
        touched: set[int] = set()
        for update in updates:
            self._replace(update, touched)
        if touched:
            self._index(touched)
        for listener in self._listeners:
            listener(self, updates)
        return True

    def _removals(self, complete: Iterable[Update]) -> list[Update]:
        """What a complete state no longer has, as removals."""
        kept = {(update.kind, update.id) for update in complete}
        held: dict[str, Iterable[object]] = {
            "table": self.tables,
            "partition": self.partitions,
            "peer_operation": self.peer_operations,
            **self._by_name,
        }
        return [
            Update(kind, str(name), None)
            for kind, records in held.items()
            for name in records
            if (kind, str(name)) not in kept
        ]

    def _replace(self, update: Update, touched: set[int]) -> None:
        record = update.record
        match update.kind:
            case "table":
                self._replace_table(update.id, record)
            case "partition":
                previous = self.partitions.pop(int(update.id), None)
                if previous is not None:
                    touched.add(previous.table_id)
                if isinstance(record, Partition):
                    self.partitions[record.id] = record
                    touched.add(record.table_id)
            case "peer_operation":
                self.peer_operations.pop(int(update.id), None)
                if isinstance(record, PeerOperation):
                    self.peer_operations[record.id] = record
            case kind if kind in self._by_name:
                self._by_name[kind].pop(update.id, None)
                if record is not None:
                    self._by_name[kind][update.id] = record
            case _:  # a newer control group's record: what we do not know, we do not need
                return

    def _replace_table(self, name: str, record: Record | None) -> None:
        old = self.tables.pop(name, None)
        if old is not None:
            if self.tables_by_id.get(old.id) is old:
                del self.tables_by_id[old.id]
            for global_id in global_ids(old):  # unless a table of another name has taken it over
                if self.tables_by_global_id.get(global_id) is old:
                    del self.tables_by_global_id[global_id]
            for index in old.indexes:
                self.indexes_by_id.pop(index.id, None)
        if isinstance(record, Table):
            self.tables[name] = record
            self.tables_by_id[record.id] = record
            for global_id in global_ids(record):
                self.tables_by_global_id[global_id] = record
            for index in record.indexes:
                self.indexes_by_id[index.id] = (record, index)

    def _index(self, table_ids: set[int]) -> None:
        """Order the partitions of these tables by token. One pass over all partitions, however many tables."""
        ordered: dict[int, list[Partition]] = {table_id: [] for table_id in table_ids}
        for partition in self.partitions.values():
            if partition.table_id in ordered and not partition.dropping:
                ordered[partition.table_id].append(partition)
        for table_id, partitions in ordered.items():
            if partitions:
                partitions.sort(key=lambda partition: partition.lower)
                self._by_table[table_id] = partitions
                self._lowers[table_id] = [partition.lower for partition in partitions]
            else:
                self._by_table.pop(table_id, None)
                self._lowers.pop(table_id, None)
