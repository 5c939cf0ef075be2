"""Local indexes in the simulated cluster: what every replica must hold of them, and of the sizes of collections, once
all has healed. `near-writer`'s key is another one after every write; `near-counted` is sparse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kvorum.control.state import Partition
from kvorum.model import keys
from kvorum.model import record as records
from kvorum.model.table import Index, Table
from kvorum.model.values import loads
from kvorum.node.store import Family
from tests.kit.index_checker import expected_entries
from tests.kit.simulation_history import Violation

if TYPE_CHECKING:
    from tests.kit.cluster_simulation import ClusterSimulation
    from tests.kit.simulation_hosts import NodeHost, Region

LOCAL = {
    "near-writer": ([("p", "HASH"), ("w", "RANGE")], {"ProjectionType": "KEYS_ONLY"}),
    "near-counted": ([("p", "HASH"), ("n", "RANGE")], {"ProjectionType": "ALL"}),
}


def check_local_indexes(simulation: ClusterSimulation, region: Region, table: Table) -> None:
    """Raises Violation."""
    leading = region.leading_control
    assert leading is not None
    local = [index for index in table.indexes if index.local]
    if not local:
        return
    for partition in leading.directory.partitions_of(table.id):
        for host in region.nodes:
            if host.at.name in partition.replicas:
                _check_replica(host, partition, table, local)


def _check_replica(host: NodeHost, partition: Partition, table: Table, local: list[Index]) -> None:
    name = f"{host.at.id}, partition {partition.id}"
    items = _scanned(host, partition, Family.DATA, table.id.to_bytes(4, "big"))
    sizes: dict[bytes, int] = {}
    _add_sizes(table, items, sizes)
    for index in local:
        held = _scanned(host, partition, Family.DATA, index.id.to_bytes(4, "big"))
        # Their stamps mean nothing in a local index.
        wanted = {key: shown[:2] for key, shown in expected_entries(table.keys, index, items).items()}
        found = {key: (loads(records.json_of(entry)), records.size_of(entry)) for key, entry in held.items()}
        if found != wanted:
            raise Violation(f"{name}: index {index.name} holds {found}, not {wanted}")
        counted = host.node.partitions[partition.id].machine.indexes.get(index.id, (0, 0))
        if counted != (len(held), sum(map(records.size_of, held.values()))):
            raise Violation(f"{name}: index {index.name} of {len(held)} entries counts {counted}")
        _add_sizes(table, held, sizes)
    stored = _scanned(host, partition, Family.META, b"collection/" + table.id.to_bytes(4, "big"))
    if {key: int.from_bytes(size, "big", signed=True) for key, size in stored.items()} != sizes:
        raise Violation(f"{name}: collections are of {sizes}, and not {stored}")


def _scanned(host: NodeHost, partition: Partition, family: Family, prefix: bytes) -> dict[bytes, bytes]:
    lower, upper = keys.token_bounds(partition.lower, partition.upper)
    rows = host.disk.scan(family, prefix + lower, prefix + upper)
    return {key[len(prefix) :]: value for key, value in rows}


def _add_sizes(table: Table, held: Mapping[bytes, bytes], sizes: dict[bytes, int]) -> None:
    for key, record in held.items():
        if not records.is_tombstone(record):
            collection = keys.collection_of(table.keys, key)
            sizes[collection] = sizes.get(collection, 0) + records.size_of(record)
