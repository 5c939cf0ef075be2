"""A table's partition and the partitions of its global indexes, without consensus: what a leader proposes is committed
a little later, or is lost with the leader. Everything else is real: machines, partitions, cursors, senders, routes.

Messages to an index's partitions are slow, overtake each other, come twice, or are lost with or without their answers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from kvorum.control.directory import Directory
from kvorum.control.messages import Elsewhere, MergeItems, ShippedChange, WriteItem
from kvorum.control.state import Partition as Descriptor
from kvorum.control.state import Update
from kvorum.model import change as change_log
from kvorum.model import keys, values
from kvorum.model import record as records
from kvorum.model.requests import Delete, Put
from kvorum.model.table import (
    Index,
    IndexKeys,
    IndexStatus,
    KeyPart,
    KeySchema,
    ProjectionKind,
    Table,
    TableStatus,
)
from kvorum.node.answers import disk_is_full
from kvorum.node.commands import Mutate, decode
from kvorum.node.followers import Followers
from kvorum.node.index_pressure import LAG_ENTRIES_MAX
from kvorum.node.index_routes import IndexRoutes
from kvorum.node.memory_store import MemoryStore
from kvorum.node.partition import Partition
from kvorum.node.partition_machine import PartitionMachine
from kvorum.node.sender import Senders
from kvorum.node.store import Family
from kvorum.replication.clock import HybridClock, stamp_at
from kvorum.replication.link import LinkFailure, Reply
from kvorum.replication.raft.messages import Entry, EntryKind
from tests.kit.index_checker import differences
from tests.kit.links import VirtualLoop

SCHEMA = KeySchema(KeyPart("k", "S"))
TABLE, BASE = 1, 1
OWN, PEER = "eu", "us"


def index(number: int, attribute: str, projection: ProjectionKind = ProjectionKind.ALL) -> Index:
    return Index(
        id=number,
        name=f"index-{number}",
        local=False,
        keys=IndexKeys((KeyPart(attribute, "S"),)),
        projection=projection,
        status=IndexStatus.CREATING,
    )


class ModelReplica:
    """Of a lone voter, effects are in the store at once, and shown when they are on its disk. `proven`: whether it can
    be shown that no other leads by now."""

    suspect = False
    proven = True

    def __init__(self, world: World, store: MemoryStore, machine: PartitionMachine, term: int) -> None:
        self.alone = world.lone
        self.serving = True
        self.leader = "far"
        self.core = SimpleNamespace(term=term)
        self._world = world
        self._store = store
        self._machine = machine
        self._last: int = machine.applied
        self._pending: list[tuple[int, bytes, Callable[[Any], None]]] = []
        self._unsynced: list[tuple[int, bytes, Callable[[Any], None]]] = []

    def propose(self, data: bytes, command: Any, done: Callable[[Any], None]) -> int | None:
        world = self._world
        if not self.serving:
            done(Elsewhere(BASE, None))
            return None
        if world.random.random() < world.trouble / 4:
            done(disk_is_full())
            return None
        self._last += 1
        self._pending.append((self._last, data, done))
        world.loop.call_later(world.random.uniform(0, 0.02), self.commit, 1_000)
        return self._last

    def confirm(self, done: Callable[[bool], None]) -> None:
        done(self.serving and self.proven)

    def when_resolved(self, index: int, done: Callable[[bool], None]) -> None:
        waiting = next((each for each in self._pending if each[0] == index), None)
        if waiting is None:
            done(index <= int(self._machine.shown))
            return
        place = self._pending.index(waiting)

        def both(result: Any) -> None:
            waiting[2](result)
            done(isinstance(result, int))

        self._pending[place] = (*waiting[:2], both)

    def commit(self, count: int) -> None:
        """The next `count` of what was proposed."""
        if not self.serving:
            return
        taken, self._pending = self._pending[:count], self._pending[count:]
        if not taken:
            return
        self._apply(taken)
        self._unsynced += taken
        if self.alone:
            self._world.loop.call_later(self._world.random.uniform(0, 0.03), self._sync)
        else:
            self._sync()

    def depose(self) -> None:
        """Another leads, with some of what was proposed here in its log. Whoever waited hears nothing certain."""
        self.commit(self._world.random.randint(0, len(self._pending)))
        self._sync()
        self.serving = False
        pending, self._pending = self._pending, []
        for _, _, done in pending:
            done(LinkFailure(sent=True, reason="nobody knows"))

    def crash(self) -> None:
        self.serving = False
        self._store.crash(self._world.random.randint(0, self._store.unsynced_writes))

    def _apply(self, taken: list[tuple[int, bytes, Callable[[Any], None]]]) -> None:
        batch = self._store.batch()
        for number, data, _ in taken:
            entry = Entry(number, self.core.term, EntryKind.COMMAND, data)
            self._machine.apply(entry, decode(data), batch)
        self._machine.checkpoint(taken[-1][0], batch)
        self._store.write(batch)

    def _sync(self) -> None:
        if not self.serving:
            return
        self._store.sync()
        synced, self._unsynced = self._unsynced, []
        for _, data, _ in synced:
            command = decode(data)
            if isinstance(command, Mutate):
                made = [mutation.record for mutation in command.mutations]
                self._world.durable.update(records.order_of(record) for record in made if record)
        if synced:
            self._machine.show(synced[-1][0])
        for number, _, done in synced:
            done(number)


class Group:
    """One partition, and whoever leads it now."""

    partition: Partition
    replica: ModelReplica

    def __init__(self, world: World, descriptor: Descriptor, table: Table, index: Index | None) -> None:
        self.descriptor = descriptor
        self.store = MemoryStore(can_crash=True)
        self.clock = HybridClock()
        self.on_shown: Callable[[], None] = lambda: None
        self._world = world
        self._table = table
        self._index = index
        self._term = 0
        self.lead()

    def lead(self) -> None:
        """A new leader, from what the store holds."""
        self._term += 1
        self.clock = HybridClock()
        machine = PartitionMachine(self.descriptor.id, self.descriptor.table_id, self.store, self.clock)
        self.replica = ModelReplica(self._world, self.store, machine, self._term)
        self.partition = Partition(
            self.descriptor,
            self._table,
            OWN,
            machine,
            cast("Any", self.replica),
            self.store,
            self.clock,
            self._world.now_ms,
            index=self._index,
            index_lag_entries_max=self._world.lag_entries_max,
        )
        machine.on_shown = self._shown
        log = self.store.scan(Family.CHANGES, b"", b"\xff" * 20)
        held = [*self.records().values(), *(change_log.decode(entry).record for _, entry in log)]
        self._world.durable.update(map(records.order_of, held))

    def records(self) -> dict[bytes, bytes]:
        prefix = self.descriptor.table_id.to_bytes(4, "big")
        return {
            key[4:]: record for key, record in self.store.scan(Family.DATA, prefix, prefix + b"\xff" * 200)
        }

    def _shown(self) -> None:
        self.partition.catch_up()
        self.on_shown()


class World:
    """`is_global`: a peer region writes to the table as well. The base's leader may have an older directory than the
    newest (`directories`); everybody else has the newest. `answers`: to the writes, in the order they came."""

    def __init__(
        self,
        seed: int,
        *,
        lone: bool = False,
        is_global: bool = False,
        born: int = 1,
        lag_entries_max: int = LAG_ENTRIES_MAX,
    ) -> None:
        self.lag_entries_max = lag_entries_max
        self.answers: list[Any] = []
        self.random = Random(seed)
        self.loop = VirtualLoop()
        self.lone = lone
        self.trouble = 0.3
        self.is_cut_off = False  # whether no message reaches an index's partitions
        self.skew_ms = 0
        self.merged_ms = 0
        self.durable: set[bytes] = set()  # writes that no crash takes back, by (stamp, region)
        regions = (OWN, PEER) if is_global else ()
        self._next_index = 2
        self._versions: list[list[Update]] = []
        self._table = Table(
            id=TABLE,
            name="t",
            status=TableStatus.ACTIVE,
            keys=SCHEMA,
            uuid="u",
            created_ms=0,
            regions=regions,
        )
        descriptor = _descriptor(BASE, TABLE, 0, keys.TOKENS - 1)
        self.groups: dict[int, Group] = {}
        self.base = Group(self, descriptor, self._table, None)
        self._publish(self._table, descriptor)
        for _ in range(born):
            self.create_index()
        self.directory = Directory()
        self._lead()
        self._kick()

    def now_ms(self) -> int:
        return self.loop.now_ms() + self.skew_ms

    # ---- what happens ----

    def put(self, item: dict[str, Any]) -> None:
        json = values.dumps(item)
        key = keys.encode_key(SCHEMA, {"k": item["k"]})
        self._write(Put(key, json, values.item_size(item)))

    def delete(self, name: str) -> None:
        self._write(Delete(keys.encode_key(SCHEMA, {"k": {"S": name}})))

    def merge(self, item: dict[str, Any], age_ms: int, deletes: bool) -> None:
        """From the peer region, if there is one."""
        if not self._table.regions:
            return
        self.merged_ms += 1
        stamp = stamp_at(self.now_ms() - age_ms) + self.merged_ms
        key = keys.encode_key(SCHEMA, {"k": item["k"]})
        made = records.encode(values.dumps(item), values.item_size(item), stamp, PEER.encode())
        if deletes:
            made = records.encode_tombstone(stamp, PEER.encode())
        message = MergeItems(BASE, 1, PEER, [ShippedChange(key, made)])
        self.base.partition.merge_items(message, lambda _: None)

    def create_index(self, attribute: str = "g", projection: ProjectionKind = ProjectionKind.ALL) -> None:
        made = index(self._next_index, attribute, projection)
        self._next_index += 1
        halves = [
            _descriptor(10 * made.id + number, made.id, lower, upper)
            for number, (lower, upper) in enumerate(keys.split_tokens(2))
        ]
        self._table = _with_indexes(self._table, (*self._table.indexes, made))
        for half in halves:
            self.groups[half.id] = Group(self, half, _with_indexes(self._table, ()), made)
        self._publish(self._table, *halves)

    def drop_index(self) -> None:
        """The oldest."""
        if self._table.indexes:
            gone, *kept = self._table.indexes
            self._table = _with_indexes(self._table, tuple(kept))
            self._publish(self._table)
            for number in [each.id for each in self._partitions_of(gone.id)]:
                del self.groups[number]

    def change_leader(self) -> None:
        """The new one's directory may be older than the last one's."""
        self.base.replica.depose()
        self.base.lead()
        self._lead()

    def change_index_leader(self) -> None:
        if self.groups:
            group = self.random.choice(list(self.groups.values()))
            group.replica.depose()
            group.lead()

    def crash(self) -> None:
        """Every process of lone voters dies, and what its disk did not hold yet is gone."""
        if not self.lone:
            return
        for group in (self.base, *self.groups.values()):
            group.replica.crash()
            group.lead()
        self._lead()

    def hear(self) -> None:
        """The base's leader learns the newest of the directory."""
        for version, updates in enumerate(self._versions):
            self.directory.receive(version, False, updates, version - 1)
        self.base.partition.table = self.directory.tables_by_id[TABLE]
        self._tend()

    def wait(self, seconds: float) -> None:
        self.loop.run_for(seconds)

    def step_clock(self, skew_ms: int) -> None:
        self.skew_ms = skew_ms

    def storm(self, trouble: float) -> None:
        """The share of messages that come to harm, and of proposals that are refused."""
        self.trouble = trouble

    def trim(self) -> None:
        batch = self.base.store.batch()
        self.base.partition.machine.trim([], batch)
        self.base.store.write(batch)

    def heal(self) -> None:
        self.trouble = 0.0
        self.hear()

    # ---- what must be so ----

    def is_complete(self) -> bool:
        """Every index has everything, as the base's leader reports it, and nobody lags."""
        indexed = set(self.base.partition.feed.indexed)
        return indexed == {each.id for each in self._table.indexes} and not self._lagging()

    def differences(self) -> list[str]:
        items = self.base.records()
        return [
            difference
            for each in self._table.indexes
            for difference in differences(SCHEMA, each, items, self.entries_of(each.id))
        ]

    def entries_of(self, index_id: int) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for group in self.groups.values():
            if group.descriptor.table_id == index_id:
                found |= group.records()
        return found

    # ---- inside ----

    def _lagging(self) -> bool:
        log = self.base.store.scan(Family.CHANGES, b"", b"\xff" * 20)
        newest = max((int.from_bytes(place[8:16], "big") for place, _ in log), default=0)
        cursors = self.base.partition.machine.index_cursors.by_id.values()
        machine = self.base.partition.machine
        return machine.shown < machine.applied or any(cursor.index < newest for cursor in cursors)

    def _write(self, write: Put | Delete) -> None:
        self.base.partition.write_item(WriteItem(BASE, 1, write), self.answers.append)

    def _publish(self, table: Table, *descriptors: Descriptor) -> None:
        updates = [Update("table", table.name, table)]
        self._versions.append(updates + [Update("partition", str(each.id), each) for each in descriptors])

    def _partitions_of(self, index_id: int) -> list[Descriptor]:
        return [each.descriptor for each in self.groups.values() if each.descriptor.table_id == index_id]

    def _lead(self) -> None:
        """The base's leader begins to serve."""
        self.directory = Directory()
        for version in range(self.random.randrange(len(self._versions)) + 1):
            self.directory.receive(version, False, self._versions[version], version - 1)
        base = self.base
        base.partition.table = self.directory.tables_by_id[TABLE]
        routes = IndexRoutes("near", OWN, self.directory, {}, {"far": _FarNode(self)})
        followers = Followers(OWN, base.store, lambda _: None, routes, self.now_ms, backfill_items=2)
        self.senders = Senders(
            store=base.store,
            readers_of=followers.of,
            now_ms=self.now_ms,
            random=self.random,
            call_soon=self._soon,
        )
        base.on_shown = self._shown
        self._tend()
        self.senders.follow(base.partition)

    def _soon(self, callback: Callable[[], None]) -> None:
        self.loop.call_soon(callback)

    def _tend(self) -> None:
        self.base.partition.feed.tend(self.directory.tables_by_id[TABLE], self.directory.version)

    def _shown(self) -> None:
        if self.base.partition.feed.has_turned():
            self.senders.follow(self.base.partition)
        self.senders.written(self.base.partition)

    def _kick(self) -> None:
        self._tend()
        self.senders.follow(self.base.partition)
        self.senders.kick()
        self.loop.call_later(0.1, self._kick)


class _FarNode:
    """The link to the node that leads every index's partition."""

    peer = "far"
    connected = True

    def __init__(self, world: World) -> None:
        self._world = world

    def cast(self, message: Any) -> None:
        raise AssertionError("nobody casts here")

    def call(self, message: MergeItems, done: Reply, timeout_seconds: float) -> None:
        world, random = self._world, self._world.random
        shipped = {records.order_of(change.record) for change in message.changes}
        assert shipped <= world.durable, "an index is told of what may yet be lost"
        if world.is_cut_off:
            world.loop.call_soon(done, LinkFailure(sent=False, reason="not connected"))
            return
        draw = random.random()
        once = _once(done)
        world.loop.call_later(timeout_seconds, once, LinkFailure(sent=True, reason="no answer in time"))
        if draw < world.trouble / 3:
            world.loop.call_later(random.uniform(0.01, 0.2), once, LinkFailure(sent=True, reason="lost"))
            return
        answer = once if draw > 2 * world.trouble / 3 else partial(self._lose, once)
        world.loop.call_later(random.uniform(0.001, 0.1), self._arrive, message, answer)
        if random.random() < world.trouble / 3:
            world.loop.call_later(random.uniform(0.001, 1.0), self._arrive, message, lambda _: None)

    def _arrive(self, message: MergeItems, reply: Reply) -> None:
        group = self._world.groups.get(message.partition)
        if group is None:
            reply(Elsewhere(message.partition, None))
        else:
            group.partition.merge_items(message, reply)

    def _lose(self, done: Reply, answer: Any) -> None:
        done(LinkFailure(sent=True, reason="its answer was lost"))


def _once(done: Reply) -> Reply:
    waiting = [done]

    def answered(answer: Any) -> None:
        if waiting:
            waiting.pop()(answer)

    return answered


def _descriptor(number: int, owner: int, lower: int, upper: int) -> Descriptor:
    return Descriptor(
        id=number,
        table_id=owner,
        lower=lower,
        upper=upper,
        epoch=1,
        replicas=("far",),
        preferred_leader="far",
    )


def _with_indexes(table: Table, indexes: tuple[Index, ...]) -> Table:
    return Table(
        id=table.id,
        name=table.name,
        status=table.status,
        keys=table.keys,
        uuid=table.uuid,
        created_ms=table.created_ms,
        regions=table.regions,
        indexes=indexes,
    )
