"""What passes by itself is no news: operators hear of what lasts, once, and once that it is over."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from kvorum.node.suspicion import Suspicions
from tests.kit.index_world import World

SECOND_US = 1_000_000


@pytest.fixture(autouse=True)
def _every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kvorum.node")


def _told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


# ---- changes that cannot be delivered ------------------------------------------------------------------

LATE = ("WARNING", "changes cannot be delivered; they wait in the change log")
AGAIN = ("INFO", "changes are delivered again")


def _cut_off_world() -> World:
    world = World(1)
    world.heal()
    assert world.loop.run_until(world.is_complete, 5)
    world.is_cut_off = True
    world.put({"k": {"S": "a"}, "g": {"S": "x"}})
    return world


def test_an_index_that_is_away_for_a_moment_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    world = _cut_off_world()
    world.loop.run_for(4.5)
    world.is_cut_off = False
    assert world.loop.run_until(world.is_complete, 5)
    assert _told(caplog) == []


def test_one_that_stays_away_is_told_once_and_once_that_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    world = _cut_off_world()
    for _ in range(2):
        world.loop.run_for(20)
        assert _told(caplog) == [LATE]
        fields: Any = caplog.records[0]
        assert (fields.reader, fields.partition) == ("index index-2 of table t", 1)
        assert "not connected" in fields.reason
        world.is_cut_off = False
        assert world.loop.run_until(world.is_complete, 5)
        assert _told(caplog) == [LATE, AGAIN]
        caplog.clear()
        world.is_cut_off = True
        world.put({"k": {"S": "b"}, "g": {"S": "x"}})


def test_moments_do_not_add_up(caplog: pytest.LogCaptureFixture) -> None:
    world = _cut_off_world()
    for number in range(4):
        world.loop.run_for(3)
        world.is_cut_off = False
        assert world.loop.run_until(world.is_complete, 5)
        world.is_cut_off = True
        world.put({"k": {"S": str(number)}, "g": {"S": "x"}})
    assert _told(caplog) == []


# ---- replicas that may have lost their disk ------------------------------------------------------------

LOST_TEXT = (
    "a replica of a formed partition is missing from this node's disk; it will not vote until it"
    " holds again what was committed"
)
LOST = ("ERROR", LOST_TEXT)
FOUND = ("INFO", "a replica holds again what was committed: it votes")


def test_a_replica_of_a_table_made_meanwhile_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    suspicions, replica = Suspicions(), SimpleNamespace(suspect=True)
    replicas: Any = {7: replica}
    for second in range(9):
        suspicions.look(replicas, second * SECOND_US)
    replica.suspect = False
    for second in range(9, 30):
        suspicions.look(replicas, second * SECOND_US)
    assert _told(caplog) == []


def test_a_lost_replica_is_told_once_and_once_that_it_is_whole(caplog: pytest.LogCaptureFixture) -> None:
    suspicions, replica = Suspicions(), SimpleNamespace(suspect=True)
    replicas: Any = {7: replica, 8: SimpleNamespace(suspect=False)}
    for second in range(30):
        suspicions.look(replicas, second * SECOND_US)
    assert _told(caplog) == [LOST]
    replica.suspect = False
    for second in range(30, 40):
        suspicions.look(replicas, second * SECOND_US)
    assert _told(caplog) == [LOST, FOUND]


def test_a_lost_replica_that_leaves_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    suspicions = Suspicions()
    replicas: Any = {7: SimpleNamespace(suspect=True)}
    suspicions.look(replicas, 0)
    suspicions.look(replicas, 20 * SECOND_US)
    suspicions.look({}, 21 * SECOND_US)
    suspicions.look(replicas, 22 * SECOND_US)
    assert _told(caplog) == [LOST]
