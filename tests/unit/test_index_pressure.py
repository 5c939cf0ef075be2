"""A partition whose global index is too far behind takes no writes from clients, until it is not."""

from __future__ import annotations

from typing import Any

import pytest

from kvorum.control.messages import Refused, WriteAnswer
from kvorum.node.index_pressure import News
from tests.kit.index_world import World

BOUND = 8


def _world(*, lone: bool = False, is_global: bool = False) -> World:
    world = World(1, lone=lone, is_global=is_global, lag_entries_max=BOUND)
    world.heal()
    assert world.loop.run_until(world.is_complete, 5)
    return world


def _item(number: int) -> dict[str, Any]:
    return {"k": {"S": f"k{number}"}, "g": {"S": "x"}}


def _fill(world: World, count: int = 3 * BOUND) -> tuple[int, int]:
    """Writes one after another. Returns how many were taken and how many refused."""
    world.answers.clear()
    for number in range(count):
        world.put(_item(number))
        world.loop.run_for(0.05)
    assert len(world.answers) == count
    refusals = [answer for answer in world.answers if isinstance(answer, Refused)]
    assert {(answer.kind.rpartition("#")[2], answer.definite) for answer in refusals} <= {
        ("ThrottlingException", True)
    }
    taken = sum(isinstance(answer, WriteAnswer) for answer in world.answers)
    assert taken + len(refusals) == count
    return taken, len(refusals)


@pytest.mark.parametrize("lone", [False, True], ids=("majority", "lone"))
def test_writes_are_refused_while_the_index_cannot_be_reached_and_nothing_is_lost(lone: bool) -> None:
    world = _world(lone=lone)
    world.is_cut_off = True
    assert _fill(world) == (BOUND, 2 * BOUND)  # one entry of the log more is the cursor's own
    assert world.entries_of(2) == {}
    assert world.base.partition.pressure.refused == {2: 2 * BOUND}
    world.is_cut_off = False
    assert world.loop.run_until(world.is_complete, 5)
    assert len(world.entries_of(2)) == BOUND
    assert world.differences() == []
    assert _fill(world, 3) == (3, 0)


def test_a_new_leader_refuses_as_well_and_takes_writes_again() -> None:
    world = _world()
    world.is_cut_off = True
    _fill(world)
    world.change_leader()
    assert _fill(world, 1) == (0, 1)
    world.is_cut_off = False
    world.heal()
    assert world.loop.run_until(world.is_complete, 5)
    assert _fill(world, 3) == (3, 0)


def test_a_restarted_lone_voter_refuses_as_well_and_takes_writes_again() -> None:
    world = _world(lone=True)
    world.is_cut_off = True
    _fill(world)
    world.loop.run_for(1)  # all of it on the disk
    world.crash()
    assert _fill(world, 1) == (0, 1)
    world.is_cut_off = False
    world.heal()
    assert world.loop.run_until(world.is_complete, 5)
    assert _fill(world, 3) == (3, 0)


def test_what_a_peer_region_has_accepted_is_merged() -> None:
    world = _world(is_global=True)
    world.is_cut_off = True
    _fill(world)
    world.is_cut_off = False
    held = len(world.base.records())
    world.merge(_item(100), 0, False)
    world.loop.run_for(0.02)
    assert len(world.base.records()) == held + 1


def test_an_index_that_is_being_filled_is_not_waited_for() -> None:
    world = _world()
    world.create_index("g")
    world.hear()
    world.is_cut_off = True
    world.drop_index()  # the one that is complete
    world.hear()
    assert _fill(world) == (3 * BOUND, 0)


def test_deleting_the_index_is_a_way_out() -> None:
    world = _world()
    world.is_cut_off = True
    _fill(world)
    world.drop_index()
    world.is_cut_off = False
    world.hear()
    world.loop.run_for(0.1)
    assert _fill(world) == (3 * BOUND, 0)


def test_an_operator_hears_once_that_it_begins_and_once_that_it_is_over() -> None:
    world = _world()
    pressure = world.base.partition.pressure
    assert pressure.news() is None
    world.is_cut_off = True
    _fill(world)
    assert pressure.news() == News(2, BOUND + 1, refuses=True)
    assert pressure.news() is None
    world.is_cut_off = False
    assert world.loop.run_until(world.is_complete, 5)
    assert pressure.news() == News(2, 0, refuses=False)
    assert pressure.news() is None
