"""Scenarios of global indexes on whole regions, each with its own script. The seeded runs of
test_cluster_simulation check indexes as well."""

from __future__ import annotations

from kvorum.model import keys
from kvorum.model.table import IndexStatus, Table
from kvorum.node.store import Family
from tests.kit.cluster_simulation import ClusterSimulation
from tests.kit.index_checker import differences
from tests.kit.simulation_history import Outcome, Violation
from tests.kit.simulation_indexes import check_indexes, later_index_body
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
            simulation.faults.crash(host, 0.1)
            host.clock.wall_offset_ms -= 10_000
        simulation.wait(0.2)
        settle(simulation)
        assert outcome_within(simulation, client.write(router, "add", key), 2.0) is Outcome.OK
        settle(simulation)
        check(simulation)


def test_an_item_made_anew_by_a_slow_clock_has_its_entry() -> None:
    made_anew_by_a_slow_clock()


def watched_activation() -> None:
    """An index is made while its table's items lie still and the network is slow. Once any replica of the control
    group says that it is active, it must hold them all, in every replica that leads."""
    simulation = calm()
    simulation.backfill_items = 1
    with simulation.watched():
        simulation.start()
        settle(simulation)
        region = simulation.regions["eu"]
        simulation.ask("eu", "UpdateTable", later_index_body("items"))

        def is_active() -> bool:
            tables = [host.node.directory.tables["items"] for host in region.nodes]
            return any(table.indexes[-1].status is IndexStatus.ACTIVE for table in tables)

        assert simulation.loop.run_until(is_active, 20)
        table = leading_table(simulation)
        items = records_of_leaders(simulation, table.id)
        entries = records_of_leaders(simulation, table.indexes[-1].id)
        for difference in differences(table.keys, table.indexes[-1], items, entries):
            raise Violation(difference)


def test_an_index_is_active_once_it_has_every_item() -> None:
    watched_activation()


def test_writes_that_an_index_cannot_follow_are_refused_and_taken_again() -> None:
    """The run itself demands that in the end all writes are taken, and that the indexes have everything."""
    simulation = ClusterSimulation(8, regions=1, faults=("isolate_a_node", "crash_a_node"), fault_seconds=4.0)
    simulation.index_lag_entries_max = 20
    simulation.run()
    writes = [operation for operation in simulation.history.operations if operation.writes]
    refused = [number for number, each in enumerate(writes) if each.error == "ThrottlingException"]
    assert refused
    assert any(each.outcome is Outcome.OK for each in writes[refused[-1] :])


def leading_table(simulation: ClusterSimulation) -> Table:
    leading = simulation.regions["eu"].leading_control
    assert leading is not None
    return leading.directory.tables["items"]


def records_of_leaders(simulation: ClusterSimulation, owner: int) -> dict[bytes, bytes]:
    """What a table's or an index's leaders hold: followers may be a moment behind."""
    prefix, upper = owner.to_bytes(4, "big"), (owner + 1).to_bytes(4, "big")
    held: dict[bytes, bytes] = {}
    for host in simulation.node_hosts:
        for partition in host.node.partitions.values():
            descriptor = partition.descriptor
            if descriptor.table_id == owner and partition.replica.serving:
                lower_key, upper_key = keys.token_bounds(descriptor.lower, descriptor.upper)
                for key, record in host.disk.scan(Family.DATA, prefix, upper):
                    if lower_key <= key[4:] < upper_key:
                        held[key[4:]] = record
    return held


def settle(simulation: ClusterSimulation) -> None:
    simulation.wait_for("settling", 20.0, lambda: simulation.unsettled() is None)


def check(simulation: ClusterSimulation) -> None:
    for region in simulation.regions.values():
        leading = region.leading_control
        assert leading is not None
        for table in leading.directory.tables.values():
            check_indexes(simulation, region, table)
