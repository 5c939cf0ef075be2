"""Secondary indexes in the control group: begun and ended by what definitions say, led to ACTIVE by what nodes report,
and the same in every region that has heard the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.control.directory import Directory
from kvorum.control.messages import NodeReport, ReplicaReport
from kvorum.control.reconcile import plan
from kvorum.control.state import (
    ActivateIndex,
    ActivateTable,
    Command,
    CompletePeerOperation,
    CreateTable,
    DeleteTable,
    Partition,
    RegisterNode,
    RemoveIndex,
    StartBackfill,
    State,
    UpdateTable,
    decode_command,
    encode_command,
)
from kvorum.control.transition import apply
from kvorum.model.index_definitions import global_member, global_specifications, index_of, same_index
from kvorum.model.limits import GLOBAL_INDEXES_MAX
from kvorum.model.table import Index, IndexKeys, IndexStatus, KeyPart, KeySchema, ProjectionKind, Table

KEYS = KeySchema(KeyPart("pk", "S"), KeyPart("sk", "S"))
CREATING, ACTIVE, DELETING = IndexStatus.CREATING, IndexStatus.ACTIVE, IndexStatus.DELETING


def specification(name: str, *, uuid: str = "", attribute: str = "a", units: int = 1) -> dict[str, Any]:
    specified: dict[str, Any] = {
        "IndexName": name,
        "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["y", "x"]},
        "ProvisionedThroughput": {"ReadCapacityUnits": units, "WriteCapacityUnits": units},
        "AttributeDefinitions": [{"AttributeName": attribute, "AttributeType": "N"}],
    }
    return {**specified, "Uuid": uuid} if uuid else specified


def definition(
    *names: str, local: tuple[str, ...] = (), local_range: str = "l", attribute: str = "a"
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "AttributeDefinitions": [
            {"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk", local_range)
        ]
    }
    if local:
        result["LocalSecondaryIndexes"] = [
            {
                "IndexName": each,
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": local_range, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for each in local
        ]
    for name in names:
        result[global_member(name)] = specification(name, attribute=attribute)
    return result


class Region:
    """A region's control group, and one node that carries out what it says."""

    def __init__(self, name: str = "here", peers: tuple[str, ...] = ()) -> None:
        self.state = State(name, 1)
        self.peers = peers
        self.index = 0
        self.number = 0
        self.refused = ""
        self.do(RegisterNode(name="node", zone="zone", address="h:1"))

    def do(self, command: Command) -> bool:
        self.index += 1
        outcome = apply(self.state, command, self.index)
        assert (
            apply(self.state, decode_command(encode_command(command)), self.index).updates == outcome.updates
        )
        self.state = outcome.state
        self.refused = "" if outcome.refusal is None else f"{outcome.refusal.code}: {outcome.refusal.message}"
        return outcome.refusal is None

    def create(self, *names: str, created_ms: int | None = None, **more: Any) -> bool:
        self.number += 1
        return self.do(
            CreateTable(
                name="T",
                keys=KEYS,
                table_uuid=f"{self.state.region}-{self.number}",
                created_ms=self.number if created_ms is None else created_ms,
                global_id=f"{self.state.region}-{self.number}" if self.peers else "",
                regions=self.peers,
                definition=definition(*names, **more),
                partitions=2,
            )
        )

    def update(self, changes: dict[str, Any], updated_ms: int = 1) -> bool:
        """`changes`: name -> None to delete an index, an attribute to create it with, units to provision it with."""
        self.number += 1
        uuid = f"{self.state.region}-update-{self.number}"
        table = self.state.tables.get("T")
        known = {} if table is None else global_specifications(table.definition)
        named: dict[str, Any] = {}
        for name, change in changes.items():
            if isinstance(change, int):
                old = known.get(name, specification(name, uuid="gone"))
                change = specification(
                    name,
                    uuid=old.get("Uuid", ""),
                    attribute=old["KeySchema"][0]["AttributeName"],
                    units=change,
                )
            elif isinstance(change, str):
                change = specification(name, uuid=uuid, attribute=change)
            named[global_member(name)] = change
        return self.do(
            UpdateTable(
                name="T",
                settings=named,
                updated_ms=updated_ms,
                table_uuid="" if table is None else table.uuid,
                update_uuid=uuid,
            )
        )

    @property
    def table(self) -> Table:
        return self.state.tables["T"]

    def indexes(self) -> dict[str, Index]:
        return {index.name: index for index in self.table.indexes}

    def partitions(self, owner: int) -> list[Partition]:
        return [each for each in self.state.partitions.values() if each.table_id == owner]

    def step(self) -> bool:
        """The reconciler's plan, for a node that does everything that it is told. False when nothing is left."""
        directory = Directory()
        directory.receive(self.state.version, True, self.state.everything())
        entered = tuple(
            index.id
            for index in (self.table.indexes if "T" in self.state.tables else ())
            if index.backfilling
        )
        held = [each for each in self.state.partitions.values() if not each.dropping]
        replicas = [ReplicaReport(each.id, "node", 1, 1, 1, entered) for each in held]
        commands = plan(directory, {"node": NodeReport("node", self.state.version, replicas)})
        for command in commands:
            assert self.do(command)
        return bool(commands)

    def settle(self) -> None:
        for _ in range(20):
            if not self.step():
                return
        raise AssertionError("the reconciler does not come to rest")

    def check(self) -> None:
        """Ids are unique; each global index has partitions for every token as long as it is alive; nothing else has."""
        owners = {
            index.id: index.status is not DELETING
            for table in self.state.tables.values()
            for index in table.indexes
            if not index.local
        }
        owners.update({table.id: True for table in self.state.tables.values()})
        numbers = [index.id for table in self.state.tables.values() for index in table.indexes]
        assert len(set(numbers)) == len(numbers)
        assert not set(numbers) & {table.id for table in self.state.tables.values()}
        for owner, alive in owners.items():
            held = self.partitions(owner)
            assert bool(held) >= alive
            assert all(each.dropping == (not alive) for each in held)
            ranges = sorted((each.lower, each.upper) for each in held)
            if alive:
                assert (ranges[0][0], ranges[-1][1]) == (0, (1 << 64) - 1)
                assert all(upper + 1 == lower for (_, upper), (lower, _) in pairwise(ranges))
        assert all(each.dropping or each.table_id in owners for each in self.state.partitions.values())
        for table in self.state.tables.values():
            names = [index.name for index in table.indexes]
            assert len(set(names)) == len(names)
            assert names == sorted(names, key=lambda name: not self.indexes()[name].local)


def test_a_table_is_born_with_its_indexes() -> None:
    region = Region()
    assert region.create("g", "h", local=("l",))
    region.check()
    indexes = region.indexes()
    assert list(indexes) == ["l", "g", "h"]
    assert {index.status for index in indexes.values()} == {ACTIVE}
    assert indexes["l"].keys == IndexKeys((KeyPart("pk", "S"),), (KeyPart("l", "S"),))
    assert indexes["g"].keys == IndexKeys((KeyPart("a", "N"),))
    assert (indexes["g"].projection, indexes["g"].included) == (ProjectionKind.INCLUDE, ("x", "y"))
    assert [len(region.partitions(indexes[name].id)) for name in "lgh"] == [0, 2, 2]


def test_a_table_is_active_once_the_partitions_of_its_indexes_are_led_as_well() -> None:
    region = Region()
    region.create("g")
    directory = Directory()
    directory.receive(region.state.version, True, region.state.everything())
    own = [ReplicaReport(each.id, "node", 1, 1, 1) for each in region.partitions(region.table.id)]
    others = [ReplicaReport(each.id, "node", 1, 1, 1) for each in region.partitions(region.indexes()["g"].id)]
    activate = ActivateTable(table_id=region.table.id)
    assert activate not in plan(directory, {"node": NodeReport("node", 9, own)})
    assert activate not in plan(directory, {"node": NodeReport("node", 9, others)})
    assert activate in plan(directory, {"node": NodeReport("node", 9, own + others)})


def test_a_new_index_is_led_then_backfilled_then_active() -> None:
    region = Region()
    region.create()
    region.settle()
    assert region.update({"g": "a"})
    region.check()
    seen = []
    while True:
        index = region.indexes()["g"]
        seen.append((index.status, index.backfilling))
        if not region.step():
            break
    assert [each for number, each in enumerate(seen) if each not in seen[:number]] == [
        (CREATING, False),
        (CREATING, True),
        (ACTIVE, False),
    ]


def test_only_when_every_leader_has_entered_everything() -> None:
    region = Region()
    region.create()
    region.settle()
    region.update({"g": "a"})
    index = region.indexes()["g"]
    region.do(StartBackfill(index_id=index.id))
    directory = Directory()
    directory.receive(region.state.version, True, region.state.everything())

    def planned(*entered: tuple[int, ...], leader: str = "node") -> bool:
        own = region.partitions(region.table.id)
        replicas = [
            ReplicaReport(each.id, leader, 1, 1, 1, done) for each, done in zip(own, entered, strict=True)
        ]
        commands = plan(directory, {"node": NodeReport("node", 9, replicas)})
        return ActivateIndex(index_id=index.id) in commands

    assert not planned((), ())
    assert not planned((index.id,), ())
    assert not planned((index.id,), (index.id + 1,))
    assert not planned((index.id,), (index.id,), leader="another")
    assert planned((index.id,), (index.id, index.id + 1))


@pytest.mark.parametrize("order", [("dead", "node"), ("node", "dead")])
def test_what_a_dead_leader_said_last_does_not_hold_it_up(order: tuple[str, str]) -> None:
    region = Region()
    region.create()
    region.settle()
    region.update({"g": "a"})
    index = region.indexes()["g"]
    region.do(StartBackfill(index_id=index.id))
    directory = Directory()
    directory.receive(region.state.version, True, region.state.everything())
    own = region.partitions(region.table.id)
    said = {
        "dead": [ReplicaReport(each.id, "dead", 1, 1, 1) for each in own],
        "node": [ReplicaReport(each.id, "node", 2, 1, 1, (index.id,)) for each in own],
    }
    reports = {node: NodeReport(node, 9, said[node]) for node in order}
    assert ActivateIndex(index_id=index.id) in plan(directory, reports)


def test_a_deleted_index_goes_and_may_be_created_again() -> None:
    region = Region()
    region.create("g")
    region.settle()
    old = region.indexes()["g"]
    assert region.update({"g": None})
    region.check()
    assert region.indexes()["g"].status is DELETING
    assert not region.update({"g": "b"}), "the name is taken until it is gone"
    region.do(RemoveIndex(index_id=old.id))
    assert region.indexes() == {}
    assert region.update({"g": "b"})
    region.settle()
    region.check()
    assert region.indexes()["g"].id > old.id
    assert region.indexes()["g"].keys.hash == (KeyPart("b", "N"),)


def test_a_node_that_is_away_does_not_hold_up_the_end_of_an_index() -> None:
    state = State("here", 3)
    for node in "abc":
        state = apply(state, RegisterNode(name=node, zone=node, address="h:1"), 1).state
    command = CreateTable(
        name="T",
        keys=KEYS,
        table_uuid="u",
        created_ms=1,
        global_id="",
        regions=(),
        definition=definition("g"),
        partitions=1,
    )
    state = apply(state, command, 2).state
    state = apply(state, ActivateTable(table_id=state.tables["T"].id), 3).state
    (index,) = state.tables["T"].indexes
    deletion = UpdateTable(
        name="T", settings={global_member("g"): None}, updated_ms=1, table_uuid="u", update_uuid="x"
    )
    state = apply(state, deletion, 4).state
    directory = Directory()
    directory.receive(state.version, True, state.everything())
    (own,) = directory.partitions_of(state.tables["T"].id)
    (gone,) = [each for each in directory.partitions.values() if each.dropping]

    def report(node: str, *held: int) -> NodeReport:
        return NodeReport(node, 4, [ReplicaReport(each, None, 1, 1, 1) for each in held])

    remove = RemoveIndex(index_id=index.id)
    reports = {node: report(node, own.id, gone.id) for node in "abc"}
    assert remove not in plan(directory, reports)
    reports["a"] = report("a", own.id)
    assert remove not in plan(directory, reports)
    reports["b"] = report("b", own.id)
    assert plan(directory, reports).count(remove) == 1
    del reports["c"]
    assert remove in plan(directory, reports)
    state = apply(state, remove, 5).state
    assert state.tables["T"].indexes == ()
    assert str(gone.id) in state.partitions, "until the third node has dropped it too"


def test_steps_of_an_index_that_is_being_deleted_mean_nothing() -> None:
    region = Region()
    region.create()
    region.settle()
    region.update({"g": "a"})
    number = region.indexes()["g"].id
    region.do(StartBackfill(index_id=number))
    assert region.update({"g": None}), "while it is backfilled it may be deleted"
    for command in (StartBackfill(index_id=number), ActivateIndex(index_id=number)):
        before = region.state
        region.do(command)
        assert region.state is before


def test_deleting_a_table_drops_everything() -> None:
    region = Region()
    region.create("g", "h", local=("l",))
    region.settle()
    region.update({"h": None})
    began = region.index
    region.do(RemoveIndex(index_id=region.indexes()["h"].id))
    assert region.do(DeleteTable(name="T"))
    assert all(each.dropping for each in region.state.partitions.values())
    versions = {each.dropped_version for each in region.state.partitions.values()}
    assert versions == {began, region.index}, "the deleted index had begun to go before"
    region.settle()
    assert region.state.partitions == {}


@pytest.mark.parametrize(
    ("before", "changes", "refusal"),
    [
        ([], {"g": "a", "h": "a"}, "one"),
        ([], {"g": "a", "x": None}, "one"),
        ([], {"x": None, "y": None}, "one"),
        ([{"g": "a"}], {"h": "a"}, "one"),
        ([{"g": "a"}], {"x": None}, "one"),
        ([{"x": None}], {"g": "a"}, "one"),
        ([{"x": None}], {"y": None}, "one"),
        ([], {"x": "a"}, "exists"),
        ([], {"l": "a"}, "exists"),
        ([{"x": None}], {"x": "a"}, "exists"),
        ([], {"g": None}, "none"),
        ([], {"l": None}, "local delete"),
        ([], {"g": 5}, "none"),
        ([], {"l": 5}, "local update"),
        ([{"x": None}], {"x": 5}, "deleted"),
        ([{"x": None}], {"x": None}, "deleted"),
        ([{"g": "a"}], {"g": None}, "created"),
        ([], {"x": 5, "y": 6}, ""),
        ([{"g": "a"}], {"x": 5}, ""),
        ([], {"x": 5, "g": "a"}, ""),
    ],
)
def test_refusals(before: list[dict[str, Any]], changes: dict[str, Any], refusal: str) -> None:
    words = {
        "one": "LimitExceededException: Subscriber limit exceeded: Only 1 online index can be created or deleted "
        "simultaneously per table",
        "exists": "ValidationException: Attempting to create an index which already exists",
        "none": "ResourceNotFoundException: Requested resource not found: Index g for table T",
        "local delete": "ValidationException: Cannot delete an index that is not a GlobalSecondaryIndex: l",
        "local update": "ValidationException: Cannot update an index that is not a GlobalSecondaryIndex: l",
        "deleted": "ResourceInUseException: Attempt to change a resource which is still in use: "
        "Index is being deleted.  Table: T Index: x",
        "created": "ResourceInUseException: Attempt to change a resource which is still in use: "
        "Index creation is in resource allocation phase. Retry deletion during backfilling phase or when the index is "
        "active. Table: T Index: g",
        "": "",
    }
    region = Region()
    region.create("x", "y", local=("l",))
    region.settle()
    for each in before:
        assert region.update(each)
    state = region.state
    assert region.update(changes) == (not refusal)
    assert region.refused == words[refusal]
    assert (region.state is state) == bool(refusal)


def test_a_table_has_at_most_twenty_global_indexes() -> None:
    region = Region()
    region.create(*(f"g{number}" for number in range(GLOBAL_INDEXES_MAX - 1)))
    region.settle()
    assert region.update({"one": "a"})
    region.settle()
    assert not region.update({"more": "a"})
    assert region.refused.endswith("Number of global secondary indexes exceeds per-table limit of 20")


def test_a_table_is_not_deleted_while_an_index_is_created() -> None:
    region = Region()
    region.create()
    region.settle()
    region.update({"g": "a"})
    assert not region.do(DeleteTable(name="T"))
    assert region.refused.startswith(
        "ResourceInUseException: Attempt to change a resource which is still in use"
    )
    region.settle()
    assert region.do(DeleteTable(name="T"))


def test_throughput_does_not_make_another_index() -> None:
    region = Region()
    region.create("g")
    region.settle()
    before = region.indexes()
    assert region.update({"g": 7})
    assert region.indexes() == before
    assert (
        global_specifications(region.table.definition)["g"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 7
    )


def test_an_update_made_twice_creates_one_index() -> None:
    region = Region()
    region.create()
    region.settle()
    command = UpdateTable(
        name="T",
        settings={global_member("g"): specification("g", uuid="u")},
        updated_ms=1,
        table_uuid=region.table.uuid,
        update_uuid="u",
    )
    assert region.do(command)
    state = region.state
    assert region.do(command)
    assert region.state is state


# ---- regions ---------------------------------------------------------------------------------------


class World:
    """Regions that tell each other when `deliver` says so."""

    def __init__(self, *names: str) -> None:
        self.regions = {name: Region(name, names) for name in names}

    def pending(self) -> list[tuple[str, int]]:
        return [
            (name, operation.id)
            for name, region in self.regions.items()
            for operation in region.state.peer_operations.values()
        ]

    def deliver(self, name: str, number: int, *, complete: bool = True) -> None:
        operation = self.regions[name].state.peer_operations[str(number)]
        assert self.regions[operation.region].do(operation.command)
        if complete:
            assert self.regions[name].do(CompletePeerOperation(id=number))

    def heal(self) -> None:
        while pending := self.pending():
            self.deliver(*min(pending, key=lambda way: way[1]))
        for region in self.regions.values():
            region.settle()

    def check(self) -> None:
        """Once everything has been told and done, every region has the indexes that the definition says."""
        definitions = [
            {name: table.definition for name, table in region.state.tables.items()}
            for region in self.regions.values()
        ]
        assert all(each == definitions[0] for each in definitions)
        for region in self.regions.values():
            region.check()
            for table in region.state.tables.values():
                wanted = [index_of(each) for each in global_specifications(table.definition).values()]
                found = [index for index in table.indexes if not index.local]
                assert {index.status for index in found} <= {ACTIVE}
                assert len(found) == len(wanted)
                assert all(any(same_index(each, index) for index in found) for each in wanted)


def test_a_birth_brings_its_indexes_to_every_region() -> None:
    world = World("a", "b", "c")
    world.regions["a"].create("g", local=("l",))
    world.heal()
    world.check()
    assert all(list(region.indexes()) == ["l", "g"] for region in world.regions.values())


def test_indexes_created_at_once_in_two_regions_come_about_in_both() -> None:
    world = World("a", "b")
    world.regions["a"].create()
    world.heal()
    assert world.regions["a"].update({"g": "a"})
    assert world.regions["b"].update({"h": "b"})
    world.heal()
    world.check()
    assert all(region.indexes().keys() == {"g", "h"} for region in world.regions.values())


def test_of_two_indexes_of_one_name_the_later_stays() -> None:
    world = World("a", "b")
    world.regions["a"].create()
    world.heal()
    assert world.regions["a"].update({"g": "a"}, updated_ms=5)
    assert world.regions["b"].update({"g": "b"}, updated_ms=6)
    world.heal()
    world.check()
    assert {region.indexes()["g"].keys.hash[0].name for region in world.regions.values()} == {"b"}


def test_an_index_that_two_births_of_one_table_say_stays_what_it_was() -> None:
    """What it holds need not be entered again."""
    world = World("a", "b")
    for region in world.regions.values():
        region.create("g", created_ms=1)
        region.settle()
    before = [region.indexes()["g"].id for region in world.regions.values()]
    world.heal()
    world.check()
    assert [region.indexes()["g"].id for region in world.regions.values()] == before


def test_births_that_differ_in_a_global_index_become_the_older_one() -> None:
    world = World("a", "b")
    world.regions["a"].create("g", "h", created_ms=2)
    world.regions["b"].create("g", "i", created_ms=1, attribute="b")
    world.heal()
    world.check()
    assert all(region.indexes().keys() == {"g", "i"} for region in world.regions.values())


def test_births_that_differ_in_local_indexes_are_two_tables() -> None:
    world = World("a", "b")
    world.regions["a"].create(local=("l",), created_ms=1)
    world.regions["b"].create(local=("l",), local_range="m", created_ms=2)
    world.heal()
    assert world.regions["a"].table.global_id
    assert not world.regions["b"].table.global_id


def test_an_index_that_is_changed_in_one_region_and_deleted_in_the_other_follows_the_later() -> None:
    for deleted_ms, changed_ms in ((5, 6), (6, 5)):
        world = World("a", "b")
        world.regions["a"].create("g")
        world.heal()
        assert world.regions["a"].update({"g": None}, updated_ms=deleted_ms)
        assert world.regions["b"].update({"g": 7}, updated_ms=changed_ms)
        world.heal()
        world.check()
        assert ("g" in world.regions["a"].indexes()) == (changed_ms > deleted_ms)


@given(st.data(), st.sampled_from([("a", "b"), ("a", "b", "c")]))
@settings(max_examples=200, deadline=None)
def test_regions_agree_on_indexes(data: st.DataObject, names: tuple[str, ...]) -> None:
    world = World(*names)
    changes = st.dictionaries(
        st.sampled_from("gh"), st.none() | st.sampled_from("ab") | st.integers(1, 3), min_size=1, max_size=2
    )
    births = st.lists(st.sampled_from("gh"), unique=True)
    for _ in range(data.draw(st.integers(1, 25))):
        region = world.regions[data.draw(st.sampled_from(names))]
        match data.draw(
            st.sampled_from(["create", "update", "update", "settle", "step", "delete", "tell", "tell"])
        ):
            case "create":
                attribute = data.draw(st.sampled_from("ab"))
                region.create(
                    *data.draw(births), attribute=attribute, created_ms=data.draw(st.integers(1, 3))
                )
            case "update":
                region.update(data.draw(changes), data.draw(st.integers(1, 5)))
            case "settle":
                region.settle()
            case "step":
                region.step()
            case "delete":
                region.do(DeleteTable(name="T"))
            case _:
                pending = world.pending()
                if pending:
                    world.deliver(*data.draw(st.sampled_from(pending)), complete=data.draw(st.booleans()))
        region.check()
    while pending := world.pending():
        world.deliver(*data.draw(st.sampled_from(pending)))
    world.heal()
    world.check()
