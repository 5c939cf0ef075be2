"""A directory that is fed changes, late, twice or with gaps, is the one that is fed the whole state."""

from __future__ import annotations

from bisect import bisect_right

from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.control.directory import Directory
from kvorum.control.messages import ControlUpdates
from kvorum.control.state import (
    ActivateTable,
    Command,
    CreateTable,
    DeleteTable,
    RegisterNode,
    RemovePartition,
    State,
    Update,
)
from kvorum.control.transition import apply
from kvorum.model.table import KeyPart, KeySchema
from kvorum.node.watchers import HISTORY_UPDATES_MAX, Watchers


def contents(directory: Directory) -> dict[str, object]:
    return {
        "version": directory.version,
        "tables": directory.tables,
        "by id": directory.tables_by_id,
        "by global id": directory.tables_by_global_id,
        "indexes": directory.indexes_by_id,
        "nodes": directory.nodes,
        "partitions": directory.partitions,
        "in order": {number: directory.partitions_of(number) for number in range(1, 60)},
        "peer operations": directory.peer_operations,
        "claims": directory.claims,
        "ended": directory.ended,
        "waiting": directory.waiting_claims(),
    }


def create(name: str, number: int, partitions: int) -> CreateTable:
    return CreateTable(
        name=name,
        keys=KeySchema(KeyPart("pk", "S")),
        table_uuid=f"u{number}",
        created_ms=number,
        global_id=f"g{number}" if number % 2 else "",
        regions=("here", "there"),
        definition={},
        partitions=partitions,
        origin="there" if number % 3 == 0 and number % 2 else "",
    )


class Source:
    """A control replica: state and watchers."""

    def __init__(self) -> None:
        self.state = State("here", 1)
        self.index = 0
        self.watchers = Watchers(0, self._everything)
        self.do(RegisterNode(name="n", zone="z", address="h:1"))

    def _everything(self) -> list[Update]:
        return self.state.everything()

    def do(self, command: Command) -> ControlUpdates | None:
        self.index += 1
        outcome = apply(self.state, command, self.index)
        self.state = outcome.state
        return self.watchers.publish(self.state.version, outcome.updates) if outcome.updates else None


@st.composite
def commands(draw: st.DrawFn) -> list[Command]:
    result: list[Command] = []
    for number in range(1, draw(st.integers(1, 30)) + 1):
        name = draw(st.sampled_from("TUV"))
        choices: list[Command] = [
            create(name, number, draw(st.integers(1, 5))),
            DeleteTable(name=name),
            ActivateTable(table_id=draw(st.integers(1, 10))),
            RemovePartition(partition=draw(st.integers(1, 20))),
            DeleteTable(name=name, global_id=f"g{draw(st.integers(1, 30))}", origin="there"),
        ]
        result.append(draw(st.sampled_from(choices)))
    return result


@given(commands(), st.data())
@settings(max_examples=150, deadline=None)
def test_incremental_equals_complete(todo: list[Command], data: st.DataObject) -> None:
    """Casts are lost, repeated and late; whoever has missed one watches again."""
    source = Source()
    follower = Directory()
    casts: list[ControlUpdates] = []
    for command in todo:
        cast = source.do(command)
        if cast is not None:
            casts.append(cast)
        for old in data.draw(st.lists(st.sampled_from(casts or [ControlUpdates(0, False, [])]), max_size=2)):
            follower.receive(old.version, old.complete, old.updates, old.after)
        if follower.missed and data.draw(st.booleans()):
            missing = source.watchers.since(follower.version)
            if missing is not None:
                assert follower.receive(missing.version, missing.complete, missing.updates, missing.after)
                assert not follower.missed
                whole = Directory()
                whole.receive(source.state.version, True, source.state.everything())
                assert contents(follower) == contents(whole)
    reminder = ControlUpdates(source.watchers.version, False, [], source.watchers.version)
    follower.receive(reminder.version, reminder.complete, reminder.updates, reminder.after)
    assert follower.missed == (follower.version < source.state.version)


@given(commands(), commands())
@settings(max_examples=50, deadline=None)
def test_a_complete_state_replaces_everything(earlier: list[Command], later: list[Command]) -> None:
    """Also what a directory still holds of a state that is gone."""
    one, two = Source(), Source()
    for command in earlier:
        one.do(command)
    for command in later:
        two.do(command)
    follower, fresh = Directory(), Directory()
    follower.receive(one.state.version, True, one.state.everything())
    version = one.state.version + two.state.version
    follower.receive(version, True, two.state.everything())
    fresh.receive(version, True, two.state.everything())
    assert contents(follower) == contents(fresh)


@given(st.integers(1, 40), st.lists(st.integers(0, (1 << 64) - 1), min_size=1))
def test_every_token_finds_its_partition(partitions: int, tokens: list[int]) -> None:
    source = Source()
    source.do(create("T", 2, partitions))
    directory = Directory()
    directory.receive(source.state.version, True, source.state.everything())
    table = directory.tables["T"]
    ordered = directory.partitions_of(table.id)
    lowers = [partition.lower for partition in ordered]
    for token in [*tokens, 0, (1 << 64) - 1, *lowers]:
        found = directory.partition_for(table.id, token)
        assert found is not None
        assert found.lower <= token <= found.upper
        assert found is ordered[bisect_right(lowers, token) - 1]


def test_a_deleted_table_has_no_partitions_though_they_are_still_dropping() -> None:
    source = Source()
    source.do(create("T", 2, 3))
    source.do(ActivateTable(table_id=1))
    source.do(DeleteTable(name="T"))
    directory = Directory()
    directory.receive(source.state.version, True, source.state.everything())
    assert len(directory.partitions) == 3
    assert directory.partitions_of(1) == []
    assert directory.partition_for(1, 0) is None


def test_an_alias_finds_the_table_and_goes_with_it() -> None:
    source = Source()
    directory = Directory()
    for number in (3, 5):
        source.do(create("T", number, 1) if number == 3 else create("T", 9, 1))
    directory.receive(source.state.version, True, source.state.everything())
    assert directory.tables_by_global_id["g3"] is directory.tables_by_global_id["g9"]
    source.do(ActivateTable(table_id=1))
    source.do(DeleteTable(name="T"))
    message = source.watchers.since(directory.version)
    assert message is not None
    assert not message.complete
    directory.receive(message.version, message.complete, message.updates, message.after)
    assert directory.tables_by_global_id == {}
    assert set(directory.ended) == {"g3", "g9"}


def test_listeners_hear_what_a_complete_state_took_away() -> None:
    directory = Directory()
    heard: list[Update] = []
    directory.listen(lambda _, updates: heard.extend(updates))
    source = Source()
    directory.receive(1, True, source.state.everything())
    directory.receive(2, True, [])
    assert heard[1:] == [Update("node", "n", None)]
    assert not directory.receive(2, True, source.state.everything())


def test_a_forgotten_version_gets_everything() -> None:
    source = Source()
    for number in range(HISTORY_UPDATES_MAX):
        source.do(RegisterNode(name="n", zone="z", address=f"h:{number + 2}"))
    oldest = source.watchers.since(1)
    assert oldest is not None
    assert (oldest.complete, len(oldest.updates)) == (False, HISTORY_UPDATES_MAX)
    source.do(RegisterNode(name="n", zone="z", address="h:0"))
    whole = source.watchers.since(1)
    assert whole is not None
    assert (whole.complete, len(whole.updates)) == (True, 1)
    assert source.watchers.since(source.state.version) is None
