"""Regions that tell each other of births and ends, late, twice and in any order, agree in the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.control.state import (
    ActivateTable,
    Claim,
    Command,
    CompletePeerOperation,
    CreateTable,
    DeleteTable,
    RegisterNode,
    State,
    UpdateTable,
    global_ids,
    waiting_claims,
)
from kvorum.control.transition import apply
from kvorum.model.table import KeyPart, KeySchema, Table

TEXT = KeySchema(KeyPart("pk", "S"))
NUMBER = KeySchema(KeyPart("pk", "N"))


class Region:
    def __init__(self, name: str) -> None:
        self.state = State(name, 1)
        self.index = 0
        self.do(RegisterNode(name="node", zone="zone", address="h:1"))

    @property
    def name(self) -> str:
        return self.state.region

    def do(self, command: Command) -> bool:
        self.index += 1
        outcome = apply(self.state, command, self.index)
        self.state = outcome.state
        return outcome.refusal is None

    def activate(self) -> None:
        for table in list(self.state.tables.values()):
            self.do(ActivateTable(table_id=table.id))

    def waiting(self) -> list[Claim]:
        return waiting_claims(self.state.claims.values(), self.state.tables)

    def table(self, name: str = "T") -> Table:
        return self.state.tables[name]


class World:
    """Regions, and the operations between them: nothing arrives unless `deliver` says so."""

    def __init__(self, *names: str) -> None:
        self.regions = {name: Region(name) for name in names}
        self.births = 0
        self.updates = 0

    def create(self, region: str, name: str, keys: KeySchema = TEXT, created_ms: int | None = None) -> bool:
        self.births += 1
        return self.regions[region].do(
            CreateTable(
                name=name,
                keys=keys,
                table_uuid=f"uuid-{self.births}",
                created_ms=self.births if created_ms is None else created_ms,
                global_id=f"{region}-{self.births}",
                regions=tuple(self.regions),
                definition={"BornIn": region},
                partitions=1,
            )
        )

    def create_local(self, region: str, name: str) -> bool:
        self.births += 1
        return self.regions[region].do(
            CreateTable(
                name=name,
                keys=TEXT,
                table_uuid=f"uuid-{self.births}",
                created_ms=0,
                global_id="",
                regions=(),
                definition={},
                partitions=1,
            )
        )

    def delete(self, region: str, name: str) -> bool:
        self.regions[region].activate()
        return self.regions[region].do(DeleteTable(name=name))

    def update(self, region: str, name: str, settings: dict[str, Any], updated_ms: int = 1) -> bool:
        self.regions[region].activate()
        self.updates += 1
        table = self.regions[region].state.tables.get(name)
        return self.regions[region].do(
            UpdateTable(
                name=name,
                settings=settings,
                updated_ms=updated_ms,
                table_uuid="" if table is None else table.uuid,
                update_uuid=f"update-{self.updates}",
            )
        )

    def pending(self) -> list[tuple[str, int]]:
        return [
            (region.name, operation.id)
            for region in self.regions.values()
            for operation in region.state.peer_operations.values()
        ]

    def deliver(self, region: str, number: int, *, complete: bool = True) -> None:
        operation = self.regions[region].state.peer_operations[str(number)]
        assert operation.command.origin == region
        assert self.regions[operation.region].do(operation.command)
        if complete:
            self.regions[region].do(CompletePeerOperation(id=number))

    def heal(self, only: Iterable[tuple[str, str]] | None = None) -> None:
        """Deliver everything in order, or only what goes along those (from, to)."""
        wanted = None if only is None else set(only)
        while True:
            ways = [
                (region, number)
                for region, number in self.pending()
                if wanted is None
                or (region, self.regions[region].state.peer_operations[str(number)].region) in wanted
            ]
            if not ways:
                return
            self.deliver(*min(ways, key=lambda way: way[1]))

    def names(self) -> list[dict[str, tuple[str, ...]]]:
        """For each region: name -> global ids."""
        return [
            {name: global_ids(table) for name, table in region.state.tables.items()}
            for region in self.regions.values()
        ]

    def definitions(self) -> dict[str, dict[str, Any]]:
        """Of every global table, as the first region that has it knows it."""
        known: dict[str, dict[str, Any]] = {}
        for region in self.regions.values():
            for name, table in region.state.tables.items():
                if table.global_id:
                    known.setdefault(name, table.definition)
        return known

    def check_agreement(self) -> None:
        """Of claims and ends, and of the definitions of the tables that follow from them."""
        claims = [dict(region.state.claims) for region in self.regions.values()]
        ended = [set(region.state.ended) for region in self.regions.values()]
        assert all(each == claims[0] for each in claims)
        assert all(each == ended[0] for each in ended)
        assert not claims[0].keys() & ended[0]
        for region in self.regions.values():
            waiting = {claim.birth.name for claim in region.waiting()}
            for name, table in region.state.tables.items():
                of_name = {
                    number for number, claim in region.state.claims.items() if claim.birth.name == name
                }
                if name in waiting:
                    assert not table.global_id, "only a local table keeps a global one out"
                else:
                    assert set(global_ids(table)) == of_name
                    assert table.definition == self.definitions().setdefault(name, table.definition)
            assert {claim.birth.name for claim in region.state.claims.values()} <= set(region.state.tables)


def run(data: st.DataObject, world: World, keys: list[KeySchema], table_names: str, *, local: bool) -> None:
    names = st.sampled_from(table_names)
    regions = st.sampled_from(sorted(world.regions))
    deeds = ["create", "create", "delete", "delete", "update", "update", "deliver", "deliver", "repeat"]
    deeds += ["local"] * local
    for _ in range(data.draw(st.integers(1, 25))):
        match data.draw(st.sampled_from(deeds)):
            case "create":
                schema = data.draw(st.sampled_from(keys))
                created_ms = data.draw(st.integers(1, 3))  # clocks of regions differ
                world.create(data.draw(regions), data.draw(names), schema, created_ms)
            case "local":
                world.create_local(data.draw(regions), data.draw(names))
            case "delete":
                world.delete(data.draw(regions), data.draw(names))
            case "update":
                settings = data.draw(st.dictionaries(st.sampled_from("xy"), st.none() | st.integers(0, 2)))
                world.update(data.draw(regions), data.draw(names), settings, data.draw(st.integers(1, 3)))
            case deed:
                pending = world.pending()
                if pending:
                    world.deliver(*data.draw(st.sampled_from(pending)), complete=deed == "deliver")
    while pending := world.pending():
        world.deliver(*data.draw(st.sampled_from(pending)))


@given(st.data(), st.sampled_from([("a", "b"), ("a", "b", "c")]))
@settings(max_examples=300, deadline=None)
def test_equal_tables_become_one_everywhere(data: st.DataObject, names: tuple[str, ...]) -> None:
    world = World(*names)
    run(data, world, [TEXT], "TU", local=False)
    world.check_agreement()
    tables = world.names()
    assert all(each == tables[0] for each in tables)
    assert not any(region.waiting() for region in world.regions.values())


@given(st.data(), st.sampled_from([("a", "b"), ("a", "b", "c")]))
@settings(max_examples=300, deadline=None)
def test_different_tables_of_one_name_agree_on_who_is_global(
    data: st.DataObject, names: tuple[str, ...]
) -> None:
    world = World(*names)
    run(data, world, [TEXT, NUMBER], "T", local=True)
    world.check_agreement()


def test_concurrent_births_become_the_older_one() -> None:
    world = World("a", "b")
    assert world.create("a", "T", created_ms=2)
    assert world.create("b", "T", created_ms=1)
    world.heal()
    for region in world.regions.values():
        assert (region.table().global_id, region.table().aliases) == ("b-2", ("a-1",))
        assert region.table().definition == {"BornIn": "b"}
        assert len(region.state.partitions) == 1, "it is still the table that it was"


def test_the_smaller_global_id_decides_between_equal_ages() -> None:
    world = World("a", "b")
    world.create("b", "T", created_ms=1)
    world.create("a", "T", created_ms=1)
    world.heal()
    assert {region.table().global_id for region in world.regions.values()} == {"a-2"}


def test_a_delete_ends_the_merged_table_everywhere() -> None:
    world = World("a", "b", "c")
    world.create("a", "T")
    world.create("b", "T")
    world.heal()
    assert world.delete("c", "T")
    world.heal()
    assert world.names() == [{}, {}, {}]


def test_a_table_born_again_is_not_merged_with_its_predecessor() -> None:
    """c hears of the second birth before it hears of the first table's end."""
    world = World("a", "b", "c")
    world.create("a", "T")
    world.heal()
    world.delete("b", "T")
    world.heal([("b", "a")])
    assert world.create("a", "T")
    world.heal([("a", "c")])
    assert world.names()[2] == {"T": ("a-2",)}
    dropped = [p for p in world.regions["c"].state.partitions.values() if p.dropping]
    assert len(dropped) == 1, "what the first table held is gone"
    world.heal()
    assert world.names() == [{"T": ("a-2",)}] * 3


def test_a_concurrent_delete_does_not_take_the_table_of_another_birth() -> None:
    """a creates and deletes; b, cut off, creates the same name and has written to it."""
    world = World("a", "b")
    world.create("a", "T")
    world.delete("a", "T")
    world.create("b", "T")
    before = world.regions["b"].table().id
    world.heal()
    assert world.names() == [{"T": ("b-2",)}] * 2
    assert world.regions["b"].table().id == before


def test_the_younger_of_two_different_tables_stays_as_a_local_one() -> None:
    world = World("a", "b")
    world.create("a", "T", TEXT)
    world.create("b", "T", NUMBER)
    before = world.regions["b"].table()
    world.heal()
    local = world.regions["b"].table()
    assert (local.id, local.global_id, local.regions) == (before.id, "", ())
    assert world.names() == [{"T": ("a-1",)}, {"T": ()}]
    assert [claim.birth.global_id for claim in world.regions["b"].waiting()] == ["a-1"]
    assert world.delete("b", "T")
    assert world.names() == [{"T": ("a-1",)}] * 2, "the global table takes its place"
    assert world.regions["b"].table().id != before.id


def test_a_table_that_lost_its_name_in_one_region_has_lost_it_in_all() -> None:
    """Only b sees both tables alive: a has deleted its own before it hears of b's."""
    world = World("a", "b", "c")
    world.create("a", "T", TEXT)
    world.create("b", "T", NUMBER)
    world.delete("a", "T")
    world.heal()
    world.check_agreement()
    assert world.names()[1] == {"T": ()}, "what was written to it is still there"
    assert not any(region.state.claims for region in world.regions.values())


def test_a_local_table_keeps_its_name() -> None:
    world = World("a", "b")
    world.create_local("b", "T")
    world.create("a", "T")
    world.heal()
    assert world.names() == [{"T": ("a-2",)}, {"T": ()}]
    assert world.delete("a", "T")
    world.heal()
    assert world.names() == [{}, {"T": ()}]
    assert not world.regions["b"].waiting()


def test_what_peers_tell_is_never_told_on() -> None:
    world = World("a", "b", "c")
    world.create("a", "T")
    world.delete("a", "T")
    assert [region for region, _ in world.pending()] == ["a"] * 4
    world.heal()
    assert not world.pending()
    assert [region.state.counters.next_peer_operation for region in world.regions.values()] == [5, 1, 1]


def test_the_later_of_two_concurrent_updates_stays_member_by_member() -> None:
    world = World("a", "b")
    world.create("a", "T")
    world.heal()
    assert world.update("a", "T", {"x": 1, "y": 1}, updated_ms=5)
    assert world.update("b", "T", {"x": 2}, updated_ms=6)
    world.heal()
    for region in world.regions.values():
        assert region.table().definition == {"BornIn": "a", "x": 2, "y": 1}


def test_an_update_outdoes_what_its_region_has_seen_whatever_its_clock_says() -> None:
    world = World("a", "b")
    world.create("a", "T")
    world.heal()
    world.update("a", "T", {"x": 1}, updated_ms=1_000)
    world.heal()
    world.update("b", "T", {"x": 2}, updated_ms=7)
    world.heal()
    assert [region.table().definition["x"] for region in world.regions.values()] == [2, 2]


def test_an_update_may_arrive_before_the_birth_and_brings_it() -> None:
    world = World("a", "b", "c")
    world.create("a", "T")
    world.heal([("a", "b")])
    world.update("b", "T", {"x": 1})
    world.heal([("b", "c")])
    assert world.regions["c"].table().definition["x"] == 1
    world.heal()
    world.check_agreement()
    assert len(world.regions["c"].state.partitions) == 1


def test_an_update_of_a_table_that_ended_means_nothing() -> None:
    world = World("a", "b", "c")
    world.create("a", "T")
    world.heal()
    world.update("b", "T", {"x": 1})
    world.delete("a", "T")
    world.heal([("a", "c")])
    world.create("c", "T")
    world.heal([("b", "c")])
    assert "x" not in world.regions["c"].table().definition
    world.heal()
    world.check_agreement()


def test_an_update_that_brings_a_birth_does_not_merge_it_with_its_predecessor() -> None:
    """c hears of the second table by an update of it, before it hears of the first one's end."""
    world = World("a", "b", "c")
    world.create("a", "T")
    world.heal()
    world.delete("b", "T")
    world.heal([("b", "a")])
    world.create("a", "T")
    world.heal([("a", "b")])
    world.update("b", "T", {"x": 1})
    newest = max(number for region, number in world.pending() if region == "b")
    assert world.regions["b"].state.peer_operations[str(newest)].region == "c"
    world.deliver("b", newest)
    assert world.names()[2] == {"T": ("a-2",)}
    dropped = [p for p in world.regions["c"].state.partitions.values() if p.dropping]
    assert len(dropped) == 1, "what the first table held is gone"
    world.heal()
    world.check_agreement()
