"""Seeded runs of whole regions. `SIM_SEED=n` replays one; `SIM_SEEDS=n` runs that many instead of the default, from
`SIM_SEED_FIRST` on. docs/simulation.md says what is simulated and what is checked."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.kit.cluster_simulation import ClusterSimulation
from tests.kit.simulation_clients import ItemClient
from tests.kit.simulation_history import Key, Operation, Outcome, check_fresh
from tests.kit.simulation_hosts import NodeHost, RouterLife

CHUNK = 10
BROKEN_ONCE = (
    95,  # a leadership transfer answered ThrottlingException
    176,  # a replica made from an old directory stayed for ever
    295,  # full disks: regions stayed apart
    320,  # a router whose only Watch was lost waited for ever
    333,  # a condition was compared with a write that a full disk had undone
    400,  # deletions in one region, births in another
    455,  # nodes that began anew after a full disk had forgotten who watched them
)

one = os.environ.get("SIM_SEED")
first = int(one or os.environ.get("SIM_SEED_FIRST", "0"))
count = 1 if one else int(os.environ.get("SIM_SEEDS", "30"))


@pytest.mark.parametrize("start", range(first, first + count, CHUNK))
def test_safe_under_faults_and_live_after_them(start: int) -> None:
    for seed in range(start, min(start + CHUNK, first + count)):
        ClusterSimulation(seed).run()


@pytest.mark.parametrize("seed", BROKEN_ONCE)
def test_what_was_broken_once(seed: int) -> None:
    ClusterSimulation(seed).run()


def test_the_same_seed_is_the_same_run() -> None:
    runs = [ClusterSimulation(0) for _ in range(2)]
    for run in runs:
        run.run()
    assert runs[0].digest() == runs[1].digest()


def test_the_same_seed_is_the_same_run_in_another_process() -> None:
    """Where sets and hashes have another order."""
    script = (
        "from tests.kit.cluster_simulation import *; s = ClusterSimulation(4); s.run(); print(s.digest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


# ---- scenarios, each with its own script -------------------------------------------------------------


def calm(*, nodes: int = 3, routers: int = 2) -> ClusterSimulation:
    """One region without faults, of so many nodes and routers."""
    seed = next(
        seed
        for seed in range(1_000)
        if [(len(r.nodes), len(r.routers)) for r in _calm(seed).regions.values()] == [(nodes, routers)]
    )
    return _calm(seed)


def _calm(seed: int) -> ClusterSimulation:
    return ClusterSimulation(seed, regions=1, faults=())


def client_of(simulation: ClusterSimulation, name: str) -> tuple[ItemClient, Key]:
    keys = simulation.keys["eu"]
    client = ItemClient(simulation.ports, name, "eu", keys, 1.0)
    client.stop()
    return client, keys.own[0]


def leader_of(simulation: ClusterSimulation, key: Key) -> NodeHost:
    token = int.from_bytes(simulation.key_bytes[key][:8], "big")
    for host in simulation.node_hosts:
        for partition in host.node.partitions.values():
            descriptor = partition.descriptor
            holds = partition.table.name == key[0] and descriptor.lower <= token <= descriptor.upper
            if holds and partition.replica.serving:
                return host
    raise AssertionError("nobody leads")


def outcome_within(simulation: ClusterSimulation, operation: Operation, seconds: float) -> Outcome:
    simulation.wait_for("an answer", seconds, lambda: operation.outcome is not Outcome.PENDING)
    return operation.outcome


def deposed_leader_reads() -> tuple[Operation, Operation, list[Operation]]:
    """A leader and one router are cut off together, and the leader stands still while another is elected and
    writes. When it goes on, its router reads. Returns the write, the read and the key's history."""
    simulation = calm()
    with simulation.watched():
        simulation.start()
        client, key = client_of(simulation, "a")
        reader, _ = client_of(simulation, "b")
        first, second = (host.life for host in simulation.router_hosts)
        assert outcome_within(simulation, client.write(first, "put", key), 2.0) is Outcome.OK
        leader = leader_of(simulation, key)
        inside = {leader.at.id, first.host.at.id}
        for one in simulation.hosts:
            for other in simulation.hosts:
                if (one.at.id in inside) != (other.at.id in inside):
                    simulation.network.cut(one.at.id, other.at.id)
        leader.life.process.pause()
        simulation.wait(1.5)
        write = client.write(second, "put", key)
        assert outcome_within(simulation, write, 8.0) is Outcome.OK
        leader.life.process.resume()
        read = reader.read(first, key, strong=True)
        simulation.wait(1.0)
        simulation.network.heal_all()
        assert outcome_within(simulation, read, 8.0) is Outcome.OK
        return write, read, simulation.history.operations


def test_a_deposed_leader_answers_no_strong_read() -> None:
    write, read, history = deposed_leader_reads()
    check_fresh(read, [write], history, {})
    assert read.seen is not None
    assert read.seen.w == write.number


def test_a_write_that_meets_a_transfer_is_not_refused() -> None:
    simulation = calm()
    with simulation.watched():
        simulation.start()
        client, key = client_of(simulation, "a")
        router: RouterLife = simulation.router_hosts[0].life
        for _ in range(5):
            leader = leader_of(simulation, key)
            leader.life.process.call_soon(leader.node.hand_over)
            for _ in range(5):
                operation = client.write(router, "add", key)
                assert outcome_within(simulation, operation, 2.0) is Outcome.OK, operation
            simulation.wait(0.5)


def test_nodes_that_began_anew_after_a_full_disk_tell_routers_what_changes() -> None:
    simulation = calm()
    with simulation.watched():
        simulation.start()
        client, key = client_of(simulation, "a")
        router = simulation.router_hosts[0].life
        before = [host.node for host in simulation.node_hosts]
        for host in simulation.node_hosts:
            host.disk.is_out_of_space = True
        operation = client.write(router, "put", key)
        assert outcome_within(simulation, operation, 13.0) is not Outcome.OK
        for host in simulation.node_hosts:
            host.disk.is_out_of_space = False
        simulation.wait_for(
            "new nodes",
            15.0,
            lambda: all(
                host.node is not old for host, old in zip(simulation.node_hosts, before, strict=True)
            ),
        )
        simulation.wait_for("settling", 15.0, lambda: simulation.unsettled() is None)
        simulation.create_table("later", "eu")
        simulation.wait_for("settling", 5.0, lambda: simulation.unsettled() is None)
        assert all("later" in host.life.router.directory.tables for host in simulation.router_hosts)
