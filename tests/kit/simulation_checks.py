"""Safety of the simulated cluster: what all replicas hold, against what everybody was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvorum.model import record as records
from kvorum.model import values
from kvorum.model.table import Table
from tests.kit.simulation_clients import item_of, send
from tests.kit.simulation_history import (
    Key,
    Operation,
    Outcome,
    Violation,
    check_counter,
    check_coverage,
    check_fresh,
    check_linearizable,
    check_real,
    check_table_lifecycle,
    check_winners,
)
from tests.kit.simulation_hosts import Region
from tests.kit.simulation_indexes import check_indexes
from tests.kit.simulation_records import records_of

if TYPE_CHECKING:
    from tests.kit.cluster_simulation import ClusterSimulation


EVENTUAL_WAIT_SECONDS = 0.09
"""An eventual read that took less must show its router's own writes: a replica that lags is waited for at least
100 ms, by a clock whose rate may be off."""


def check(simulation: ClusterSimulation) -> None:
    _check_control(simulation)
    final: dict[Key, bytes] = {}
    for region in simulation.regions.values():
        table = simulation.table_named(region.name, simulation.keys[region.name].table)
        if table is None:
            raise Violation(f"{region.name}: an acknowledged table is gone")
        held = records_of(region, table.id)
        for key in simulation.keys[region.name].all:
            record = held.get(simulation.key_bytes[key])
            if record is not None:
                final[key] = record
        _check_statistics(simulation, region, table, held)
        check_indexes(simulation, region, table)
    _check_answers(simulation)
    _check_items(simulation, final)
    for client in simulation.table_clients:
        for name in simulation.regions:
            exists = simulation.table_named(name, client.name) is not None
            if simulation.is_global or name == client.home:
                check_table_lifecycle(client.operations, exists, client.name)


def _check_control(simulation: ClusterSimulation) -> None:
    for region in simulation.regions.values():
        leading = region.leading_control
        assert leading is not None
        for table in leading.directory.tables.values():
            parts = leading.directory.partitions_of(table.id)
            check_coverage([(part.lower, part.upper) for part in parts], f"{region.name}/{table.name}")


def _check_statistics(
    simulation: ClusterSimulation, region: Region, table: Table, held: dict[bytes, bytes]
) -> None:
    living = [record for record in held.values() if not records.is_tombstone(record)]
    expected = (len(living), sum(records.size_of(record) for record in living))
    for router in region.routers:
        answers: list[dict[str, Any]] = []
        send(
            simulation.ports,
            router.life,
            "DescribeTable",
            {"TableName": table.name},
            lambda: None,
            lambda _, answer: answers.append(answer["Table"]),  # noqa: B023
        )
        simulation.wait_for("a description", 2.0, lambda: bool(answers))  # noqa: B023
        told = (answers[0]["ItemCount"], answers[0]["TableSizeBytes"])
        if told != expected:
            raise Violation(f"{region.name}: DescribeTable counts {told}, a scan {expected}")


def _check_answers(simulation: ClusterSimulation) -> None:
    for operation in simulation.history.operations:
        if operation.answers > 1 or (operation.answers == 0 and operation.error != "no answer"):
            raise Violation(f"{operation.answers} answers: {operation}")


def _check_items(simulation: ClusterSimulation, final: dict[Key, bytes]) -> None:
    orders = _orders(simulation)
    writes = {each.number: each for each in simulation.history.operations if each.writes}
    for key, operations in simulation.history.by_key().items():
        for operation in operations:
            if operation.kind == "get" and operation.outcome is Outcome.OK:
                check_real(operation, writes)
                floor = _floor(simulation, operation, operations)
                check_fresh(operation, floor, operations, orders if simulation.is_global else {})
            elif operation.outcome is Outcome.OK and not operation.deletes and operation.number not in orders:
                raise Violation(f"an acknowledged write was never stored\n{operation}")
            elif operation.outcome is Outcome.FAILED and operation.number in orders:
                raise Violation(f"a write that had failed was stored\n{operation}")
        if key[2].startswith(("own", "count")):
            check_linearizable(operations)
        if key[2].startswith("count"):
            record = final.get(key)
            item = None if record is None else item_of(values.loads(records.json_of(record)))
            check_counter(item.n or 0 if item else 0, operations)
    if simulation.is_global:
        check_winners(final, _made_by_key(simulation), records.order_of)


def _floor(simulation: ClusterSimulation, read: Operation, operations: list[Operation]) -> list[Operation]:
    """The writes that a read must show. A strong one: all that its region had acknowledged. An eventual one
    that waited for nobody: all that its own router had been told of (control/messages.ReadItem)."""
    return [
        write
        for write in operations
        if write.writes
        and write.outcome is Outcome.OK
        and write.returned < read.invoked
        and write.region == read.region
        and (
            read.strong
            or (write.router == read.router and read.returned - read.invoked < EVENTUAL_WAIT_SECONDS)
        )
    ]


def _made_by_key(simulation: ClusterSimulation) -> dict[Key, list[bytes]]:
    names = {encoded: key for key, encoded in simulation.key_bytes.items()}
    made: dict[Key, list[bytes]] = {}
    for (region, stored), made_here in simulation.made.items():
        table = simulation.table_named(region, simulation.keys[region].table)
        key = names.get(stored[4:])
        if key is not None and table is not None and stored[:4] == table.id.to_bytes(4, "big"):
            made.setdefault(key, []).extend(made_here)
    return made


def _orders(simulation: ClusterSimulation) -> dict[int, bytes]:
    """Where each put and update stands in last-writer-wins order, by its operation's number."""
    orders: dict[int, bytes] = {}
    for made in simulation.made.values():
        for record in made:
            if not records.is_tombstone(record):
                number = item_of(values.loads(records.json_of(record))).w
                order = records.order_of(record)
                if orders.setdefault(number, order) != order:
                    raise Violation(f"operation {number} happened twice: {record!r}")
    return orders
