"""Whatever happens to leaders, messages and disks on the way: in the end an index is the view of its table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.model import change as change_log
from kvorum.model import keys
from kvorum.model import record as records
from kvorum.model.change import Change
from kvorum.model.table import ProjectionKind
from kvorum.node.commands import AdvanceIndex, CloseIndex, OpenIndex
from kvorum.node.index_cursors import IndexCursor, IndexCursors
from kvorum.node.index_pressure import LAG_ENTRIES_MAX
from kvorum.node.memory_store import MemoryStore
from kvorum.node.store import Family
from kvorum.replication.clock import stamp_at
from tests.kit.index_world import World


def _item(drawn: tuple[str, str, int]) -> dict[str, Any]:
    name, group, value = drawn
    item: dict[str, Any] = {"k": {"S": name}, "v": {"N": str(value)}}
    if group:
        item["g"] = {"S": group}
    return item


def _action(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    return st.tuples(st.just(name), st.tuples(*arguments))


names = st.sampled_from("abcdef")
items = st.tuples(names, st.sampled_from(("x", "y", "z", "")), st.integers(0, 3)).map(_item)
actions = st.one_of(
    _action("put", items),
    _action("put", items),
    _action("put", items),
    _action("delete", names),
    _action("merge", items, st.integers(-2_000, 5_000), st.booleans()),
    _action("wait", st.floats(0.0, 0.3)),
    _action("change_leader"),
    _action("change_index_leader"),
    _action("crash"),
    _action("step_clock", st.integers(-3_000, 3_000)),
    _action("create_index", st.just("g"), st.sampled_from(ProjectionKind)),
    _action("drop_index"),
    _action("hear"),
    _action("trim"),
    _action("storm", st.sampled_from((0.1, 0.9))),
)


@pytest.mark.parametrize("lone", [False, True], ids=("majority", "lone"))
@pytest.mark.parametrize("is_global", [False, True], ids=("local", "global"))
@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    lag_entries_max=st.sampled_from((4, LAG_ENTRIES_MAX)),
    script=st.lists(actions, min_size=20, max_size=60),
)
def test_an_index_is_the_view_of_its_table(
    lone: bool, is_global: bool, seed: int, lag_entries_max: int, script: list[tuple[str, tuple[Any, ...]]]
) -> None:
    world = World(seed, lone=lone, is_global=is_global, lag_entries_max=lag_entries_max)
    for name, arguments in script:
        getattr(world, name)(*arguments)
    world.heal()
    assert world.loop.run_until(world.is_complete, 60), "the index never had everything"
    world.loop.run_for(3)
    assert world.differences() == []
    assert not world.base.partition.pressure.refuses()


# ---- one thing at a time -------------------------------------------------------------------------------


def _calm(*, born: int = 1, is_global: bool = False, lone: bool = False) -> World:
    world = World(1, born=born, is_global=is_global, lone=lone)
    world.heal()
    return world


def _settle(world: World) -> None:
    assert world.loop.run_until(world.is_complete, 5)


def _change_log(world: World) -> list[Change]:
    return [change_log.decode(entry) for _, entry in world.base.store.scan(Family.CHANGES, b"", b"\xff" * 20)]


def test_a_table_born_with_an_index_has_everything_in_it_at_once() -> None:
    world = _calm()
    assert world.loop.run_until(lambda: world.base.partition.feed.indexed == (2,), 0.08)


def test_an_entry_is_there_without_waiting_for_anything() -> None:
    world = _calm()
    _settle(world)
    world.put(_item(("a", "x", 1)))
    assert world.loop.run_until(lambda: len(world.entries_of(2)) == 1, 0.15)  # what the two logs take


def test_a_local_tables_deletion_lies_in_the_change_log_alone() -> None:
    world = _calm()
    world.put(_item(("a", "x", 1)))
    world.delete("a")
    world.delete("b")
    world.loop.run_for(0.1)
    put, deletion = _change_log(world)
    assert (put.previous, deletion.previous) == (None, put.record)
    assert records.is_tombstone(deletion.record)
    assert world.base.records() == {}
    assert world.base.partition.machine.items == 0


def test_without_an_index_nothing_is_logged() -> None:
    world = _calm(born=0)
    world.put(_item(("a", "x", 1)))
    world.delete("a")
    world.loop.run_for(0.1)
    assert _change_log(world) == []


def test_a_leader_with_an_old_directory_logs_and_does_not_close() -> None:
    world = _calm(born=0)
    world.create_index()
    world.hear()
    _settle(world)
    old = world.directory.version - 1
    world.random.randrange = lambda *_: old  # type: ignore[method-assign]
    world.change_leader()
    assert world.directory.tables["t"].indexes == ()
    assert world.base.partition.log_changes
    world.put(_item(("a", "x", 1)))
    world.loop.run_for(1)
    assert len(_change_log(world)) == 1
    assert world.base.partition.machine.index_cursors.by_id
    world.hear()
    _settle(world)
    assert world.differences() == []


def test_an_index_that_is_gone_is_followed_no_longer() -> None:
    world = _calm()
    world.put(_item(("a", "x", 1)))
    _settle(world)
    world.drop_index()
    world.hear()
    world.loop.run_for(0.2)
    assert not world.base.partition.log_changes
    assert world.senders.reports() == []
    world.trim()
    assert _change_log(world) == []


def test_the_log_is_kept_for_the_last_of_its_readers() -> None:
    world = _calm(born=2)
    _settle(world)
    for number in (20, 21):  # the first index's partitions answer nobody
        world.groups[number].replica.serving = False
    world.put(_item(("a", "x", 1)))
    world.loop.run_for(3)
    world.trim()
    assert len(_change_log(world)) == 1
    assert {report.index: report.lag_ms > 2_000 for report in world.senders.reports()} == {
        "index-2": True,
        "index-3": False,
    }
    for number in (20, 21):
        world.groups[number].replica.serving = True
    _settle(world)
    world.trim()
    assert _change_log(world) == []
    assert world.differences() == []


def test_a_stamp_from_the_future_that_its_region_took_is_entered() -> None:
    world = _calm()
    world.step_clock(600_000)
    world.put(_item(("a", "x", 1)))
    world.step_clock(0)
    _settle(world)
    assert world.differences() == []
    assert len(world.entries_of(2)) == 1


@pytest.mark.parametrize("born", [0, 1], ids=("backfill", "changes"))
def test_a_leader_that_may_have_been_replaced_tells_nothing(born: int) -> None:
    """It may have stood still for longer than tombstones are kept."""
    world = _calm(born=born)
    world.put(_item(("a", "x", 1)))
    world.base.replica.proven = False
    if not born:
        world.loop.run_for(0.1)
        world.create_index()
        world.hear()
    world.loop.run_for(2)
    assert world.entries_of(2) == {}
    world.base.replica.proven = True
    _settle(world)
    assert len(world.entries_of(2)) == 1


def test_tombstones_of_an_index_go_after_an_hour_and_a_minute_here() -> None:
    world = _calm()
    world.put(_item(("a", "x", 1)))
    world.delete("a")
    _settle(world)

    def purge(older_than_ms: int) -> int:
        purged = sum(
            group.partition.tombstones.purge(stamp_at(older_than_ms), 10) for group in world.groups.values()
        )
        world.loop.run_for(0.1)
        return purged

    def mark() -> None:
        for group in world.groups.values():
            group.partition.tombstones.mark()

    now_ms = world.now_ms()
    assert purge(now_ms - 3_600_000) == 0
    assert purge(now_ms + 60_000) == 0  # old enough by its stamp, but perhaps it came just now
    mark()
    assert purge(now_ms + 60_000) == 0
    mark()
    assert purge(now_ms + 60_000) == 1
    assert not any(group.partition.tombstones.purges_on for group in world.groups.values())
    assert world.entries_of(2) == {}
    assert world.differences() == []


def test_many_tombstones_go_in_turns() -> None:
    world = _calm()
    for number in range(9):
        world.put(_item(("a", f"x{number}", 1)))
    _settle(world)
    turns = 0
    for group in world.groups.values():
        group.partition.tombstones.mark()
        group.partition.tombstones.mark()
        partition = group.partition
        partition.tombstones.purges_on = True
        while partition.tombstones.purges_on:
            turns += 1
            partition.tombstones.purge(stamp_at(world.now_ms() + 60_000), 3)
            world.loop.run_for(0.1)
    assert turns > len(world.groups)
    assert len(world.entries_of(2)) == 1
    assert world.differences() == []


def test_an_item_made_anew_has_a_newer_stamp_though_its_node_has_forgotten_the_old_one() -> None:
    world = _calm()
    world.put(_item(("a", "x", 1)))
    world.delete("a")
    _settle(world)
    world.step_clock(-30_000)
    world.change_leader()
    world.heal()
    world.put(_item(("a", "x", 2)))
    _settle(world)
    assert world.differences() == []


def test_items_that_were_there_before_their_index_are_entered_at_their_own_stamps() -> None:
    world = _calm(born=0)
    for number in range(9):
        world.put(_item((f"k{number}", "x" if number % 3 else "", 1)))
    world.loop.run_for(0.1)
    world.create_index("g", ProjectionKind.KEYS_ONLY)
    world.hear()
    _settle(world)
    assert world.differences() == []
    assert len(world.entries_of(2)) == 6


def test_a_cursor_says_nothing_that_it_would_have_to_take_back() -> None:
    store = MemoryStore()
    cursors = IndexCursors(7, store)
    batch = store.batch()
    cursors.advance(AdvanceIndex(2, 50, None), batch)  # of an index that was closed
    cursors.open(OpenIndex(2, 9), 10, batch)
    cursors.open(OpenIndex(2, 11), 20, batch)
    cursors.advance(AdvanceIndex(2, 30, b"k"), batch)
    cursors.advance(AdvanceIndex(2, 25, b"c"), batch)
    assert cursors.by_id == {2: IndexCursor(30, 9, b"k")}
    cursors.advance(AdvanceIndex(2, 40, None), batch)
    cursors.advance(AdvanceIndex(2, 35, b"z"), batch)
    store.write(batch)
    assert IndexCursors(7, store).by_id == cursors.by_id == {2: IndexCursor(40, 9, None)}
    assert IndexCursors(70, store).by_id == {}
    batch = store.batch()
    cursors.close(CloseIndex(2), batch)
    store.write(batch)
    assert IndexCursors(7, store).by_id == cursors.by_id == {}


def test_a_partition_that_leaves_takes_its_cursors_along() -> None:
    world = _calm()
    world.put(_item(("a", "x", 1)))
    world.delete("a")
    _settle(world)
    world.trim()
    batch = world.base.store.batch()
    world.base.partition.machine.erase(keys.token_bounds(0, keys.TOKENS - 1), batch)
    world.base.store.write(batch)
    for family in Family:
        assert list(world.base.store.scan(family, b"", b"\xff" * 200)) == []
