"""The simulation must notice when a rule of local indexes is broken in real nodes; tests/unit/test_local_indexes.py has
more such mistakes, against one partition."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kvorum.node.item_collections import ItemCollections
from kvorum.node.partition import Partition
from tests.kit.cluster_simulation import ClusterSimulation
from tests.kit.simulation_history import Violation

SEEDS_MAX = 20

Patch = Callable[[pytest.MonkeyPatch], None]


def merges_items_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Partition, "_merge_effect", lambda *_: None)


def forgets_sizes_that_are_proposed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ItemCollections, "propose", lambda *_: None)


@pytest.mark.parametrize(
    ("plant", "regions"), [(merges_items_alone, 2), (forgets_sizes_that_are_proposed, 1)]
)
def test_is_caught(plant: Patch, regions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in range(SEEDS_MAX):
        simulation = ClusterSimulation(
            seed, regions=regions, is_global=regions > 1, faults=(), fault_seconds=3.0
        )
        try:
            simulation.run()
        except Violation:
            return
    pytest.fail(f"{plant.__name__} went unnoticed")
