"""The simulation must notice when an index is not what its table makes of it: one rule broken each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kvorum.control.messages import ShipAnswer
from kvorum.model import record as records
from kvorum.model.indexes import View
from kvorum.node import partition as partition_module
from kvorum.node.commands import Mutation
from kvorum.node.index_feed import IndexFeed
from kvorum.node.index_reader import IndexReader
from kvorum.node.partition_machine import PartitionMachine
from kvorum.node.readers import Entries
from kvorum.node.store import Batch, Family
from kvorum.replication.change_sender import ChangeSender
from tests.kit.cluster_simulation import ClusterSimulation
from tests.kit.simulation_history import Violation
from tests.simulation.test_index_simulation import made_anew_by_a_slow_clock, watched_activation

SEEDS_MAX = 60

Patch = Callable[[pytest.MonkeyPatch], None]


def a_new_leader_logs_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(IndexFeed, "active", property(lambda feed: bool(feed._opening)))


def old_entries_are_not_removed(patch: pytest.MonkeyPatch) -> None:
    original = View.operations

    def operations(view: View, *arguments: Any) -> Entries:
        return [pair for pair in original(view, *arguments) if not records.is_tombstone(pair[1])]

    patch.setattr(View, "operations", operations)


def an_entry_whose_key_stays_is_taken_to_stay(patch: pytest.MonkeyPatch) -> None:
    """Whatever else it shows."""
    original = View.operations

    def operations(view: View, item_key: bytes, previous: bytes | None, record: bytes) -> Entries:
        made = original(view, item_key, previous, record)
        before = original(view, item_key, None, previous) if previous is not None else []
        stays = [key for key, _ in made] == [key for key, _ in before]
        return [] if stays and not any(records.is_tombstone(entry) for _, entry in made) else made

    patch.setattr(View, "operations", operations)


def the_cursor_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    original = IndexReader.ship

    def ship(reader: IndexReader, entries: Entries, done: Any) -> None:
        original(reader, entries, lambda _: None)
        done(ShipAnswer(0))

    patch.setattr(IndexReader, "ship", ship)


def the_backfill_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    original = IndexReader._answered
    patch.setattr(
        IndexReader, "_answered", lambda reader, step, _answer: original(reader, step, ShipAnswer(0))
    )


def the_backfill_writes_anew(patch: pytest.MonkeyPatch) -> None:
    """Items as they were when they were read, but as if they had been written a little later."""
    original = IndexReader._send

    def send(reader: IndexReader, step: Any, is_leader: bool) -> None:
        for place, (key, record) in enumerate(step.entries):
            stamp = records.stamp_of(record) + (50 << 16)
            step.entries[place] = key, record[:1] + stamp.to_bytes(8, "big") + record[9:]
        original(reader, step, is_leader)

    patch.setattr(IndexReader, "_send", send)


def merges_say_nothing_of_what_they_replaced(patch: pytest.MonkeyPatch) -> None:
    original = partition_module._merge_mutation

    def merge_mutation(
        key: bytes, merged: bytes, current: bytes | None, log: bool, feeds: bool, local: Any
    ) -> Mutation:
        return original(key, merged, current, log, False, local)

    patch.setattr(partition_module, "_merge_mutation", merge_mutation)


def deletions_are_forgotten_with_their_stamps(patch: pytest.MonkeyPatch) -> None:
    def forget(machine: PartitionMachine, key: bytes, stamp: int, batch: Batch) -> None:
        batch.delete(Family.DATA, machine.prefix + key)

    patch.setattr(PartitionMachine, "_forget", forget)


def what_failed_is_given_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ChangeSender, "failed", lambda sender, number, now_ms: sender.acknowledged(number, 0))


@pytest.mark.parametrize(
    ("plant", "faults", "seed", "regions"),
    [
        (a_new_leader_logs_nothing, ("crash_a_node", "hand_over"), 0, 1),
        (old_entries_are_not_removed, (), 0, 1),
        (an_entry_whose_key_stays_is_taken_to_stay, (), 0, 1),
        (the_cursor_does_not_wait, ("crash_a_node", "hand_over", "isolate_a_node"), 0, 1),
        (the_backfill_does_not_wait, ("crash_a_node", "hand_over", "isolate_a_node"), 0, 1),
        (the_backfill_writes_anew, (), 0, 1),
        (merges_say_nothing_of_what_they_replaced, (), 0, 2),
        (what_failed_is_given_up, ("crash_a_node", "isolate_a_node"), 0, 1),
    ],
)
def test_is_caught(
    plant: Patch, faults: tuple[str, ...], seed: int, regions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    for each in range(seed, seed + SEEDS_MAX):
        simulation = ClusterSimulation(
            each,
            regions=regions,
            is_global=regions > 1,
            faults=faults,
            fault_seconds=4.0,
            changes_indexes=True,
        )
        try:
            simulation.run()
        except Violation as violation:
            if "index" in str(violation):
                return
            raise
    pytest.fail(f"{plant.__name__} went unnoticed")


def test_an_index_that_is_complete_too_early_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IndexFeed, "indexed", property(lambda feed: tuple(feed._cursors.by_id)))
    with pytest.raises(Violation, match="index later lacks"):
        watched_activation()


def test_a_deletion_that_leaves_no_stamp_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    deletions_are_forgotten_with_their_stamps(monkeypatch)
    with pytest.raises(Violation, match="index counted lacks"):
        made_anew_by_a_slow_clock()
