"""Liveness of the simulated cluster: what is not yet as it should be, once nothing disturbs it any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvorum.control.state import Partition as Descriptor
from kvorum.control.state import State
from kvorum.model import change as change_log
from kvorum.model import record as records
from kvorum.model.table import TableStatus
from kvorum.node.store import Family
from tests.kit.simulation_indexes import unsettled_indexes

if TYPE_CHECKING:
    from tests.kit.cluster_simulation import ClusterSimulation


from tests.kit.simulation_hosts import Region
from tests.kit.simulation_records import global_items


def unsettled(simulation: ClusterSimulation) -> Iterator[str]:
    """In words; nothing when everything has come to rest."""
    for host in simulation.hosts:
        if not host.life.alive:
            yield f"{host.at.id} is down"
            return
    for host in simulation.router_hosts:
        life = host.life
        if not life.ready:
            yield f"{life.name}: {life.router.readiness()}"
        if life.unanswered or life.router.service.in_flight or life.router.placement.waiting:
            yield f"{life.name}: {life.unanswered} requests have no answer"
        if life.door._tasks:
            yield f"{life.name}: the region door is at work"
    for region in simulation.regions.values():
        yield from _unsettled_control(simulation, region)
        yield from _unsettled_partitions(simulation, region)
    for left, right in zip(simulation.regions.values(), list(simulation.regions.values())[1:], strict=False):
        if simulation.is_global and global_items(left) != global_items(right):
            yield f"{left.name} and {right.name} hold different items"


def _unsettled_control(simulation: ClusterSimulation, region: Region) -> Iterator[str]:
    leading = region.leading_control
    if leading is None or leading._control is None:
        yield f"{region.name}: nobody leads the control group"
        return
    state = leading._control._machine.state
    if state.peer_operations:
        yield f"{region.name}: peers must be told {list(state.peer_operations.values())}"
    for table in state.tables.values():
        if table.status is not TableStatus.ACTIVE:
            yield f"{region.name}: table {table.name} is {table.status.name}"
        yield from unsettled_indexes(region, table)
    for partition in state.partitions.values():
        if partition.dropping or not partition.formed:
            yield f"{region.name}: {partition}"
    for host in region.nodes:
        control = host.node._control
        if control is not None and _content(control._machine.state) != _content(state):
            yield f"{host.at.id}: another control state"
    everything = _view(leading.directory)
    for name, directory in _directories(simulation, region):
        if _view(directory) != everything:
            yield f"{name}: another directory ({directory.version} of {leading.directory.version})"


def _directories(simulation: ClusterSimulation, region: Region) -> Iterator[tuple[str, Any]]:
    for host in region.nodes:
        yield host.at.id, host.node.directory
    for router in region.routers:
        yield router.at.id, router.life.router.directory


def _unsettled_partitions(simulation: ClusterSimulation, region: Region) -> Iterator[str]:
    leading = region.leading_control
    if leading is None:
        return
    for host in region.nodes:
        reason = host.node.readiness()
        if reason is not None:
            yield f"{host.at.id}: {reason}"
        expected = {p.id for p in leading.directory.partitions.values() if host.at.name in p.replicas}
        if set(host.node.partitions) != expected:
            yield f"{host.at.id} holds {sorted(host.node.partitions)}, not {sorted(expected)}"
        for report in host.node.status().senders:
            if report.lag_ms:
                yield f"{host.at.id}: {report}"
    for descriptor in leading.directory.partitions.values():
        replicas = [host.node.engine.replicas.get(descriptor.id) for host in region.nodes]
        held = [replica for replica in replicas if replica is not None]
        if [replica.serving for replica in held].count(True) != 1:
            yield f"{region.name}: partition {descriptor.id} has no leader, or two"
        positions = {
            (r.core.term, r.core.commit_index, r.core.applied_index, r.core.last_index) for r in held
        }
        if len(positions) > 1:
            yield f"{region.name}: partition {descriptor.id} stands at {positions}"
        yield from _unshipped(simulation, region, descriptor)


def _unshipped(simulation: ClusterSimulation, region: Region, descriptor: Descriptor) -> Iterator[str]:
    """Own changes behind a peer's cursor."""
    for host in region.nodes:
        partition = host.node.partitions.get(descriptor.id)
        if partition is None or not partition.replica.serving or not partition.replicates:
            continue
        lower, upper = (
            change_log.position(descriptor.id, 0, 0),
            change_log.position(descriptor.id + 1, 0, 0),
        )
        own = [
            change_log.index_of(place)
            for place, entry in host.disk.scan(Family.CHANGES, lower, upper)
            if records.region_of(change_log.decode(entry).record) == region.name.encode()
        ]
        for peer in partition.table.regions:
            if peer != region.name and own and partition.machine.cursors.get(peer, 0) < own[-1]:
                yield f"{host.at.id}: changes of partition {descriptor.id} are not shipped to {peer}"


def _content(state: State) -> tuple[Any, ...]:
    kept = {kind: held for kind, held in state.records.items() if held}
    return state.counters, kept


def _view(directory: Any) -> tuple[Any, ...]:
    return directory.version, directory.tables, directory.partitions, directory.nodes
