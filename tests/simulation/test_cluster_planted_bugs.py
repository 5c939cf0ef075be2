"""The cluster simulation must be able to fail: real nodes and routers with one rule broken each.

`seed` is where the search starts, chosen so that the bug shows soon; when a change moves it, the search goes on for
a while before the test gives up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kvorum.control.messages import ReadItem
from kvorum.node import partition as partition_module
from kvorum.node.commands import encode
from kvorum.node.control_group import ControlService
from kvorum.node.partition import Partition
from kvorum.node.replica import Replica
from kvorum.replication.change_sender import ChangeSender
from kvorum.replication.raft.core import Core, Ready
from kvorum.router.request import ReadRequest, WriteRequest
from tests.kit.cluster_simulation import ClusterSimulation
from tests.kit.simulation_history import Violation, check_fresh
from tests.simulation.test_cluster_simulation import deposed_leader_reads

SEEDS_MAX = 60

Patch = Callable[[pytest.MonkeyPatch], None]


def answers_before_sync(patch: pytest.MonkeyPatch) -> None:
    original = Core.ready

    def ready(core: Core) -> Ready:
        ready = original(core)
        ready.messages += ready.after_sync
        ready.after_sync = []
        return ready

    patch.setattr(Core, "ready", ready)


def reads_without_a_lease(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Replica, "confirm", lambda _, done: done(True))


def forgets_the_overlay(patch: pytest.MonkeyPatch) -> None:
    def propose(partition: Partition, command: Any, done: Any) -> None:
        partition.replica.propose(encode(command), command, done)

    patch.setattr(Partition, "_propose", propose)


def gives_up_what_could_not_be_shipped(patch: pytest.MonkeyPatch) -> None:
    def failed(sender: ChangeSender, number: int, now_ms: int) -> None:
        sender.acknowledged(number, 0)

    patch.setattr(ChangeSender, "failed", failed)


def merges_whatever_comes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(partition_module, "merge", lambda current, incoming: incoming)


def repeats_writes_of_unknown_fate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(WriteRequest, "repeatable", True)
    original = WriteRequest.__init__

    def hasty(request: WriteRequest, *arguments: Any) -> None:
        original(request, *arguments)
        request.attempt_seconds = 0.5

    patch.setattr(WriteRequest, "__init__", hasty)


def reads_from_replicas_that_lag(patch: pytest.MonkeyPatch) -> None:
    def message(request: ReadRequest, partition: Any) -> ReadItem:
        return ReadItem(partition.id, partition.epoch, request._key, request._strong, 0)

    patch.setattr(ReadRequest, "message", message)


def answers_from_what_was_given_up(patch: pytest.MonkeyPatch) -> None:
    original = Replica.when_resolved

    def when_resolved(replica: Replica, index: int, done: Callable[[bool], None]) -> None:
        if index in replica._waiting:
            original(replica, index, done)
        else:
            replica.confirm(done)

    patch.setattr(Replica, "when_resolved", when_resolved)


def forgets_to_tell_the_other_regions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ControlService, "_ship", lambda _: None)


@pytest.mark.parametrize(
    ("plant", "faults", "seed", "regions"),
    [
        (answers_before_sync, ("crash_many", "slow_disk"), 60, 1),
        (forgets_the_overlay, (), 0, 1),
        (gives_up_what_could_not_be_shipped, ("isolate_a_region", "crash_a_router"), 0, 2),
        (merges_whatever_comes, ("isolate_a_region",), 0, 2),
        (repeats_writes_of_unknown_fate, ("slow_disk", "pause_a_process"), 0, 1),
        (reads_from_replicas_that_lag, ("cut_a_pair", "isolate_a_node", "slow_links"), 0, 1),
        (answers_from_what_was_given_up, ("full_disk",), 0, 1),
        (forgets_to_tell_the_other_regions, (), 0, 2),
    ],
)
def test_is_caught(
    plant: Patch, faults: tuple[str, ...], seed: int, regions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    for each in range(seed, seed + SEEDS_MAX):
        simulation = ClusterSimulation(
            each, regions=regions, is_global=regions > 1, faults=faults, fault_seconds=4.0
        )
        try:
            simulation.run()
        except Violation:
            return
    pytest.fail(f"{plant.__name__} went unnoticed")


def test_a_read_without_a_lease_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    reads_without_a_lease(monkeypatch)
    write, read, history = deposed_leader_reads()
    with pytest.raises(Violation, match="stale read"):
        check_fresh(read, [write], history, {})
