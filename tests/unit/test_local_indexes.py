"""Local indexes and item collections in one partition: whatever is written, merged, lost in a crash or overruled by
another leader, the entries are what the items show, and every count is what counting gives."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kvorum.control.messages import (
    Elsewhere,
    MergeItems,
    PageAnswer,
    ReadRange,
    Refused,
    ShipAnswer,
    ShippedChange,
    StatisticsAnswer,
    WriteAnswer,
    WriteItem,
)
from kvorum.control.state import Partition as Descriptor
from kvorum.model import index_keys, indexes, keys, record
from kvorum.model.requests import Delete, Expressions, Item, Put, Update, Write
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
from kvorum.model.values import dumps, item_size, loads
from kvorum.node import evaluation, item_collections, pages, partition_machine
from kvorum.node.commands import Mutate, decode
from kvorum.node.item_collections import ItemCollections
from kvorum.node.memory_store import MemoryStore
from kvorum.node.partition import Partition
from kvorum.node.partition_machine import PartitionMachine
from kvorum.node.store import Family
from kvorum.replication.clock import HybridClock, stamp_at
from kvorum.replication.raft.messages import Entry, EntryKind

PARTITION, TABLE = 7, 1
NOW_MS = 1_700_000_000_000
HASH = KeyPart("pk", "S")
SCHEMA = KeySchema(HASH, KeyPart("sk", "N"))


def _index(
    number: int, range_part: KeyPart, projection: ProjectionKind, included: tuple[str, ...] = ()
) -> Index:
    return Index(
        id=number,
        name=f"by_{range_part.name}",
        local=True,
        keys=IndexKeys((HASH,), (range_part,)),
        projection=projection,
        included=included,
    )


BY_TEXT = _index(11, KeyPart("text", "S"), ProjectionKind.ALL)
BY_NUMBER = _index(12, KeyPart("number", "N"), ProjectionKind.KEYS_ONLY)
BY_BINARY = _index(13, KeyPart("binary", "B"), ProjectionKind.INCLUDE, ("more",))
LOCAL = (BY_TEXT, BY_NUMBER, BY_BINARY)
GLOBAL = Index(
    id=14,
    name="global",
    local=False,
    keys=IndexKeys((KeyPart("text", "S"), KeyPart("number", "N"))),
    projection=ProjectionKind.ALL,
)


def table(regions: tuple[str, ...], its_indexes: tuple[Index, ...] = LOCAL) -> Table:
    return Table(
        id=TABLE,
        name="T",
        status=TableStatus.ACTIVE,
        keys=SCHEMA,
        uuid="u",
        created_ms=0,
        regions=regions,
        indexes=its_indexes,
    )


def key_of(item: Item) -> bytes:
    return keys.encode_key(SCHEMA, {"pk": item["pk"], "sk": item["sk"]})


def put(item: Item, **options: Any) -> Put:
    return Put(key_of(item), dumps(item), item_size(item), **options)


class Log:
    """A leader's log whose entries are applied one at a time, when the test says so; what is committed survives a
    crash of its node. Stands for node/replica, and for the lease: this leader needs no proof. `alone`: the only
    voter, whose effects are shown only once they are synced, and whose log does not outlive a crash."""

    def __init__(self, *, alone: bool) -> None:
        self.core = SimpleNamespace(term=1)
        self.serving = True
        self.suspect = False
        self.alone = alone
        self.leader = "here"
        self.entries: list[bytes] = []
        self.applied = 0
        self._waiting: dict[int, list[Callable[[Any], None]]] = {}

    def propose(self, data: bytes, _command: Any, done: Callable[[Any], None]) -> int:
        self.entries.append(data)
        self._waiting[len(self.entries)] = [done]
        return len(self.entries)

    def confirm(self, done: Callable[[bool], None]) -> None:
        done(True)

    def when_resolved(self, index: int, done: Callable[[bool], None]) -> None:
        if index in self._waiting:
            self._waiting[index].append(lambda result: done(isinstance(result, int)))
        else:
            done(index <= self.applied)

    def settle(self) -> None:
        """Tell the proposers of what is applied."""
        for index in sorted(index for index in self._waiting if index <= self.applied):
            for done in self._waiting.pop(index):
                done(index)

    def lose(self, kept: int) -> None:
        """What another leader does not have."""
        del self.entries[kept:]
        waiting, self._waiting = self._waiting, {}
        for index in sorted(waiting):
            for done in waiting[index]:
                done(Elsewhere(PARTITION, None))


class World:
    """One replica that leads its partition, through crashes."""

    def __init__(self, its_table: Table, collection_bytes_max: int = 1 << 30, *, alone: bool = False) -> None:
        self.table = its_table
        self.collection_bytes_max = collection_bytes_max
        self.store = MemoryStore(can_crash=True)
        self.clock = HybridClock()
        self.log = Log(alone=alone)
        self.sizes_after: dict[int, dict[bytes, int]] = {}
        self.now_ms = NOW_MS
        self.open()

    def open(self) -> None:
        descriptor = Descriptor(
            id=PARTITION,
            table_id=TABLE,
            lower=0,
            upper=keys.TOKENS - 1,
            epoch=1,
            replicas=("here",),
            preferred_leader="here",
        )
        self.machine = PartitionMachine(PARTITION, TABLE, self.store, self.clock)
        self.partition = Partition(
            descriptor,
            self.table,
            "west",
            self.machine,
            cast("Any", self.log),
            self.store,
            self.clock,
            lambda: self.now_ms,
            self.collection_bytes_max,
        )
        self.machine.on_shown = self.partition.catch_up

    # ---- requests ----

    def write(self, write: Write) -> list[Any]:
        answers: list[Any] = []
        self.partition.write_item(WriteItem(PARTITION, 1, write), answers.append)
        return answers

    def merge(self, changes: list[tuple[bytes, bytes]]) -> list[Any]:
        answers: list[Any] = []
        shipped = [ShippedChange(key, change) for key, change in changes]
        self.partition.merge_items(MergeItems(PARTITION, 1, "east", shipped), answers.append)
        return answers

    def read(self, index: Index, lower: bytes, upper: bytes, **options: Any) -> PageAnswer:
        asked = {"reverse": False, "items_max": 0, "bytes_max": 1 << 20, "strong": True} | options
        answers: list[Any] = []
        self.partition.read_range(
            ReadRange(PARTITION, 1, lower, upper, index=index.id, **asked), answers.append
        )
        (answer,) = answers
        assert isinstance(answer, PageAnswer)
        return answer

    # ---- time ----

    def step(self) -> None:
        """The next entry is committed and applied; unless that waits for the disk, it is shown."""
        index = self.log.applied + 1
        batch = self.store.batch()
        entry = Entry(index=index, term=1, kind=EntryKind.COMMAND, data=self.log.entries[index - 1])
        self.machine.apply(entry, None, batch)
        self.machine.checkpoint(index, batch)
        self.store.write(batch)
        self.log.applied = index
        self.sizes_after[index] = self.sizes()
        if not self.log.alone:
            self.show()

    def sync(self) -> None:
        self.store.sync()
        self.show()

    def show(self) -> None:
        self.machine.show(self.log.applied)
        self.log.settle()

    def settle(self) -> None:
        while self.log.applied < len(self.log.entries):
            self.step()
        self.sync()

    def another_leads(self, kept: int) -> None:
        """And this one again, before anything else was written; it serves once it has applied what was kept."""
        self.log.lose(kept)
        self.log.core.term += 1
        self.partition.leadership_changed()
        self.settle()

    def crash(self, kept: int, unsynced_writes_kept: int) -> None:
        self.store.crash(unsynced_writes_kept)
        self.open()
        self.log.applied = self.machine.applied
        self.log.lose(self.log.applied if self.log.alone else kept)
        self.settle()

    # ---- what is stored ----

    def under(self, prefix: int) -> dict[bytes, bytes]:
        lower = prefix.to_bytes(4, "big")
        rows = self.store.scan(Family.DATA, lower, lower + b"\xff" * 9)
        return {key[4:]: value for key, value in rows}

    def items(self) -> dict[bytes, Item]:
        return {
            key: loads(record.json_of(value))
            for key, value in self.under(TABLE).items()
            if not record.is_tombstone(value)
        }

    def sizes(self) -> dict[bytes, int]:
        """Of the collections, by what their keys begin with."""
        prefix = b"collection/" + TABLE.to_bytes(4, "big")
        rows = self.store.scan(Family.META, prefix, prefix + b"\xff" * 9)
        return {key[len(prefix) :]: int.from_bytes(value, "big", signed=True) for key, value in rows}


def entries_of(index: Index, items: dict[bytes, Item]) -> dict[bytes, Item]:
    """What the index has to show, by the words of the developer guide."""
    names = {"pk", "sk", index.keys.range[0].name, *index.included}
    entries: dict[bytes, Item] = {}
    for key, item in items.items():
        entry_key = index_keys.local_entry_key(index.keys, item, key)
        if entry_key is not None:
            shown = index.projection is ProjectionKind.ALL
            entries[entry_key] = {name: item[name] for name in item if shown or name in names}
    return entries


def check(world: World) -> None:
    items = world.items()
    sizes: dict[bytes, int] = {}
    for key, item in items.items():
        collection = keys.hash_prefix(SCHEMA, item["pk"])
        assert key.startswith(collection)
        sizes[collection] = sizes.get(collection, 0) + item_size(item)
    for index in LOCAL:
        expected = entries_of(index, items)
        stored = world.under(index.id)
        assert {key: loads(record.json_of(value)) for key, value in stored.items()} == expected
        for entry in expected.values():
            sizes[keys.hash_prefix(SCHEMA, entry["pk"])] += item_size(entry)
        counts = len(expected), sum(map(item_size, expected.values()))
        assert all(record.size_of(value) == item_size(expected[key]) for key, value in stored.items())
        answers: list[Any] = []
        world.partition.statistics(index.id, answers.append)
        assert answers == [StatisticsAnswer(*counts)]
        if world.machine.shown == world.log.applied:
            check_pages(world, index, expected, items)
    assert world.sizes() == sizes
    assert world.machine.items == len(items)
    assert world.machine.bytes == sum(map(item_size, items.values()))


def check_pages(world: World, index: Index, entries: dict[bytes, Item], its_items: dict[bytes, Item]) -> None:
    """Both ways, page by page, with the items fetched."""
    for reverse in (False, True):
        lower, upper = b"", b"\xff" * 9
        found: list[tuple[Item, Item]] = []
        while True:
            page = world.read(index, lower, upper, reverse=reverse, items_max=2, fetch=True)
            assert page.fetched is not None
            for entry, item in zip(page.records, page.fetched, strict=True):
                found.append((loads(record.json_of(entry)), loads(record.json_of(item))))
            if page.next_key is None:
                break
            lower, upper = (lower, page.next_key) if reverse else (keys.after(page.next_key), upper)
        expected = [
            (entries[key], its_items[key_of(entries[key])]) for key in sorted(entries, reverse=reverse)
        ]
        assert found == expected


# ---- any history ---------------------------------------------------------------------------------------------

hash_values = st.sampled_from(["p", "p\x00", "q"]).map(lambda text: {"S": text})
range_values = st.sampled_from(["-1", "0", "2.5"]).map(lambda text: {"N": text})
attributes: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "text": st.sampled_from(["a", "a\x00", "a\x00\x01", "\x01b" * 8]).map(lambda text: {"S": text}),
    "number": st.sampled_from(["-7", "0", "1000"]).map(lambda text: {"N": text}),
    "binary": st.sampled_from(["AA==", "AAE=", "//8="]).map(lambda text: {"B": text}),
    "more": st.sampled_from(["x", "x" * 40]).map(lambda text: {"S": text}),
    "other": st.sampled_from(["y", "y" * 90]).map(lambda text: {"S": text}),
}
key_items = st.builds(lambda pk, sk: {"pk": pk, "sk": sk}, hash_values, range_values)
rests = st.fixed_dictionaries({}, optional=attributes)
items = st.builds(lambda key, rest: key | rest, key_items, rests)


class Histories(RuleBasedStateMachine):
    """Writes are proposed and applied in their own time; the checks come when everything is applied."""

    @initialize(is_global=st.booleans(), room=st.sampled_from([120, 300, 10_000]), alone=st.booleans())
    def begin(self, is_global: bool, room: int, alone: bool) -> None:
        self.room = room
        self.is_global = is_global
        self.world = World(table(("west", "east") if is_global else ()), room, alone=alone)

    @rule(item=items)
    def puts(self, item: Item) -> None:
        self.write(put(item, measure=True))

    @rule(key=key_items, rest=rests, gone=st.sampled_from(sorted(attributes)))
    def updates(self, key: Item, rest: Item, gone: str) -> None:
        rest = {name: rest[name] for name in rest if name != gone}
        setting = "SET " + ", ".join(f"#{name} = :{name}" for name in rest) if rest else ""
        expressions = Expressions(
            update=f"{setting} REMOVE #{gone}",
            names={f"#{name}": name for name in (*rest, gone)},
            values={f":{name}": value for name, value in rest.items()},
        )
        self.write(Update(key_of(key), key, expressions, measure=True))

    @rule(key=key_items)
    def deletes(self, key: Item) -> None:
        self.write(Delete(key_of(key), measure=True))

    @precondition(lambda self: self.is_global)
    @rule(
        changes=st.lists(st.tuples(items, st.booleans(), st.integers(-3, 3)), min_size=1, max_size=4),
    )
    def merges(self, changes: list[tuple[Item, bool, int]]) -> None:
        def encoded(item: Item, deleted: bool, age: int) -> bytes:
            stamp = stamp_at(self.world.now_ms + age)
            if deleted:
                return record.encode_tombstone(stamp, b"east")
            return record.encode(dumps(item), item_size(item), stamp, b"east")

        self.world.merge([(key_of(change[0]), encoded(*change)) for change in changes])

    @rule(count=st.integers(1, 4))
    def time_passes(self, count: int) -> None:
        self.world.now_ms += count
        for _ in range(min(count, len(self.world.log.entries) - self.world.log.applied)):
            self.world.step()

    @rule()
    def disk_catches_up(self) -> None:
        self.world.sync()

    @precondition(lambda self: not self.world.log.alone)
    @rule(data=st.data())
    def another_leads(self, data: st.DataObject) -> None:
        log = self.world.log
        self.world.another_leads(data.draw(st.integers(log.applied, len(log.entries))))

    @rule(data=st.data())
    def node_crashes(self, data: st.DataObject) -> None:
        log, store = self.world.log, self.world.store
        kept = data.draw(st.integers(log.applied, len(log.entries)))
        self.world.crash(kept, data.draw(st.integers(0, store.unsynced_writes)))

    @invariant()
    def is_sound_once_applied(self) -> None:
        if self.world.log.applied == len(self.world.log.entries):
            check(self.world)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            check(self.world)

    def write(self, write: Write) -> None:
        """Its answer tells what is stored when it is applied."""
        world = self.world
        collection = keys.collection_of(SCHEMA, write.key)

        def answered(answer: Any) -> None:
            if isinstance(answer, WriteAnswer) and answer.index:
                size = world.sizes_after[answer.index].get(collection, 0)
                assert answer.collection_bytes == size
                assert size <= self.room or self.is_global
            elif isinstance(answer, Refused):
                assert answer.kind.endswith("#ItemCollectionSizeLimitExceededException")
                assert answer.message == "Collection size exceeded."
                assert answer.status == 400

        world.partition.write_item(WriteItem(PARTITION, 1, write), answered)


SETTINGS = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_entries_are_what_the_items_show() -> None:
    run_state_machine_as_test(Histories, settings=SETTINGS)


# ---- the histories must be able to fail ----------------------------------------------------------------------

Patch = Callable[[pytest.MonkeyPatch], None]


def leaves_the_entry_of_an_item_that_moved(patch: pytest.MonkeyPatch) -> None:
    original = evaluation._operations

    def operations(index: Index, old: Any, new: Any, its_record: Any) -> Any:
        return original(
            index, old if new is None or old is None or old.key == new.key else None, new, its_record
        )

    patch.setattr(evaluation, "_operations", operations)


def merges_items_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Partition, "_merge_effect", lambda *_: None)


def forgets_sizes_that_are_proposed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ItemCollections, "propose", lambda *_: None)


def remembers_sizes_that_another_leader_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ItemCollections, "clear", lambda _: None)


def forgets_the_earlier_changes_of_a_batch(patch: pytest.MonkeyPatch) -> None:
    original = ItemCollections.size
    patch.setattr(ItemCollections, "size", lambda sizes, name, unproposed=None: original(sizes, name))


def keeps_the_size_of_what_is_gone(patch: pytest.MonkeyPatch) -> None:
    original = item_collections.store_size

    def store_size(prefix: bytes, change: Any, batch: Any) -> None:
        if change.collection_bytes:
            original(prefix, change, batch)

    patch.setattr(partition_machine, "store_size", store_size)


def counts_in_memory_alone(patch: pytest.MonkeyPatch) -> None:
    original = PartitionMachine.checkpoint

    def checkpoint(machine: PartitionMachine, index: int, batch: Any) -> None:
        counts, machine.indexes = machine.indexes, {}
        original(machine, index, batch)
        machine.indexes = counts

    patch.setattr(PartitionMachine, "checkpoint", checkpoint)


def reads_items_by_their_entries_keys(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pages, "item_key_of", lambda index, entry: entry)


def refuses_no_growth(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Partition, "_outgrown", lambda *_: False)


MISTAKES: list[Patch] = [
    leaves_the_entry_of_an_item_that_moved,
    merges_items_alone,
    forgets_sizes_that_are_proposed,
    remembers_sizes_that_another_leader_dropped,
    forgets_the_earlier_changes_of_a_batch,
    keeps_the_size_of_what_is_gone,
    counts_in_memory_alone,
    reads_items_by_their_entries_keys,
    refuses_no_growth,
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake(monkeypatch)
    found = settings(
        SETTINGS,
        max_examples=400,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        report_multiple_bugs=False,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Histories, settings=found)


# ---- examples ------------------------------------------------------------------------------------------------


def item(place: int, **rest: dict[str, Any]) -> Item:
    return {"pk": {"S": "p"}, "sk": {"N": str(place)}} | rest


def answer_to(world: World, write: Write) -> Any:
    answers = world.write(write)
    world.settle()
    (answer,) = answers
    return answer


@given(items)
def test_a_local_entrys_key_leads_to_its_item(any_item: Item) -> None:
    key = key_of(any_item)
    for index in LOCAL:
        entry_key = index_keys.local_entry_key(index.keys, any_item, key)
        assert (entry_key is None) == (index_keys.entry_key(SCHEMA, index.keys, any_item, key) is None)
        if entry_key is not None:
            assert index_keys.item_key_of(index.keys, entry_key) == key
            assert entry_key.startswith(keys.collection_of(SCHEMA, key))


def test_a_collection_may_become_as_large_as_the_limit_and_no_larger() -> None:
    first, second = item(1, other={"S": "x" * 50}), item(2, other={"S": "x" * 50})
    room = item_size(first) + item_size(second)
    world = World(table(()), room)
    assert isinstance(answer_to(world, put(first)), WriteAnswer)
    assert isinstance(answer_to(world, put(second)), WriteAnswer)
    refused = answer_to(world, put(item(3)))
    assert isinstance(refused, Refused)
    assert refused.kind == "com.amazonaws.dynamodb.v20120810#ItemCollectionSizeLimitExceededException"
    entered = answer_to(world, put(second | {"text": {"S": "x"}}))
    assert isinstance(entered, Refused)
    assert isinstance(
        answer_to(world, put(item(1) | {"pk": {"S": "q"}})), WriteAnswer
    )  # another one has room
    # What is too large already, from another region or before the limit, may shrink and change.
    world.collection_bytes_max = room - 20
    world.open()
    assert isinstance(answer_to(world, put(second | {"other": {"S": "y" * 50}})), WriteAnswer)
    assert isinstance(answer_to(world, put(item(2))), WriteAnswer)
    check(world)


def test_the_limit_sees_what_is_proposed() -> None:
    world = World(table(()), item_size(item(1)) + 1)
    first, second = world.write(put(item(1))), world.write(put(item(2)))
    assert (first, second) == ([], [])  # true only once the first is committed
    world.settle()
    assert isinstance(first[0], WriteAnswer)
    assert isinstance(second[0], Refused)


def test_a_refusal_by_what_another_leader_dropped_is_no_answer() -> None:
    world = World(table(()), item_size(item(1)) + 1)
    world.write(put(item(1)))
    refused = world.write(put(item(2)))
    world.another_leads(kept=0)
    assert isinstance(refused[0], Elsewhere)
    assert isinstance(answer_to(world, put(item(2))), WriteAnswer)


def test_a_merge_knows_no_limit() -> None:
    world = World(table(("west", "east")), 10)
    east = record.encode(dumps(item(1)), item_size(item(1)), stamp_at(NOW_MS), b"east")
    answers = world.merge([(key_of(item(1)), east)])
    world.settle()
    assert answers == [ShipAnswer(0)]
    check(world)


def test_a_measured_write_tells_what_it_took() -> None:
    """Developer guide, "Write throughput capacity" of global and of local secondary indexes."""
    world = World(table((), (*LOCAL, GLOBAL)))
    both = item(1, text={"S": "a"}, number={"N": "1"})

    def units(write: Write) -> tuple[dict[str, int] | None, int | None]:
        answer = answer_to(world, write)
        assert isinstance(answer, WriteAnswer)
        return answer.index_units, answer.collection_bytes

    size, keys_only = item_size(both), item_size(item(1, number={"N": "1"}))
    assert units(put(both)) == (None, None)
    assert units(put(both, measure=True)) == (None, 2 * size + keys_only)
    moved = both | {"text": {"S": "b"}}
    assert units(put(moved, measure=True)) == ({"by_text": 2, "global": 2}, 2 * size + keys_only)
    larger = moved | {"other": {"S": "x" * 1_500}}
    growth = item_size(larger) - size
    assert units(put(larger, measure=True)) == ({"by_text": 2, "global": 2}, 2 * (size + growth) + keys_only)
    gone = units(Delete(key_of(both), measure=True))
    assert gone == ({"by_text": 2, "by_number": 1, "global": 2}, 0)
    assert units(Delete(key_of(both), measure=True)) == (None, 0)


def test_an_index_that_is_being_deleted_costs_nothing() -> None:
    deleting = Index(
        id=14,
        name="g",
        local=False,
        keys=GLOBAL.keys,
        projection=GLOBAL.projection,
        status=IndexStatus.DELETING,
    )
    world = World(table((), (deleting,)))
    answer = answer_to(world, put(item(1, text={"S": "a"}, number={"N": "1"}), measure=True))
    assert (answer.index_units, answer.collection_bytes) == (None, None)


def test_a_table_without_local_indexes_keeps_no_sizes() -> None:
    for its_indexes in ((), (GLOBAL,)):
        world = World(table((), its_indexes))
        answer_to(world, put(item(1, text={"S": "a"}, number={"N": "1"})))
        command = decode(world.log.entries[-1])
        assert isinstance(command, Mutate)
        assert command.mutations[0].local is None
        assert world.sizes() == {}
        assert len(world.store.get(Family.META, b"partition/" + PARTITION.to_bytes(8, "big")) or b"") == 24


def test_an_item_is_parsed_once_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(table((), (*LOCAL, GLOBAL)))
    parsed: list[bytes] = []

    def noticed(data: bytes) -> Item:
        parsed.append(data)
        return loads(data)

    monkeypatch.setattr("kvorum.model.item.loads", noticed)
    monkeypatch.setattr(indexes, "loads", noticed)
    old, new = item(1, text={"S": "a"}, number={"N": "1"}), item(1, text={"S": "b"}, number={"N": "1"})
    answer_to(world, put(old, measure=True))
    assert parsed == [dumps(old)]
    parsed.clear()
    condition = Expressions(condition="attribute_exists(pk)")
    answer_to(world, put(new, expressions=condition, measure=True))
    assert sorted(parsed) == sorted([dumps(old), dumps(new)])
    parsed.clear()
    update = Expressions(update="SET #t = :t", names={"#t": "text"}, values={":t": {"S": "c"}})
    answer_to(world, Update(key_of(new), item(1), update, measure=True))
    assert parsed == [dumps(new)]


def test_pages_end_by_bytes_with_what_was_fetched() -> None:
    world = World(table(()))
    its_items = [item(number, number={"N": str(-number)}, other={"S": "x" * 400}) for number in range(10)]
    for each in its_items:
        answer_to(world, put(each))
    page = world.read(BY_NUMBER, b"", b"\xff" * 9, bytes_max=1_000, fetch=True)
    assert page.fetched is not None
    assert [loads(record.json_of(found)) for found in page.fetched] == its_items[:-4:-1]
    assert page.next_key == index_keys.local_entry_key(BY_NUMBER.keys, its_items[7], key_of(its_items[7]))
    page = world.read(BY_NUMBER, b"", b"\xff" * 9, bytes_max=1_000)
    assert (len(page.records), page.next_key, page.fetched) == (10, None, None)


def test_an_index_that_the_node_has_not_heard_of_is_read_elsewhere() -> None:
    world = World(table(()))
    answers: list[Any] = []
    for number in (99, GLOBAL.id):
        world.partition.read_range(
            ReadRange(PARTITION, 1, b"", b"\xff", False, 0, 1_000, True, index=number), answers.append
        )
    assert answers == [Elsewhere(PARTITION, "here")] * 2


def test_a_checkpoint_from_before_the_indexes_can_be_read() -> None:
    world = World(table(()))
    checkpoint_key = b"partition/" + PARTITION.to_bytes(8, "big")
    batch = world.store.batch()
    batch.put(Family.META, checkpoint_key, b"".join(number.to_bytes(8, "big") for number in (5, 2, 70)))
    world.store.write(batch)
    world.open()
    machine = world.machine
    assert (machine.applied, machine.items, machine.bytes, machine.indexes) == (5, 2, 70, {})


def test_a_partition_that_leaves_takes_its_entries_and_sizes_along() -> None:
    world = World(table(()))
    for number in range(3):
        answer_to(world, put(item(number, text={"S": "a"}, binary={"B": "AA=="})))
    world.open()
    batch = world.store.batch()
    world.machine.erase(keys.token_bounds(0, keys.TOKENS - 1), batch)
    world.store.write(batch)
    assert all(world.under(index) == {} for index in (TABLE, *(index.id for index in LOCAL)))
    assert world.sizes() == {}
    assert list(world.store.scan(Family.META, b"", b"\xff")) == []
