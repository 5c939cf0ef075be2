"""A region in memory for tests of operations: one dict of records a table and one an index, dumb on purpose.

It keeps the Cluster port's promises (router/calls) over partitions that cut the tokens evenly, enters items into their
indexes at once, and can make a partition refuse. `call` plays the router's service: a request's body in, the answer's JSON out.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from msgspec.structs import replace

from kvorum.control.directory import Directory
from kvorum.control.messages import (
    NodeReport,
    PageAnswer,
    Proposed,
    RecordAnswer,
    ReplicaReport,
    StatisticsAnswer,
    WriteAnswer,
)
from kvorum.control.reconcile import plan
from kvorum.control.state import (
    ActivateTable,
    Command,
    CreateTable,
    DeleteTable,
    Partition,
    RegisterNode,
    State,
    Update,
    UpdateTable,
)
from kvorum.control.transition import apply
from kvorum.model import errors, index_keys, indexes, item, keys, record, values
from kvorum.model.requests import Write
from kvorum.model.table import Index, KeySchema, Table, TableStatus
from kvorum.router.operations.registry import COMPOUND, READS, WRITES


class FakeCluster:
    def __init__(self, *, partitions: int = 4, regions: tuple[str, ...] = ()) -> None:
        self.directory = Directory()
        self.region = "eu-test-1"
        self.account = "123456789012"
        self.directory.region, self.directory.account = self.region, self.account
        self.directory.region, self.directory.account = self.region, self.account
        self.initial_partitions = partitions
        self.table_regions = regions
        self.stores: dict[int, dict[bytes, bytes]] = {}
        self.refusing: dict[int, errors.ApiError] = {}
        """By partition: what every call to it raises."""
        self.page_items_max = 0
        """How many items one read_range gives at most, 0 for no such limit: a node may send less than a page."""
        self.clock_ms = 1_700_000_000_123
        self.strong_reads = 0
        self.range_reads = 0
        self._version = 0
        self._ids = 0
        self._state = State(self.region, 1)
        self._apply(RegisterNode(name="node", zone="zone", address="host:1"))

    # ---- the port ----------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        return self.clock_ms

    def new_uuid(self) -> str:
        return f"00000000-0000-4000-8000-{self._next_id():012d}"

    async def read(self, table: Table, key: bytes, *, strong: bool) -> RecordAnswer:
        self._refuse(self.partition_of(table, key))
        self.strong_reads += strong
        return RecordAnswer(self.stores[table.id].get(key))

    async def write(self, table: Table, write: Write) -> WriteAnswer:
        self._refuse(self.partition_of(table, write.key))
        store = self.stores[table.id]
        found = store.get(write.key)
        previous = None if found is None else item.Image(record.json_of(found), record.size_of(found))
        outcome = item.apply(write, previous, table)
        if outcome.json is None:
            store.pop(write.key, None)
        else:
            store[write.key] = record.encode(outcome.json, outcome.size, 1, b"eu-test-1")
        units = self._enter(table, write.key, None if found is None else record.json_of(found), outcome.json)
        return WriteAnswer(
            outcome.attributes,
            0 if previous is None else previous.size,
            outcome.size,
            1,
            units if write.measure else None,
            self.collection_bytes(table, write.key) if write.measure else None,
        )

    async def read_range(
        self,
        partition: Partition,
        lower: bytes,
        upper: bytes,
        *,
        reverse: bool,
        items_max: int,
        bytes_max: int,
        strong: bool,
        index: int = 0,
        fetch: bool = False,
    ) -> PageAnswer:
        self._refuse(partition)
        self.range_reads += 1
        self.strong_reads += strong
        first, end = keys.token_bounds(partition.lower, partition.upper)
        assert first <= lower <= upper <= end, "a range of one partition"
        store = self.stores[index or partition.table_id]
        found = sorted((key for key in store if lower <= key < upper), reverse=reverse)
        limit = min(filter(None, (items_max, self.page_items_max)), default=0)
        records: list[bytes] = []
        size = 0
        last = None
        for key in found:
            records.append(store[key])
            size += record.size_of(store[key])
            if size > bytes_max or len(records) == limit:
                last = key
                break
        return PageAnswer(records, last, self._fetched(index, found[: len(records)]) if fetch else None)

    async def statistics(self, table: Table, index: Index | None = None) -> StatisticsAnswer:
        records = self.stores[table.id if index is None else index.id].values()
        return StatisticsAnswer(len(records), sum(map(record.size_of, records)))

    async def propose(self, command: Command) -> Proposed:
        assert isinstance(command, CreateTable | DeleteTable | UpdateTable), "no operation proposes another"
        return self._apply(command)

    async def wait_active(self, table_id: int, timeout_seconds: float) -> bool:
        assert timeout_seconds > 0
        self._apply(ActivateTable(table_id=table_id))
        return True

    async def wait_told(self, global_id: str, timeout_seconds: float) -> bool:
        assert global_id
        assert timeout_seconds > 0
        return True

    def _enter(
        self, table: Table, key: bytes, old_json: bytes | None, new_json: bytes | None
    ) -> dict[str, int]:
        """What the write does to the table's indexes, and the units that it costs there."""
        units: dict[str, int] = {}
        for index in table.indexes:
            view = indexes.View(table.keys, index)
            old = None if old_json is None else view.entry(values.loads(old_json), key)
            new = None if new_json is None else view.entry(values.loads(new_json), key)
            store = self.stores[index.id]
            if old is not None:
                del store[old.key]
            if new is not None:
                store[new.key] = indexes.encode_entry(new, 1, b"eu-test-1")
            cost = indexes.write_units(old, new)
            if cost:
                units[index.name] = cost
        return units

    def _enter_all(self, table: Table) -> None:
        """The table's items into indexes that have no entries yet."""
        for index in table.indexes:
            if index.id not in self.stores:
                store = self.stores[index.id] = {}
                for key, found in self.stores[table.id].items():
                    entry = indexes.View(table.keys, index).entry(values.loads(record.json_of(found)), key)
                    if entry is not None:
                        store[entry.key] = indexes.encode_entry(entry, 1, b"eu-test-1")

    def _fetched(self, index_id: int, entries: list[bytes]) -> list[bytes]:
        table, index = next(
            (table, index)
            for table in self.directory.tables.values()
            for index in table.indexes
            if index.id == index_id
        )
        return [self.stores[table.id][index_keys.item_key_of(index.keys, entry)] for entry in entries]

    # ---- for tests ---------------------------------------------------------------------------------------

    def collection_bytes(self, table: Table, key: bytes) -> int | None:
        """Of a table with local indexes: of all items and entries with the partition key's value of `key`."""
        local = [index.id for index in table.indexes if index.local]
        if not local:
            return None
        prefix = keys.collection_of(table.keys, key)
        return sum(
            record.size_of(found)
            for store in (self.stores[table.id], *(self.stores[number] for number in local))
            for place, found in store.items()
            if place.startswith(prefix)
        )

    def partition_of(self, table: Table, key: bytes) -> Partition:
        partition = self.directory.partition_for(table.id, keys.token_of(key))
        assert partition is not None
        return partition

    def set_status(self, name: str, status: TableStatus) -> None:
        table = replace(self.directory.tables[name], status=status)
        tables = {**self._state.tables, name: table}
        self._version += 1
        counters = replace(self._state.counters, version=self._version)
        self._state = State(self.region, 1, counters, {**self._state.records, "table": tables})
        self.directory.receive(self._version, False, [Update("table", name, table)])

    def step(self) -> bool:
        """What the control leader does next, with a node that carries out at once whatever it is told: partitions
        are led, items entered into indexes, dropped ones gone. False when nothing is left to do."""
        entered = tuple(
            number for number, (_, index) in self.directory.indexes_by_id.items() if index.backfilling
        )
        held = [partition for partition in self._state.partitions.values() if not partition.dropping]
        replicas = [ReplicaReport(partition.id, "node", 1, 1, 1, entered) for partition in held]
        commands = plan(self.directory, {"node": NodeReport("node", self._version, replicas)})
        for command in commands:
            self._apply(command)
        return bool(commands)

    def settle(self) -> None:
        while self.step():
            pass

    def add_table(self, name: str, schema: KeySchema, **members: Any) -> Table:
        """An active table, created as CreateTable would."""
        command = CreateTable(
            name=name,
            keys=schema,
            table_uuid=self.new_uuid(),
            created_ms=self.now_ms(),
            global_id="",
            regions=(),
            definition=members,
            partitions=self.initial_partitions,
        )
        asyncio.run(self.propose(command))
        self.set_status(name, TableStatus.ACTIVE)
        return self.directory.tables[name]

    def call(self, operation: str, **body: Any) -> dict[str, Any]:
        """The operation's answer, from a request that has crossed the wire. Raises ApiError."""
        answer = asyncio.run(self.answer(operation, orjson.loads(orjson.dumps(body))))
        return orjson.loads(answer) if answer else {}

    async def answer(self, operation: str, body: dict[str, Any]) -> bytes:
        if operation in READS:
            reader = READS[operation]
            read = reader.prepare(body, self.directory)
            return reader.render(read, await self.read(read.table, read.key, strong=read.strong))
        if operation in WRITES:
            writer = WRITES[operation]
            write = writer.prepare(body, self.directory)
            return writer.render(write, await self.write(write.table, write.write))
        return await COMPOUND[operation](body, self)

    def error(self, operation: str, **body: Any) -> str:
        """ "Code: message" of the error that the operation must raise."""
        try:
            answer = self.call(operation, **body)
        except errors.ApiError as error:
            return f"{error.code}: {error.message}"
        raise AssertionError(f"{operation} answered {answer}")

    def _apply(self, command: Command) -> Proposed:
        """As the control group would, which answers when the directory has it."""
        self._version += 1
        outcome = apply(self._state, command, self._version)
        if outcome.refusal is not None:
            raise outcome.refusal
        self._state = outcome.state
        for update in outcome.updates:
            if isinstance(update.record, Table):
                self.stores.setdefault(update.record.id, {})
                self._enter_all(update.record)
        self.directory.receive(self._version, False, outcome.updates)
        return Proposed(self._version, outcome.updates)

    def _refuse(self, partition: Partition) -> None:
        error = self.refusing.get(partition.id)
        if error is not None:
            raise error

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids
