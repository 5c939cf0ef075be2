"""Global indexes in the simulated cluster: a table that has them from birth, a client that adds and removes one while
faults strike, and what must be so once all has healed.

`by-writer`'s key is another one after every write; `counted` is sparse, since only `n` puts an item there; `later`
comes and goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvorum.model import change as change_log
from kvorum.model.table import IndexStatus, Table
from kvorum.node.partition import Partition
from kvorum.node.store import Family
from tests.kit.index_checker import differences
from tests.kit.simulation_clients import Ports, send, table_body
from tests.kit.simulation_history import Violation
from tests.kit.simulation_local_indexes import LOCAL, check_local_indexes
from tests.kit.simulation_records import records_of

if TYPE_CHECKING:
    from tests.kit.cluster_simulation import ClusterSimulation
    from tests.kit.simulation_hosts import NodeHost, Region

_BORN = {
    "by-writer": ([("w", "HASH")], {"ProjectionType": "KEYS_ONLY"}),
    "counted": ([("p", "HASH"), ("n", "RANGE")], {"ProjectionType": "ALL"}),
}
_LATER = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["w"]}
_NUMBERS = ("w", "n", "v")


def indexed_table_body(name: str) -> dict[str, Any]:
    body = table_body(name)
    body["AttributeDefinitions"] += [_definition("w"), _definition("n")]
    body["GlobalSecondaryIndexes"] = [_index(each, *spec) for each, spec in _BORN.items()]
    body["LocalSecondaryIndexes"] = [_index(each, *spec) for each, spec in LOCAL.items()]
    return body


def later_index_body(table: str, *, creates: bool = True) -> dict[str, Any]:
    """The update that adds the index `later`, or takes it away."""
    update: dict[str, Any] = {"Delete": {"IndexName": "later"}}
    if creates:
        update = {"Create": _index("later", [("v", "HASH"), ("s", "RANGE")], _LATER)}
    return {
        "TableName": table,
        "AttributeDefinitions": [_definition(name) for name in ("p", "s", "w", "n", "v")],
        "GlobalSecondaryIndexUpdates": [update],
    }


def idle_items(table: int) -> list[dict[str, Any]]:
    """Written before all else, and never again: nothing but a backfill brings them into an index that comes later.
    `table`: which one of the simulation's; in each they have other writers."""
    return [
        {
            "p": {"S": f"p{number % 3}"},
            "s": {"S": f"idle-{number}"},
            "w": {"N": str(-number)},
            "v": {"N": str(-number)},
        }
        for number in range(12 * table + 1, 12 * table + 13)
    ]


class IndexClient:
    """Adds the index `later` to a table and takes it away again, over and over, in any of `regions`."""

    def __init__(self, ports: Ports, table: str, regions: list[str]) -> None:
        self.busy = False
        self._ports = ports
        self._table = table
        self._regions = regions
        self._stopped = False

    def start(self) -> None:
        self._later()

    def stop(self) -> None:
        self._stopped = True

    def _later(self) -> None:
        self._ports.loop.call_later(self._ports.random.uniform(0.01, 3.0), self._issue)

    def _issue(self) -> None:
        if self._stopped:
            self.busy = False
            return
        random = self._ports.random
        door = self._ports.route(random.choice(self._regions))
        if door is None:
            self._later()
            return
        self.busy = True
        body = later_index_body(self._table, creates=random.random() < 0.6)
        send(self._ports, door, "UpdateTable", body, lambda: None, self._concluded)

    def _concluded(self, status: int, answer: dict[str, Any]) -> None:
        self.busy = False
        self._later()


# ---- what must be so -----------------------------------------------------------------------------------


def unsettled_indexes(region: Region, table: Table) -> Iterator[str]:
    for index in table.indexes:
        if index.status is not IndexStatus.ACTIVE:
            yield f"{region.name}: index {index.name} of {table.name} is {index.status.name}"
    known = {index.id for index in table.indexes if not index.local}
    for host in region.nodes:
        for partition in host.node.partitions.values():
            if partition.descriptor.table_id == table.id:
                yield from _unsettled_cursors(host, partition, known)


def _unsettled_cursors(host: NodeHost, partition: Partition, known: set[int]) -> Iterator[str]:
    cursors = partition.machine.index_cursors.by_id
    name = f"{host.at.id}: partition {partition.descriptor.id}"
    if cursors.keys() != known:
        yield f"{name} has cursors of indexes {sorted(cursors)}, not {sorted(known)}"
    number = partition.descriptor.id
    lower, upper = change_log.position(number, 0, 0), change_log.position(number + 1, 0, 0)
    newest = max(
        (change_log.index_of(place) for place, _ in host.disk.scan(Family.CHANGES, lower, upper)), default=0
    )
    for index_id, cursor in cursors.items():
        if cursor.position is not None or cursor.index < newest:
            yield f"{name}, changes up to {newest}, index {index_id} at {cursor}"


def check_indexes(simulation: ClusterSimulation, region: Region, table: Table) -> None:
    """Every index is what its table makes of it. Raises Violation."""
    items = records_of(region, table.id)
    for index in table.indexes:
        if index.local:
            continue
        entries = records_of(region, index.id)
        for difference in differences(table.keys, index, items, entries):
            raise Violation(f"{region.name}: {difference}")
    check_local_indexes(simulation, region, table)


def _index(name: str, schema: list[tuple[str, str]], projection: dict[str, Any]) -> dict[str, Any]:
    keys = [{"AttributeName": attribute, "KeyType": kind} for attribute, kind in schema]
    return {"IndexName": name, "KeySchema": keys, "Projection": projection}


def _definition(attribute: str) -> dict[str, str]:
    return {"AttributeName": attribute, "AttributeType": "N" if attribute in _NUMBERS else "S"}
