"""Scenarios of global indexes on whole regions, each with its own script. The seeded runs of
test_cluster_simulation check indexes as well."""

from __future__ import annotations

from tests.kit.cluster_simulation import ClusterSimulation
from tests.kit.simulation_history import Outcome
from tests.kit.simulation_indexes import check_indexes
from tests.simulation.test_cluster_simulation import calm, client_of, outcome_within


def made_anew_by_a_slow_clock() -> None:
    """An item is deleted; every node loses power, and comes back with a clock that is 10 s behind. Then the same item
    is written, with the same entry."""
    simulation = calm()
    with simulation.watched():
        simulation.start()
        client, key = client_of(simulation, "a")
        router = simulation.router_hosts[0].life
        for kind in ("add", "delete"):
            assert outcome_within(simulation, client.write(router, kind, key), 2.0) is Outcome.OK
        settle(simulation)
        for host in simulation.node_hosts:
            simulation.crash(host, 0.1)
            host.clock.wall_offset_ms -= 10_000
        simulation.wait(0.2)
        settle(simulation)
        assert outcome_within(simulation, client.write(router, "add", key), 2.0) is Outcome.OK
        settle(simulation)
        check(simulation)


def test_an_item_made_anew_by_a_slow_clock_has_its_entry() -> None:
    made_anew_by_a_slow_clock()


def settle(simulation: ClusterSimulation) -> None:
    simulation.wait_for("settling", 20.0, lambda: simulation.unsettled() is None)


def check(simulation: ClusterSimulation) -> None:
    for region in simulation.regions.values():
        leading = region.leading_control
        assert leading is not None
        for table in leading.directory.tables.values():
            check_indexes(simulation, region, table)
