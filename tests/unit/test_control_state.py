"""The control group's commands: whatever is asked in whatever order, ids stay unique, every token has exactly one
partition, replicas stand in different zones, and what is stored is what is known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from kvorum.control.claims import ENDED_MAX
from kvorum.control.state import (
    COUNTERS_KEY,
    ActivateTable,
    Command,
    CompletePeerOperation,
    CreateTable,
    DeleteTable,
    FormPartitions,
    RegisterNode,
    RemovePartition,
    State,
    UpdateTable,
    decode_command,
    encode_command,
    encode_counters,
    encode_record,
    load,
    record_key,
)
from kvorum.control.transition import UPDATES_MAX, apply
from kvorum.model.table import KeyPart, KeySchema, TableStatus

TOKENS = 1 << 64
NAMES = st.sampled_from(["alpha", "beta", "gamma"])
PK = KeySchema(KeyPart("pk", "S"))


def create(name: str, number: int, *, partitions: int = 1, global_id: str = "") -> CreateTable:
    return CreateTable(
        name=name,
        keys=PK,
        table_uuid=f"uuid-{number}",
        created_ms=number,
        global_id=global_id,
        regions=("here", "there") if global_id else (),
        definition={"BillingMode": "PAY_PER_REQUEST"},
        partitions=partitions,
    )


class ControlGroup(RuleBasedStateMachine):
    """One region against a dumb oracle: the tables that exist, by name, with the status that they have."""

    created = Bundle("created")
    updated = Bundle("updated")

    def __init__(self) -> None:
        super().__init__()
        self.state = State("here", 3)
        self.rows: dict[bytes, bytes] = {}
        self.index = 0
        self.expected: dict[str, TableStatus] = {}
        self.definitions: dict[str, dict[str, Any]] = {}
        self.table_ids: set[int] = set()
        self.partition_ids: set[int] = set()
        self.number = 0
        for name in "abc":
            self.do(RegisterNode(name=name, zone=f"zone-{name}", address=f"{name}:1"))

    def do(self, command: Command) -> str | None:
        """Apply, as two members do; returns the refusal's code."""
        self.index += 1
        outcome = apply(self.state, command, self.index)
        again = apply(self.state, decode_command(encode_command(command)), self.index)
        assert again.updates == outcome.updates
        assert again.state.records == outcome.state.records
        if outcome.refusal is not None:
            assert outcome.state is self.state
            assert not outcome.updates
            return outcome.refusal.code
        before = self.state
        self.state = outcome.state
        if not outcome.updates:
            assert self.state is before
            return None
        assert self.state.version == self.index
        for update in outcome.updates:
            key = record_key(update.kind, update.id)
            if update.record is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = encode_record(update.record)
        self.rows[COUNTERS_KEY] = encode_counters(self.state.counters)
        return None

    @rule(target=created, name=NAMES, partitions=st.integers(1, 9), is_global=st.booleans())
    def create_table(self, name: str, partitions: int, is_global: bool) -> CreateTable:
        self.number += 1
        global_id = f"global-{self.number}" if is_global else ""
        command = create(name, self.number, partitions=partitions, global_id=global_id)
        refusal = self.do(command)
        if name in self.expected:
            assert refusal == "ResourceInUseException"
            return command
        assert refusal is None
        self.expected[name] = TableStatus.CREATING
        self.definitions[name] = command.definition
        table = self.state.tables[name]
        assert table.id not in self.table_ids
        self.table_ids.add(table.id)
        numbers = {p.id for p in self.state.partitions.values() if p.table_id == table.id}
        assert len(numbers) == partitions
        assert not numbers & self.partition_ids
        assert min(numbers) >= 1
        self.partition_ids |= numbers
        return command

    @rule(command=created)
    def create_again(self, command: CreateTable) -> None:
        """An answer was lost, the caller's router asks a second time. Of a local table's end nothing is
        remembered, so only what exists and what was global can be told from a new wish."""
        table = self.state.tables.get(command.name)
        if table is not None and table.uuid == command.table_uuid:
            assert self.do(command) is None
            assert self.state.tables[command.name] == table
        elif command.global_id and command.global_id in self.state.ended:
            assert self.do(command) is None
            assert self.state.tables.get(command.name) == table

    @rule(name=NAMES)
    def delete_table(self, name: str) -> None:
        refusal = self.do(DeleteTable(name=name))
        match self.expected.get(name):
            case None:
                assert refusal == "ResourceNotFoundException"
            case TableStatus.CREATING:
                assert refusal == "ResourceInUseException"
            case _:
                assert refusal is None
                del self.expected[name], self.definitions[name]

    @rule(
        target=updated,
        name=NAMES,
        member=st.sampled_from(["TableClass", "BillingMode", "OnDemandThroughput"]),
        value=st.none() | st.integers(0, 3),
        clock=st.integers(0, 3),
    )
    def update_table(self, name: str, member: str, value: int | None, clock: int) -> UpdateTable:
        """Whatever the proposer's clock says, the last update of a region is the one that counts."""
        self.number += 1
        table = self.state.tables.get(name)
        command = UpdateTable(
            name=name,
            settings={member: value},
            updated_ms=clock,
            table_uuid="uuid-0" if table is None else table.uuid,
            update_uuid=f"update-{self.number}",
        )
        refusal = self.do(command)
        match self.expected.get(name):
            case None:
                assert refusal == "ResourceNotFoundException"
            case TableStatus.CREATING:
                assert refusal == "ResourceInUseException"
            case _:
                assert refusal is None
                definition = {**self.definitions[name], member: value}
                self.definitions[name] = {key: kept for key, kept in definition.items() if kept is not None}
        return command

    @rule(command=updated)
    def update_again(self, command: UpdateTable) -> None:
        table = self.state.tables.get(command.name)
        if table is not None and command.update_uuid in table.updates:
            version = self.state.version
            assert self.do(command) is None
            assert self.state.version == version

    @rule(name=NAMES)
    def activate(self, name: str) -> None:
        table = self.state.tables.get(name)
        if table is not None:
            assert self.do(ActivateTable(table_id=table.id)) is None
            self.expected[name] = TableStatus.ACTIVE

    @rule(data=st.data())
    def form(self, data: st.DataObject) -> None:
        numbers = data.draw(st.lists(st.sampled_from(sorted(self.partition_ids) or [1]), max_size=3))
        assert self.do(FormPartitions(partitions=tuple(numbers))) is None

    @rule(data=st.data())
    def remove_partition(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.partition_ids) or [1]))
        before = self.state.partitions.get(str(number))
        assert self.do(RemovePartition(partition=number)) is None
        removed = str(number) not in self.state.partitions
        assert removed == (before is None or before.dropping)

    @rule(name=st.sampled_from("abcdef"), zone=st.sampled_from("abcd"))
    def register(self, name: str, zone: str) -> None:
        if name in self.state.nodes:
            zone = self.state.nodes[name].zone.removeprefix("zone-")
        command = RegisterNode(name=name, zone=f"zone-{zone}", address=f"{name}:{self.index}")
        assert self.do(command) is None
        version = self.state.version
        assert self.do(command) is None
        assert self.state.version == version

    @rule(data=st.data())
    def complete_peer_operation(self, data: st.DataObject) -> None:
        pending = sorted(self.state.peer_operations)
        if pending:
            number = data.draw(st.sampled_from(pending))
            assert self.do(CompletePeerOperation(id=int(number))) is None
            assert number not in self.state.peer_operations

    @invariant()
    def the_tables_are_the_expected_ones(self) -> None:
        assert {name: table.status for name, table in self.state.tables.items()} == self.expected

    @invariant()
    def the_definitions_are_the_expected_ones(self) -> None:
        definitions = {name: table.definition for name, table in self.state.tables.items()}
        assert definitions == self.definitions
        assert all(len(table.updates) <= UPDATES_MAX for table in self.state.tables.values())

    @invariant()
    def every_token_has_exactly_one_partition(self) -> None:
        ids = {table.id for table in self.state.tables.values()}
        for table_id in ids:
            ranges = sorted(
                (p.lower, p.upper) for p in self.state.partitions.values() if p.table_id == table_id
            )
            assert ranges[0][0] == 0
            assert ranges[-1][1] == TOKENS - 1
            assert all(upper + 1 == lower for (_, upper), (lower, _) in pairwise(ranges))
        for partition in self.state.partitions.values():
            assert partition.dropping == (partition.table_id not in ids)
            assert (partition.dropped_version > 0) == partition.dropping

    @invariant()
    def replicas_stand_in_different_zones(self) -> None:
        for partition in self.state.partitions.values():
            zones = {self.state.nodes[name].zone for name in partition.replicas}
            assert len(zones) == len(partition.replicas) == 3
            assert partition.preferred_leader in partition.replicas

    @invariant()
    def what_is_stored_is_what_is_known(self) -> None:
        loaded = load("here", 3, sorted(self.rows.items()))
        assert loaded.counters == self.state.counters
        kept = {kind: records for kind, records in self.state.records.items() if records}
        assert loaded.records == kept


TestControlGroup = ControlGroup.TestCase
TestControlGroup.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def state_with(*zones: str, replicas: int = 3) -> State:
    state = State("here", replicas)
    for number, zone in enumerate(zones):
        command = RegisterNode(name=f"node-{number}", zone=zone, address="h:1")
        state = apply(state, command, number + 1).state
    return state


def test_load_is_spread_evenly_over_nodes_and_leaders() -> None:
    state = state_with("a", "a", "b", "b", "c", "c")
    state = apply(state, create("T", 1, partitions=12), 10).state
    held = [name for p in state.partitions.values() for name in p.replicas]
    led = [p.preferred_leader for p in state.partitions.values()]
    assert {held.count(name) for name in state.nodes} == {6}
    assert {led.count(name) for name in state.nodes} == {2}


def test_a_table_waits_for_three_zones() -> None:
    outcome = apply(state_with("a", "b", "b"), create("T", 1), 10)
    assert outcome.refusal is not None
    assert (outcome.refusal.status, outcome.refusal.definite) == (503, True)


def test_a_region_of_one_node_has_one_replica() -> None:
    state = apply(state_with("a", replicas=1), create("T", 1, partitions=2), 10).state
    assert [p.replicas for p in state.partitions.values()] == [("node-0",), ("node-0",)]


def test_refusals_are_in_the_words_of_aws() -> None:
    state = state_with("a", replicas=1)
    missing = apply(state, DeleteTable(name="T"), 10).refusal
    assert missing is not None
    assert missing.message == "Requested resource not found: Table: T not found"
    state = apply(state, create("T", 1), 11).state
    twice = apply(state, create("T", 2), 12).refusal
    assert twice is not None
    assert twice.message == "Table already exists: T"
    early = apply(state, DeleteTable(name="T"), 13).refusal
    assert early is not None
    assert early.message == "Attempt to change a resource which is still in use: Table is being created: T"


def test_the_memory_of_ends_is_bounded_and_forgets_the_oldest() -> None:
    state = state_with("a", replicas=1)
    for number in range(ENDED_MAX + 3):
        end = DeleteTable(name="T", global_id=f"g{number}", origin="there")
        state = apply(state, end, number + 10).state
    assert len(state.ended) == ENDED_MAX
    assert "g2" not in state.ended
    assert "g3" in state.ended


def tagging(state: State, tags: dict[str, str | None], number: int = 1) -> UpdateTable:
    return UpdateTable(
        name="T",
        settings={},
        tags=tags,
        updated_ms=0,
        table_uuid=state.tables["T"].uuid,
        update_uuid=f"update-{number}",
    )


def with_active_table(global_id: str = "") -> State:
    state = apply(state_with("a", replicas=1), create("T", 1, global_id=global_id), 10).state
    return apply(state, ActivateTable(table_id=1), 11).state


def test_tags_are_set_replaced_and_taken_off_each_by_itself() -> None:
    state = with_active_table()
    state = apply(state, tagging(state, {"a": "1", "b": "2"}, 1), 12).state
    state = apply(state, tagging(state, {"b": None, "a": "3", "c": ""}, 2), 13).state
    assert state.tables["T"].definition["Tags"] == [{"Key": "a", "Value": "3"}, {"Key": "c", "Value": ""}]
    state = apply(state, tagging(state, {"a": None, "c": None}, 3), 14).state
    assert "Tags" not in state.tables["T"].definition


def test_a_table_has_at_most_fifty_tags() -> None:
    state = with_active_table()
    state = apply(state, tagging(state, {str(number): "" for number in range(50)}), 12).state
    refusal = apply(state, tagging(state, {"50": ""}, 2), 13).refusal
    assert refusal is not None
    assert refusal.message == "Number of Tags exceed the current limit for the provided ResourceArn"
    assert apply(state, tagging(state, {"0": "again"}, 2), 13).refusal is None


def test_what_is_for_one_region_is_told_to_none() -> None:
    state = with_active_table("g")
    told = len(state.peer_operations)
    local = UpdateTable(
        name="T",
        settings={"DeletionProtectionEnabled": True},
        tags={"a": "1"},
        updated_ms=0,
        table_uuid="uuid-1",
        update_uuid="update-1",
    )
    state = apply(state, local, 12).state
    assert len(state.peer_operations) == told
    assert state.tables["T"].definition["DeletionProtectionEnabled"] is True
    refusal = apply(state, DeleteTable(name="T"), 13).refusal
    assert refusal is not None
    assert refusal.message.startswith("Resource cannot be deleted as it is currently protected")


def test_an_update_judged_by_another_table_of_that_name_is_refused() -> None:
    state = with_active_table()
    stale = UpdateTable(
        name="T", settings={"TableClass": "STANDARD"}, updated_ms=0, table_uuid="old", update_uuid="u"
    )
    refusal = apply(state, stale, 12).refusal
    assert refusal is not None
    assert refusal.code == "ResourceNotFoundException"
