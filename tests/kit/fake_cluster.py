"""A region in memory for tests of operations: one dict of records a table, dumb on purpose.

It keeps the Cluster port's promises (router/calls) over partitions that cut the tokens evenly, and can make a
partition refuse. `call` plays the router's service: a request's body in, the answer's JSON out.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from msgspec.structs import replace

from kvorum.control.directory import Directory
from kvorum.control.messages import PageAnswer, Proposed, RecordAnswer, StatisticsAnswer, WriteAnswer
from kvorum.control.state import Command, CreateTable, DeleteTable, Partition, Update, UpdateTable
from kvorum.model import errors, item, keys, record
from kvorum.model.requests import Write
from kvorum.model.table import KeySchema, Table, TableStatus
from kvorum.router.operations.registry import COMPOUND, READS, WRITES


class FakeCluster:
    def __init__(self, *, partitions: int = 4, regions: tuple[str, ...] = ()) -> None:
        self.directory = Directory()
        self.region = "eu-test-1"
        self.account = "123456789012"
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
        return WriteAnswer(outcome.attributes, 0 if previous is None else previous.size, outcome.size, 1)

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
    ) -> PageAnswer:
        self._refuse(partition)
        self.range_reads += 1
        self.strong_reads += strong
        first, end = keys.token_bounds(partition.lower, partition.upper)
        assert first <= lower <= upper <= end, "a range of one partition"
        store = self.stores[partition.table_id]
        found = sorted((key for key in store if lower <= key < upper), reverse=reverse)
        limit = min(filter(None, (items_max, self.page_items_max)), default=0)
        records: list[bytes] = []
        size = 0
        for key in found:
            records.append(store[key])
            size += record.size_of(store[key])
            if size > bytes_max or len(records) == limit:
                return PageAnswer(records, key)
        return PageAnswer(records, None)

    async def statistics(self, table: Table) -> StatisticsAnswer:
        records = self.stores[table.id].values()
        return StatisticsAnswer(len(records), sum(map(record.size_of, records)))

    async def propose(self, command: Command) -> Proposed:
        match command:
            case CreateTable():
                updates = self._create(command)
            case DeleteTable():
                updates = [Update("table", command.name, None)]
            case UpdateTable():
                updates = [self._update(command)]
            case _:
                raise AssertionError(f"no operation proposes {command}")
        self._version += 1
        self.directory.receive(self._version, False, updates)
        return Proposed(self._version, updates)

    async def wait_active(self, table_id: int, timeout_seconds: float) -> bool:
        assert timeout_seconds > 0
        table = self.directory.tables_by_id[table_id]
        self.set_status(table.name, TableStatus.ACTIVE)
        return True

    async def wait_told(self, global_id: str, timeout_seconds: float) -> bool:
        assert global_id
        assert timeout_seconds > 0
        return True

    # ---- for tests ---------------------------------------------------------------------------------------

    def partition_of(self, table: Table, key: bytes) -> Partition:
        partition = self.directory.partition_for(table.id, keys.token_of(key))
        assert partition is not None
        return partition

    def set_status(self, name: str, status: TableStatus) -> None:
        table = replace(self.directory.tables[name], status=status)
        self._version += 1
        self.directory.receive(self._version, False, [Update("table", name, table)])

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

    def _create(self, command: CreateTable) -> list[Update]:
        if command.name in self.directory.tables:
            raise errors.resource_in_use(f"Table already exists: {command.name}")
        table = Table(
            id=self._next_id(),
            name=command.name,
            status=TableStatus.CREATING,
            keys=command.keys,
            uuid=command.table_uuid,
            created_ms=command.created_ms,
            global_id=command.global_id,
            regions=command.regions,
            definition=command.definition,
        )
        self.stores[table.id] = {}
        updates = [Update("table", table.name, table)]
        for lower, upper in keys.split_tokens(command.partitions):
            partition = Partition(
                id=self._next_id(),
                table_id=table.id,
                lower=lower,
                upper=upper,
                epoch=1,
                replicas=("node",),
                preferred_leader="node",
            )
            updates.append(Update("partition", str(partition.id), partition))
        return updates

    def _update(self, command: UpdateTable) -> Update:
        table = self.directory.tables[command.name]
        assert table.uuid == command.table_uuid
        definition = {**table.definition, **command.settings}
        tags = {tag["Key"]: tag["Value"] for tag in definition.get("Tags", [])} | command.tags
        definition["Tags"] = [
            {"Key": key, "Value": value} for key, value in tags.items() if value is not None
        ]
        kept = {name: value for name, value in definition.items() if value not in (None, [])}
        return Update("table", table.name, replace(table, definition=kept))

    def _refuse(self, partition: Partition) -> None:
        error = self.refusing.get(partition.id)
        if error is not None:
            raise error

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids
