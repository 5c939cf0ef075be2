"""Seeded runs of the Raft simulation. `SIM_SEED=n` replays one; `SIM_SEEDS=n` runs that many instead of the
default, from `SIM_SEED_FIRST` on."""

from __future__ import annotations

import os

import pytest

from tests.kit.raft_simulation import Simulation

CHUNK = 20

one = os.environ.get("SIM_SEED")
first = int(one or os.environ.get("SIM_SEED_FIRST", "0"))
count = 1 if one else int(os.environ.get("SIM_SEEDS", "300"))


@pytest.mark.parametrize("start", range(first, first + count, CHUNK))
def test_safe_under_faults_and_live_after_them(start: int) -> None:
    lease_reads = index_reads = 0
    for seed in range(start, min(start + CHUNK, first + count)):
        simulation = Simulation(seed)
        simulation.run()
        lease_reads += simulation.lease_reads
        index_reads += simulation.index_reads
    assert lease_reads > 0
    assert index_reads > 0


def test_the_same_seed_is_the_same_run() -> None:
    runs = [Simulation(7), Simulation(7)]
    for run in runs:
        run.run()
    assert runs[0].committed == runs[1].committed
    assert (runs[0].now_us, runs[0].sequence) == (runs[1].now_us, runs[1].sequence)
