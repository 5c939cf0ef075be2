"""The control group on nodes: what a member stores, shows and tells, and what its leader does unasked."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.control.directory import Directory
from kvorum.control.messages import (
    ControlUpdates,
    Elsewhere,
    NodeReport,
    PeerCommand,
    Propose,
    Proposed,
    Refused,
    ReplicaReport,
    Watch,
)
from kvorum.control.state import (
    ActivateTable,
    Command,
    CreateTable,
    DeleteTable,
    RegisterNode,
    RemovePartition,
)
from kvorum.model.table import KeyPart, KeySchema, TableStatus
from kvorum.node.control_group import ControlMachine, ControlService
from kvorum.node.memory_store import MemoryStore
from kvorum.replication.link import LinkFailure, Reply
from kvorum.replication.raft.messages import Entry, EntryKind

TEXT = KeySchema(KeyPart("pk", "S"))


def create(name: str, number: int = 1, *, global_id: str = "", keys: KeySchema = TEXT) -> CreateTable:
    return CreateTable(
        name=name,
        keys=keys,
        table_uuid=f"uuid-{number}",
        created_ms=number,
        global_id=global_id,
        regions=("a", "b") if global_id else (),
        definition={},
        partitions=2,
    )


class Group:
    """A group that agrees by itself: one log, one leader, every member applies in passes when asked to."""

    def __init__(self, region: str, names: str = "xyz") -> None:
        self.entries: list[tuple[Entry, Any, Reply | None]] = []
        self.members = {name: Member(self, name, region, len(names)) for name in names}
        self.leader: str | None = names[0]
        for name in names:
            self.propose(RegisterNode(name=name, zone=f"zone-{name}", address=f"{name}:1"))
        self.run()

    @property
    def lead(self) -> Member:
        assert self.leader is not None
        return self.members[self.leader]

    def propose(self, command: Command) -> list[Any]:
        answers: list[Any] = []
        self.lead.service.handle(Propose(command), answers.append, None)
        return answers

    def run(self) -> None:
        """Until nobody has anything to do."""
        while any(member.catch_up() for member in self.members.values()):
            continue


class Member:
    """Implements ReplicatedLog over the group's shared log."""

    def __init__(self, group: Group, name: str, region: str, replicas: int) -> None:
        self.group = group
        self.name = name
        self.region = region
        self.replicas = replicas
        self.store = MemoryStore()
        self.shipped: deque[tuple[str, PeerCommand, Reply]] = deque()
        self.start()

    def start(self) -> None:
        self.machine = ControlMachine(self.store, self.region, self.replicas)
        self.service = ControlService(
            self.machine, self, lambda region, message, done: self.shipped.append((region, message, done))
        )

    @property
    def serving(self) -> bool:
        return self.group.leader == self.name

    @property
    def leader(self) -> str | None:
        return self.group.leader

    def propose(self, data: bytes, command: Any, done: Callable[[Any], None]) -> int | None:
        if not self.serving:
            done(Elsewhere(0, self.group.leader))
            return None
        entry = Entry(len(self.group.entries) + 1, 1, EntryKind.COMMAND, data)
        self.group.entries.append((entry, command, done))
        return entry.index

    def catch_up(self, most: int = 1 << 30) -> bool:
        """One pass of a node's loop: apply, write, show, answer."""
        batch = self.store.batch()
        answers: list[tuple[Reply, Any]] = []
        waiting = self.group.entries[self.machine.applied :][:most]
        for entry, command, done in waiting:
            answer = self.machine.apply(entry, command if self.serving else None, batch)
            if self.serving and done is not None:
                answers.append((done, answer))
        if waiting:
            self.machine.checkpoint(waiting[-1][0].index, batch)
            self.store.write(batch)
            self.machine.show(self.machine.applied)
        for done, answer in answers:
            done(answer)
        return bool(waiting)

    def report_as(self, node: str, *, led: bool = True, held: bool = True) -> None:
        """`node` has done what the directory says."""
        directory = self.machine.directory
        replicas = [
            ReplicaReport(p.id, p.preferred_leader if led else None, 1, 1, 1)
            for p in directory.partitions.values()
            if node in p.replicas and not p.dropping and held
        ]
        self.service.handle(NodeReport(node, directory.version, replicas), None, None)


class Wire:
    """A link to a watcher that may lose casts. `lossy`: answers whether the next cast is lost."""

    def __init__(self, lossy: Callable[[], bool] = lambda: False) -> None:
        self.directory = Directory()
        self.casts: list[ControlUpdates] = []
        self.connected = True
        self.peer = "router"
        self._lossy = lossy

    def cast(self, message: ControlUpdates) -> None:
        if not self._lossy():
            self.casts.append(message)
            self.directory.receive(message.version, message.complete, message.updates, message.after)

    def call(self, message: Any, done: Reply, timeout_seconds: float) -> None:
        raise AssertionError("watchers are never called")


def test_a_command_is_answered_with_what_it_changed() -> None:
    group = Group("a")
    answers = group.propose(create("T"))
    assert not answers
    group.run()
    (answer,) = answers
    assert isinstance(answer, Proposed)
    assert [update.kind for update in answer.updates] == ["table", "partition", "partition"]
    assert group.lead.machine.directory.version == answer.version
    again = group.propose(create("T", 2))
    group.run()
    assert isinstance(again[0], Refused)
    assert (again[0].message, again[0].status) == ("Table already exists: T", 400)


def test_a_command_that_changes_nothing_is_answered_with_the_version_that_all_have() -> None:
    group = Group("a")
    group.propose(create("T"))
    group.run()
    answers = group.propose(create("T"))
    group.run()
    assert answers == [Proposed(group.lead.machine.directory.version, [])]


def test_who_does_not_lead_says_who_does() -> None:
    group = Group("a")
    answers: list[Any] = []
    group.members["y"].service.handle(Propose(create("T")), answers.append, None)
    assert answers == [Elsewhere(0, "x")]


def test_a_table_becomes_active_and_formed_and_goes_again() -> None:
    group = Group("a")
    group.propose(create("T"))
    group.run()
    lead = group.lead
    lead.report_as("x")
    lead.report_as("y")
    group.run()
    directory = lead.machine.directory
    assert directory.tables["T"].status is TableStatus.ACTIVE
    assert not any(p.formed for p in directory.partitions.values()), "z was never there"
    lead.report_as("z")
    group.run()
    assert all(p.formed for p in directory.partitions.values())
    group.propose(DeleteTable(name="T"))
    group.run()
    for node in "xyz":
        assert len(directory.partitions) == 2
        lead.report_as(node)
    group.run()
    assert not directory.partitions


def test_what_is_due_is_proposed_once() -> None:
    group = Group("a")
    group.propose(create("T"))
    group.run()
    before = len(group.entries)
    for _ in range(3):
        for node in "xyz":
            group.lead.report_as(node)
        group.lead.service.kick()
    assert len(group.entries) == before + 2  # ActivateTable, FormPartitions


def test_only_the_leader_acts() -> None:
    group = Group("a")
    group.propose(create("T", global_id="g"))
    group.run()
    before = len(group.entries)
    follower = group.members["y"]
    for node in "xyz":
        follower.report_as(node)
    follower.service.kick()
    assert len(group.entries) == before
    assert not follower.shipped
    group.leader = "y"
    follower.service.kick()
    assert len(group.entries) == before + 2
    assert follower.shipped


def test_a_restarted_member_goes_on_where_it_was() -> None:
    group = Group("a")
    group.propose(create("T", global_id="g"))
    group.propose(create("U", 2))
    group.run()
    member = group.members["y"]
    before = member.machine
    member.start()
    assert member.machine.applied == before.applied == len(group.entries)
    assert member.machine.state.counters == before.state.counters
    assert member.machine.state.records == before.state.records
    assert member.machine.directory.tables == before.directory.tables
    group.propose(create("V", 3))
    group.run()
    assert member.machine.state.records == group.lead.machine.state.records


def test_peers_are_told_in_order_and_again_until_they_have_heard() -> None:
    group = Group("a")
    lead = group.lead
    group.propose(create("T", global_id="g"))
    group.propose(create("U", 2, global_id="h"))
    group.run()
    assert len(lead.shipped) == 1, "at once, but one at a time"
    pauses: list[int] = []
    for _ in range(9):
        region, message, done = lead.shipped.popleft()
        assert (region, message.origin) == ("b", "a")
        assert isinstance(message.command, CreateTable)
        assert message.command.global_id == "g"
        done(LinkFailure(sent=True, reason="gone"))
        kicks = 0
        while not lead.shipped:
            lead.service.kick()
            kicks += 1
        pauses.append(kicks)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    lead.shipped.popleft()[2](Proposed(7, []))
    group.run()
    _, message, done = lead.shipped.popleft()
    assert isinstance(message.command, CreateTable)
    assert message.command.global_id == "h"
    done(Proposed(8, []))
    group.run()
    assert not lead.machine.directory.peer_operations
    lead.service.kick()
    assert not lead.shipped


def test_two_regions_agree_through_their_services() -> None:
    groups = {"a": Group("a"), "b": Group("b")}
    for number, group in enumerate(groups.values()):
        group.propose(create("T", number + 1, global_id=f"g{number}"))
    for _ in range(20):
        for group in groups.values():
            group.run()
            group.lead.service.kick()
            while group.lead.shipped:
                region, message, done = group.lead.shipped.popleft()
                groups[region].lead.service.handle(message, done, None)
    tables = [group.lead.machine.directory.tables["T"] for group in groups.values()]
    assert [(table.global_id, table.aliases) for table in tables] == [("g0", ("g1",))] * 2
    assert not any(group.lead.machine.directory.peer_operations for group in groups.values())


@pytest.mark.parametrize("command", [create("T"), RegisterNode(name="n", zone="z", address="h:1")])
def test_a_peer_may_only_tell_of_global_tables(command: Command) -> None:
    answers: list[Any] = []
    Group("a").lead.service.handle(PeerCommand("b", command), answers.append, None)
    assert isinstance(answers[0], Refused)


def test_a_lost_name_is_logged_by_the_leader(caplog: pytest.LogCaptureFixture) -> None:
    group = Group("a")
    group.propose(create("T"))
    group.run()
    with caplog.at_level(logging.WARNING, "kvorum.control"):
        peer = PeerCommand("b", create("T", 2, global_id="g"))
        group.lead.service.handle(peer, None, None)
        group.run()
    (record,) = caplog.records
    assert "waits" in record.message
    assert [claim.birth.global_id for claim in group.lead.machine.directory.waiting_claims()] == ["g"]


def test_a_watcher_gets_everything_first_and_changes_then() -> None:
    group = Group("a")
    wire = Wire()
    group.members["z"].service.handle(Watch(-1), None, wire)
    assert [cast.complete for cast in wire.casts] == [True]
    group.propose(create("T"))
    group.run()
    assert [cast.complete for cast in wire.casts] == [True, False]
    assert wire.directory.tables == group.lead.machine.directory.tables
    group.members["z"].service.unwatch(wire)
    group.propose(create("U", 2))
    group.run()
    assert "U" not in wire.directory.tables
    group.members["y"].service.handle(Watch(wire.directory.version), None, wire)
    assert [cast.complete for cast in wire.casts] == [True, False, False]
    assert "U" in wire.directory.tables


def test_a_dead_watcher_is_forgotten() -> None:
    group = Group("a")
    wire = Wire()
    group.lead.service.handle(Watch(-1), None, wire)
    wire.connected = False
    group.lead.service.kick()
    wire.connected = True
    group.propose(create("T"))
    group.run()
    assert len(wire.casts) == 1


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_watchers_of_members_that_lag_and_links_that_lose_end_up_with_the_same(data: st.DataObject) -> None:
    group = Group("a")
    wire = Wire(lambda: data.draw(st.booleans()))
    names = st.sampled_from(sorted(group.members))
    number = 0
    for _ in range(data.draw(st.integers(1, 15))):
        match data.draw(st.sampled_from(["create", "end", "pass", "pass", "watch", "kick"])):
            case "create":
                number += 1
                group.propose(create(data.draw(st.sampled_from("TU")), number, global_id=f"g{number}"))
            case "end":
                group.propose(ActivateTable(table_id=data.draw(st.integers(1, number + 1))))
                group.propose(DeleteTable(name=data.draw(st.sampled_from("TU"))))
                group.propose(RemovePartition(partition=data.draw(st.integers(1, 2 * number + 1))))
            case "pass":
                group.members[data.draw(names)].catch_up(data.draw(st.integers(1, 3)))
            case "watch":
                member = group.members[data.draw(names)]
                member.service.handle(Watch(wire.directory.version), None, wire)
            case _:
                group.members[data.draw(names)].service.kick()
    group.run()
    wire._lossy = lambda: False
    member = group.members[data.draw(names)]
    member.service.handle(Watch(wire.directory.version), None, wire)
    member.service.kick()
    whole = member.machine.directory
    assert not wire.directory.missed
    assert wire.directory.version == whole.version
    assert wire.directory.tables == whole.tables
    assert wire.directory.partitions == whole.partitions
    assert wire.directory.ended == whole.ended
    assert wire.directory.peer_operations == whole.peer_operations
