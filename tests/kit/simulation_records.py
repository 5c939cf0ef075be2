"""What the nodes of a simulated region hold, read from their disks."""

from __future__ import annotations

from kvorum.model import keys as key_codec
from kvorum.node.store import Family
from tests.kit.simulation_history import Violation
from tests.kit.simulation_hosts import NodeHost, Region


def _records(host: NodeHost, owner: int) -> dict[bytes, bytes]:
    """Of one table or index, as one node stores it; by key without the owner's number."""
    prefix = owner.to_bytes(4, "big")
    upper = (owner + 1).to_bytes(4, "big")
    return {key[4:]: record for key, record in host.disk.scan(Family.DATA, prefix, upper)}


def records_of(region: Region, owner: int) -> dict[bytes, bytes]:
    """Of one table or global index, by its id: every replica's, which must be the same."""
    leading = region.leading_control
    assert leading is not None
    found: dict[bytes, bytes] = {}
    for descriptor in leading.directory.partitions_of(owner):
        lower, upper = key_codec.token_bounds(descriptor.lower, descriptor.upper)
        held = [
            {k: r for k, r in _records(host, owner).items() if lower <= k < upper}
            for host in region.nodes
            if host.at.name in descriptor.replicas
        ]
        if any(each != held[0] for each in held):
            raise Violation(f"{region.name}: the replicas of partition {descriptor.id} differ")
        found.update(held[0])
    return found


def global_items(region: Region) -> dict[str, dict[bytes, bytes]]:
    leading = region.leading_control
    if leading is None:
        return {}
    items: dict[str, dict[bytes, bytes]] = {}
    for table in leading.directory.tables.values():
        if table.global_id:
            items[table.name] = {}
            for host in region.nodes:  # not yet settled perhaps: no opinion about replicas
                items[table.name].update(_records(host, table.id))
    return items
